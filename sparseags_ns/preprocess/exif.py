"""The focal length that a camera wrote into its photograph, as a first guess.

Units: pixels of the raster, the same along both axes. A guess only: phones round it, and cropping a photograph spoils
it, which is noticed where the tags still give the size that it was taken at.
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
# "35 mm equivalent" means the same angle of view over the diagonal (CIPA DCG-001): that of 36 x 24 mm film.
_FILM_DIAGONAL_MM = math.hypot(36.0, 24.0)
_SHAPE_TOLERANCE = 0.01
_PLAUSIBLE = (0.3, 20.0)


def focal_px(exif: Image.Exif, size: tuple[int, int]) -> float | None:
    """The focal length of a raster of this size, None where the tags do not tell, contradict it or are absurd."""
    tags = exif.get_ifd(_EXIF_IFD)
    width, height = size
    taken = _number(tags.get(_TAKEN_WIDTH)), _number(tags.get(_TAKEN_HEIGHT))
    if taken[0] and taken[1] and not _same_shape(taken[0] / taken[1], width / height):
        return None
    focal = _from_film(_number(tags.get(_FOCAL_LENGTH_35MM)), size)
    if focal is None:
        density = _number(tags.get(_PLANE_X_RESOLUTION))
        unit = _UNIT_MM.get(int(_number(tags.get(_PLANE_RESOLUTION_UNIT)) or 2))
        millimetres = _number(tags.get(_FOCAL_LENGTH_MM))
        if not (density and unit and millimetres and taken[0]):
            return None
        # The density is that of the photograph as taken; it may have been scaled, and turned, since.
        focal = millimetres * density / unit * max(size) / max(taken[0], taken[1] or 0.0)
    low, high = _PLAUSIBLE
    return focal if low <= focal / max(size) <= high else None


def _from_film(focal_35mm: float | None, size: tuple[int, int]) -> float | None:
    return focal_35mm / _FILM_DIAGONAL_MM * math.hypot(*size) if focal_35mm else None


def _same_shape(a: float, b: float) -> bool:
    """Whether two ratios of width to height agree, lying or standing."""
    return min(abs(a / b - 1), abs(a * b - 1)) < _SHAPE_TOLERANCE


def _number(value: object) -> float | None:
    """A positive finite number, None for anything else that a tag may hold."""
    try:
        number = float(value) if isinstance(value, Real) else 0.0
    except (ZeroDivisionError, OverflowError):
        return None
    return number if math.isfinite(number) and number > 0 else None
