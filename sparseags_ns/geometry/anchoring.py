"""Comparing two sets of poses of the same cameras whose worlds drifted apart while an object was reconstructed.

Frames: `given`, `refined`: the two worlds. The object's place counts, not the least squares of the camera centres: a
camera that moved towards the object must not move the object in all other photographs.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.geometry import se3
from sparseags_ns.geometry.alignment import Similarity


def object_anchored(
    given: Float[Tensor, "views 4 4"], refined: Float[Tensor, "views 4 4"], center: Float[Tensor, " 3"]
) -> Similarity:
    """The similarity from the given to the refined world around an object.

    Rotation: the mean of the cameras' own turns. Origin: the point that the given cameras would have to see where the
    refined ones see `center`. Scale: the ratio of the mean distances to it.

    Args:
        given: `T_camera_world` of the cameras in the given world.
        refined: the same cameras in the refined world.
        center: of the object, in the refined world.
    """
    given, refined, center = given.double(), refined.double(), center.double()
    rotation = se3.nearest_rotation((refined[:, :3, :3].mT @ given[:, :3, :3]).mean(0))
    seen = se3.transform_points(refined, center.expand(len(refined), 1, 3))[:, 0]
    directions = (given[:, :3, :3].mT @ (seen / seen.norm(dim=-1, keepdim=True))[..., None])[..., 0]
    centers = se3.inverse(given)[:, :3, 3]
    across = torch.eye(3, dtype=torch.float64, device=given.device) - directions[:, :, None] * directions[:, None, :]
    origin = torch.linalg.pinv(across.sum(0)) @ (across @ centers[..., None]).sum(0)[:, 0]
    scale = seen.norm(dim=-1).mean() / (centers - origin).norm(dim=-1).mean()
    return Similarity(scale, rotation, center - scale * (rotation @ origin))
