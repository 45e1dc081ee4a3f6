"""How far each camera was moved by an optimisation that also lets the world drift, outliers notwithstanding.

Frames: `given`, `refined`: the two worlds. Units: degrees; percent of the mean distance from the object.
"""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor

from sparseags_ns.geometry import se3
from sparseags_ns.geometry.alignment import Similarity
from sparseags_ns.geometry.anchoring import object_anchored
from sparseags_ns.geometry.pose_errors import pose_change

AGREE_DEG = 3.0
"""Views whose turns differ by less than this, or by less than twice the median, agree about the drift of the world."""


@dataclass(frozen=True)
class Motion:
    """What became of the given cameras."""

    given: Float[Tensor, "views 4 4"]
    """`T_camera_world` of the given cameras, in the refined world."""
    rotation_deg: Float[Tensor, " views"]
    moved_percent: Float[Tensor, " views"]


def motion(
    given: Float[Tensor, "views 4 4"], refined: Float[Tensor, "views 4 4"], center: Float[Tensor, " 3"]
) -> Motion:
    """Compare `T_camera_world` of the same cameras in two worlds.

    Args:
        center: of the object, in the refined world.
    """
    moved_as_one = drift(given, refined, center).apply_to_poses(given)
    rotation_deg, moved = pose_change(moved_as_one, refined)
    distance = (se3.inverse(refined.double())[:, :3, 3] - center.double()).norm(dim=-1).mean()
    return Motion(moved_as_one, rotation_deg, 100 * moved / distance)


def drift(
    given: Float[Tensor, "views 4 4"], refined: Float[Tensor, "views 4 4"], center: Float[Tensor, " 3"]
) -> Similarity:
    """The similarity from the given to the refined world, around the object.

    Only views that agree say how the world has drifted: one that was turned by 120 degrees would have its turn shared
    out among all the others.

    Args:
        given: `T_camera_world` of the cameras in the given world.
        refined: the same cameras in the refined world.
        center: of the object, in the refined world.
    """
    agree = agreeing(given, refined)
    return object_anchored(given[agree], refined[agree], center)


def agreeing(given: Float[Tensor, "views 4 4"], refined: Float[Tensor, "views 4 4"]) -> Bool[Tensor, " views"]:
    """Views whose turn from the given to the refined world is nearly that of the most typical view."""
    turns = refined[:, :3, :3].double().mT @ given[:, :3, :3].double()
    apart_deg = se3.rotation_angle(turns[:, None] @ turns[None].mT).rad2deg()
    typical = int(apart_deg.quantile(0.5, dim=1).argmin())
    limit = max(AGREE_DEG, 2 * float(apart_deg[typical].quantile(0.5)))
    return apart_deg[typical] <= limit
