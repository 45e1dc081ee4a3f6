"""Choice of the initialiser for photographs that come without cameras."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from sparseags_ns.console import announce
from sparseags_ns.formats.colmap import MODEL_FOLDERS
from sparseags_ns.pose_init.base import PoseInit, PoseInitError, PoseRequest
from sparseags_ns.pose_init.features.features import Features
from sparseags_ns.pose_init.files import POSE_FILES
from sparseags_ns.pose_init.id_pose.id_pose import IdPose
from sparseags_ns.pose_init.networks.dust3r import Dust3r

INITIALISERS: dict[str, type[PoseInit]] = {initialiser.name: initialiser for initialiser in (Dust3r, Features, IdPose)}
"""Initialisers by name, in the order in which `auto` tries them."""

# The names are known at run time only; tyro shows those of the Literal as the option's choices.
if TYPE_CHECKING:
    PoseInitName: TypeAlias = str
else:
    PoseInitName = Literal[("auto", "files", *INITIALISERS)]
"""Source of the initial cameras: `files` for a pose file, the name of an initialiser, or `auto` for a pose file if one
is there, else the first automatic initialiser that can work. id-pose, which takes minutes for each pair of photographs,
is not automatic."""


def choose_initialiser(pose_init: PoseInitName, request: PoseRequest) -> PoseInit:
    """The named initialiser, or for `auto` the first that can work on this machine; announced in one line.

    Raises:
        PoseInitError: none can work here; says what to install and to fetch.
    """
    if pose_init in INITIALISERS:
        candidates = [INITIALISERS[pose_init]]
    elif pose_init == "auto":
        candidates = [initialiser for initialiser in INITIALISERS.values() if initialiser.automatic]
    else:
        candidates = []
    missing: dict[str, str] = {}
    for candidate in candidates:
        reason = candidate.missing(request)
        if reason is None:
            initialiser = candidate.create(request)
            skipped = [f"not by {name}: {why.split(';')[0]}" for name, why in missing.items()]
            automatically = f"no pose file in {request.scene}; {'; '.join(skipped) or 'package and weights are here'}"
            announce(
                f"poses: estimated by {initialiser.name} ({initialiser.details})",
                automatically if pose_init == "auto" else "asked for",
            )
            return initialiser
        missing[candidate.name] = reason
    if pose_init in missing:
        raise PoseInitError(f"poses cannot be estimated by {pose_init}: {missing[pose_init]}")
    also = f"; to have them estimated: {list(missing.values())[-1]}" if missing else ""
    raise PoseInitError(
        f"no initial poses for the {len(request.photo_files)} photographs in {request.scene}: expected "
        f"{', '.join(POSE_FILES)} or a COLMAP model ({MODEL_FOLDERS[0]}/) there, or name a pose file{also}"
    )
