"""Cropping a photograph to a square around its object, with exact intrinsics.

Frames: `source`, pixels of the photograph; `target`, pixels of the crop. A window is a rectangle in source pixels, of
any real position and size; it may reach past the photograph's edge, where nothing is known (`valid` 0). Source point
(u, v) lands at target ((u - left) * width / window.width, (v - top) * height / window.height), so the principal point
moves and the focal lengths scale by the same two factors.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.preprocess.picture import Picture, from_layers, layers

BORDER = 0.2
"""Share of the crop's side that the object's longer side leaves free (the authors' `recenter`, border_ratio 0.2)."""

_IS_OBJECT = 0.5


@dataclass(frozen=True)
class Window:
    """A rectangle in source pixels."""

    left: float
    top: float
    width: float
    height: float


def object_window(mask: Float[Tensor, "height width"], border: float = BORDER) -> Window | None:
    """The square around the pixels that the object covers by half or more; None where there is none."""
    rows, columns = torch.nonzero(mask >= _IS_OBJECT, as_tuple=True)
    if len(rows) == 0:
        return None
    left, right = int(columns.min()), int(columns.max()) + 1
    top, bottom = int(rows.min()), int(rows.max()) + 1
    side = max(right - left, bottom - top) / (1.0 - border)
    return Window((left + right - side) / 2, (top + bottom - side) / 2, side, side)


def cropped_intrinsics(K: Float[Tensor, "3 3"], window: Window, width: int, height: int) -> Float[Tensor, "3 3"]:
    """Intrinsics of the window, resampled to `width` x `height`."""
    across, down = width / window.width, height / window.height
    K_target_source = [[across, 0.0, -window.left * across], [0.0, down, -window.top * down], [0.0, 0.0, 1.0]]
    return torch.tensor(K_target_source, dtype=K.dtype, device=K.device) @ K


def crop(picture: Picture, window: Window, width: int, height: int) -> Picture:
    """Resample a window of the picture to `width` x `height`, without aliasing and without dark rims.

    Colours and masks are averaged over each target pixel's footprint (at least one source pixel wide, which is bilinear
    interpolation where the picture is enlarged); `valid` is the share of the target pixel itself that is known.
    """
    across, down = window.width / width, window.height / height
    sides = (picture.size[0], window.left, across, width), (picture.size[1], window.top, down, height)
    content = [overlap_weights(size, start, step, count, max(step, 1.0)) for size, start, step, count in sides]
    cover = [overlap_weights(size, start, step, count, step) for size, start, step, count in sides]
    averaged = _resample(layers(picture), content[0].to(picture.rgb), content[1].to(picture.rgb))
    valid = _resample(picture.valid[..., None], cover[0].to(picture.valid), cover[1].to(picture.valid))[..., 0]
    return from_layers(averaged, valid, cropped_intrinsics(picture.K, window, width, height))


def box_coverage(box: tuple[float, float, float, float], width: int, height: int) -> Float[Tensor, "height width"]:
    """The share of each pixel that lies in the box (left, top, right, bottom)."""
    left, top, right, bottom = box
    columns, rows = torch.arange(width, dtype=torch.float64), torch.arange(height, dtype=torch.float64)
    across = ((columns + 1).clamp(max=right) - columns.clamp(min=left)).clamp(min=0)
    down = ((rows + 1).clamp(max=bottom) - rows.clamp(min=top)).clamp(min=0)
    return (down[:, None] * across).float()


def overlap_weights(size: int, start: float, step: float, count: int, footprint: float) -> Float[Tensor, "count size"]:
    """How much each of `size` source pixels in a row gives to each of `count` target pixels.

    Target pixel k averages the source over `footprint` pixels around `start + (k + 0.5) * step`. What lies outside the
    row gives nothing, so a row of weights sums to the covered share of its footprint.
    """
    centers = start + (torch.arange(count, dtype=torch.float64)[:, None] + 0.5) * step
    pixels = torch.arange(size, dtype=torch.float64)
    first, last = centers - footprint / 2, centers + footprint / 2
    overlap = torch.minimum(pixels + 1, last) - torch.maximum(pixels, first)
    return overlap.clamp(min=0) / footprint


def _resample(
    image: Float[Tensor, "height width channels"],
    columns: Float[Tensor, "new_width width"],
    rows: Float[Tensor, "new_height height"],
) -> Float[Tensor, "new_height new_width channels"]:
    """Apply the weights of both axes, over the part of the image that they reach."""
    across, down = _reached(columns), _reached(rows)
    part = image[down, across].permute(2, 0, 1).contiguous()
    return (rows[:, down] @ (part @ columns[:, across].T)).permute(1, 2, 0).contiguous()


def _reached(weights: Float[Tensor, "count size"]) -> slice:
    """The source pixels that get any weight."""
    used = torch.nonzero(weights.sum(dim=0) > 0)[:, 0]
    return slice(0, 0) if len(used) == 0 else slice(int(used[0]), int(used[-1]) + 1)


def fitted_size(size: tuple[int, int], resolution: int) -> tuple[int, int]:
    """(width, height) of a whole photograph whose longer side becomes `resolution` pixels."""
    scale = resolution / max(size)
    width, height = (max(1, math.floor(side * scale + 0.5)) for side in size)
    return width, height
