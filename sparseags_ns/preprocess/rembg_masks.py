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
    """The model, loaded."""
    return import_module("rembg").new_session(name)


def cut_out(session: Any, pixels: UInt8[np.ndarray, "height width 3"]) -> Float[np.ndarray, "height width"]:
    """Coverage of the object, 0 to 1."""
    mask = import_module("rembg").remove(Image.fromarray(pixels), session=session, only_mask=True)
    return np.asarray(mask.convert("L"), dtype=np.float32) / 255


def _present() -> list[str]:
    return [name for name in MODELS if (_folder() / f"{name}.onnx").is_file()]


def _folder() -> Path:
    """Where rembg keeps its models."""
    home = os.environ.get("U2NET_HOME") or os.path.join(os.environ.get("XDG_DATA_HOME", "~"), ".u2net")
    return Path(home).expanduser()
