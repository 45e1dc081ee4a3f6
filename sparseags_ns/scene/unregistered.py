"""Stand-in cameras of unregistered photographs, which stay untrusted until the outlier search registers them."""

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
from sparseags_ns.pose_init.base import FOCAL_GUESS, MIN_REGISTERED, InitialPoses, PoseInitError
from sparseags_ns.preprocess.photo_files import listed, read_photo_file

MissingPoses = Literal["refuse", "leave-out", "search"]
"""What happens to photographs without a pose in the pose file: the scene is refused, they are left out, or training
searches for their poses."""

UNREGISTERED = "unregistered"
"""Key in `Frame.extra` of a stand-in camera."""

_ADVICE = (
    "they must show one scene that stands still, each with much in common with another; take more photographs "
    "in between, give the poses in a file, or ask for another initialiser (pose-init = dust3r, features or id-pose)"
)


def with_stand_ins(photo_files: Sequence[Path], initial: InitialPoses, source: str) -> InitialPoses:
    """The initial poses with a stand-in for each missing camera.

    A stand-in has the pose of the most confident camera and, unless EXIF tells the focal length, the median focal
    length of the registered ones.

    Args:
        source: of the poses, for messages.

    Raises:
        PoseInitError: fewer than two photographs are registered, or their cameras do not look at one place.
    """
    missing = [path.name for path, frame in zip(photo_files, initial.frames, strict=True) if frame is None]
    registered = f"{initial.num_registered} of the {len(photo_files)} photographs in {photo_files[0].parent}"
    if initial.num_registered < MIN_REGISTERED:
        raise PoseInitError(f"{source} could register {registered}: {_ADVICE}")
    try:
        axes_meeting_point(se3.inverse(torch.stack([f.T_camera_world for f in initial.frames if f is not None])))
    except AlignmentError as error:
        raise PoseInitError(f"{source} registered {registered}, but to no use ({error}): {_ADVICE}") from error
    if not missing:
        return initial
    warn(
        f"no pose from {source} for {listed(missing)}",
        f"{len(missing)} of {len(photo_files)} photographs; they start untrusted, without a pose of their own",
    )
    relative_focal = _median_relative_focal(photo_files, initial)
    surest = initial.frames[int(initial.confidence.argmax())]
    assert surest is not None, "some photographs are registered, and only those have any confidence"
    frames = tuple(
        _stand_in(path, surest.T_camera_world, relative_focal) if frame is None else frame
        for path, frame in zip(photo_files, initial.frames, strict=True)
    )
    return replace(initial, frames=frames)


def stand_ins(photo_files: Sequence[Path]) -> tuple[Frame, ...]:
    """Stand-ins for all cameras, with one pose; they serve to read the photographs, not to train on."""
    here = torch.eye(4, dtype=torch.float64)
    return tuple(_stand_in(path, here, FOCAL_GUESS) for path in photo_files)


def _median_relative_focal(photo_files: Sequence[Path], initial: InitialPoses) -> float:
    """Median focal length of the registered photographs, in longer sides."""
    relative_focals = []
    for path, frame in zip(photo_files, initial.frames, strict=True):
        if frame is not None:
            size = read_photo_file(path).upright_size
            width, height = frame.width or size[0], frame.height or size[1]
            relative_focals.append((frame.intrinsics[0] + frame.intrinsics[1]) / 2 / max(width, height))
    return float(torch.tensor(relative_focals).median())


def _stand_in(path: Path, T_camera_world: Float[Tensor, "4 4"], relative_focal: float) -> Frame:
    """A camera with the focal length from EXIF, else of `relative_focal` longer sides."""
    photo_file = read_photo_file(path)
    width, height = photo_file.upright_size
    focal = photo_file.focal_px or max(width, height) * relative_focal
    return Frame(
        name=path.stem,
        file_path=path.name,
        T_camera_world=T_camera_world,
        K=intrinsics_matrix(focal, focal, width / 2, height / 2),
        width=width,
        height=height,
        trusted=False,
        extra={UNREGISTERED: True},
    )
