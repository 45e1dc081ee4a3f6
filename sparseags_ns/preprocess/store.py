"""The cache of a scene: poses, masks and key frames that took long to compute.

By default it is `sparseags/` inside the scene's folder. Results are filed under a fingerprint of everything that they
depend on, so that they are computed again only if any of it has changed. The folder may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from sparseags_ns import __version__
from sparseags_ns.console import warn
from sparseags_ns.storage import write_json

FOLDER = "sparseags"
_DIGEST_BYTES = 10
_CHECK = "check"
"""Key of a stored JSON object's check sum."""
_Kept = TypeVar("_Kept")


class StoreError(ValueError):
    """The folder cannot be written."""


@dataclass(frozen=True)
class Store:
    """A folder of results, made when the first of them is written."""

    folder: Path

    def new_file(self, name: str) -> Path:
        """Path of a file to be written, whose folder is made if needed.

        Raises:
            StoreError: the folder cannot be made or written.
        """
        path = self.folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            writable = os.access(path.parent, os.W_OK | os.X_OK)
        except OSError:
            writable = False
        if not writable:
            raise StoreError(
                f"cannot write into {self.folder}, where masks and poses that were found are kept; make it writable, "
                "or name another folder with the option cache-dir"
            )
        return path

    def load(self, name: str, read: Callable[[Path], _Kept]) -> _Kept | None:
        """What `read` makes of a file; None where there is none, or, with a warning, where the file is damaged."""
        path = self.folder / name
        if not path.is_file():
            return None
        try:
            return read(path)
        except Exception as error:  # damage makes NumPy, zipfile and others raise almost anything
            warn(f"{path} is damaged and is made anew", f"{type(error).__name__}: {str(error)[:100]}")
            return None

    def write_object(self, name: str, content: dict[str, Any]) -> None:
        """Write a JSON object with a check sum.

        Raises:
            StoreError: see `new_file`.
        """
        write_json(self.new_file(name), {**content, _CHECK: _check_sum(content)})


def read_object(path: Path) -> dict[str, Any]:
    """The object that `Store.write_object` wrote.

    Raises:
        OSError, ValueError, KeyError, AttributeError: it is not as it was written.
    """
    content = json.loads(path.read_text(encoding="utf-8"))
    if content.pop(_CHECK) != _check_sum(content):
        raise ValueError("its check sum differs")
    return content


def _check_sum(content: dict[str, Any]) -> str:
    return fingerprint(json.dumps(content))


def store_of(scene: Path, cache_dir: Path | None) -> Store:
    """The store of a scene (a folder or a video file), in `cache_dir` if it is given."""
    if cache_dir is not None:
        return Store(cache_dir.expanduser())
    return Store((scene if scene.is_dir() else scene.parent) / FOLDER)


def fingerprint(*parts: str | Path) -> str:
    """A short digest of texts and the contents of files, in their order, and of the package's version."""
    digest = hashlib.blake2b(__version__.encode(), digest_size=_DIGEST_BYTES)
    for part in parts:
        if isinstance(part, Path):
            status = part.stat()
            content = _file_digest(part, status.st_size, status.st_mtime_ns)
        else:
            content = part.encode("utf-8", "surrogateescape")  # names of files need not be UTF-8
        digest.update(len(content).to_bytes(8, "little") + content)
    return digest.hexdigest()


@lru_cache(maxsize=1024)
def _file_digest(path: Path, size: int, changed_ns: int) -> bytes:
    """Digest of a file's bytes, cached by the file's size and time of change."""
    digest = hashlib.blake2b()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.digest()
