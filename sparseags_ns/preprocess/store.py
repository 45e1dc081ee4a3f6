"""The cache of a scene: poses, masks and key frames that took long to compute.

By default it is `sparseags/` inside the scene's folder. Results are filed under a fingerprint of everything that they
depend on, so that they are computed again only if any of it has changed. The folder may be deleted at any time.
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
            content = part.encode()
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
