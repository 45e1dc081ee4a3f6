"""Choice of the estimator for photographs that come without cameras."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from sparseags_ns.console import announce
from sparseags_ns.formats.colmap import MODEL_FOLDERS
from sparseags_ns.pose_init.base import PoseInit, PoseInitError, PoseRequest
from sparseags_ns.pose_init.features.features import Features
from sparseags_ns.pose_init.files import POSE_FILES
from sparseags_ns.pose_init.id_pose.id_pose import IdPose
from sparseags_ns.pose_init.networks.dust3r import Dust3r

ESTIMATORS: dict[str, type[PoseInit]] = {estimator.name: estimator for estimator in (Dust3r, Features, IdPose)}
"""Estimators by name, in the order in which `auto` tries them."""

# The names are known at run time only; tyro shows those of the Literal as the option's choices.
if TYPE_CHECKING:
    PoseInitName: TypeAlias = str
else:
    PoseInitName = Literal[("auto", "files", *ESTIMATORS)]
"""Source of the initial cameras: `files` for a pose file, the name of an estimator, or `auto` for a pose file if there
is one, else the first automatic estimator that can work. id-pose, which takes minutes for each pair of photographs, is
not automatic."""


def choose_estimator(pose_init: PoseInitName, request: PoseRequest) -> PoseInit:
    """The named estimator, or for `auto` the first that can work on this machine; announced in one line.

    Raises:
        PoseInitError: none can work here; says what to install and to fetch.
    """
    if pose_init in ESTIMATORS:
        candidates = [ESTIMATORS[pose_init]]
    elif pose_init == "auto":
        candidates = [estimator for estimator in ESTIMATORS.values() if estimator.automatic]
    else:
        candidates = []
    missing: dict[str, str] = {}
    for candidate in candidates:
        reason = candidate.missing(request)
        if reason is None:
            estimator = candidate.create(request)
            skipped = [f"not by {name}: {why.split(';')[0]}" for name, why in missing.items()]
            automatically = f"no pose file in {request.scene}; {'; '.join(skipped) or 'package and weights are here'}"
            announce(
                f"poses: estimated by {estimator.name} ({estimator.details})",
                automatically if pose_init == "auto" else "asked for",
            )
            return estimator
        missing[candidate.name] = reason
    if pose_init in missing:
        raise PoseInitError(f"poses cannot be estimated by {pose_init}: {missing[pose_init]}")
    also = f"; to have them estimated: {list(missing.values())[-1]}" if missing else ""
    raise PoseInitError(
        f"no initial poses for the {len(request.photo_files)} photographs in {request.scene}: expected "
        f"{', '.join(POSE_FILES)} or a COLMAP model ({MODEL_FOLDERS[0]}/) there, or name a pose file{also}"
    )
