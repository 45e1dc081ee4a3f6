"""Choice of the prior: `auto`, `none`, `zero123-6dof`, `zero123`, or a path or hub name; announced in one line.

Weights are looked for on this machine; only a name that is given explicitly is downloaded.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import torch

from sparseags_ns.console import announce, warn
from sparseags_ns.guidance.checkpoints import CheckpointError
from sparseags_ns.guidance.loading import (
    BASE_NAMES,
    SIX_DOF_FILE,
    SIX_DOF_SOURCE,
    is_complete,
    load_checkpoint,
    load_folder,
)
from sparseags_ns.guidance.networks import Networks
from sparseags_ns.guidance.zero123 import Zero123, Zero123Options

Precision = Literal["auto", "fp32", "fp16", "bf16"]

_DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
_CHECKPOINTS = (".ckpt", ".pt", ".pth", ".bin", ".safetensors")
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")


def choose_guidance(
    choice: str,
    device: torch.device | str,
    options: Zero123Options,
    *,
    base: str | None = None,
    precision: Precision = "auto",
) -> Zero123 | None:
    """Load and freeze the chosen prior; None if there is none. Announces what was chosen and why.

    Args:
        choice: `auto` (on where there is a CUDA device and the weights are on this machine), `none`, `zero123-6dof`,
            `zero123`, a diffusers folder, a name on the model hub, or an LDM checkpoint.
        base: folder or hub name of a model that provides what an LDM checkpoint lacks; None is Zero123-XL.
        precision: `auto` is fp16 on CUDA, fp32 on the CPU.

    Raises:
        CheckpointError: what was chosen by name is absent or does not fit.
    """
    device = torch.device(device)
    if choice == "none":
        announce("diffusion prior: off", "guidance is none")
        return None
    usual = "fp16" if device.type == "cuda" else "fp32"
    dtype = _DTYPES[usual if precision == "auto" else precision]
    if choice == "auto":
        reason = _why_not(device)
        if reason is not None:
            remedy = "to switch it on: --pipeline.model.guidance PATH, see docs/prior.md"
            announce("diffusion prior: off", f"{reason}; {remedy}")
            return None
        choice = "zero123-6dof" if find_six_dof() is not None else "zero123"
    networks, where = _named(choice, base, half=dtype != torch.float32)
    announce(
        f"diffusion prior: {networks.embedding} Zero123", f"weights from {where}, {str(dtype)[6:]} on {device.type}"
    )
    return Zero123(networks.frozen(device, dtype), options)


def find_six_dof() -> Path | None:
    """The authors' 6-DoF checkpoint in the places that `SIX_DOF_SOURCE` names; None if it is in neither."""
    places = (Path("checkpoints"), Path.home() / ".cache" / "sparseags_ns")
    return next((place / SIX_DOF_FILE for place in places if (place / SIX_DOF_FILE).is_file()), None)


def find_base() -> Path | None:
    """Folder of a Zero123-XL that was downloaded before; None if there is none."""
    for name in BASE_NAMES:
        try:
            return _hub_folder(name, half=True, download=False)
        except CheckpointError:
            continue
    return None


def _why_not(device: torch.device) -> str | None:
    """The reason why `auto` leaves the prior off; None if it does not."""
    if device.type != "cuda":
        return "no CUDA device, and on a CPU each of its steps takes many seconds"
    if find_base() is None:
        return f"no Zero123 weights on this machine: hf download {BASE_NAMES[0]}"
    return None


def _named(choice: str, base: str | None, half: bool) -> tuple[Networks, str]:
    """Networks of a choice, and their origin for the announcement."""
    if choice == "zero123":
        return _base_networks(base or BASE_NAMES[0], half)
    if choice == "zero123-6dof":
        path = find_six_dof()
        if path is None:
            raise CheckpointError(f"there is no {SIX_DOF_FILE} on this machine. {SIX_DOF_SOURCE}")
        return _checkpoint_networks(path, base or BASE_NAMES[0], half)
    path = Path(choice).expanduser()
    if path.is_dir():
        return load_folder(path, half=half), str(path)
    if path.is_file() and path.suffix in _CHECKPOINTS:
        return _checkpoint_networks(path, base, half)
    if _is_hub_name(choice):
        return _base_networks(choice, half)
    raise CheckpointError(
        f"guidance '{choice}' is neither auto, none, zero123-6dof, zero123, nor a folder, a checkpoint "
        f"({', '.join(_CHECKPOINTS)}) or a name on the model hub such as {BASE_NAMES[0]}"
    )


def _base_networks(name: str, half: bool) -> tuple[Networks, str]:
    """Networks of a folder or hub name; a hub name is downloaded if needed."""
    if not _is_hub_name(name):
        return load_folder(Path(name).expanduser(), half=half), name
    here = find_base() if name == BASE_NAMES[0] else None
    return load_folder(here or _hub_folder(name, half=half, download=True), half=half), name


def _checkpoint_networks(path: Path, base: str | None, half: bool) -> tuple[Networks, str]:
    """Networks of an LDM checkpoint on top of a base model, if one is given."""
    below = None if base is None else _base_networks(base, half)
    networks, report = load_checkpoint(path, below[0] if below else None)
    announce(f"checkpoint {path.name} loaded", report.line())
    if report.kept:
        kept = ", ".join(f"{count} weights of its {part}" for part, count in report.kept.items())
        warn(f"checkpoint {path.name} is not whole: it lacks {kept}", f"those of {below[1] if below else path} stay")
    return networks, f"{path}" + (f" on {below[1]}" if below else "")


def _is_hub_name(name: str) -> bool:
    """Whether a string is a name on the model hub and not an existing path."""
    return _HUB_NAME.fullmatch(name) is not None and not Path(name).exists()


def _hub_folder(name: str, *, half: bool, download: bool) -> Path:
    """Local folder of a model on the hub.

    Where there are both precisions, `half` downloads 16 bits. Without `download` only a complete earlier one counts.

    Raises:
        CheckpointError: the model is not on this machine, and cannot or must not be downloaded.
    """
    from huggingface_hub import snapshot_download

    try:
        if download:
            return Path(snapshot_download(name, allow_patterns=_wanted_files(name, half)))
        folder = Path(snapshot_download(name, local_files_only=True))
        if not is_complete(folder):
            raise FileNotFoundError(f"{folder} lacks weights")
        return folder
    except Exception as error:
        what = "could not be fetched" if download else "is not on this machine"
        raise CheckpointError(
            f"{name} {what} ({type(error).__name__}). On a machine that reaches the model hub: hf download {name} "
            "--local-dir DIR; then give --pipeline.model.guidance DIR"
        ) from error


def _wanted_files(name: str, half: bool) -> list[str]:
    """Files to download: all configurations, and one set of weights for each network, safetensors before pickles."""
    from huggingface_hub import list_repo_files

    files = [file for file in list_repo_files(name) if "/" in file and not file.startswith("safety_checker/")]
    weights = [file for file in files if file.endswith((".safetensors", ".bin")) and "_ema" not in file]
    chosen = [file for file in files if file.endswith(".json")]
    for folder in sorted({file.rpartition("/")[0] for file in weights}):
        mine = [file for file in weights if file.rpartition("/")[0] == folder]
        mine = [file for file in mine if file.endswith(".safetensors")] or mine
        chosen += [file for file in mine if (".fp16." in file) == half] or mine
    return chosen
