"""Straightening a photograph: as a pinhole camera with the same intrinsics would have taken it.

Frames: `ideal`, normalised image coordinates of the pinhole camera (x / z, y / z); `seen`, those that the lens bends
them to. Pixels as in `picture`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.preprocess.picture import Picture, from_layers, layers


@dataclass(frozen=True)
class Distortion:
    """Brown's lens model, as in OpenCV's and COLMAP's OPENCV camera."""

    k1: float = 0.0
    k2: float = 0.0
    k3: float = 0.0
    p1: float = 0.0
    p2: float = 0.0

    def __bool__(self) -> bool:
        return any((self.k1, self.k2, self.k3, self.p1, self.p2))

    def bend(self, ideal: Float[Tensor, "*points 2"]) -> Float[Tensor, "*points 2"]:
        """Where the lens shows an ideal point."""
        x, y = ideal.unbind(-1)
        r2 = x * x + y * y
        radial = 1 + r2 * (self.k1 + r2 * (self.k2 + r2 * self.k3))
        seen_x = x * radial + 2 * self.p1 * x * y + self.p2 * (r2 + 2 * x * x)
        seen_y = y * radial + 2 * self.p2 * x * y + self.p1 * (r2 + 2 * y * y)
        return torch.stack([seen_x, seen_y], dim=-1)


def undistort(picture: Picture, distortion: Distortion) -> Picture:
    """The straight picture, of the same size and intrinsics; `valid` is 0 where the lens showed nothing of it."""
    width, height = picture.size
    columns = torch.arange(width, dtype=picture.K.dtype) + 0.5
    rows = torch.arange(height, dtype=picture.K.dtype) + 0.5
    pixels = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), dim=-1)
    principal, skewed_focal = picture.K[:2, 2], picture.K[:2, :2]
    ideal = (pixels - principal) @ torch.linalg.inv(skewed_focal).T
    seen = distortion.bend(ideal) @ skewed_focal.T + principal
    # Without aligned corners, -1 and 1 are the picture's edges: the convention of our pixels, exactly.
    grid = 2 * seen / torch.tensor([width, height], dtype=seen.dtype) - 1
    image = layers(picture).permute(2, 0, 1)[None]
    averaged = torch.nn.functional.grid_sample(image, grid[None].to(image), align_corners=False)[0].permute(1, 2, 0)
    return from_layers(averaged, averaged[..., 4], picture.K)
