"""Camera numbers of Zero123: the wanted view relative to a photograph, in the form that it was trained on.

Frames: `world`, normalised (mean camera distance 1.85, +y up); `target` and `condition`, the cameras of the wanted view
and of the photograph. The 6-DoF numbers are in OpenGL axes (x right, y up, z backward), as in training. Angles are in
radians, focal lengths in image sides, so that images of different sizes can be compared.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.geometry import se3
from sparseags_ns.geometry.cameras import Cameras, opengl_from_opencv, orbit_angles

Embedding = Literal["6dof", "vanilla", "stable"]

NUMBERS: dict[Embedding, int] = {"6dof": 18, "vanilla": 4, "stable": 4}
"""Count of numbers in each embedding."""


def embed(kind: Embedding, target: Cameras, conditions: Cameras) -> Float[Tensor, "views numbers"]:
    """Numbers of one wanted view (`target`, one camera) relative to each photograph, as a kind of model takes them."""
    return six_dof(target, conditions) if kind == "6dof" else spherical(target, conditions, stable=kind == "stable")


def six_dof(target: Cameras, conditions: Cameras) -> Float[Tensor, "views 18"]:
    """T_target_condition (OpenGL axes) row by row, then the logarithms of target over condition of fx and of fy.

    The authors' inference code passes the target's fx in place of its fy; training used both.
    """
    T_world_target, T_world_condition = (opengl_from_opencv(cameras.T_camera_world) for cameras in (target, conditions))
    T_target_condition = se3.inverse(T_world_target) @ T_world_condition
    ratios = (relative_focal(target) / relative_focal(conditions)).log()
    return torch.cat([T_target_condition.flatten(1), ratios], dim=-1)


def spherical(target: Cameras, conditions: Cameras, *, stable: bool = False) -> Float[Tensor, "views 4"]:
    """Differences of polar angle and radius, sine and cosine of the difference of azimuth, target less condition.

    Order: polar, sin, cos, radius. The polar angle grows downwards from +y, the azimuth anticlockwise seen from above.
    Stable Zero123 has the condition's own polar angle in place of the radius.
    """
    azimuth, elevation, radius = orbit_angles(target.centers)
    azimuths, elevations, radii = orbit_angles(conditions.centers)
    turn = (azimuth - azimuths).deg2rad()
    last = math.pi / 2 - elevations.deg2rad() if stable else radius - radii
    return torch.stack([(elevations - elevation).deg2rad(), turn.sin(), turn.cos(), last], dim=-1)


def relative_focal(cameras: Cameras) -> Float[Tensor, "views 2"]:
    """Focal lengths fx in widths and fy in heights of the image."""
    sides = torch.tensor([cameras.width, cameras.height], dtype=cameras.K.dtype, device=cameras.K.device)
    return cameras.K[:, [0, 1], [0, 1]] / sides
