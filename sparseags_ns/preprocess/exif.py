"""The focal length in a photograph's EXIF tags, a first guess.

Units: pixels of the raster, the same along both axes. Phones round the focal length, and cropping invalidates it, which
shows where the tags still give the original size.
"""

from __future__ import annotations

import math
from numbers import Real

from PIL import Image

_EXIF_IFD = 0x8769
_FOCAL_LENGTH_MM = 0x920A
_FOCAL_LENGTH_35MM = 0xA405
_TAKEN_WIDTH, _TAKEN_HEIGHT = 0xA002, 0xA003
_PLANE_X_RESOLUTION, _PLANE_RESOLUTION_UNIT = 0xA20E, 0xA210
_UNIT_MM = {2: 25.4, 3: 10.0, 4: 1.0}
_FILM_DIAGONAL_MM = math.hypot(36.0, 24.0)
"""A "35 mm equivalent" has the angle of view of 36 x 24 mm film over the diagonal (CIPA DCG-001)."""
_SHAPE_TOLERANCE = 0.01
_PLAUSIBLE = (0.3, 20.0)
"""Bounds of the focal length, in longer sides."""


def focal_px(exif: Image.Exif, size: tuple[int, int]) -> float | None:
    """Focal length of a raster of (width, height); None if the tags lack it, contradict the size or are absurd."""
    tags = exif.get_ifd(_EXIF_IFD)
    width, height = size
    taken = _number(tags.get(_TAKEN_WIDTH)), _number(tags.get(_TAKEN_HEIGHT))
    if taken[0] and taken[1] and not _same_shape(taken[0] / taken[1], width / height):
        return None
    film = _number(tags.get(_FOCAL_LENGTH_35MM))
    if film:
        focal = film / _FILM_DIAGONAL_MM * math.hypot(*size)
    else:
        density = _number(tags.get(_PLANE_X_RESOLUTION))
        unit = _UNIT_MM.get(int(_number(tags.get(_PLANE_RESOLUTION_UNIT)) or 2))
        millimetres = _number(tags.get(_FOCAL_LENGTH_MM))
        if not (density and unit and millimetres and taken[0]):
            return None
        # The density belongs to the original photograph, which may have been scaled and rotated since.
        focal = millimetres * density / unit * max(size) / max(taken[0], taken[1] or 0.0)
    low, high = _PLAUSIBLE
    return focal if low <= focal / max(size) <= high else None


def _same_shape(a: float, b: float) -> bool:
    """Whether two ratios of width to height agree, one of them possibly inverted."""
    return min(abs(a / b - 1), abs(a * b - 1)) < _SHAPE_TOLERANCE


def _number(value: object) -> float | None:
    """The value as a positive finite number; None for anything else, which tags may hold."""
    try:
        number = float(value) if isinstance(value, Real) else 0.0
    except (ZeroDivisionError, OverflowError):
        return None
    return number if math.isfinite(number) and number > 0 else None
