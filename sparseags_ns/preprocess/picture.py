"""One photograph with all that is known of each pixel, and its intrinsics.

Units: pixels of this picture; pixel (column i, row j) covers [i, i+1) x [j, j+1). Colours are straight (not multiplied
by the mask), sRGB, 0 to 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

_NOTHING = 1e-6
_ROUNDING = 1e-5


@dataclass(frozen=True)
class Picture:
    """What one photograph says: it is taken apart and put together again by everything that moves its pixels."""

    rgb: Float[Tensor, "height width 3"]
    mask: Float[Tensor, "height width"]
    """Coverage of the object, 0 to 1; on a pixel that is valid in part, coverage of that part."""
    valid: Float[Tensor, "height width"]
    """The share of the pixel that the photograph covers, 0 to 1."""
    K: Float[Tensor, "3 3"]

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.mask.shape[1], self.mask.shape[0]


def layers(picture: Picture) -> Float[Tensor, "height width 5"]:
    """The quantities that may be averaged over pixels: colour x mask x valid, mask x valid, valid.

    Straight colours may not be averaged: those of transparent pixels, often black, would leave a dark rim.
    """
    known = picture.mask * picture.valid
    return torch.cat([picture.rgb * known[..., None], known[..., None], picture.valid[..., None]], dim=-1)


def from_layers(
    averaged: Float[Tensor, "height width 5"], valid: Float[Tensor, "height width"], K: Float[Tensor, "3 3"]
) -> Picture:
    """The picture whose layers were averaged; colours are 0 where the mask is."""
    colour, known, weight = averaged[..., :3], averaged[..., 3:4], averaged[..., 4]
    rgb = torch.where(known > _NOTHING, colour / known.clamp(min=_NOTHING), 0.0)
    mask = torch.where(weight > _NOTHING, known[..., 0] / weight.clamp(min=_NOTHING), 0.0)
    # Sums of weights end a rounding error away from one; what is covered wholly shall say so exactly.
    valid = torch.where(valid > 1 - _ROUNDING, 1.0, torch.where(valid < _ROUNDING, 0.0, valid))
    return Picture(rgb=rgb.clamp(0, 1), mask=mask.clamp(0, 1), valid=valid, K=K)
