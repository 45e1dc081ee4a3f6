"""Photographs against renders: targets at several resolutions and the losses of the joint step. Pure.

Letters: I photograph (straight colour), M mask, V valid region, B background; a target over B is I M + B (1 - M).
Resampling averages I M and M, never I alone, so that no background colour bleeds in.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.views import Views


@dataclass(frozen=True)
class Targets:
    """What the renders of all views should look like, at one resolution."""

    premultiplied: Float[Tensor, "views height width 3"]
    """I M."""
    alpha: Float[Tensor, "views height width"]
    """M."""
    valid: Float[Tensor, "views height width"]
    """1 where the photograph says something; losses ignore the rest."""

    def over(self, background: Float[Tensor, "views 3"]) -> Float[Tensor, "views height width 3"]:
        """The photographs composited over one colour for each view."""
        return self.premultiplied + (1 - self.alpha)[..., None] * background[:, None, None, :]

    def __getitem__(self, index: Tensor) -> Targets:
        """Some of the views."""
        return Targets(self.premultiplied[index], self.alpha[index], self.valid[index])


def make_targets(views: Views, pixels: int | None = None) -> Targets:
    """Targets whose longer side has this many pixels, by area averages; never larger than the photographs."""
    full = list(views.images.shape[1:3])
    factor = 1.0 if pixels is None else min(pixels / max(full), 1.0)
    size = [max(round(side * factor), 1) for side in full]

    def reduce(maps: Float[Tensor, "views channels height width"]) -> Tensor:
        return maps if size == full else F.interpolate(maps, size=size, mode="area")

    # A pixel of which a part is unknown would mix known and unknown colour: it counts as unknown.
    valid = reduce(views.valid[:, None])[:, 0].ge(1 - 1e-6).to(views.images.dtype)
    premultiplied = reduce((views.images * views.masks[..., None]).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    return Targets(premultiplied.contiguous(), reduce(views.masks[:, None])[:, 0].contiguous(), valid.contiguous())


def squared_error(
    rendered: Float[Tensor, "views height width *channels"],
    target: Float[Tensor, "views height width *channels"],
    weights: Float[Tensor, "views height width"],
) -> Float[Tensor, ""]:
    """Mean over all pixels of the squared error times the pixel's weight (the valid region, or what it is worth)."""
    error = (rendered - target).square()
    return (error.mean(-1) * weights if error.ndim == 4 else error * weights).mean()


def oversize(scales: Float[Tensor, "gaussians 3"], limit: float) -> Float[Tensor, ""]:
    """Mean excess of each Gaussian's largest standard deviation over `limit`, world units."""
    return (scales.amax(-1) - limit).clamp_min(0).mean()


def needles(scales: Float[Tensor, "gaussians 3"], limit: float) -> Float[Tensor, ""]:
    """Mean excess of log(largest / middle standard deviation) over log(limit)."""
    ordered = scales.sort(dim=-1).values
    return (ordered[:, 2] / ordered[:, 1] / limit).log().clamp_min(0).mean()
