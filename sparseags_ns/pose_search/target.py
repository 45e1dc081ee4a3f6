"""The target of a pose search: one photograph at a small size.

Units: pixels of the reduced photograph.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.views import Views


@dataclass(frozen=True)
class Target:
    """One photograph at the size at which poses are scored against it."""

    premultiplied: Float[Tensor, "height width 3"]
    """Colour times mask."""
    mask: Float[Tensor, "height width"]
    """Coverage of the object, 0 to 1."""
    valid: Float[Tensor, "height width"]
    """1 where the photograph covers the whole pixel."""
    K: Float[Tensor, "3 3"]
    """Intrinsics in pixels of this size."""

    def over(self, gray: float) -> Float[Tensor, "height width 3"]:
        """The photograph composited over a gray."""
        return self.premultiplied + (1 - self.mask)[..., None] * gray

    @property
    def area(self) -> float:
        """Share of the valid pixels that the object covers; 0 if the photograph does not show it."""
        return float((self.mask * self.valid).sum() / self.valid.sum().clamp_min(1))


def make_target(
    image: Float[Tensor, "height width 3"],
    mask: Float[Tensor, "height width"],
    valid: Float[Tensor, "height width"],
    K: Float[Tensor, "3 3"],
    pixels: int,
) -> Target:
    """Reduce a photograph by area averages until its longer side has this many pixels; it is never enlarged.

    Args:
        image: straight colours (not multiplied by the mask), sRGB, 0 to 1.
        mask: coverage of the object, 0 to 1.
        valid: 1 where the photograph covers the pixel.
        K: intrinsics in pixels of the image.
        pixels: longer side of the target.
    """
    full = list(mask.shape)
    factor = min(pixels / max(full), 1.0)
    height, width = (max(round(side * factor), 1) for side in full)

    def reduce(maps: Float[Tensor, "channels height width"]) -> Tensor:
        return F.interpolate(maps[None], size=[height, width], mode="area")[0]

    premultiplied = reduce((image * mask[..., None]).permute(2, 0, 1)).permute(1, 2, 0)
    # A reduced pixel that is partly unknown would mix known and unknown colour, so it counts as unknown.
    known = reduce(valid[None])[0].ge(1 - 1e-6).to(mask.dtype)
    small = Cameras(torch.eye(4).to(K)[None], K[None], full[1], full[0]).resized(width, height)
    return Target(premultiplied.contiguous(), reduce(mask[None])[0].contiguous(), known, small.K[0])


def target_of(views: Views, view: int, pixels: int) -> Target:
    """One of several views as a target; its pose does not matter."""
    return make_target(views.images[view], views.masks[view], views.valid[view], views.cameras.K[view], pixels)
