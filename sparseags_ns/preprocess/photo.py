"""One photo with mask, valid region and intrinsics, and everything that moves its pixels: crops and undistortion.

Pixel (column i, row j) covers [i, i + 1) x [j, j + 1). Colours are straight (not multiplied by the mask), sRGB, 0 to 1.
Straight colours may not be averaged: those of transparent pixels, often black, would leave a dark rim. So a photo is
split into layers that may be (`layers`), these are resampled, and the photo is put together again (`from_layers`).

A crop takes a window, a rectangle of any real position and size in pixels of the photo; it may reach past the photo's
edge, where nothing is known (`valid` 0). A point (u, v) of the photo lands at ((u - left) * width / window.width,
(v - top) * height / window.height) of the crop, so the principal point moves and the focal lengths scale by the same
two factors.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.formats.frame import Distortion
from sparseags_ns.formats.projection import distort

BORDER = 0.2
"""Share of the crop's side that the object's longer side leaves free (the authors' `recenter`, border_ratio 0.2)."""

_IS_OBJECT = 0.5
_NOTHING, _ROUNDING = 1e-6, 1e-5


@dataclass(frozen=True)
class Photo:
    """A photograph as far as it is known: colours, object, valid region and intrinsics."""

    rgb: Float[Tensor, "height width 3"]
    mask: Float[Tensor, "height width"]
    """Coverage of the object, 0 to 1; for a partly valid pixel, coverage of its valid part."""
    valid: Float[Tensor, "height width"]
    """Share of the pixel that the photograph covers, 0 to 1."""
    K: Float[Tensor, "3 3"]
    """Intrinsics in pixels of this photo."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.mask.shape[1], self.mask.shape[0]


@dataclass(frozen=True)
class Window:
    """A rectangle in pixels of a photo."""

    left: float
    top: float
    width: float
    height: float


def layers(photo: Photo) -> Float[Tensor, "height width 5"]:
    """The quantities that may be averaged over pixels: colour x mask x valid, mask x valid, valid."""
    known = photo.mask * photo.valid
    return torch.cat([photo.rgb * known[..., None], known[..., None], photo.valid[..., None]], dim=-1)


def from_layers(
    averaged: Float[Tensor, "height width 5"], valid: Float[Tensor, "height width"], K: Float[Tensor, "3 3"]
) -> Photo:
    """The photo of averaged layers; colours are 0 where the mask is."""
    colour, known, weight = averaged[..., :3], averaged[..., 3:4], averaged[..., 4]
    rgb = torch.where(known > _NOTHING, colour / known.clamp(min=_NOTHING), 0.0)
    mask = torch.where(weight > _NOTHING, known[..., 0] / weight.clamp(min=_NOTHING), 0.0)
    # Sums of weights end a rounding error away from 1; a pixel that is covered wholly gets exactly 1.
    valid = torch.where(valid > 1 - _ROUNDING, 1.0, torch.where(valid < _ROUNDING, 0.0, valid))
    return Photo(rgb=rgb.clamp(0, 1), mask=mask.clamp(0, 1), valid=valid, K=K)


def object_window(mask: Float[Tensor, "height width"], border: float = BORDER) -> Window | None:
    """The square around the pixels that the object covers by half or more; None where there are none."""
    rows, columns = torch.nonzero(mask >= _IS_OBJECT, as_tuple=True)
    if len(rows) == 0:
        return None
    left, right = int(columns.min()), int(columns.max()) + 1
    top, bottom = int(rows.min()), int(rows.max()) + 1
    side = max(right - left, bottom - top) / (1.0 - border)
    return Window((left + right - side) / 2, (top + bottom - side) / 2, side, side)


def cropped_intrinsics(K: Float[Tensor, "3 3"], window: Window, width: int, height: int) -> Float[Tensor, "3 3"]:
    """Intrinsics of a window that is resampled to `width` x `height` pixels."""
    across, down = width / window.width, height / window.height
    K_crop_photo = [[across, 0.0, -window.left * across], [0.0, down, -window.top * down], [0.0, 0.0, 1.0]]
    return torch.tensor(K_crop_photo, dtype=K.dtype, device=K.device) @ K


def crop(photo: Photo, window: Window, width: int, height: int) -> Photo:
    """Resample a window of a photo to `width` x `height` pixels, without aliasing and without dark rims.

    Colours and masks are averaged over each new pixel's footprint (at least one pixel of the photo wide, which is
    bilinear interpolation where the photo is enlarged); `valid` is the known share of the new pixel itself.
    """
    across, down = window.width / width, window.height / height
    sides = (photo.size[0], window.left, across, width), (photo.size[1], window.top, down, height)
    content = [overlap_weights(size, start, step, count, max(step, 1.0)) for size, start, step, count in sides]
    cover = [overlap_weights(size, start, step, count, step) for size, start, step, count in sides]
    averaged = _resample(layers(photo), content[0].to(photo.rgb), content[1].to(photo.rgb))
    valid = _resample(photo.valid[..., None], cover[0].to(photo.valid), cover[1].to(photo.valid))[..., 0]
    return from_layers(averaged, valid, cropped_intrinsics(photo.K, window, width, height))


def box_coverage(box: tuple[float, float, float, float], width: int, height: int) -> Float[Tensor, "height width"]:
    """The share of each pixel that lies in the box (left, top, right, bottom)."""
    left, top, right, bottom = box
    columns, rows = torch.arange(width, dtype=torch.float64), torch.arange(height, dtype=torch.float64)
    across = ((columns + 1).clamp(max=right) - columns.clamp(min=left)).clamp(min=0)
    down = ((rows + 1).clamp(max=bottom) - rows.clamp(min=top)).clamp(min=0)
    return (down[:, None] * across).float()


def overlap_weights(size: int, start: float, step: float, count: int, footprint: float) -> Float[Tensor, "count size"]:
    """Weights of the `size` old pixels of a row in each of `count` new pixels.

    New pixel k averages the row over `footprint` pixels around `start + (k + 0.5) * step`. Outside the row all weights
    are 0, so the weights of a new pixel sum to the covered share of its footprint.
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
    """Apply the weights of both axes to the part of the image in which any of them is above 0."""
    across, down = _nonzero_range(columns), _nonzero_range(rows)
    part = image[down, across].permute(2, 0, 1).contiguous()
    return (rows[:, down] @ (part @ columns[:, across].T)).permute(1, 2, 0).contiguous()


