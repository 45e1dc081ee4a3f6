"""Where exports go: nothing is replaced that was not asked for, and nothing that is not an earlier export of ours.

A file is written beside its place and then moved there. A folder is made the same way; its `export.json` says what it
is, and marks it as ours.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sparseags_ns.storage import write_json

MARK = "export.json"
_MAKER = "sparseags export"


class ExportError(ValueError):
    """An export that cannot be made, or that must not go where it was told to."""


def require_free(path: Path, overwrite: bool, files: tuple[str, ...]) -> Path:
    """Make sure that an export may go to a place, before any work is done.

    Args:
        path: a file, or a folder if `files` is empty.
        files: endings that are possible.

    Raises:
        ExportError: something is there, or the ending is not one of those.
    """
    path = path.expanduser()
    if files and path.suffix.lower() not in files:
        raise ExportError(f"{path} must end in {' or '.join(files)}; the ending chooses the format")
    if path.is_dir() and files:
        raise ExportError(f"{path} is a folder; name a file in it, for example {path / ('export' + files[0])}")
    if not files and path.exists() and not path.is_dir():
        raise ExportError(f"{path} is a file; this export is a folder: name another --output")
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return path
    if not overwrite:
        raise ExportError(f"{path} exists already: name another --output, or allow to --overwrite it")
    if path.is_dir() and not _is_ours(path):
        raise ExportError(
            f"{path} holds other files than an earlier export ({MARK} is not there, or not ours), so it is not "
            "replaced: name another --output"
        )
    return path


@contextmanager
def new_folder(path: Path, record: dict[str, Any]) -> Iterator[Path]:
    """A folder to write into, which takes its place at the end; if anything goes wrong, nothing has changed.

    Args:
        path: checked by `require_free`.
        record: what `export.json` says; the export's kind, frame and units.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        os.chmod(work, 0o777 & ~_umask())
        yield work
        write_json(work / MARK, {"made_by": _MAKER, **record})
        if path.exists():
            shutil.rmtree(path)
        work.replace(path)
    finally:
        shutil.rmtree(work, ignore_errors=True)


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """A file to write, of the same ending, which takes its place at the end; see `new_folder`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{path.stem}.", dir=path.parent))
    try:
        yield work / path.name
        for extra in work.iterdir():
            extra.replace(path.with_name(extra.name))
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _is_ours(folder: Path) -> bool:
    try:
        return json.loads((folder / MARK).read_text(encoding="utf-8"))["made_by"] == _MAKER
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
