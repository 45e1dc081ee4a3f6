"""Masks from the background remover `rembg`, which is optional, and whose models are never fetched from here."""

from __future__ import annotations

import os
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from sparseags_ns.preprocess.photographs import PhotographError

MODELS = ("isnet-general-use", "u2net", "birefnet-general", "u2netp", "silueta")
"""Models for objects of any kind, the preferred one first."""

PACKAGES = ("rembg", "onnxruntime")


def missing() -> str | None:
    """What is missing and how to get it; None where everything is at hand."""
    absent = [name for name in PACKAGES if find_spec(name) is None]
    if absent:
        return f"not installed: {', '.join(absent)}; install with pip install 'rembg[cpu]'"
    if not _present():
        return (
            f"none of its models is in {_folder()}; put one there ({MODELS[0]}.onnx or {MODELS[1]}.onnx, for example "
            f"with: rembg d {MODELS[0]}), or set U2NET_HOME to the folder that holds it"
        )
    return None


def model() -> str:
    """The model that is used: the preferred one of those on the machine."""
    return _present()[0]


def session(name: str) -> Any:
    """The model, loaded.

    Raises:
        PhotographError: its file is no model.
    """
    # Otherwise a file that is not byte for byte the published one would be fetched anew.
    os.environ.setdefault("MODEL_CHECKSUM_DISABLED", "1")
    try:
        return import_module("rembg").new_session(name)
    except Exception as error:  # onnxruntime's errors are of no class of their own
        raise PhotographError(
            f"rembg cannot load {_file(name)} ({type(error).__name__}); delete it and get it again, for example with: "
            f"rembg d {name}"
        ) from error


def cut_out(session: Any, pixels: UInt8[np.ndarray, "height width 3"]) -> Float[np.ndarray, "height width"]:
    """Coverage of the object, 0 to 1."""
    mask = import_module("rembg").remove(Image.fromarray(pixels), session=session, only_mask=True)
    return np.asarray(mask.convert("L"), dtype=np.float32) / 255


def _present() -> list[str]:
    return [name for name in MODELS if _file(name) is not None]


def _file(name: str) -> Path | None:
    """The file of a model, where rembg looks for it: in a folder of its own, or in the one of older versions."""
    candidates = (_home() / "models" / name / f"{name}.onnx", _folder() / f"{name}.onnx")
    return next((path for path in candidates if path.is_file()), None)


def _folder() -> Path:
    """Where rembg kept its models in older versions, and still finds them."""
    home = os.environ.get("U2NET_HOME") or os.path.join(os.environ.get("XDG_DATA_HOME", "~"), ".u2net")
    return Path(home).expanduser()


def _home() -> Path:
    """Where newer versions of rembg keep everything."""
    data = os.environ.get("XDG_DATA_HOME")
    default = Path(data, "rembg") if data else Path("~/.rembg")
    return Path(os.environ.get("U2NET_HOME") or os.environ.get("REMBG_HOME") or default).expanduser()
