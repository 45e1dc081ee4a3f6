"""Compiles numba kernels and keeps their machine code on disk, with check sums: numba runs whatever it loads.

Numba looks only at a function's own file to tell whether its cached code is stale, although that code holds functions
inlined from other files. The cache folder is therefore named after a hash of all sources of a set of kernels.
"""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO, Any

import numba
from numba.core.caching import FunctionCache, IndexDataCacheFile

from sparseags_ns.console import warn

_LAYOUT = b"2"
"""Version of the files' layout."""
_DIGEST_BYTES = 32


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
            compiled = numba.njit(**flags)(function)
            compiled._cache = _CheckedCache(function)  # pyright: ignore[reportAttributeAccessIssue]
            return compiled
        finally:
            numba.config.CACHE_DIR = previous  # pyright: ignore

    return kernel


@cache
def cache_folder(name: str, *sources: Path) -> Path | None:
    """The first folder that can be written: NUMBA_CACHE_DIR or one beside the sources, the user's, a temporary one."""
    digest = hashlib.sha256(numba.__version__.encode() + _LAYOUT)
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


class _CheckedFiles(IndexDataCacheFile):
    """The files of one function's machine code, each of which ends in a check sum of what is before it.

    A damaged file counts as missing, so that the function is compiled again.
    """

    @contextmanager
    def _open_for_write(self, filepath: str) -> Iterator[IO[bytes]]:
        content = io.BytesIO()
        yield content
        with super()._open_for_write(filepath) as file:
            file.write(content.getvalue() + hashlib.sha256(content.getvalue()).digest())

    def _load_index(self) -> Any:
        return super()._load_index() if self._is_sound(self._index_path) else {}

    def _load_data(self, name: str) -> Any:
        if not self._is_sound(self._data_path(name)):
            raise OSError("missing or damaged")  # numba then compiles
        return super()._load_data(name)

    def save(self, key: Any, data: Any) -> None:
        """Write the machine code of one signature, if that can be written."""
        try:
            super().save(key, data)
        except OSError as error:
            warn(f"compiled code is not kept in {self._cache_path}", str(error.strerror))

    def _is_sound(self, path: str) -> bool:
        """Whether a file is there and undamaged; one that is damaged is named."""
        try:
            content = Path(path).read_bytes()
        except OSError:
            return False
        if hashlib.sha256(content[:-_DIGEST_BYTES]).digest() == content[-_DIGEST_BYTES:]:
            return True
        warn(f"{path} is damaged", "its kernel is compiled again")
        return False


class _CheckedCache(FunctionCache):
    """Numba's cache of a function, with `_CheckedFiles`."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        stamp = self._impl.locator.get_source_stamp()
        self._cache_file = _CheckedFiles(self._cache_path, self._impl.filename_base, stamp)


def _is_writable(folder: Path, user: int) -> bool:
    """Whether the folder exists or can be made, takes files, and belongs to the user."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError:
        return False
    return not hasattr(os, "getuid") or folder.stat().st_uid == user
