"""Guessing where a photograph ended, from the straight line that its edge cut into the object's mask.

Whoever crops photographs around their objects may reach past a photograph's edge and leave the rest transparent. An
object that the edge cut then ends in a line exactly along a row or a column. It goes on beyond, although its mask does
not; nothing but that line tells.

An object's own edge is never that straight: seen by a camera that is turned by a tenth of a degree, it runs off the
line by more than `_EXACT_PX` within ten pixels, and passes through all distances from the line on its way. So the guess
needs masks with soft edges, which say where they end to a hundredth of a pixel.

Units: pixels of the mask; pixel i covers [i, i + 1).
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

Box = tuple[float, float, float, float]
"""left, top, right, bottom."""

_IS_OBJECT = 0.5
_SOLID = 0.98
_NOTHING = 0.01
_EXACT_PX = 0.01
"""A row ends on the line if it ends within this of it."""
_NEAR_PX = 1.0
_SHORTEST_PX = 16
_SHORTEST_SHARE = 0.15
"""Of the object's box along the line. Own edges: at most 0.06 together with `_MOST_NEAR`."""
_MOST_NEAR = 0.15
"""Rows that end near the line, but not on it, for each row that ends on it. Cuts: up to 0.12; own edges: from 0.5."""
_FEWEST_LEVELS = 32
"""Of a mask's soft edges. A hard mask, or one shrunk from a hard one by less than six, has edges in steps, and a step
is as straight as a cut."""


def straight_cuts(mask: Float[Tensor, "height width"]) -> Box | None:
    """The part of the picture that the photograph can have covered; None where no straight cut is found.

    Only lines strictly inside the picture count: at the picture's own border nothing is asked of the object.
    """
    height, width = mask.shape
    if not _is_soft(mask):
        return None
    turned = (mask.flip(1), mask.T.flip(1), mask, mask.T)
    left, top, right, bottom = (_cut_on_the_right(side) for side in turned)
    if left is None and top is None and right is None and bottom is None:
        return None
    return (
        0.0 if left is None else width - left,
        0.0 if top is None else height - top,
        float(width) if right is None else right,
        float(height) if bottom is None else bottom,
    )


def _is_soft(mask: Float[Tensor, "height width"]) -> bool:
    """Whether the object's edges are resolved finer than pixels."""
    soft = mask[(mask > _NOTHING) & (mask < _SOLID)]
    return len(soft.mul(255).round().unique()) >= _FEWEST_LEVELS


def _cut_on_the_right(mask: Float[Tensor, "height width"]) -> float | None:
    """Column at which the object is cut off by a vertical line on its right, None if it is not."""
    columns, rows = ((mask >= _IS_OBJECT).any(dim).nonzero().flatten() for dim in (0, 1))
    if len(columns) == 0 or columns[-1] < 3 or columns[-1] + 2 >= mask.shape[1]:
        return None
    last = int(columns[-1])
    if float(mask[:, last + 2 :].max()) > _NOTHING:
        return None
    ends = last - 1 + mask[:, last - 1 : last + 2].sum(1)
    ends = ends[(mask[:, last - 3 : last - 1] > _SOLID).all(1)].sort().values
    if len(ends) == 0:
        return None
    until = torch.searchsorted(ends, ends + 2 * _EXACT_PX, right=True)
    lengths = until - torch.arange(len(ends), device=ends.device)
    first, length = int(lengths.argmax()), int(lengths.max())
    line = float(ends[first : first + length].mean())
    near = int((ends > line - _NEAR_PX).sum()) - length
    is_long = length >= max(_SHORTEST_PX, _SHORTEST_SHARE * int(rows[-1] - rows[0] + 1))
    return line if is_long and near <= _MOST_NEAR * length else None
