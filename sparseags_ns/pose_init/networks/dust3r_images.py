"""Photographs at the size that DUSt3R was trained on, and its cameras back at theirs.

The rule is the package's own (`load_images`): scaled so that the longer side is 512 pixels, then cropped in the middle
to multiples of 16, squares to 4:3; for the checkpoint of 224 pixels, scaled by the shorter side and cropped to a
square. Photographs are upright, in straight colours.

Units: `full`, pixels of the photograph on disk; `fitted`, pixels of what the network gets. Both count from the corner
of the first pixel, as everywhere here; DUSt3R counts from its middle.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from sparseags_ns.formats.frame import intrinsics_matrix
from sparseags_ns.preprocess.photographs import read_photograph

PATCH = 16
SMALL = 224
"""Side of the images of the one checkpoint that wants squares."""

_READ_PER_SIZE = 4
_HALF = 0.5


@dataclass(frozen=True)
class Fitting:
    """How a photograph becomes an image for the network: scaled to a size, then cropped."""

    full: tuple[int, int]
    """(width, height) of the photograph."""
    scaled: tuple[int, int]
    box: tuple[int, int, int, int]
    """left, top, right, bottom of the crop in scaled pixels."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the image."""
        left, top, right, bottom = self.box
        return right - left, bottom - top

    def full_intrinsics(self, focal: float, center: tuple[float, float]) -> Float[Tensor, "3 3"]:
        """K of the photograph from what DUSt3R found for the image.

        Args:
            focal: in fitted pixels.
            center: principal point as DUSt3R gives it, which is half a pixel less than in our count.
        """
        across, down = (full / scaled for full, scaled in zip(self.full, self.scaled, strict=True))
        cx, cy = (corner + place + _HALF for corner, place in zip(self.box[:2], center, strict=True))
        return intrinsics_matrix(focal * across, focal * down, cx * across, cy * down)


@dataclass(frozen=True)
class FittedImage:
    """A photograph as the network gets it."""

    fitting: Fitting
    rgb: Float[Tensor, "height width 3"]
    """sRGB, 0 to 1."""

    def as_view(self, index: int) -> dict[str, Any]:
        """The dictionary that the package makes of an image."""
        height, width = self.rgb.shape[:2]
        return {
            "img": (2 * self.rgb - 1).permute(2, 0, 1)[None].contiguous(),
            "true_shape": np.array([[height, width]], np.int32),
            "idx": index,
            "instance": str(index),
        }


def fitting(full: tuple[int, int], size: int) -> Fitting:
    """The package's rule for a photograph of this size.

    Args:
        full: (width, height).
        size: what the checkpoint was trained on, 512 or 224.
    """
    longer = round(size * max(full) / min(full)) if size == SMALL else size
    scaled = tuple(round(side * longer / max(full)) for side in full)
    middle = scaled[0] // 2, scaled[1] // 2
    if size == SMALL:
        half = min(middle), min(middle)
    else:
        half = tuple(2 * side // PATCH * PATCH // 2 for side in middle)
        if scaled[0] == scaled[1]:
            half = half[0], 3 * half[0] // 4
    box = middle[0] - half[0], middle[1] - half[1], middle[0] + half[0], middle[1] + half[1]
    return Fitting(full, (scaled[0], scaled[1]), box)


def read_fitted(path: Path, size: int) -> FittedImage:
    """Read a photograph for the network."""
    photograph = read_photograph(path, most_px=_READ_PER_SIZE * size)
    how = fitting(photograph.full_size or photograph.size, size)
    pixels = Image.fromarray((photograph.rgb.numpy() * 255).round().astype(np.uint8))
    shrinks = max(photograph.size) > max(how.scaled)
    kind = Image.Resampling.LANCZOS if shrinks else Image.Resampling.BICUBIC
    image = pixels.resize(how.scaled, kind).crop(how.box)
    return FittedImage(how, torch.from_numpy(np.array(image, dtype=np.float32)) / 255.0)
