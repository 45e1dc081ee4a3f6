"""Photographs without a pose: they take part, untrusted, until the outlier search places them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch

from sparseags_ns.console import warn
from sparseags_ns.formats.frame import Frame, intrinsics_matrix
from sparseags_ns.pose_init.base import InitialPoses, PoseInitError
from sparseags_ns.preprocess.photographs import listed, read_header

MissingPoses = Literal["refuse", "leave-out", "search"]
"""What becomes of photographs that a pose file says nothing of: the scene is refused, they are left out, or training
looks for their place."""

UNPLACED = "unplaced"
"""Key in `Frame.extra` of a camera that only stands in for one."""

_FEWEST_PLACED = 2


def with_unplaced(photographs: Sequence[Path], initial: InitialPoses, source: str) -> InitialPoses:
    """The same, with a stand-in for each missing camera: the pose of the surest one, the focal length of the others.

    Raises:
        PoseInitError: fewer than two photographs were placed.
    """
    missing = [path.name for path, frame in zip(photographs, initial.frames, strict=True) if frame is None]
    placed = len(photographs) - len(missing)
    if placed < _FEWEST_PLACED:
        raise PoseInitError(
            f"{source} could place {placed} of the {len(photographs)} photographs in {photographs[0].parent}: "
            "they must show one scene that stands still, each with much in common with another; take more photographs "
            "in between, or give the poses in a file"
        )
    if not missing:
        return initial
    warn(
        f"no pose from {source} for {listed(missing)}",
        f"{len(missing)} of {len(photographs)} photographs; they start untrusted, without a pose of their own",
    )
    span = _usual_span(photographs, initial)
    frames = tuple(
        _stand_in(path, initial, span) if frame is None else frame
        for path, frame in zip(photographs, initial.frames, strict=True)
    )
    return replace(initial, frames=frames)


def _usual_span(photographs: Sequence[Path], initial: InitialPoses) -> float:
    """Median focal length of the placed photographs, in units of their longer side."""
    spans = []
    for path, frame in zip(photographs, initial.frames, strict=True):
        if frame is not None:
            stored = read_header(path).upright
            width, height = frame.width or stored[0], frame.height or stored[1]
            spans.append((frame.intrinsics[0] + frame.intrinsics[1]) / 2 / max(width, height))
    return float(torch.tensor(spans).median())


def _stand_in(path: Path, initial: InitialPoses, span: float) -> Frame:
    """A camera in the surest one's place; its lens is EXIF's, or the others'."""
    surest = initial.frames[int(initial.confidence.argmax())]
    assert surest is not None, "some photographs are placed, and only those have any confidence"
    header = read_header(path)
    width, height = header.upright
    focal = header.focal_px or max(width, height) * span
    return Frame(
        name=path.stem,
        file_path=path.name,
        T_camera_world=surest.T_camera_world,
        K=intrinsics_matrix(focal, focal, width / 2, height / 2),
        width=width,
        height=height,
        trusted=False,
        extra={UNPLACED: True},
    )
