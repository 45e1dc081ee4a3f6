"""Which initialiser estimates the cameras of photographs that come without any."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from sparseags_ns.console import announce
from sparseags_ns.formats.colmap import MODEL_FOLDERS
from sparseags_ns.pose_init.base import PoseInit, PoseInitError
from sparseags_ns.pose_init.features import Features
from sparseags_ns.pose_init.from_files import POSE_FILES
from sparseags_ns.preprocess.store import Store

PoseInitName = Literal["auto", "files", "features"]
"""`auto`: a pose file if there is one, else whichever estimator is installed."""


def choose_estimator(asked: PoseInitName, count: int, scene: Path, store: Store) -> PoseInit:
    """The initialiser that was asked for, or the first that can work on this machine; said in one line.

    Args:
        count: how many photographs there are.

    Raises:
        PoseInitError: it cannot work here; says what to install.
    """
    missing = Features.missing()
    if asked == "features" or (asked == "auto" and missing is None):
        if missing is not None:
            raise PoseInitError(f"poses cannot be estimated from features: {missing}")
        why = "asked for" if asked == "features" else f"no pose file in {scene}"
        announce("poses: estimated from features (ALIKED, LightGlue, COLMAP)", why)
        return Features(store)
    also = "" if asked == "files" else f"; to have them estimated: {missing}"
    raise PoseInitError(
        f"no initial poses for the {count} photographs in {scene}: expected {', '.join(POSE_FILES)} or a COLMAP model "
        f"({MODEL_FOLDERS[0]}/) there, or name a pose file{also}"
    )
