"""How the sample's kernels are compiled: to machine code that runs without the interpreter's lock, kept on disk.

numba looks only at a function's own file to tell whether its cached code is stale, though it holds inlined code from
other files. The cache folder is therefore named after a hash of all sources of this package.
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

_PACKAGE = Path(__file__).parent


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function at its first call; keep the code on disk where a folder can be written."""
    folder = _cache_folder()
    flags: dict[str, Any] = {"nogil": True, "fastmath": True, "error_model": "numpy"}
    if folder is None:
        return numba.njit(**flags)(function)
    previous, numba.config.CACHE_DIR = numba.config.CACHE_DIR, str(folder)  # pyright: ignore
    try:
        return numba.njit(cache=True, **flags)(function)
    finally:
        numba.config.CACHE_DIR = previous  # pyright: ignore


@cache
def _cache_folder() -> Path | None:
    """The first folder that can be written: the one asked for or beside the sources, the user's, a temporary one."""
    digest = hashlib.sha256(numba.__version__.encode())
    for source in sorted(_PACKAGE.glob("*.py")):
        digest.update(source.read_bytes())
    named = os.environ.get("NUMBA_CACHE_DIR")
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    roots = [Path(named)] if named else [_PACKAGE / "__pycache__", Path(home) / "sparseags_ns"]
    # A temporary folder is shared with other users: ours carries our user id and must belong to us.
    user = os.getuid() if hasattr(os, "getuid") else 0
    roots.append(Path(tempfile.gettempdir()) / f"sparseags_ns_{user}")
    folders = (root / f"sample-kernels-{digest.hexdigest()[:16]}" for root in roots)
    return next((folder for folder in folders if _writable(folder, user)), None)


def _writable(folder: Path, user: int) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError:
        return False
    return not hasattr(os, "getuid") or folder.stat().st_uid == user
