"""Targets of the pose search: photographs reduced to a small size."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.rasterizer.types import Target
from sparseags_ns.views import Views


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
