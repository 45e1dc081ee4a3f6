"""Choice of the initialiser for photographs without cameras, and its results on disk: none is estimated twice.

Two files lie in the store for each result. `poses-NAME-KEY.json` (with its points in a `.npz`) holds the result; its
key is a fingerprint of the initialiser's fields, the package's version, and the names and bytes of all photo files.
`request-KEY.json` names the result that a request led to, so that ns-export, ns-eval and `auto` find the poses of the
training again whatever is installed by then; masks are part of a request that may use them. It is written only for
results that training can start from without a doubt: where one initialiser has failed, `auto` may choose another the
next time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import torch

from sparseags_ns.console import announce
from sparseags_ns.formats.colmap import MODEL_FOLDERS
from sparseags_ns.formats.frame import Distortion, Frame
from sparseags_ns.pose_init.ab_initio.ab_initio import AbInitio
from sparseags_ns.pose_init.base import (
    MIN_REGISTERED,
    Alternative,
    InitialPoses,
    MatchOn,
    NoMasksError,
    PoseInit,
    PoseInitError,
    PoseRequest,
)
from sparseags_ns.pose_init.features.features import Features
from sparseags_ns.pose_init.files import POSE_FILES
from sparseags_ns.pose_init.id_pose.id_pose import IdPose
from sparseags_ns.pose_init.networks.dust3r import Dust3r
from sparseags_ns.preprocess.mask_plan import Masks
from sparseags_ns.preprocess.store import Store, fingerprint, read_object, store_of
from sparseags_ns.storage import write_npz
from sparseags_ns.views import PointCloud

INITIALISERS: dict[str, type[PoseInit]] = {
    initialiser.name: initialiser for initialiser in (Dust3r, Features, AbInitio, IdPose)
}
"""Initialisers by name, in the order in which `auto` tries them."""

# The names are known at run time only; tyro shows those of the Literal as the option's choices.
if TYPE_CHECKING:
    PoseInitName: TypeAlias = str
else:
    PoseInitName = Literal[("auto", "files", *INITIALISERS)]
"""Source of the initial cameras: `files` for a pose file, the name of an initialiser, or `auto`: a pose file if one is
there; else dust3r if its package and weights are here; else features if it places all photographs; else ab-initio, for
objects with masks; else what features has placed. id-pose, which takes minutes for each pair of photographs, is not
automatic."""

_LAYOUT = "4"
"""Version of the files' layout."""
_TENSORS = ("T_camera_world", "K")
"""Fields of a `Frame` that are tensors."""


def estimate_poses(
    photo_files: Sequence[Path],
    pose_init: PoseInitName = "auto",
    *,
    weights: str = "auto",
    scene: Path | None = None,
    store: Store | None = None,
    masks: Masks = "auto",
    masks_drop: bool = False,
    time_budget: float | None = None,
    match_on: MatchOn = "auto",
) -> InitialPoses:
    """Estimate the camera of each photo file, or load the result of an equal earlier request.

    Pose files are not looked for; scene/finding.py does that.

    Args:
        photo_files: of one static scene; names must differ.
        pose_init: name of an initialiser, or `auto`, see `PoseInitName`.
        weights: of dust3r or id-pose: a path, a name, or `auto` for those that are on this machine.
        scene: folder that may hold `masks/`; None for that of the first photo file.
        store: where results are kept; None for `sparseags/` in the scene's folder.
        masks: where masks come from, for initialisers that look at objects.
        masks_drop: whether the masks of `masks/` are white where photographs are to be left out.
        time_budget: seconds that ab-initio may take, about; None for its usual length.
        match_on: which part of the photographs features matches.

    Returns:
        Cameras in the order of the photo files, in a world of arbitrary position, orientation and scale.

    Raises:
        PoseInitError: there are no photo files, an argument does not fit, or no initialiser can work here; says what
            to install and to fetch.
        StoreError: the result cannot be written; raised before the work begins.
        ValueError: see `PoseInit.estimate`.
    """
    if not photo_files:
        raise PoseInitError("no photographs to estimate poses for")
    if time_budget is not None and time_budget <= 0:
        raise PoseInitError(f"the time budget of pose initialisation must be above 0 seconds, is {time_budget:g}")
    if match_on != "auto" and pose_init not in ("auto", Features.name):
        raise PoseInitError(
            f"pose-init-match-on is {match_on}, and only {Features.name} matches photographs: leave it out, or ask for "
            f"pose-init = {Features.name} in place of {pose_init}"
        )
    scene = scene or photo_files[0].parent
    store = store or store_of(scene, None)
    request = PoseRequest(photo_files, scene, store, weights, masks, masks_drop, time_budget, match_on)
    uses_masks = pose_init == "auto" or (pose_init in INITIALISERS and INITIALISERS[pose_init].uses_masks)
    wanted = f"{pose_init} {weights} {request.masks_fingerprint if uses_masks else ''}"
    wanted += "" if time_budget is None else f" within {time_budget:g} s"
    wanted += "" if match_on == "auto" else f" matched on {match_on}"
    name = f"request-{fingerprint('request', _LAYOUT, wanted, _names(photo_files), *photo_files)}.json"
    known = _load_answer(request.store, name)
    if known is not None:
        return known
    initialiser = choose_initialiser(pose_init, request)
    if pose_init == "auto":
        initialiser, initial = _estimate_automatically(initialiser, request)
    else:
        initial = estimate_or_load(initialiser, photo_files, request.store)
    if initial.num_usable >= MIN_REGISTERED and initial.doubt is None:
        result = _result_file(initialiser, photo_files, request.store).name
        request.store.write_object(name, {"request": wanted, "initialiser": initialiser.name, "result": result})
    return initial


