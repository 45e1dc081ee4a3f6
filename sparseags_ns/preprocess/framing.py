"""From the pixels of a photo file and its camera to a photo, and from photos to one common size.

A pose file may give for a photograph:
- its size (`w`, `h`): the intrinsics are scaled to the size as found, if the shape is the same;
- lens distortion: the photograph is straightened;
- `valid_box` (or `source_valid_box`), [left, top, right, bottom] in pixels of that size: the part of the image that
  the photograph covers. Outside it the object may continue although its mask is 0.

Sizes are (width, height) in pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.formats.frame import Frame
from sparseags_ns.preprocess.photo import Photo, Window, box_coverage, crop, object_window, undistort
from sparseags_ns.preprocess.photo_files import PhotoError, Pixels

VALID_BOX_KEYS = ("valid_box", "source_valid_box")


def compose(
    pixels: Pixels,
    mask: Float[Tensor, "height width"] | None,
    frame: Frame,
    valid: Float[Tensor, "height width"] | None = None,
) -> Photo:
    """The straightened photo of a file's pixels, with intrinsics in pixels of that photo.

    Args:
        mask: coverage of the object; None takes the whole photograph for the object.
        valid: coverage by the photograph, in addition to the frame's valid box; None is everywhere.

    Raises:
        PhotoError: the mask is empty, or the frame's valid box or distortion cannot be used.
    """
    width, height = pixels.size
    across, down = width / (frame.width or pixels.full_size[0]), height / (frame.height or pixels.full_size[1])
    boxed = ones = torch.ones(height, width)
    if has_valid_box(frame):
        left, top, right, bottom = _valid_box(pixels.path, frame)
        boxed = box_coverage((left * across, top * down, right * across, bottom * down), width, height)
    photo = Photo(
        rgb=pixels.rgb,
        mask=ones if mask is None else mask,
        valid=boxed if valid is None else boxed * valid,
        K=torch.tensor([across, down, 1.0], dtype=frame.K.dtype)[:, None] * frame.K,
    )
    if not frame.distortion.is_none:
        try:
            photo = undistort(photo, frame.distortion)
        except ValueError as error:
            raise PhotoError(f"{pixels.path} cannot be straightened: {error}") from error
    if object_window(photo.mask) is None:
        raise PhotoError(
            f"the mask of {pixels.path} is empty: it covers no pixel by half or more; draw it again (white or "
            "opaque = object), or take the photograph out of the folder and out of the pose file"
        )
    return photo


def has_valid_box(frame: Frame) -> bool:
    """Whether the pose file gives a valid box for the photograph."""
    return any(frame.extra.get(key) is not None for key in VALID_BOX_KEYS)


def reframe(photo: Photo, size: tuple[int, int], recentred: bool) -> Photo:
    """The photo at the working size: cropped around its object, or whole; unchanged if whole and of that size.

    A whole photo of another shape lies in the middle, and the space beside it is not valid.
    """
    if photo.size == size and not recentred:
        return photo
    if recentred:
        window = object_window(photo.mask)
        assert window is not None, "compose refuses empty masks"
        return crop(photo, window, *size)
    width, height = map(float, photo.size)
    if _is_near(fitted_size(photo.size, max(size)), size):
        return crop(photo, Window(0.0, 0.0, width, height), *size)
    scale = max(width / size[0], height / size[1])
    across, down = size[0] * scale, size[1] * scale
    return crop(photo, Window((width - across) / 2, (height - down) / 2, across, down), *size)


def working_size(sizes: Sequence[tuple[int, int]], resolution: int, masked: bool) -> tuple[tuple[int, int], bool]:
    """The common size of all photos, and whether they are recentred on their objects.

    If all photographs are squares of the working resolution, they count as careful crops and stay as they are. Others
    are recentred if there are masks. Whole photographs are scaled and keep their shape; if they have several shapes,
    lying and standing for example, they share a square.
    """
    square = (resolution, resolution)
    if all(size == square for size in sizes):
        return square, False
    if masked:
        return square, True
    fitted = fitted_size(max(sizes), resolution)
    one_shape = all(_is_near(fitted_size(size, resolution), fitted) for size in sizes)
    return fitted if one_shape else square, False


def fitted_size(size: tuple[int, int], resolution: int) -> tuple[int, int]:
    """Size of a whole photograph after scaling, with a longer side of `resolution` pixels."""
    scale = resolution / max(size)
    width, height = (max(1, math.floor(side * scale + 0.5)) for side in size)
    return width, height


def _is_near(size: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether two sizes differ by rounding only."""
    return abs(size[0] - other[0]) <= 1 and abs(size[1] - other[1]) <= 1


def _valid_box(path: Path, frame: Frame) -> tuple[float, float, float, float]:
    """The frame's valid box in pixels of the frame's size."""
    key = next(key for key in VALID_BOX_KEYS if frame.extra.get(key) is not None)
    box = frame.extra[key]
    numbers = isinstance(box, list) and len(box) == 4 and all(isinstance(v, (int, float)) for v in box)
    if not (numbers and all(map(math.isfinite, box)) and box[0] < box[2] and box[1] < box[3]):
        raise PhotoError(f"'{key}' of {path} in the pose file must be [left, top, right, bottom] in pixels, is {box!r}")
    left, top, right, bottom = map(float, box)
    return left, top, right, bottom
