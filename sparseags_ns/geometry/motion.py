"""How far an optimisation moved each camera when the whole world may have drifted along, outliers or not.

Poses are only defined up to a similarity of the world, so the given and the refined cameras are compared after the
drift of the world is taken out. The drift is measured at the object, not by least squares on the camera centres: a
camera that moved towards the object must not shift the object in all other photographs.

Frames: `given` and `refined`, the two worlds; `camera`, OpenCV axes. Units: degrees where a name ends in `_deg`;
percent of the mean camera distance from the object. Computed in float64.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from sparseags_ns.geometry import se3
from sparseags_ns.geometry.alignment import Similarity
from sparseags_ns.geometry.pose_errors import Poses, pose_change

CONSISTENT_DEG = 3.0
"""Views whose rotations differ by less than this, or by less than twice the median, are consistent about the drift."""


@dataclass(frozen=True)
class Motion:
    """How far each camera moved relative to the others."""

    given: Poses
    """`T_camera_world` of the given cameras, mapped into the refined world."""
    rotation_deg: Float[Tensor, " views"]
    """Angle between the given and the refined orientation."""
    moved_percent: Float[Tensor, " views"]
    """Distance between the given and the refined centre, in percent of the mean camera distance from the object."""


def motion(given: Poses, refined: Poses, center: Float[Tensor, " 3"]) -> Motion:
    """Compare poses (`T_camera_world`) of the same cameras in two worlds; `center`, the object's, is in `refined`."""
    drifted = drift(given, refined, center).apply_to_poses(given)
    rotation_deg, moved = pose_change(drifted, refined)
    distance = (se3.inverse(refined.double())[:, :3, 3] - center.double()).norm(dim=-1).mean()
    return Motion(drifted, rotation_deg, 100 * moved / distance)


def drift(given: Poses, refined: Poses, center: Float[Tensor, " 3"]) -> Similarity:
    """The similarity from the given to the refined world about the object, estimated from the consistent views.

    An outlier does not take part: the rotation of a camera that moved by 120 degrees would be averaged into the drift,
    and so be attributed to all other cameras. The arguments are those of `motion`.
    """
    consistent = consistent_views(given, refined)
    return object_anchored(given[consistent], refined[consistent], center)


def object_anchored(given: Poses, refined: Poses, center: Float[Tensor, " 3"]) -> Similarity:
    """The similarity from the given to the refined world about the object, estimated from all views.

    Rotation: the mean of the cameras' rotations between the worlds. Origin: the point on which the given cameras' lines
    of sight would meet if each showed it where its refined camera shows `center`. Scale: the ratio of the mean camera
    distances from the two points. The arguments are those of `motion`.
    """
    given, refined, center = given.double(), refined.double(), center.double()
    rotation = se3.nearest_rotation((refined[:, :3, :3].mT @ given[:, :3, :3]).mean(0))
    seen = se3.transform_points(refined, center.expand(len(refined), 1, 3))[:, 0]
    directions = (given[:, :3, :3].mT @ (seen / seen.norm(dim=-1, keepdim=True))[..., None])[..., 0]
    centers = se3.inverse(given)[:, :3, 3]
    # The point x nearest to the lines c_i + s d_i solves (sum P_i) x = sum P_i c_i, with P_i = I - d_i d_i^T. The
    # pseudo-inverse also serves parallel lines, which leave x open along their direction.
    across = torch.eye(3, dtype=torch.float64, device=given.device) - directions[:, :, None] * directions[:, None, :]
    origin = torch.linalg.pinv(across.sum(0)) @ (across @ centers[..., None]).sum(0)[:, 0]
    scale = seen.norm(dim=-1).mean() / (centers - origin).norm(dim=-1).mean()
    return Similarity(scale, rotation, center - scale * (rotation @ origin))


def consistent_views(given: Poses, refined: Poses) -> Bool[Tensor, " views"]:
    """Views whose rotation from the given to the refined world is close to that of the most typical view.

    The most typical view is the one with the smallest median difference from all views, a medoid: it is right as long
    as outliers are fewer than half.
    """
    rotations = refined[:, :3, :3].double().mT @ given[:, :3, :3].double()
    apart_deg = se3.rotation_angle(rotations[:, None] @ rotations[None].mT).rad2deg()
    typical = int(apart_deg.quantile(0.5, dim=1).argmin())
    limit = max(CONSISTENT_DEG, 2 * float(apart_deg[typical].quantile(0.5)))
    return apart_deg[typical] <= limit
