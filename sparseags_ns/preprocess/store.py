"""A folder for what takes long to find out: poses, masks, key frames.

By default it is `sparseags/` inside the scene's folder. Results are filed under a fingerprint of everything that they
depend on, so that what has changed is found out anew and what has not never is. Nothing in the folder is input: to
delete it costs time only.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from sparseags_ns import __version__

FOLDER = "sparseags"
_DIGEST_BYTES = 10


class StoreError(ValueError):
    """The folder cannot be written."""


@dataclass(frozen=True)
class Store:
    """Where results are kept. The folder appears when the first of them is."""

    folder: Path

    def new_file(self, name: str) -> Path:
        """Path of a file to be written; its folder exists then and can be written.

        Raises:
            StoreError: it cannot.
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


def store_of(scene: Path, cache_dir: Path | None) -> Store:
    """The store of a scene, which is a folder or a video file."""
    if cache_dir is not None:
        return Store(cache_dir.expanduser())
    return Store((scene if scene.is_dir() else scene.parent) / FOLDER)


def fingerprint(*parts: str | Path) -> str:
    """A short name for texts and the contents of files, in their order, made by this version of the package."""
    digest = hashlib.blake2b(__version__.encode(), digest_size=_DIGEST_BYTES)
    for part in parts:
        content = _file_digest(part, *_state(part)) if isinstance(part, Path) else part.encode()
        digest.update(len(content).to_bytes(8, "little") + content)
    return digest.hexdigest()


def _state(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


@lru_cache(maxsize=1024)
def _file_digest(path: Path, size: int, changed_ns: int) -> bytes:
    """Digest of a file's bytes; read once for each state of the file (size and time of its last change)."""
    digest = hashlib.blake2b()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.digest()
