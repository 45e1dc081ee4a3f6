"""What is suspicious about a mask, in words."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.ndimage import label
from torch import Tensor

_IS_OBJECT = 0.5
_TOUCHES = 0.02
_SIDES = 3
_SMALLEST, _LARGEST = 0.02, 0.9
_WHOLE = 0.8


def mask_complaints(mask: Float[Tensor, "height width"]) -> list[str]:
    """Why a mask may be wrong; empty for a mask that looks like one of an object."""
    inside = mask.detach().cpu().numpy() >= _IS_OBJECT
    area, found = float(inside.mean()), []
    sides = {"top": inside[0], "bottom": inside[-1], "left": inside[:, 0], "right": inside[:, -1]}
    touched = [name for name, side in sides.items() if side.mean() > _TOUCHES]
    if len(touched) >= _SIDES:
        found.append(f"touches the photograph's edge at the {', '.join(touched[:-1])} and {touched[-1]}")
    if area < _SMALLEST:
        found.append(f"covers only {area:.1%} of the photograph")
    elif area > _LARGEST:
        found.append(f"covers {area:.0%} of the photograph")
    if area > 0:
        labels, count = label(inside)  # pyright: ignore[reportGeneralTypeIssues]
        largest = np.bincount(labels.ravel())[1:].max() / inside.sum()
        if largest < _WHOLE:
            found.append(f"falls apart into {count} pieces, the largest {largest:.0%} of it")
    return found
