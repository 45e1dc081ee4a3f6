"""Every write of the package: a reader finds the old file or the whole new one, however the process ends.

A file is written under a temporary name in its own folder, flushed to the disk, and renamed. The temporary name is
unique, so that two processes may write the same file; it begins with a dot and ends in `.part`, so that no pattern for
photographs or checkpoints matches what a killed process leaves behind.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

_ATTEMPTS = 100
"""Number of times that a move is tried while other processes move the same."""


class OutputError(ValueError):
    """A place where an output cannot be written: a file where a folder is needed, or the reverse."""


def require_place(path: Path, *, folder: bool) -> Path:
    """The path with `~` expanded, if a file, or a folder with files in it, can be written there.

    Raises:
        OutputError: the path is of the other kind, or lies below a file.
    """
    path = path.expanduser()
    if folder and path.exists() and not path.is_dir():
        raise OutputError(f"{path} is a file, and a folder is to be written there: name another one")
    if not folder and path.is_dir():
        raise OutputError(f"{path} is a folder, and a file is to be written there: name a file in it")
    above = next((parent for parent in path.parents if parent.exists()), None)
    if above is not None and not above.is_dir():
        raise OutputError(f"{path} cannot be written, since {above} is a file: name another place")
    return path


@contextmanager
def replacing(path: Path, folder: Path | None = None) -> Iterator[Path]:
    """Yield a temporary path; when the block ends, the file that was written there takes the place of `path`.

    The folder of `path` is made if needed. After an exception `path` is as it was and the temporary file is gone.

    Args:
        folder: where the temporary file lies, on the same disk; by default beside `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = (folder or path.parent) / f".{os.getpid()}-{secrets.token_hex(6)}.part"
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """Yield a new temporary folder beside `folder`, to which it is renamed when the block ends.

    If another process has made `folder` by then, that one stays. After an exception the temporary folder is gone.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.parent / f".{os.getpid()}-{secrets.token_hex(6)}.part"
    temporary.mkdir()
    try:
        yield temporary
        try:
            temporary.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def exchange(new: Path, path: Path, aside: Path) -> None:
    """Move a file or a folder to `path`, and what is there, if anything, into the folder `aside` on the same disk.

    Several processes may do so at once; the last of them prevails. Where the move fails, what was there stays.

    Raises:
        OSError: it cannot be moved.
    """
    old = aside / secrets.token_hex(6)
    for attempt in range(_ATTEMPTS):
        with suppress(FileNotFoundError):  # nothing is there, or another process has just moved it
            old = old.with_name(secrets.token_hex(6))
            path.rename(old)
        try:
            new.rename(path)
            return
        except OSError:  # another process has just put its own there, unless it fails again and again
            if attempt == _ATTEMPTS - 1 or not new.exists():
                if old.exists() and not path.exists():
                    old.rename(path)
                raise


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write a file in UTF-8, with escapes in place of bytes in a file's name that are not UTF-8."""
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def write_json(path: Path, content: Any, *, indent: int | None = 1) -> None:
    """Write a JSON file; without `indent` as short as possible.

    Raises:
        ValueError: a number in it is not finite.
    """
    separators = (",", ":") if indent is None else None
    write_text(path, json.dumps(content, indent=indent, separators=separators, allow_nan=False) + "\n")


def write_npz(path: Path, arrays: Mapping[str, np.ndarray], *, compressed: bool = False) -> None:
    """Write named arrays as one NumPy archive."""
    with replacing(path) as temporary, temporary.open("wb") as stream:
        (np.savez_compressed if compressed else np.savez)(stream, **dict(arrays))
