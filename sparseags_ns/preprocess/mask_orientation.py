"""Whether a mask shows its photograph as stored or as the photograph's EXIF tag rotates it.

Masks have no such tag of their own: programs that rotate photographs when they open them write upright masks, others
those of the stored raster. Where sides are swapped the size tells; elsewhere (rotations by 180 degrees, mirrorings,
squares) the photograph's colours may: they change most across the outline of a mask in the right place.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.preprocess.photo_files import PhotoFile, read_mask, read_pixels, turned

_READ_PX = 160
_REACH_PX = 3
"""What lies this far around a pixel of the outline is compared."""
_EDGE = 0.2
"""Least share of both sides in the neighbourhood of a pixel of the outline."""
_MIN_CONTRAST, _MIN_LEAD = 0.02, 1.25
"""Contrast that an object has at least, and least ratio of the contrasts by which one orientation is clearly better."""
_SAME = 0.02
"""Share of the photograph's pixels in which masks in the two orientations differ at most where it does not matter."""


def by_size(photo_file: PhotoFile, mask: PhotoFile) -> bool | None:
    """Whether a mask shows the upright photograph; None where its size does not tell, or fits neither.

    Args:
        mask: header of its file. With an EXIF tag of its own it is rotated as its photograph is.
    """
    if not photo_file.has_rotation or mask.has_rotation:
        return None
    upright, stored = (mask.stored_size == size for size in (photo_file.upright_size, photo_file.stored_size))
    return upright if upright != stored else None


def by_colours(photo_file: PhotoFile, mask: PhotoFile) -> tuple[bool | None, bool]:
    """Whether a mask shows the upright photograph, None where colours do not tell; and whether it matters."""
    upright = read_mask(mask.path, upright=False, max_px=_READ_PX)
    stored = turned(upright, photo_file.orientation)  # the mask, if it shows the stored raster, made upright
    if float((upright - stored).abs().mean()) <= _SAME:
        return None, False
    rgb = read_pixels(photo_file.path, max_px=_READ_PX).rgb
    a, b = contrast(rgb, upright), contrast(rgb, stored)
    clear = max(a, b) >= max(_MIN_CONTRAST, _MIN_LEAD * min(a, b))
    return (a > b if clear else None), True


def contrast(rgb: Float[Tensor, "height width 3"], mask: Float[Tensor, "height width"]) -> float:
    """Mean difference of colours across a mask's outline: between the means inside and outside of it nearby, 0 to 1.

    A mask in the wrong place has an outline across plain background or across the object, where both sides are alike.
    """
    inside = mask[None, None].float()
    colours = rgb.permute(2, 0, 1)[None].float()
    share = _nearby(inside)[0, 0]
    outline = (share > _EDGE) & (share < 1 - _EDGE)
    if not outline.any():
        return 0.0
    means = [_nearby(colours * part) / _nearby(part).clamp(min=_EDGE) for part in (inside, 1 - inside)]
    return float((means[0] - means[1]).abs().mean(1)[0][outline].mean())


def _nearby(image: Float[Tensor, "1 channels height width"]) -> Float[Tensor, "1 channels height width"]:
    """Means over the neighbourhood of each pixel, as far as it lies in the image."""
    return torch.nn.functional.avg_pool2d(image, 2 * _REACH_PX + 1, 1, _REACH_PX, count_include_pad=False)
