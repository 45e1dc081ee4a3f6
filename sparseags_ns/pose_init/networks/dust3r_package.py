"""The DUSt3R package and its weights, found on this machine; neither is part of this project.

The package is `dust3r`, the authors' own (a clone on PYTHONPATH, or a wheel that carries it), or `mini_dust3r`, its
inference alone in pure Python; both have the same modules and give the same numbers. Nothing is downloaded here, and no
code from a checkpoint is run.
"""

from __future__ import annotations

import argparse
import ast
import sys
import zipfile
from contextlib import redirect_stdout
from importlib import import_module
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any

import torch

from sparseags_ns.pose_init.base import PoseInitError

PACKAGES = ("dust3r", "mini_dust3r")
REQUIRED = ("roma", "einops")
CHECKPOINTS = (
    "DUSt3R_ViTLarge_BaseDecoder_512_dpt",
    "DUSt3R_ViTLarge_BaseDecoder_512_linear",
    "DUSt3R_ViTLarge_BaseDecoder_224_linear",
)
"""The authors' checkpoints, the preferred one first."""
LICENCE = "DUSt3R's code and weights are CC BY-NC-SA 4.0: for non-commercial use only"

INSTALL = "pip install 'sparseags_ns[dust3r]', then pip install --no-deps mini-dust3r==0.1.2"
FETCH = (
    f"hf download naver/{CHECKPOINTS[0]} (2.3 GB), or put the authors' {CHECKPOINTS[0]}.pth into checkpoints/ or "
    "~/.cache/sparseags_ns/"
)

_CLASS = "AsymmetricCroCo3DStereo"
_COMPILED_ROPE = "models.curope"


def missing_package() -> str | None:
    """Packages to install, and how; None where all are installed."""
    absent = [name for name in REQUIRED if find_spec(name) is None]
    if _root() is None:
        absent = ["dust3r", *absent]
    clone = "put a clone of github.com/naver/dust3r, with its submodule croco, on PYTHONPATH"
    return f"not installed: {', '.join(absent)}; install with {INSTALL} (or {clone})" if absent else None


def find_weights(wanted: str) -> Path | None:
    """A checkpoint: a file, or a folder as the model hub has it; None where it is not on this machine.

    Wanted is a path, the name of a checkpoint, or `auto` for the first of the authors' that is here.
    """
    path = Path(wanted).expanduser()
    if path.is_file() or _is_folder(path):
        return path
    folders = Path("checkpoints"), Path.home() / ".cache/sparseags_ns", Path(torch.hub.get_dir()) / "checkpoints"
    for name in CHECKPOINTS if wanted == "auto" else (path.name.removesuffix(".pth"),):
        for folder in folders:
            if (folder / f"{name}.pth").is_file():
                return folder / f"{name}.pth"
            if _is_folder(folder / name):
                return folder / name
        in_hub = _in_hub(name)
        if in_hub is not None:
            return in_hub
    return None


def missing_weights(wanted: str) -> str | None:
    """Weights to fetch, and how; None where they are on this machine."""
    if find_weights(wanted) is not None:
        return None
    named = "" if wanted == "auto" else f" '{wanted}'"
    return f"no DUSt3R weights{named} on this machine; fetch them with {FETCH}"


def package_module(name: str) -> Any:
    """A module of the package, by its name inside.

    Raises:
        PoseInitError: the package is absent or incomplete.
    """
    root = _root()
    if root is None:
        raise PoseInitError(f"dust3r cannot work: {missing_package()}")
    # The package is to use its RoPE in plain torch: the compiled one is bound to one libtorch and fails on CPUs, and
    # makes inference on a GPU only a few percent faster. It would be found as a top-level module, since the package
    # puts a folder of its own on the path; None in `sys.modules` makes its import fail, which the package prints.
    sys.modules.setdefault(_COMPILED_ROPE, None)  # pyright: ignore[reportArgumentType]
    try:
        with redirect_stdout(StringIO()):
            return import_module(f"{root}.{name}")
    except ImportError as error:
        raise PoseInitError(f"the package {root} is incomplete: {error}; install with {INSTALL}") from error
    finally:
        if sys.modules.get(_COMPILED_ROPE, "") is None:
            del sys.modules[_COMPILED_ROPE]


