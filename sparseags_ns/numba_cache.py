"""Compiles numba kernels and keeps their machine code on disk.

Numba looks only at a function's own file to tell whether its cached code is stale, although that code holds functions
inlined from other files. The cache folder is therefore named after a hash of all sources of a set of kernels.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba


def compiler(name: str, *sources: Path, **flags: Any) -> Callable[[Callable[..., Any]], Any]:
    """A decorator that compiles a kernel at its first call, and keeps the code on disk where a folder can be written.

    Args:
        name: beginning of the cache folder's name, different for each set of kernels.
        sources: all files with kernels of the set; the code is kept beside the first one, if that can be written.
        flags: options of `numba.njit`.
    """

    def kernel(function: Callable[..., Any]) -> Any:
        folder = cache_folder(name, *sources)
        if folder is None:
            return numba.njit(**flags)(function)
        previous, numba.config.CACHE_DIR = numba.config.CACHE_DIR, str(folder)  # pyright: ignore
        try:
            return numba.njit(cache=True, **flags)(function)
        finally:
            numba.config.CACHE_DIR = previous  # pyright: ignore

    return kernel


@cache
def cache_folder(name: str, *sources: Path) -> Path | None:
    """The first folder that can be written: NUMBA_CACHE_DIR or one beside the sources, the user's, a temporary one."""
    digest = hashlib.sha256(numba.__version__.encode())
    for source in sources:
        digest.update(source.read_bytes())
    named = os.environ.get("NUMBA_CACHE_DIR")
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    roots = [Path(named)] if named else [sources[0].parent / "__pycache__", Path(home) / "sparseags_ns"]
    # A temporary folder is shared with other users: ours carries our user id and must belong to us.
    user = os.getuid() if hasattr(os, "getuid") else 0
    roots.append(Path(tempfile.gettempdir()) / f"sparseags_ns_{user}")
    folders = (root / f"{name}-{digest.hexdigest()[:16]}" for root in roots)
    return next((folder for folder in folders if _is_writable(folder, user)), None)


def _is_writable(folder: Path, user: int) -> bool:
    """Whether the folder exists or can be made, takes files, and belongs to the user."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError:
        return False
    return not hasattr(os, "getuid") or folder.stat().st_uid == user
