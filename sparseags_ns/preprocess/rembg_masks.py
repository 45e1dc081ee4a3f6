"""Masks from the background remover `rembg`, an optional package; its models are never fetched here."""

from __future__ import annotations

import os
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from sparseags_ns.preprocess.photo_files import PhotoError

MODELS = ("isnet-general-use", "u2net", "birefnet-general", "u2netp", "silueta")
"""Models for objects of any kind, in order of preference."""

PACKAGES = ("rembg", "onnxruntime")


def missing() -> str | None:
    """What is missing, then `; ` and how to get it; None if package and a model are on the machine."""
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
    """Name of the preferred model of those on the machine."""
    return _present()[0]


def session(name: str) -> Any:
    """The session of rembg for a model on the machine.

    Raises:
        PhotoError: the model's file cannot be loaded.
    """
    # Without this, rembg fetches a file anew that differs from the published one in any byte.
    os.environ.setdefault("MODEL_CHECKSUM_DISABLED", "1")
    try:
        return import_module("rembg").new_session(name)
    except Exception as error:  # onnxruntime has no common class for its errors
        raise PhotoError(
            f"rembg cannot load {_file(name)} ({type(error).__name__}); delete it and get it again, for example with: "
            f"rembg d {name}"
        ) from error


def cut_out(session: Any, pixels: UInt8[np.ndarray, "height width 3"]) -> Float[np.ndarray, "height width"]:
    """Coverage of the object by a session's model, 0 to 1."""
    mask = import_module("rembg").remove(Image.fromarray(pixels), session=session, only_mask=True)
    return np.asarray(mask.convert("L"), dtype=np.float32) / 255


def _present() -> list[str]:
    return [name for name in MODELS if _file(name) is not None]


def _file(name: str) -> Path | None:
    """The file of a model, in the data folder of newer versions of rembg or in `_folder`; None if it is in neither."""
    data = os.environ.get("XDG_DATA_HOME")
    default = os.path.join(data, "rembg") if data else "~/.rembg"
    home = Path(os.environ.get("U2NET_HOME") or os.environ.get("REMBG_HOME") or default).expanduser()
    candidates = (home / "models" / name / f"{name}.onnx", _folder() / f"{name}.onnx")
    return next((path for path in candidates if path.is_file()), None)


def _folder() -> Path:
    """Folder of all models in older versions of rembg; newer ones still look there."""
    home = os.environ.get("U2NET_HOME") or os.path.join(os.environ.get("XDG_DATA_HOME", "~"), ".u2net")
    return Path(home).expanduser()
