"""Guessing where a padded photograph ended, from straight lines in which the object's mask ends.

A crop around an object may reach past the photograph's edge and be padded with transparency. If the edge cut the
object, its mask then ends exactly along a row or a column, and the object continues beyond. Nothing else in the file
tells.

An object's own edge is never that straight: rotated by a tenth of a degree, it leaves the line by more than `_EXACT_PX`
within ten pixels, and passes through all distances from the line. So the guess needs masks with soft edges, whose ends
are known to a hundredth of a pixel.

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
"""Distance from the line within which a row's end counts as on the line."""
_NEAR_PX = 1.0
"""Distance from the line within which a row's end counts as near it."""
_MIN_LENGTH_PX = 16
_MIN_LENGTH = 0.15
"""Least number of rows that end on the line, as a share of the object's extent along the line. Measured: an object's
own edges reach at most 0.06 within `_MAX_NEAR`."""
_MAX_NEAR = 0.15
"""Most rows that end near the line but not on it, for each that ends on it. Measured: cuts have up to 0.12, an object's
own edges 0.5 and more."""
_MIN_LEVELS = 32
"""Least number of grey levels in a mask's soft edges. A hard mask, or one reduced from a hard one by less than a factor
of six, has edges in steps, and a step is as straight as a cut."""


def straight_cuts(mask: Float[Tensor, "height width"]) -> Box | None:
    """The box of the image that the photograph can have covered; None if no straight cut is found.

    Only lines strictly inside the image count: an object that ends at the border of the image tells nothing.
    """
    height, width = mask.shape
    soft = mask[(mask > _NOTHING) & (mask < _SOLID)]
    if len(soft.mul(255).round().unique()) < _MIN_LEVELS:
        return None
    flipped = (mask.flip(1), mask.T.flip(1), mask, mask.T)
    left, top, right, bottom = (_cut_on_the_right(side) for side in flipped)
    if left is None and top is None and right is None and bottom is None:
        return None
    return (
        0.0 if left is None else width - left,
        0.0 if top is None else height - top,
        float(width) if right is None else right,
        float(height) if bottom is None else bottom,
    )


def _cut_on_the_right(mask: Float[Tensor, "height width"]) -> float | None:
    """Column of the vertical line that cuts the object off on its right; None if there is none."""
    columns, rows = ((mask >= _IS_OBJECT).any(dim).nonzero().flatten() for dim in (0, 1))
    if len(columns) == 0 or columns[-1] < 3 or columns[-1] + 2 >= mask.shape[1]:
        return None
    last = int(columns[-1])
    if float(mask[:, last + 2 :].max()) > _NOTHING:
        return None
    # The coverage of the last three columns adds up to where a row ends; only rows that are solid before them count.
    ends = last - 1 + mask[:, last - 1 : last + 2].sum(1)
    ends = ends[(mask[:, last - 3 : last - 1] > _SOLID).all(1)].sort().values
    if len(ends) == 0:
        return None
    # The line is where most of the sorted ends lie within a window of twice the exactness.
    until = torch.searchsorted(ends, ends + 2 * _EXACT_PX, right=True)
    lengths = until - torch.arange(len(ends), device=ends.device)
    first, length = int(lengths.argmax()), int(lengths.max())
    line = float(ends[first : first + length].mean())
    near = int((ends > line - _NEAR_PX).sum()) - length
    is_long = length >= max(_MIN_LENGTH_PX, _MIN_LENGTH * int(rows[-1] - rows[0] + 1))
    return line if is_long and near <= _MAX_NEAR * length else None
