"""Photographs at the size that DUSt3R was trained on, and its intrinsics mapped back to the photo files.

The rule is the package's own (`load_images`): scaled so that the longer side is 512 pixels, then cropped in the middle
to multiples of 16, squares to 4:3; for the checkpoint of 224 pixels, scaled by the shorter side and cropped to a
square. Photographs are upright; colours are not multiplied by alpha.

Units: `full`, pixels of the photo file; `fitted`, pixels of the network's input. Both are measured from the corner of
the first pixel, as everywhere in this project; DUSt3R measures from its middle.
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
from sparseags_ns.preprocess.photo_files import read_pixels

PATCH = 16
SMALL = 224
"""Side of the images of the one checkpoint that takes squares."""

_READ_PER_SIZE = 4
"""Huge photo files are reduced while they are read to this many times the size; the resampling starts there."""


@dataclass(frozen=True)
class Fitting:
    """Mapping of a photograph to the network's input: scaled to a size, then cropped."""

    full: tuple[int, int]
    """(width, height) of the photograph."""
    scaled: tuple[int, int]
    """(width, height) before the crop."""
    box: tuple[int, int, int, int]
    """left, top, right, bottom of the crop in scaled pixels."""

    def full_intrinsics(self, focal: float, center: tuple[float, float]) -> Float[Tensor, "3 3"]:
        """K of the photograph from DUSt3R's of the fitted image, whose center is from the middle of the first pixel."""
        across, down = (full / scaled for full, scaled in zip(self.full, self.scaled, strict=True))
        # Half a pixel leads from the middle of the first pixel to its corner.
        cx, cy = (corner + coordinate + 0.5 for corner, coordinate in zip(self.box[:2], center, strict=True))
        return intrinsics_matrix(focal * across, focal * down, cx * across, cy * down)


@dataclass(frozen=True)
class FittedImage:
    """The network's input for one photograph."""

    fitting: Fitting
    rgb: Float[Tensor, "height width 3"]
    """sRGB, 0 to 1."""

    def as_view(self, index: int) -> dict[str, Any]:
        """The dictionary of an image that the package's functions take."""
        height, width = self.rgb.shape[:2]
        return {
            "img": (2 * self.rgb - 1).permute(2, 0, 1)[None].contiguous(),
            "true_shape": np.array([[height, width]], np.int32),
            "idx": index,
            "instance": str(index),
        }


def fitting(full: tuple[int, int], size: int) -> Fitting:
    """The package's rule for a photograph of (width, height) pixels.

    The size is the longer side of the images that the checkpoint was trained on, 512 or 224.
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
    """Read a photo file and scale and crop it for a checkpoint of the given image size."""
    photo = read_pixels(path, max_px=_READ_PER_SIZE * size)
    how = fitting(photo.full_size, size)
    pixels = Image.fromarray((photo.rgb.numpy() * 255).round().astype(np.uint8))
    kind = Image.Resampling.LANCZOS if max(photo.size) > max(how.scaled) else Image.Resampling.BICUBIC
    image = pixels.resize(how.scaled, kind).crop(how.box)
    return FittedImage(how, torch.from_numpy(np.array(image, dtype=np.float32)) / 255.0)
