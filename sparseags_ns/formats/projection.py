"""Where the camera of a pose file's entry shows points, lens distortion included.

Frames: `world`, as in the file. Units: pixels of the photo that the frame's intrinsics belong to.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.formats.frame import Distortion, Frame
from sparseags_ns.geometry import se3


def distort(ideal: Float[Tensor, "*points 2"], distortion: Distortion) -> Float[Tensor, "*points 2"]:
    """Where the lens shows a point, by OpenCV's standard model (k1, k2, k3, p1, p2) or its fisheye model (k1 to k4).

    Args:
        ideal: normalised image coordinates of the pinhole camera (x / z, y / z).

    Returns:
        Normalised image coordinates after distortion.

    Raises:
        ValueError: k4 of a lens that is not fisheye, since OpenCV divides by it and nerfstudio multiplies.
    """
    x, y = ideal.unbind(-1)
    r2 = x * x + y * y
    if distortion.fisheye:
        r = r2.sqrt()
        angle = torch.atan(r)
        a2 = angle * angle
        k1, k2, k3, k4 = distortion.k1, distortion.k2, distortion.k3, distortion.k4
        bent = angle * (1 + a2 * (k1 + a2 * (k2 + a2 * (k3 + a2 * k4))))
        return ideal * torch.where(r > 1e-9, bent / r.clamp(min=1e-9), 1.0)[..., None]
    if distortion.k4 != 0:
        raise ValueError(f"lens distortion k4 = {distortion.k4:g} has no agreed meaning; expected k1, k2, k3, p1, p2")
    p1, p2 = distortion.p1, distortion.p2
    radial = 1 + r2 * (distortion.k1 + r2 * (distortion.k2 + r2 * distortion.k3))
    seen_x = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x)
    seen_y = y * radial + 2 * p2 * x * y + p1 * (r2 + 2 * y * y)
    return torch.stack([seen_x, seen_y], dim=-1)


def project_points(frame: Frame, points: Float[Tensor, "points 3"]) -> Float[Tensor, "points 2"]:
    """Column and row of world points in the frame's photo; infinite where a point is not in front of the camera."""
    in_camera = se3.transform_points(frame.T_camera_world, points.to(frame.T_camera_world))
    depth = in_camera[:, 2:]
    seen = distort(in_camera[:, :2] / depth, frame.distortion)
    pixels = seen @ frame.K[:2, :2].T + frame.K[:2, 2]
    return torch.where((depth > 0) & pixels.isfinite().all(-1, keepdim=True), pixels, torch.inf)
