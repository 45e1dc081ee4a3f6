"""Targets of the pose search: views reduced to a small size."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.rasterizer import Target
from sparseags_ns.views import Views


def target_of(views: Views, view: int, pixels: int) -> Target:
    """One view, reduced by area averages until its longer side has at most `pixels` pixels; never enlarged."""
    full = list(views.images.shape[1:3])
    factor = min(pixels / max(full), 1.0)
    height, width = (max(round(side * factor), 1) for side in full)

    def reduce(maps: Float[Tensor, "channels height width"]) -> Tensor:
        return F.interpolate(maps[None], size=[height, width], mode="area")[0]

    mask = views.masks[view]
    premultiplied = reduce((views.images[view] * mask[..., None]).permute(2, 0, 1)).permute(1, 2, 0)
    # A pixel of which a part is unknown would mix known and unknown colour: it counts as unknown.
    valid = reduce(views.valid[view][None])[0].ge(1 - 1e-6).to(mask.dtype)
    K = views.cameras[[view]].resized(width, height).K[0]
    return Target(premultiplied.contiguous(), reduce(mask[None])[0].contiguous(), valid, K)
