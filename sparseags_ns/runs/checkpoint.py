"""Checkpoints of a run: checked when they are read, and paired with the outputs of the same save.

A checkpoint is torch's archive, a zip file that holds a CRC-32 of every tensor, which torch itself does not compare.
Its digest stands in the record of the outputs that were written with it (runs/saving.py). Nothing in it is executed.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import zipfile
import zlib
from pathlib import Path
from typing import Any

import torch

from sparseags_ns.console import warn

CHECKPOINTS = "nerfstudio_models"
"""Folder of the checkpoints inside a run's folder."""
VIEWS = "views"
"""Key under which names and refined cameras of the views stand, beside the keys of nerfstudio (runs/saving.py)."""
_DIGEST_BYTES = 16
_BLOCK = 1 << 20


class RunError(ValueError):
    """A folder that is no run, or a run of which a part is missing, damaged, or does not fit the rest."""


def encoded(state: dict[str, Any]) -> bytes:
    """A checkpoint's file as bytes."""
    stream = io.BytesIO()
    torch.save(state, stream)
    return stream.getvalue()


def digest(checkpoint: bytes | Path) -> str:
    """The digest of a checkpoint's bytes, or of its file."""
    state = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    with io.BytesIO(checkpoint) if isinstance(checkpoint, bytes) else checkpoint.open("rb") as file:
        while block := file.read(_BLOCK):
            state.update(block)
    return state.hexdigest()


def latest_checkpoint(folder: Path) -> Path:
    """The newest whole checkpoint of a run; newer ones that are damaged are told.

    Args:
        folder: the run's folder, or the one of its checkpoints.

    Raises:
        RunError: there is none, or all are damaged.
    """
    inside = folder / CHECKPOINTS if (folder / CHECKPOINTS).is_dir() else folder
    files = [file for _, file in sorted((_step(file), file) for file in inside.glob("step-*.ckpt")) if _step(file) >= 0]
    if not files:
        raise RunError(f"{folder} holds no checkpoint: expected {CHECKPOINTS}/step-*.ckpt, as ns-train writes them")
    faults = []
    for file in reversed(files):
        fault = _fault(file)
        if fault is None:
            for damaged in faults:
                warn(f"taking {file.name}, an earlier checkpoint", f"a newer one cannot be read: {damaged}")
            return file
        faults.append(fault)
    raise RunError(f"{faults[0]}; no other checkpoint of the run is whole")


def read_checkpoint(file: Path) -> dict[str, Any]:
    """The content of a checkpoint, on the CPU.

    Raises:
        RunError: it is missing or damaged, or holds other things than tensors and plain values.
    """
    if not file.is_file():
        raise RunError(f"no such checkpoint: {file}")
    fault = _fault(file)
    if fault is not None:
        raise RunError(fault)
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, ValueError, KeyError, EOFError, OSError, AttributeError) as error:
        raise RunError(
            f"the checkpoint {file} holds other things than tensors and plain values, or is not of ns-train; it is not "
            "opened, since it could run code"
        ) from error
    if not isinstance(content, dict) or not isinstance(content.get("step"), int) or "pipeline" not in content:
        raise RunError(f"{file} is no checkpoint of a run: it holds no step, or no pipeline")
    return content


def _step(file: Path) -> int:
    """The step in the name of a checkpoint; -1 where the name holds none."""
    digits = file.stem.removeprefix("step-")
    return int(digits) if digits.isdecimal() and len(digits) < 19 else -1


def _fault(file: Path) -> str | None:
    """What is wrong with a checkpoint's file as a sentence; None if all of its checksums are right."""
    try:
        with zipfile.ZipFile(file) as archive:
            if any(part.compress_type != zipfile.ZIP_STORED for part in archive.infolist()):
                return f"the checkpoint {file} is not of torch: it is compressed, and could take any amount of memory"
            broken = archive.testzip()
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError) as error:
        size = f" of {file.stat().st_size} bytes" if file.is_file() else ""
        return f"the checkpoint {file}{size} cannot be read ({error}): it is cut off, damaged, or of an old format"
    return None if broken is None else f"the checkpoint {file} is damaged: the checksum of its part {broken} is wrong"
