"""System libraries, tools, and folders that have to be writable."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch

from sparseags_ns.doctor.checks import Check

LIBRARIES = {
    "libGL.so.1": ("libgl1", "ns-export and the mesh exports, through open3d"),
    "libX11.so.6": ("libx11-6", "ns-export, through open3d"),
    "libgomp.so.1": ("libgomp1", "ns-export, through open3d"),
    "libudev.so.1": ("libudev1", "ns-export, through open3d"),
    "libOpenGL.so.0": ("libopengl0", "ns-export poisson and tsdf, through pymeshlab"),
}
"""Library: Debian's package, and what needs it."""
TOOLS = {
    "ns-train": (f"activate the environment, or call {Path(sys.executable).with_name('ns-train')}", "training"),
    "ffmpeg": ("sudo apt-get install ffmpeg", "ns-render"),
}
"""Tool: how to get it, and what needs it."""


def library_checks(loads: Callable[[str], bool] | None = None) -> list[Check]:
    """Libraries that a bare container lacks. Linux only: elsewhere the wheels bring what they need."""
    if platform.system() != "Linux":
        return []
    loads = loads or _loads
    missing = {name: about for name, about in LIBRARIES.items() if not loads(name)}
    if not missing:
        return [Check("System", "libraries", "ok", ", ".join(LIBRARIES))]
    return [
        Check("System", name, "missing", f"needed by {use}", f"sudo apt-get install {package}")
        for name, (package, use) in missing.items()
    ]


def tool_checks() -> list[Check]:
    """Programs that are called."""
    checks = []
    for name, (fix, use) in TOOLS.items():
        where = shutil.which(name)
        found = where or f"not on PATH; needed for {use}"
        checks.append(Check("System", name, "ok" if where else "note", found, "" if where else fix))
    if torch.cuda.is_available() and shutil.which("g++") is None:
        fix = "sudo apt-get install g++"
        checks.append(Check("System", "g++", "missing", "needed once, to compile gsplat's kernels", fix, needed=True))
    return checks


def folder_checks() -> list[Check]:
    """Folders that are written to."""
    from huggingface_hub.constants import HF_HUB_CACHE

    folders = {
        "working folder": (Path.cwd(), "runs go to outputs/ in it; name another with --output-dir"),
        "temporary folder": (Path(tempfile.gettempdir()), "set TMPDIR to a folder that can be written"),
        "torch hub": (Path(torch.hub.get_dir()), "set TORCH_HOME to a folder that can be written"),
        "model hub": (Path(HF_HUB_CACHE), "set HF_HOME to a folder that can be written"),
    }
    return [_folder(name, *about) for name, about in folders.items()]


def _folder(name: str, folder: Path, fix: str) -> Check:
    """Whether a folder, or the nearest one above that exists, can be written."""
    existing = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    free = shutil.disk_usage(existing).free / 2**30
    if not os.access(existing, os.W_OK | os.X_OK):
        return Check("Folders", name, "wrong", f"{folder} cannot be written", fix)
    if free < 1:
        return Check("Folders", name, "note", f"{folder} ({free:.1f} GiB free: little)", fix)
    return Check("Folders", name, "ok", f"{folder} ({free:.0f} GiB free)")


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
