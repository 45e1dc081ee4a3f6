"""From a photograph and what a pose file says of it to a picture, and from pictures to one common size.

A pose file may say of a photograph:
- its size (`w`, `h`): intrinsics are scaled to the photograph as found, if the shape is the same;
- lens distortion: the photograph is straightened;
- `valid_box` (or `source_valid_box`), [left, top, right, bottom] in pixels of that size: the part of the photograph
  that shows anything. Outside it the object may go on although its mask is 0.

Sizes are (width, height) in pixels.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.formats.frame import Frame
from sparseags_ns.preprocess.photographs import Header, Photograph, PhotographError
from sparseags_ns.preprocess.picture import Picture
from sparseags_ns.preprocess.recentre import Window, box_coverage, crop, fitted_size, object_window
from sparseags_ns.preprocess.undistort import undistort

VALID_BOX_KEYS = ("valid_box", "source_valid_box")


def belongs_upright(path: Path, header: Header, frame: Frame) -> bool:
    """Whether the frame's intrinsics are those of the upright photograph, not of the raster as stored.

    Programs that pass over the EXIF tag write intrinsics of the stored raster; only the size can tell.
    """
    if _same_shape(header.upright, frame):
        return True
    if _same_shape(header.stored, frame):
        return False
    raise PhotographError(
        f"{path} is {header.upright[0]}x{header.upright[1]} pixels, but its pose was made for "
        f"{frame.width}x{frame.height}; the shapes differ, so it was probably cropped since: use the original "
        "photograph"
    )


def compose(
    photograph: Photograph,
    mask: Float[Tensor, "height width"] | None,
    frame: Frame,
    valid: Float[Tensor, "height width"] | None = None,
) -> Picture:
    """The straight picture of a photograph with its intrinsics.

    Args:
        mask: None takes the whole photograph for the object.
        valid: where the photograph shows anything, beside what the frame's valid box says; None is everywhere.

    Raises:
        PhotographError: the mask is empty, or the frame holds a valid box or a distortion that cannot be used.
    """
    width, height = photograph.size
    full_width, full_height = photograph.full_size or photograph.size
    across, down = width / (frame.width or full_width), height / (frame.height or full_height)
    ones = torch.ones(height, width)
    box = _valid_box(photograph.path, frame)
    boxed = ones if box is None else box_coverage(_scaled(box, across, down), width, height)
    picture = Picture(
        rgb=photograph.rgb,
        mask=ones if mask is None else mask,
        valid=boxed if valid is None else boxed * valid,
        K=torch.tensor([across, down, 1.0], dtype=frame.K.dtype)[:, None] * frame.K,
    )
    if not frame.distortion.is_none:
        try:
            picture = undistort(picture, frame.distortion)
        except ValueError as error:
            raise PhotographError(f"{photograph.path} cannot be straightened: {error}") from error
    if object_window(picture.mask) is None:
        raise PhotographError(
            f"the mask of {photograph.path} is empty: it covers no pixel by half or more; draw it again (white or "
            "opaque = object), or take the photograph out of the folder and out of the pose file"
        )
    return picture


def has_valid_box(frame: Frame) -> bool:
    """Whether the pose file says which part of the photograph shows anything."""
    return any(frame.extra.get(key) is not None for key in VALID_BOX_KEYS)


def reframe(picture: Picture, size: tuple[int, int], recentred: bool) -> Picture:
    """The picture at its working size: cropped around its object, or whole; untouched if whole and of that size.

    A whole picture of another shape lies in the middle, and what is left beside it is not valid.
    """
    if picture.size == size and not recentred:
        return picture
    window = object_window(picture.mask) if recentred else _whole_window(picture.size, size)
    assert window is not None, "compose refuses empty masks"
    return crop(picture, window, *size)


def working_size(sizes: Sequence[tuple[int, int]], resolution: int, masked: bool) -> tuple[tuple[int, int], bool]:
    """The common size of all pictures, and whether they are recentred on their objects to get it.

    Photographs that all are squares of the working resolution are taken for crops that somebody made with care. Others
    are recentred where there are masks to do it by. Whole photographs are shrunk, or enlarged, and keep their shape;
    those of several shapes, lying and standing for example, share a square.
    """
    square = (resolution, resolution)
    if all(size == square for size in sizes):
        return square, False
    if masked:
        return square, True
    fitted = fitted_size(max(sizes), resolution)
    one_shape = all(_is_near(fitted_size(size, resolution), fitted) for size in sizes)
    return fitted if one_shape else square, False


def require_one_size(sizes: Sequence[tuple[int, int]], paths: Sequence[Path], remedy: str) -> None:
    """Raise a PhotographError that names those that differ from the most common size."""
    (width, height), _ = Counter(sizes).most_common(1)[0]
    odd = [f"{p.name} ({w}x{h})" for p, (w, h) in zip(paths, sizes, strict=True) if (w, h) != (width, height)]
    if odd:
        raise PhotographError(
            f"the photographs in {paths[0].parent} differ in size: most are {width}x{height}, but not "
            f"{', '.join(odd)}. {remedy}"
        )


def _is_near(size: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether two sizes differ by no more than what rounding does."""
    return abs(size[0] - other[0]) <= 1 and abs(size[1] - other[1]) <= 1


def _whole_window(size: tuple[int, int], target: tuple[int, int]) -> Window:
    """All of a picture; more than that in one direction where the target has another shape."""
    width, height = map(float, size)
    if _is_near(fitted_size(size, max(target)), target):
        return Window(0.0, 0.0, width, height)
    scale = max(width / target[0], height / target[1])
    across, down = target[0] * scale, target[1] * scale
    return Window((width - across) / 2, (height - down) / 2, across, down)


def _same_shape(size: tuple[int, int], frame: Frame) -> bool:
    """Whether a photograph of the frame's size can have been scaled to this one, up to rounding by a pixel."""
    if frame.width is None or frame.height is None:
        return True
    width, height = size
    by_width, by_height = width / frame.width, height / frame.height
    return abs(by_width * frame.height - height) <= 1 or abs(by_height * frame.width - width) <= 1


def _valid_box(path: Path, frame: Frame) -> tuple[float, float, float, float] | None:
    """The frame's valid box in pixels of the frame's size, None if it has none."""
    key = next((key for key in VALID_BOX_KEYS if frame.extra.get(key) is not None), None)
    if key is None:
        return None
    box = frame.extra[key]
    numbers = isinstance(box, list) and len(box) == 4 and all(isinstance(v, (int, float)) for v in box)
    if not (numbers and all(map(math.isfinite, box)) and box[0] < box[2] and box[1] < box[3]):
        raise PhotographError(
            f"'{key}' of {path} in the pose file must be [left, top, right, bottom] in pixels, is {box!r}"
        )
    left, top, right, bottom = map(float, box)
    return left, top, right, bottom


def _scaled(box: tuple[float, float, float, float], across: float, down: float) -> tuple[float, float, float, float]:
    left, top, right, bottom = box
    return left * across, top * down, right * across, bottom * down
