"""Estimated initial poses, kept on disk: an unchanged set of photographs is never estimated twice.

Two files lie in the store for each result. `poses-NAME-KEY.json` (with its points in a `.npz`) holds the result; its
key is a fingerprint of the initialiser's fields, the package's version, and the names and bytes of all photo files.
`request-KEY.json` names the result that a request led to, so that ns-export, ns-eval and `auto` find the poses of the
training again whatever is installed by then. It is written only for results that training can start from: where one
initialiser has failed, `auto` may choose another the next time.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sparseags_ns.console import announce, warn
from sparseags_ns.formats.frame import Distortion, Frame
from sparseags_ns.pose_init.base import MIN_REGISTERED, InitialPoses, PoseInit, PoseInitError, PoseRequest
from sparseags_ns.pose_init.choice import INITIALISERS, PoseInitName, choose_initialiser
from sparseags_ns.preprocess.store import Store, fingerprint, store_of
from sparseags_ns.storage import write_json, write_npz
from sparseags_ns.views import PointCloud

_LAYOUT = "2"
"""Version of the files' layout."""
_UNREADABLE = (ValueError, KeyError, TypeError, OSError)
"""Exceptions of reading a damaged file."""


def estimate_poses(
    photo_files: Sequence[Path],
    pose_init: PoseInitName = "auto",
    *,
    weights: str = "auto",
    scene: Path | None = None,
    store: Store | None = None,
) -> InitialPoses:
    """Estimate the camera of each photo file, or load the result of an equal earlier request.

    Pose files are not looked for (`scene.finding` does).

    Args:
        photo_files: of one static scene; names must differ.
        pose_init: name of an initialiser, or `auto` for the first that can work on this machine.
        weights: of dust3r or id-pose: a path, a name, or `auto` for those that are on this machine.
        scene: folder that may hold `masks/`; None for that of the first photo file.
        store: where results are kept; None for `sparseags/` in the scene's folder.

    Returns:
        Cameras in the order of the photo files, in a world of arbitrary position, orientation and scale.

    Raises:
        PoseInitError: there are no photo files, or no initialiser can work here; says what to install and to fetch.
        StoreError: the result cannot be written; raised before the work begins.
        ValueError: see `PoseInit.estimate`.
    """
    if not photo_files:
        raise PoseInitError("no photographs to estimate poses for")
    scene = scene or photo_files[0].parent
    request = PoseRequest(photo_files, scene, store or store_of(scene, None), weights)
    uses_masks = pose_init in INITIALISERS and INITIALISERS[pose_init].uses_masks
    wanted = f"{pose_init} {weights} {request.masks_fingerprint if uses_masks else ''}"
    name = f"request-{fingerprint('request', _LAYOUT, wanted, _names(photo_files), *photo_files)}.json"
    known = _load_answer(request.store.folder / name)
    if known is not None:
        return known
    initialiser = choose_initialiser(pose_init, request)
    initial = estimate_or_load(initialiser, photo_files, request.store)
    if initial.num_registered >= MIN_REGISTERED:
        result = _result_file(initialiser, photo_files, request.store).name
        write_json(request.store.new_file(name), {"request": wanted, "initialiser": initialiser.name, "result": result})
    return initial


def estimate_or_load(initialiser: PoseInit, photo_files: Sequence[Path], store: Store) -> InitialPoses:
    """The initialiser's result for these photo files, from the store if it holds one.

    Raises:
        StoreError: the result cannot be written; raised before the work begins.
        ValueError: see `PoseInit.estimate`.
    """
    file = _result_file(initialiser, photo_files, store)
    if file.is_file():
        try:
            initial = _read(file, initialiser.name)
        except _UNREADABLE as error:
            warn(f"{file} is damaged and found out anew", type(error).__name__)
        else:
            _announce_loaded(initial, file)
            return initial
    store.new_file(file.name)
    initial = replace(initialiser.estimate(photo_files), source=initialiser.name)
    _write(file, initial)
    return initial


def cache_key(initialiser: PoseInit, photo_files: Sequence[Path]) -> str:
    """Fingerprint of everything that a result depends on."""
    settings = {
        field.name: repr(getattr(initialiser, field.name))
        for field in fields(initialiser)  # pyright: ignore[reportArgumentType]
        if field.compare
    }
    own = json.dumps(settings, sort_keys=True)
    return fingerprint("poses", _LAYOUT, initialiser.name, own, _names(photo_files), *photo_files)


def _result_file(initialiser: PoseInit, photo_files: Sequence[Path], store: Store) -> Path:
    return store.folder / f"poses-{initialiser.name}-{cache_key(initialiser, photo_files)}.json"


def _names(photo_files: Sequence[Path]) -> str:
    return json.dumps([path.name for path in photo_files])


def _load_answer(request_file: Path) -> InitialPoses | None:
    """The result that a request led to; None where either file is missing or damaged, or too few are registered."""
    try:
        content = json.loads(request_file.read_text(encoding="utf-8"))
        file = request_file.with_name(Path(content["result"]).name)
        initial = _read(file, str(content["initialiser"]))
    except _UNREADABLE:
        return None
    if initial.num_registered < MIN_REGISTERED:
        return None
    _announce_loaded(initial, file)
    return initial


def _announce_loaded(initial: InitialPoses, file: Path) -> None:
    announce(f"poses: {initial.source}, from {file}", "photographs and settings are unchanged since")


def _write(file: Path, initial: InitialPoses) -> None:
    # The JSON file comes last: a result exists only once it does.
    if initial.points is not None:
        arrays = {field.name: getattr(initial.points, field.name).numpy() for field in fields(PointCloud)}
        write_npz(file.with_suffix(".npz"), arrays, compressed=True)
    content = {
        "points": initial.points is not None,
        "confidence": initial.confidence.tolist(),
        "pose_lr_scale": None if initial.pose_lr_scale is None else initial.pose_lr_scale.tolist(),
        "frames": [None if frame is None else _frame_to_json(frame) for frame in initial.frames],
    }
    write_json(file, content)


def _read(file: Path, source: str) -> InitialPoses:
    content = json.loads(file.read_text(encoding="utf-8"))
    points = None
    if content["points"]:
        with np.load(file.with_suffix(".npz")) as arrays:
            points = PointCloud(**{f.name: torch.from_numpy(arrays[f.name]) for f in fields(PointCloud)})
    frames = tuple(None if entry is None else _frame_from_json(entry) for entry in content["frames"])
    pose_lr_scale = None if content["pose_lr_scale"] is None else torch.tensor(content["pose_lr_scale"])
    return InitialPoses(frames, torch.tensor(content["confidence"]), points, pose_lr_scale, source)


def _frame_to_json(frame: Frame) -> dict[str, Any]:
    tensors = {"T_camera_world": frame.T_camera_world.tolist(), "K": frame.K.tolist()}
    return vars(frame) | tensors | {"distortion": asdict(frame.distortion)}


def _frame_from_json(entry: dict[str, Any]) -> Frame:
    tensors = {name: torch.tensor(entry[name], dtype=torch.float64) for name in ("T_camera_world", "K")}
    changed: dict[str, Any] = {**tensors, "distortion": Distortion(**entry["distortion"])}
    return Frame(**{**entry, **changed})