def choose_initialiser(pose_init: PoseInitName, request: PoseRequest) -> PoseInit:
    """The named initialiser, or the first that `auto` tries on this machine; announced in one line.

    Raises:
        PoseInitError: none can work here; says what to install and to fetch.
    """
    missing: dict[str, str] = {}
    for candidate in INITIALISERS.values():
        if candidate.name != pose_init and not (pose_init == "auto" and candidate.automatic):
            continue
        reason = candidate.missing(request)
        if reason is None:
            skipped = [f"not by {name}: {why.split(';')[0]}" for name, why in missing.items()]
            automatically = f"no pose file in {request.scene}; {'; '.join(skipped) or 'package and weights are here'}"
            why = automatically if pose_init == "auto" else "asked for"
            return _create(candidate.name, request, why)
        missing[candidate.name] = reason
    if pose_init in missing:
        raise PoseInitError(f"poses cannot be estimated by {pose_init}: {missing[pose_init]}")
    raise PoseInitError(_no_poses(request, missing))


def _create(name: str, request: PoseRequest, why: str) -> PoseInit:
    initialiser = INITIALISERS[name].create(request)
    announce(f"poses: estimated by {initialiser.name} ({initialiser.details})", why)
    return initialiser


def _no_poses(request: PoseRequest, missing: Mapping[str, str]) -> str:
    """The message where nothing tells or estimates cameras; `missing` is what keeps initialisers from doing it."""
    ways = [missing[name] for name in (Features.name, AbInitio.name) if name in missing]
    also = f"; to have them estimated: {'; or, for one object: '.join(ways)}" if ways else ""
    return (
        f"no initial poses for the {len(request.photo_files)} photographs in {request.scene}: expected "
        f"{', '.join(POSE_FILES)} or a COLMAP model ({MODEL_FOLDERS[0]}/) there, or name a pose file{also}"
    )


def _estimate_automatically(initialiser: PoseInit, request: PoseRequest) -> tuple[PoseInit, InitialPoses]:
    """The result of `auto`, and the initialiser that it is of.

    Args:
        initialiser: the first that `auto` tries. Where this is features and leaves photographs out, or is not sure, or
            finds cameras of no use, ab-initio takes its place if it can, and if it is sure or what features found is
            worth little.

    Raises:
        PoseInitError: no initialiser can work here, or the photographs cannot be used.
    """
    try:
        initial = estimate_or_load(initialiser, request.photo_files, request.store)
    except NoMasksError as error:  # ab-initio has come first: features is not here; or it shall match on the object
        reason = INITIALISERS[Features.name].missing(request)
        absent = {} if reason is None else {Features.name: reason}
        raise PoseInitError(_no_poses(request, absent | {initialiser.name: str(error)})) from error
    count = len(request.photo_files)
    if initialiser.name != Features.name or (initial.num_usable == count and initial.doubt is None):
        return initialiser, initial
    placed = f"features placed {initial.num_registered} of {count} photographs"
    if initial.doubt is not None:
        placed += f", and is not sure: {initial.doubt}"
    elif initial.num_registered >= MIN_REGISTERED > initial.num_usable:
        placed += ", but their cameras look at no common place"
    worth_little = initial.doubt is not None or 2 * initial.num_usable <= count
    missing = INITIALISERS[AbInitio.name].missing(request)
    why_not = f"{AbInitio.name}: {missing}"
    if missing is None:
        try:
            other = _create(AbInitio.name, request, placed)
            if isinstance(other, AbInitio) and initial.doubt is None:
                other = other.starting_from(initial.frames)
            found = estimate_or_load(other, request.photo_files, request.store)
            if found.doubt is None or worth_little:
                return other, found
            why_not = f"{AbInitio.name} is not sure: {found.doubt}"
        except PoseInitError as error:
            # Scenes without an object are left to features, with its messages.
            if initial.num_usable < MIN_REGISTERED and not isinstance(error, NoMasksError):
                raise PoseInitError(f"{placed}; {error}") from error
            why_not = str(error)
    announce(f"poses: those of features, which placed {initial.num_registered} of {count} photographs", why_not)
    return initialiser, initial


