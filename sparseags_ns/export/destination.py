"""Destinations of exports: files are replaced only on request, folders only if they are earlier exports.

Files and folders are written in a temporary folder beside the destination and then moved there. The `export.json` in an
exported folder describes it and marks it as an export, which a later one may replace.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sparseags_ns.storage import exchange, flush_folder, flush_tree, require_place, write_json

MARK = "export.json"
_MAKER = "sparseags export"


class ExportError(ValueError):
    """An export that cannot be made, or whose destination must not be written."""


def require_free(path: Path, overwrite: bool, files: tuple[str, ...]) -> Path:
    """The path with `~` expanded, if an export may be written there.

    Args:
        path: a file, or a folder if `files` is empty.
        files: allowed endings.

    Raises:
        ExportError: the path exists and must not be replaced, or has another ending.
        OutputError: the path lies below a file.
    """
    path = path.expanduser()
    if files and path.suffix.lower() not in files:
        raise ExportError(f"{path} must end in {' or '.join(files)}; the ending chooses the format")
    if path.is_dir() and files:
        raise ExportError(f"{path} is a folder; name a file in it, for example {path / ('export' + files[0])}")
    if not files and path.exists() and not path.is_dir():
        raise ExportError(f"{path} is a file; this export is a folder: name another --output")
    require_place(path, folder=not files)
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return path
    if not overwrite:
        raise ExportError(f"{path} exists already: name another --output, or add --overwrite to replace it")
    if path.is_dir() and not _is_export(path):
        raise ExportError(
            f"{path} holds other files than an earlier export ({MARK} is not there, or not ours), so it is not "
            "replaced: name another --output"
        )
    return path


@contextmanager
def new_folder(path: Path, record: dict[str, Any]) -> Iterator[Path]:
    """Yield a temporary folder; when the block ends, it takes the place of `path`. After an exception nothing changes.

    Args:
        path: checked by `require_free`.
        record: content of `export.json`: the export's kind, frame and units.
    """
    with _temporary_folder(path) as temporary:
        work = temporary / path.name
        work.mkdir()
        yield work
        write_json(work / MARK, {"made_by": _MAKER, **record})
        exchange(work, path, temporary)


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path with the name of `path`; what is written there and beside it is moved when the block ends.

    The format of a file may need others beside it: the materials and textures of an .obj.
    """
    with _temporary_folder(path) as temporary:
        yield temporary / path.name
        flush_tree(temporary)
        for written in sorted(temporary.iterdir(), key=lambda file: file.name == path.name):  # what it names first
            written.replace(path.with_name(written.name))
        flush_folder(path.parent)


@contextmanager
def _temporary_folder(path: Path) -> Iterator[Path]:
    """A hidden folder on the disk of `path`, removed at the end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{path.stem}.", dir=path.parent, ignore_cleanup_errors=True) as name:
        yield Path(name)


def _is_export(folder: Path) -> bool:
    try:
        return json.loads((folder / MARK).read_text(encoding="utf-8"))["made_by"] == _MAKER
    except (OSError, ValueError, KeyError, TypeError):
        return False
