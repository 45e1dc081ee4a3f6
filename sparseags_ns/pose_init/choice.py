"""Which initialiser estimates the cameras of photographs that come without any."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from sparseags_ns.console import announce
from sparseags_ns.formats.colmap import MODEL_FOLDERS
from sparseags_ns.pose_init.base import PoseInit, PoseInitError
from sparseags_ns.pose_init.networks.dust3r import Dust3r
from sparseags_ns.pose_init.networks.dust3r_package import find_weights
from sparseags_ns.pose_init.features.features import Features
from sparseags_ns.pose_init.files import POSE_FILES
from sparseags_ns.pose_init.id_pose.id_pose import IdPose
from sparseags_ns.preprocess.store import Store

PoseInitName = Literal["auto", "files", "dust3r", "features", "id-pose"]
"""`auto`: a pose file if there is one, else dust3r if its package and weights are here, else features. id-pose, which
takes minutes for each pair of photographs, has to be asked for."""


def choose_estimator(asked: PoseInitName, count: int, scene: Path, store: Store, weights: str = "auto") -> PoseInit:
    """The initialiser that was asked for, or the first that can work on this machine; said in one line.

    Args:
        count: how many photographs there are.
        weights: of dust3r or id-pose: a path, a name, or `auto` for those that are on this machine.

    Raises:
        PoseInitError: it cannot work here; says what to install and to fetch.
    """
    if asked == "id-pose":
        announce("poses: estimated by id-pose (inverting the Zero123 prior)", "asked for")
        return IdPose.of(scene, weights, store)
    no_dust3r = Dust3r.missing(weights, count)
    if asked == "dust3r" or (asked == "auto" and no_dust3r is None):
        checkpoint = find_weights(weights)
        if no_dust3r is not None or checkpoint is None:
            raise PoseInitError(f"poses cannot be estimated by dust3r: {no_dust3r}")
        why = "asked for" if asked == "dust3r" else f"no pose file in {scene}; package and weights are here"
        announce(f"poses: estimated by dust3r ({checkpoint.name})", why)
        return Dust3r.of(checkpoint, store)
    no_features = Features.missing()
    if asked == "features" or (asked == "auto" and no_features is None):
        if no_features is not None:
            raise PoseInitError(f"poses cannot be estimated from features: {no_features}")
        why = "asked for" if asked == "features" else f"no pose file in {scene}; not by dust3r: {_in_short(no_dust3r)}"
        announce("poses: estimated from features (ALIKED, LightGlue, COLMAP)", why)
        return Features(store)
    also = "" if asked == "files" else f"; to have them estimated: {no_features}"
    raise PoseInitError(
        f"no initial poses for the {count} photographs in {scene}: expected {', '.join(POSE_FILES)} or a COLMAP model "
        f"({MODEL_FOLDERS[0]}/) there, or name a pose file{also}"
    )


def _in_short(reason: str | None) -> str:
    """A reason without what to do about it."""
    return (reason or "").split(";")[0]
