"""One photograph at a small size, as poses are scored against it.

Units: pixels of the reduced photograph.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.views import Views


@dataclass(frozen=True)
class Photograph:
    """A view without its pose."""

    premultiplied: Float[Tensor, "height width 3"]
    """Colour times mask."""
    mask: Float[Tensor, "height width"]
    """Coverage of the object, 0 to 1."""
    valid: Float[Tensor, "height width"]
    """1 where the photograph says something."""
    K: Float[Tensor, "3 3"]
    """Intrinsics in pixels of this size."""

    def over(self, gray: float) -> Float[Tensor, "height width 3"]:
        """The photograph composited over a gray."""
        return self.premultiplied + (1 - self.mask)[..., None] * gray

    @property
    def area(self) -> float:
        """Share of the valid pixels that the object covers."""
        return float((self.mask * self.valid).sum() / self.valid.sum().clamp_min(1))


def photograph_of(views: Views, view: int, pixels: int) -> Photograph:
    """One view, reduced by area averages until its longer side has this many pixels; never enlarged."""
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
    return Photograph(premultiplied.contiguous(), reduce(mask[None])[0].contiguous(), valid, K)