def _nonzero_range(weights: Float[Tensor, "count size"]) -> slice:
    """The old pixels from the first to the last that has any weight."""
    used = torch.nonzero(weights.sum(dim=0) > 0)[:, 0]
    return slice(0, 0) if len(used) == 0 else slice(int(used[0]), int(used[-1]) + 1)


def undistort(photo: Photo, distortion: Distortion) -> Photo:
    """The photo as a pinhole camera with the same intrinsics would have taken it, at the same size.

    `valid` is 0 where the lens did not show what the pinhole camera sees.

    Raises:
        ValueError: see `distort`; p1 or p2 of a fisheye lens, for which OpenCV has no such coefficients.
    """
    if distortion.fisheye and (distortion.p1 or distortion.p2):
        raise ValueError("a fisheye lens with p1 or p2 has no agreed meaning; expected k1, k2, k3, k4")
    width, height = photo.size
    columns, rows = (torch.arange(side, dtype=photo.K.dtype) + 0.5 for side in (width, height))
    pixels = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), dim=-1)
    principal, focals = photo.K[:2, 2], photo.K[:2, :2]
    ideal = (pixels - principal) @ torch.linalg.inv(focals).T
    seen = distort(ideal, distortion) @ focals.T + principal
    # Without aligned corners, -1 and 1 are the outer edges of the image, which is exactly our pixel convention.
    grid = 2 * seen / torch.tensor([width, height], dtype=seen.dtype) - 1
    image = layers(photo).permute(2, 0, 1)[None]
    averaged = torch.nn.functional.grid_sample(image, grid[None].to(image), align_corners=False)[0].permute(1, 2, 0)
    return from_layers(averaged, averaged[..., 4], photo.K)
