"""Photographs without a pose: they take part, untrusted, until the outlier search places them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.console import warn
from sparseags_ns.formats.frame import Frame, intrinsics_matrix
from sparseags_ns.geometry import se3
from sparseags_ns.geometry.alignment import AlignmentError, axes_meeting_point
from sparseags_ns.pose_init.base import FEWEST_PLACED, InitialPoses, PoseInitError
from sparseags_ns.preprocess.photographs import listed, read_header

MissingPoses = Literal["refuse", "leave-out", "search"]
"""What becomes of photographs that a pose file says nothing of: the scene is refused, they are left out, or training
looks for their place."""

UNPLACED = "unplaced"
"""Key in `Frame.extra` of a camera that only stands in for one."""

_FOCAL_GUESS = 1.2
"""In units of the longer side, where nothing at all is known; what COLMAP starts from."""

_ADVICE = (
    "they must show one scene that stands still, each with much in common with another; take more photographs "
    "in between, give the poses in a file, or ask for another initialiser (pose-init = dust3r, features or id-pose)"
)


def with_unplaced(photographs: Sequence[Path], initial: InitialPoses, source: str) -> InitialPoses:
    """The same, with a stand-in for each missing camera: the pose of the surest one, the focal length of the others.

    Raises:
        PoseInitError: fewer than two photographs were placed, or where they do not look at one thing.
    """
    missing = [path.name for path, frame in zip(photographs, initial.frames, strict=True) if frame is None]
    placed = f"{initial.placed} of the {len(photographs)} photographs in {photographs[0].parent}"
    if initial.placed < FEWEST_PLACED:
        raise PoseInitError(f"{source} could place {placed}: {_ADVICE}")
    try:
        axes_meeting_point(se3.inverse(torch.stack([f.T_camera_world for f in initial.frames if f is not None])))
    except AlignmentError as error:
        raise PoseInitError(f"{source} placed {placed}, but to no use ({error}): {_ADVICE}") from error
    if not missing:
        return initial
    warn(
        f"no pose from {source} for {listed(missing)}",
        f"{len(missing)} of {len(photographs)} photographs; they start untrusted, without a pose of their own",
    )
    span = _usual_span(photographs, initial)
    surest = initial.frames[int(initial.confidence.argmax())]
    assert surest is not None, "some photographs are placed, and only those have any confidence"
    frames = tuple(
        _stand_in(path, surest.T_camera_world, span) if frame is None else frame
        for path, frame in zip(photographs, initial.frames, strict=True)
    )
    return replace(initial, frames=frames)


def all_unplaced(photographs: Sequence[Path]) -> tuple[Frame, ...]:
    """Stand-ins for all cameras, in one place: nothing can be trained on them, but the photographs can be read."""
    here = torch.eye(4, dtype=torch.float64)
    return tuple(_stand_in(path, here, _FOCAL_GUESS) for path in photographs)


def _usual_span(photographs: Sequence[Path], initial: InitialPoses) -> float:
    """Median focal length of the placed photographs, in units of their longer side."""
    spans = []
    for path, frame in zip(photographs, initial.frames, strict=True):
        if frame is not None:
            stored = read_header(path).upright
            width, height = frame.width or stored[0], frame.height or stored[1]
            spans.append((frame.intrinsics[0] + frame.intrinsics[1]) / 2 / max(width, height))
    return float(torch.tensor(spans).median())


def _stand_in(path: Path, T_camera_world: Float[Tensor, "4 4"], span: float) -> Frame:
    """A camera in another one's place; its lens is EXIF's, or has a focal length of `span` longer sides."""
    header = read_header(path)
    width, height = header.upright
    focal = header.focal_px or max(width, height) * span
    return Frame(
        name=path.stem,
        file_path=path.name,
        T_camera_world=T_camera_world,
        K=intrinsics_matrix(focal, focal, width / 2, height / 2),
        width=width,
        height=height,
        trusted=False,
        extra={UNPLACED: True},
    )