def load_network(weights: Path) -> Any:
    """The network of a checkpoint, frozen, on the CPU.

    Raises:
        PoseInitError: the file is damaged, or holds another network.
    """
    kind = getattr(package_module("model"), _CLASS)
    network = kind.from_pretrained(str(weights)) if weights.is_dir() else _from_checkpoint(kind, weights)
    return network.eval().requires_grad_(False)


def constructor_arguments(call: str, weights: Path) -> dict[str, Any]:
    """Arguments of the network's constructor, parsed from the Python call that a checkpoint holds as text.

    Raises:
        PoseInitError: the text is a call of something else, or no call with literal arguments.
    """
    try:
        tree = ast.parse(call.strip(), mode="eval").body
        if not isinstance(tree, ast.Call):
            raise ValueError("no call")
        name = ast.unparse(tree.func)
        arguments = {str(keyword.arg): _literal(keyword.value) for keyword in tree.keywords}
    except (SyntaxError, ValueError) as error:
        raise PoseInitError(f"{weights} does not say what network it holds: {call[:80]!r}") from error
    if name != _CLASS:
        raise PoseInitError(f"{weights} holds a network of the kind {name}; expected {_CLASS}, a checkpoint of DUSt3R")
    # As in the authors' loader: one kind of patches for all shapes, and no rotation of upright photographs.
    return {**arguments, "patch_embed_cls": "PatchEmbedDust3R", "landscape_only": False}


def _from_checkpoint(network_class: Any, weights: Path) -> Any:
    """The network of a `.pth` file, whose `args.model` is the constructor's call and whose `model` is the state."""
    zipped = zipfile.is_zipfile(weights)
    foreign = torch.serialization.get_unsafe_globals_in_checkpoint(weights) if zipped else []
    allowed: list[Any] = [(_Inert, name) for name in foreign if name != "argparse.Namespace"]
    try:
        # Objects of other programs are replaced by `_Inert`, so that none of their code runs.
        with torch.serialization.safe_globals([argparse.Namespace, *allowed]):
            content = torch.load(weights, map_location="cpu", weights_only=True, mmap=zipped)
    except Exception as error:
        raise PoseInitError(f"{weights} is damaged or no checkpoint of DUSt3R; fetch it with {FETCH}") from error
    parts = content if isinstance(content, dict) else {}
    settings, state = getattr(parts.get("args"), "model", None), parts.get("model")
    if not isinstance(settings, str) or not isinstance(state, dict):
        problem = "is no checkpoint of DUSt3R: it has no 'args' and 'model'"
        raise PoseInitError(f"{weights} {problem}; fetch it with {FETCH}")
    network = network_class(**constructor_arguments(settings, weights))
    try:
        missing = network.load_state_dict(state, strict=False).missing_keys
    except RuntimeError as error:
        last = str(error).strip().splitlines()[-1].strip()
        raise PoseInitError(f"{weights} does not fit the network that it says it holds: {last}") from error
    # Only mask tokens, which are needed in training alone, may be absent; the authors' loader ignores all of these.
    absent = [name for name in missing if "mask_token" not in name]
    if absent:
        raise PoseInitError(f"{weights} lacks {len(absent)} weights, among them {absent[0]}; fetch it with {FETCH}")
    return network


class _Inert:
    """Replacement for objects of other programs inside a pickle."""

    def __init__(self, *_: object, **__: object) -> None: ...

    def __setstate__(self, _: object) -> None: ...


def _literal(node: ast.expr) -> Any:
    """Value of a literal; `inf` and `float(...)` are allowed too."""
    if isinstance(node, ast.Name) and node.id == "inf":
        return float("inf")
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_literal(node.operand)
    if isinstance(node, ast.Tuple | ast.List):
        return tuple(_literal(element) for element in node.elts)
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "float":
        return float(_literal(node.args[0]))
    return ast.literal_eval(node)


def _root() -> str | None:
    """Name of the first of `PACKAGES` that is installed."""
    # A folder that happens to have the name, such as a clone in the working folder, is a namespace without origin.
    return next((name for name in PACKAGES if getattr(find_spec(name), "origin", None) is not None), None)


def _in_hub(name: str) -> Path | None:
    """The checkpoint's folder in the model hub's cache."""
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(f"naver/{name}", local_files_only=True))
    except Exception:  # the hub raises many kinds of exceptions for what is absent, or for what is no name at all
        return None
    return folder if _is_folder(folder) else None


def _is_folder(path: Path) -> bool:
    return (path / "config.json").is_file() and (path / "model.safetensors").is_file()
