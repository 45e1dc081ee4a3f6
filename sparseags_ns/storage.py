"""Every write of the package: a reader finds the old file or the whole new one, however the process ends.

A file is written under a temporary name in its own folder, flushed to the disk, and renamed; then the folder is
flushed, too, so that the new file is there even if the power fails. The temporary name is unique, so that two processes
may write the same file; it begins with a dot and ends in `.part`, so that no pattern for photographs or checkpoints
matches what a killed process leaves behind.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import secrets
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import numpy as np

_HERE, _EXCHANGE = -100, 2
"""Linux: AT_FDCWD, for paths from the working folder, and RENAME_EXCHANGE (renameat2(2))."""
_ATTEMPTS = 100
"""Number of times that a move is tried while other processes move the same."""


DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EFBIG)
"""Errors of the system that say that a disk cannot be written: full, read-only, not ours, broken."""
_MB = 1_000_000


class OutputError(ValueError):
    """An output that cannot be written: the disk is full or read-only, or a file stands where a folder is needed."""


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


_together: ContextVar[list[tuple[Path, Path]] | None] = ContextVar("_together", default=None)
"""Temporary files and their places inside a block `all_at_once`."""


@contextmanager
def all_at_once() -> Iterator[None]:
    """Files that `replacing` writes inside the block take their places at its end, in the order of writing.

    All are flushed to the disk before the first of them does. After an exception none has.
    """
    files: list[tuple[Path, Path]] = []
    token = _together.set(files)
    try:
        yield
        for temporary, path in files:
            temporary.replace(path)
        for folder in dict.fromkeys(path.parent for _, path in files):
            flush_folder(folder)
    finally:
        _together.reset(token)
        for temporary, _ in files:
            temporary.unlink(missing_ok=True)


@contextmanager
def replacing(path: Path, folder: Path | None = None, size: int | None = None) -> Iterator[Path]:
    """Yield a temporary path; when the block ends, the file that was written there takes the place of `path`.

    The folder of `path` is made if needed. After an exception `path` is as it was and the temporary file is gone.

    Args:
        folder: where the temporary file lies, on the same disk; by default beside `path`.
        size: bytes that will be written, for the message if they cannot be.

    Raises:
        OutputError: the disk is full, read-only or broken, or the folder may not be written.
    """
    temporary = (folder or path.parent) / f".{os.getpid()}-{secrets.token_hex(6)}.part"
    together, waits = _together.get(), False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        if together is None:
            temporary.replace(path)
            flush_folder(path.parent)
        else:
            together.append((temporary, path))
            waits = True
    except OSError as error:
        if error.errno not in DISK_ERRORS:
            raise
        with suppress(OSError):
            temporary.unlink(missing_ok=True)  # before free space is counted
        raise OutputError(_cannot_write(path, error, size)) from error
    finally:
        if not waits:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


def _cannot_write(path: Path, error: OSError, size: int | None) -> str:
    message = f"cannot write {path}: {error.strerror or error}"
    above = next((parent for parent in path.parents if parent.exists()), None)
    if error.errno in (errno.ENOSPC, errno.EDQUOT) and above is not None:
        free = f"{shutil.disk_usage(above).free / _MB:.1f} MB are free there"
        message += f"; {free}" if size is None else f"; it needs {size / _MB:.1f} MB, and {free}"
    return f"{message}; make room, or name another place"


def flush_folder(folder: Path) -> None:
    """Flush a folder's list of names to the disk, so that new names outlast a loss of power."""
    if os.name != "posix":  # Elsewhere a folder cannot be opened.
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # Some network file systems cannot flush a folder.
            raise
    finally:
        os.close(descriptor)


def flush_tree(folder: Path) -> None:
    """Flush all files in a new folder, and the folders, to the disk."""
    for place, _, files in os.walk(folder):
        for name in files:
            with Path(place, name).open("rb+") as file:
                os.fsync(file.fileno())
        flush_folder(Path(place))


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
        flush_tree(temporary)
        try:
            temporary.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
        flush_folder(folder.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def exchange(new: Path, path: Path, aside: Path) -> None:
    """Move a file or a folder to `path`, and what is there, if anything, into the folder `aside` on the same disk.

    The new one is flushed to the disk first. On Linux the two change places at once, so that a process killed at any
    moment leaves one of them; elsewhere a moment lies between two moves, and the old one is then found in `aside`.
    Several processes may do so at once; the last of them prevails. Where the move fails, what was there stays.

    Args:
        new: a file or folder in `aside`, or on the same disk; where the old one ends is not defined.

    Raises:
        OSError: it cannot be moved.
    """
    if new.is_dir():
        flush_tree(new)
    old = aside / secrets.token_hex(6)
    for attempt in range(_ATTEMPTS):
        if _swapped(new, path):
            break
        with suppress(FileNotFoundError):  # nothing is there, or another process has just moved it
            old = old.with_name(secrets.token_hex(6))
            path.rename(old)
        try:
            new.rename(path)
            break
        except OSError:  # another process has just put its own there, unless it fails again and again
            if attempt == _ATTEMPTS - 1 or not new.exists():
                if old.exists() and not path.exists():
                    old.rename(path)
                raise
    flush_folder(path.parent)


def _swapped(one: Path, other: Path) -> bool:
    """Whether two existing files or folders have changed places at once; False where the system cannot do it."""
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if sys.platform == "linux" else None
    return renameat2 is not None and renameat2(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file."""
    with replacing(path, size=len(content)) as temporary:
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
