"""Estimated poses are kept: an unchanged set of photographs is never placed twice.

A result is filed under the initialiser's name and a fingerprint of its fields, the package's version, and the names and
bytes of all photographs, so a photograph that changed, came or went makes a new one. A second, small file says which
result answered what was asked for: ns-export, ns-eval and `auto` find the poses of the training again, whatever is
installed by then. Only a result that a training can start from is an answer: where an initialiser has failed, `auto` is
free to take another one next time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sparseags_ns.console import announce, warn
from sparseags_ns.formats.frame import Distortion, Frame
from sparseags_ns.formats.json_entries import write_json
from sparseags_ns.pose_init.base import FEWEST_PLACED, InitialPoses, PoseInit
from sparseags_ns.preprocess.store import Store, fingerprint
from sparseags_ns.views import PointCloud

_LAYOUT = "2"


def place_as_asked(
    asked: str, photographs: Sequence[Path], store: Store, choose: Callable[[], PoseInit]
) -> tuple[InitialPoses, str]:
    """What was found when the same was asked for these photographs before, else what the chosen initialiser says.

    Args:
        asked: what the choice depends on, apart from what is installed.
        choose: called only if nothing is known yet.

    Returns:
        The poses, and the name of the initialiser that found them.
    """
    answer = store.folder / f"asked-{fingerprint('asked', _LAYOUT, asked, _names(photographs), *photographs)}.json"
    known = _recalled(answer, store)
    if known is not None:
        return known
    initialiser = choose()
    initial = place_or_recall(initialiser, photographs, store)
    result = f"poses-{initialiser.name}-{cache_key(initialiser, photographs)}.json"
    if initial.placed >= FEWEST_PLACED:
        write_json(store.new_file(answer.name), {"asked": asked, "initialiser": initialiser.name, "result": result})
    return initial, initialiser.name


def _recalled(answer: Path, store: Store) -> tuple[InitialPoses, str] | None:
    """The result that a file of answers names; None where either is missing or damaged, or the result is no start."""
    try:
        found = json.loads(answer.read_text(encoding="utf-8"))
        file, name = store.folder / Path(found["result"]).name, str(found["initialiser"])
        initial = _read(file)
    except (ValueError, KeyError, TypeError, OSError):
        return None
    if initial.placed < FEWEST_PLACED:
        return None
    announce(f"poses: {name}, from {file}", "photographs and settings are unchanged since")
    return initial, name


def place_or_recall(initialiser: PoseInit, photographs: Sequence[Path], store: Store) -> InitialPoses:
    """What the initialiser says of these photographs, from the store if it has said it before.

    Raises:
        StoreError: the result cannot be kept; raised before the work begins.
        ValueError: as of `PoseInit.place`.
    """
    file = store.folder / f"poses-{initialiser.name}-{cache_key(initialiser, photographs)}.json"
    if file.is_file():
        try:
            initial = _read(file)
        except (ValueError, KeyError, TypeError, OSError) as error:
            warn(f"{file} is damaged and found out anew", type(error).__name__)
        else:
            announce(f"poses: {initialiser.name}, from {file}", "photographs and settings are unchanged since")
            return initial
    store.new_file(file.name)
    initial = initialiser.place(photographs)
    _write(file, initial)
    return initial


def cache_key(initialiser: PoseInit, photographs: Sequence[Path]) -> str:
    """Fingerprint of everything that a result depends on."""
    settings = {
        field.name: repr(getattr(initialiser, field.name))
        for field in fields(initialiser)  # pyright: ignore[reportArgumentType]
        if field.compare
    }
    own = json.dumps(settings, sort_keys=True)
    return fingerprint("poses", _LAYOUT, initialiser.name, own, _names(photographs), *photographs)


def _names(photographs: Sequence[Path]) -> str:
    return json.dumps([path.name for path in photographs])


def _write(file: Path, initial: InitialPoses) -> None:
    """The points first, then the file that makes the result count."""
    if initial.points is not None:
        points = file.with_suffix(".npz")
        part = points.with_name(points.name + ".part")
        with part.open("wb") as stream:
            np.savez_compressed(stream, **{f.name: getattr(initial.points, f.name).numpy() for f in fields(PointCloud)})
        part.replace(points)
    content = {
        "points": initial.points is not None,
        "confidence": initial.confidence.tolist(),
        "pose_lr_scale": None if initial.pose_lr_scale is None else initial.pose_lr_scale.tolist(),
        "frames": [None if frame is None else _fields(frame) for frame in initial.frames],
    }
    write_json(file, content)


def _read(file: Path) -> InitialPoses:
    content = json.loads(file.read_text(encoding="utf-8"))
    points = None
    if content["points"]:
        with np.load(file.with_suffix(".npz")) as arrays:
            points = PointCloud(**{f.name: torch.from_numpy(arrays[f.name]) for f in fields(PointCloud)})
    frames = tuple(None if entry is None else _frame(entry) for entry in content["frames"])
    pose_lr_scale = None if content["pose_lr_scale"] is None else torch.tensor(content["pose_lr_scale"])
    return InitialPoses(frames, torch.tensor(content["confidence"]), points, pose_lr_scale)


def _fields(frame: Frame) -> dict[str, Any]:
    plain = {f.name: getattr(frame, f.name) for f in fields(Frame)}
    return {
        **plain,
        "T_camera_world": frame.T_camera_world.tolist(),
        "K": frame.K.tolist(),
        "distortion": asdict(frame.distortion),
    }


def _frame(entry: dict[str, Any]) -> Frame:
    return Frame(
        **{
            **entry,
            "T_camera_world": torch.tensor(entry["T_camera_world"], dtype=torch.float64),
            "K": torch.tensor(entry["K"], dtype=torch.float64),
            "distortion": Distortion(**entry["distortion"]),
        }
    )
