"""Straightening a photograph: as a pinhole camera with the same intrinsics would have taken it.

Models: OpenCV's standard one (k1, k2, k3, p1, p2) and its fisheye one (k1 to k4).

Frames: `ideal`, normalised image coordinates of the pinhole camera (x / z, y / z); `seen`, those that the lens bends
them to. Pixels as in `picture`.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.formats.frame import Distortion
from sparseags_ns.preprocess.picture import Picture, from_layers, layers


def undistort(picture: Picture, distortion: Distortion) -> Picture:
    """The straight picture, of the same size and intrinsics; `valid` is 0 where the lens showed nothing of it."""
    width, height = picture.size
    columns = torch.arange(width, dtype=picture.K.dtype) + 0.5
    rows = torch.arange(height, dtype=picture.K.dtype) + 0.5
    pixels = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), dim=-1)
    principal, focals = picture.K[:2, 2], picture.K[:2, :2]
    ideal = (pixels - principal) @ torch.linalg.inv(focals).T
    seen = bend(ideal, distortion) @ focals.T + principal
    # Without aligned corners, -1 and 1 are the picture's edges: the convention of our pixels, exactly.
    grid = 2 * seen / torch.tensor([width, height], dtype=seen.dtype) - 1
    image = layers(picture).permute(2, 0, 1)[None]
    averaged = torch.nn.functional.grid_sample(image, grid[None].to(image), align_corners=False)[0].permute(1, 2, 0)
    return from_layers(averaged, averaged[..., 4], picture.K)


def bend(ideal: Float[Tensor, "*points 2"], distortion: Distortion) -> Float[Tensor, "*points 2"]:
    """Where the lens shows an ideal point.

    Raises:
        ValueError: k4 of a lens that is not fisheye. OpenCV divides by it, nerfstudio multiplies, so it says nothing.
    """
    x, y = ideal.unbind(-1)
    r2 = x * x + y * y
    if distortion.fisheye:
        return ideal * _fisheye_stretch(r2.sqrt(), distortion)[..., None]
    if distortion.k4 != 0:
        raise ValueError(f"lens distortion k4 = {distortion.k4:g} has no agreed meaning; expected k1, k2, k3, p1, p2")
    p1, p2 = distortion.p1, distortion.p2
    radial = 1 + r2 * (distortion.k1 + r2 * (distortion.k2 + r2 * distortion.k3))
    seen_x = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x)
    seen_y = y * radial + 2 * p2 * x * y + p1 * (r2 + 2 * y * y)
    return torch.stack([seen_x, seen_y], dim=-1)


def _fisheye_stretch(r: Float[Tensor, "*points"], distortion: Distortion) -> Float[Tensor, "*points"]:
    """Factor by which OpenCV's fisheye model moves a point at distance r from the principal point."""
    angle = torch.atan(r)
    a2 = angle * angle
    k1, k2, k3, k4 = distortion.k1, distortion.k2, distortion.k3, distortion.k4
    bent = angle * (1 + a2 * (k1 + a2 * (k2 + a2 * (k3 + a2 * k4))))
    return torch.where(r > 1e-9, bent / r.clamp(min=1e-9), 1.0)