def estimate_or_load(initialiser: PoseInit, photo_files: Sequence[Path], store: Store) -> InitialPoses:
    """The initialiser's result for these photo files, from the store if it holds one.

    Raises:
        StoreError: the result cannot be written; raised before the work begins.
        ValueError: see `PoseInit.estimate`.
    """
    file = _result_file(initialiser, photo_files, store)
    known = store.load(file.name, lambda path: _read(path, initialiser.name))
    if known is not None:
        _announce_loaded(known, file)
        return known
    store.new_file(file.name)
    initial = replace(initialiser.estimate(photo_files), source=initialiser.name)
    _write(store, file, initial)
    return initial


def cache_key(initialiser: PoseInit, photo_files: Sequence[Path]) -> str:
    """Fingerprint of everything that a result depends on."""
    compared = [field.name for field in fields(initialiser) if field.compare]  # pyright: ignore[reportArgumentType]
    own = json.dumps({name: repr(getattr(initialiser, name)) for name in compared}, sort_keys=True)
    return fingerprint("poses", _LAYOUT, initialiser.name, own, _names(photo_files), *photo_files)


def _result_file(initialiser: PoseInit, photo_files: Sequence[Path], store: Store) -> Path:
    return store.folder / f"poses-{initialiser.name}-{cache_key(initialiser, photo_files)}.json"


def _names(photo_files: Sequence[Path]) -> str:
    return json.dumps([path.name for path in photo_files])


def _load_answer(store: Store, name: str) -> InitialPoses | None:
    """The result that a request led to; None where either file is missing or damaged, or too few are registered."""
    answer = store.load(name, _read_answer)
    if answer is None:
        return None
    result, initialiser = answer
    initial = store.load(result, lambda path: _read(path, initialiser))
    if initial is None or initial.num_registered < MIN_REGISTERED:
        return None
    _announce_loaded(initial, store.folder / result)
    return initial


def _read_answer(file: Path) -> tuple[str, str]:
    """Name of the file of the result, and of its initialiser."""
    content = read_object(file)
    return Path(content["result"]).name, str(content["initialiser"])


def _announce_loaded(initial: InitialPoses, file: Path) -> None:
    announce(f"poses: {initial.source}, from {file}", "photographs and settings are unchanged since")


def _write(store: Store, file: Path, initial: InitialPoses) -> None:
    # The JSON file comes last: a result exists only once it does.
    if initial.points is not None:
        arrays = {field.name: getattr(initial.points, field.name).numpy() for field in fields(PointCloud)}
        write_npz(file.with_suffix(".npz"), arrays, compressed=True)
    alternatives = [
        {"frames": [_frame_to_json(frame) for frame in one.frames], "loss": one.loss} for one in initial.alternatives
    ]
    content = {
        "points": initial.points is not None,
        "alternatives": alternatives,
        "doubt": initial.doubt,
        "jointly_fitted": initial.jointly_fitted,
        "confidence": initial.confidence.tolist(),
        "pose_lr_scale": None if initial.pose_lr_scale is None else initial.pose_lr_scale.tolist(),
        "frames": [None if frame is None else _frame_to_json(frame) for frame in initial.frames],
    }
    store.write_object(file.name, content)


def _read(file: Path, source: str) -> InitialPoses:
    content = read_object(file)
    points = None
    if content["points"]:
        with np.load(file.with_suffix(".npz")) as arrays:
            points = PointCloud(**{f.name: torch.from_numpy(arrays[f.name]) for f in fields(PointCloud)})
    frames = tuple(None if entry is None else _frame_from_json(entry) for entry in content["frames"])
    pose_lr_scale = None if content["pose_lr_scale"] is None else torch.tensor(content["pose_lr_scale"])
    alternatives = tuple(
        Alternative(tuple(_frame_from_json(frame) for frame in one["frames"]), one["loss"])
        for one in content["alternatives"]
    )
    confidence = torch.tensor(content["confidence"])
    return InitialPoses(
        frames,
        confidence,
        points,
        pose_lr_scale,
        source=source,
        alternatives=alternatives,
        doubt=content["doubt"],
        jointly_fitted=content["jointly_fitted"],
    )


def _frame_to_json(frame: Frame) -> dict[str, Any]:
    tensors = {name: getattr(frame, name).tolist() for name in _TENSORS}
    return vars(frame) | tensors | {"distortion": asdict(frame.distortion)}


def _frame_from_json(entry: dict[str, Any]) -> Frame:
    changed: dict[str, Any] = {name: torch.tensor(entry[name], dtype=torch.float64) for name in _TENSORS}
    changed["distortion"] = Distortion(**entry["distortion"])
    changed["notes"] = tuple(map(tuple, entry.get("notes", ())))
    return Frame(**entry | changed)
