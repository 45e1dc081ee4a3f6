"""Where the cameras of a scene came from, for the record of a run.

Frames: the world of the pose file or initialiser; the normalised world of each arrangement, rotated about +y to where
it can be compared with the one that is used. Computed in float64.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.formats.frame import Frame
from sparseags_ns.geometry import se3
from sparseags_ns.geometry.alignment import AlignmentError, normalizing_similarity
from sparseags_ns.geometry.cameras import orbit_angles
from sparseags_ns.runs.record import Arrangement, PoseInitRecord
from sparseags_ns.scene.reading import ReadScene

Placed = dict[int, Float[Tensor, "4 4"]]
"""`T_world_camera` in a normalised world by view; views without a camera are missing."""


def pose_init_record(scene: ReadScene) -> PoseInitRecord:
    """The record of a scene's initial cameras, with all arrangements if the initialiser gave more than one."""
    estimate, used = scene.estimate, scene.alternative
    if estimate is None:
        return PoseInitRecord(scene.pose_source, estimated=False)
    arrangements: tuple[Arrangement, ...] = ()
    if estimate.alternatives:
        placed = [_normalised(frames) for frames in (estimate.frames, *(one.frames for one in estimate.alternatives))]
        losses = (1.0, *(one.loss for one in estimate.alternatives))
        rows = zip(losses, placed, strict=True)
        views = len(estimate.frames)
        arrangements = tuple(_arrangement(loss, _compared(one, placed[used - 1]), views) for loss, one in rows)
    return PoseInitRecord(
        source=estimate.source,
        estimated=True,
        doubt=estimate.doubt,
        confidence=tuple(_rounded(scene.confidence)),
        alternative=used,
        arrangements=arrangements,
    )


def _normalised(frames: Sequence[Frame | None]) -> Placed:
    """The cameras in their own normalised world; none where they do not look at one place."""
    poses = {view: frame.T_camera_world for view, frame in enumerate(frames) if frame is not None}
    if not poses:
        return {}
    T_camera_world = torch.stack(list(poses.values())).double()
    try:
        normalised = normalizing_similarity(T_camera_world).apply_to_poses(T_camera_world)
    except AlignmentError:
        return {}
    return dict(zip(poses, se3.inverse(normalised), strict=True))


def _compared(placed: Placed, reference: Placed) -> Placed:
    """The cameras, rotated about +y so that the sum of their azimuths' absolute differences is least.

    One view then agrees with the reference exactly, the first of those that do equally well; if most views agree, these
    do, and only the others stand elsewhere.
    """
    both = [view for view in placed if view in reference]
    if not both:
        return placed
    here, there = (orbit_angles(torch.stack([one[view][:3, 3] for view in both]))[0] for one in (placed, reference))
    needed = there - here
    apart = ((needed - needed[:, None] + 180) % 360 - 180).abs().sum(dim=1)
    # A rounding error must not decide between views that do equally well.
    angle = needed[int((apart <= apart.min() + 1e-6).int().argmax())].deg2rad()
    rotation = se3.exp(torch.stack([angle * axis for axis in (0, 0, 0, 0, 1, 0)]))
    return {view: rotation @ pose for view, pose in placed.items()}


def _arrangement(loss: float, placed: Placed, views: int) -> Arrangement:
    return Arrangement(
        loss=float(f"{loss:.6g}"),
        camera_centers=[_rounded(placed[view][:3, 3]) if view in placed else None for view in range(views)],
        camera_forward=[_rounded(placed[view][:3, 2]) if view in placed else None for view in range(views)],
    )


def _rounded(values: Float[Tensor, " n"]) -> list[float]:
    """The values with six significant digits."""
    return [float(f"{value:.6g}") for value in values.tolist()]
