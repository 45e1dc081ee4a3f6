"""How the kernels are compiled: flags, where the machine code is kept, and the line that says that it takes a while.

Numba looks only at a function's own file to tell whether its cached code is stale, though it holds inlined code from
other files. Our cache folder is therefore named after a hash of all kernel sources.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba.core import event

_PACKAGE = Path(__file__).parent
# Sums may be reordered and products contracted (that is what lets LLVM vectorise them), but NaN and infinity keep
# their meaning: the tests for broken Gaussians compare against them.
_FLAGS: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",
    # Helpers that stay functions of their own are linked from wherever they were compiled last: a process that compiles
    # the kernels would round otherwise than the next, which loads them, and a run would not repeat.
    "forceinline": True,
    "fastmath": {"contract", "reassoc", "arcp", "nsz", "afn"},
}


def jit(function: Callable[..., Any]) -> Any:
    """Compile a kernel at its first call; keep the code on disk where a folder can be written."""
    folder = _cache_folder()
    if folder is None:
        return numba.njit(**_FLAGS)(function)
    previous, numba.config.CACHE_DIR = numba.config.CACHE_DIR, str(folder)  # pyright: ignore
    try:
        return numba.njit(cache=True, **_FLAGS)(function)
    finally:
        numba.config.CACHE_DIR = previous  # pyright: ignore


def _sources_hash() -> str:
    sources = [*sorted(_PACKAGE.glob("*.py")), _PACKAGE.parent / "constants.py"]
    digest = hashlib.sha256(numba.__version__.encode())
    for source in sources:
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def _cache_folder() -> Path | None:
    """The first of the possible folders that can be written; found once."""
    global _folder, _folder_known
    if not _folder_known:
        _folder, _folder_known = _find_cache_folder(_sources_hash()), True
    return _folder


_folder: Path | None = None
_folder_known = False


def _find_cache_folder(version: str) -> Path | None:
    named = os.environ.get("NUMBA_CACHE_DIR")
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    roots = [Path(named)] if named else [_PACKAGE / "__pycache__", Path(home) / "sparseags_ns"]
    # A temporary folder is shared with other users: ours carries our user id and must belong to us.
    user = os.getuid() if hasattr(os, "getuid") else 0
    roots.append(Path(tempfile.gettempdir()) / f"sparseags_ns_{user}")
    for root in roots:
        folder = root / f"kernels-{version}"
        if _writable(folder, user):
            return folder
    return None


def _writable(folder: Path, user: int) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError:
        return False
    return not hasattr(os, "getuid") or folder.stat().st_uid == user


class _CompileNotice(event.Listener):
    """Says once per process, on stderr, that kernels are being compiled."""

    def __init__(self) -> None:
        self._said = False

    def on_start(self, event: Any) -> None:
        """Numba starts to compile some function, ours or another library's."""
        if self._said or not event.data["dispatcher"].py_func.__module__.startswith(__package__ or "?"):
            return
        self._said = True
        kept = "kept on disk for the next runs" if _cache_folder() else "no folder to keep them in can be written"
        print(
            f"sparseags: compiling the CPU rasterizer's kernels (5 to 20 seconds; {kept})", file=sys.stderr, flush=True
        )

    def on_end(self, event: Any) -> None:
        """Nothing to say."""


event.register("numba:compile", _CompileNotice())
