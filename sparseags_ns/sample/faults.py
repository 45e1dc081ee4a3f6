"""Faults of photographs: masks that are too tight, too wide or have holes, and objects cut by the edge.

Images are straight sRGB, 0 to 1; masks are coverage. Lengths are in pixels of these images.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy import ndimage

from sparseags_ns.sample.config import MaskFault

Images = Float[np.ndarray, "views height width 3"]
Masks = Float[np.ndarray, "views height width"]
FAULTS: tuple[MaskFault, ...] = ("exact", "eroded", "dilated", "holes")


def with_mask_faults(
    images: Images, masks: Masks, fault: MaskFault, width_px: float, rng: np.random.Generator
) -> tuple[Images, Masks, tuple[MaskFault, ...]]:
    """Images and masks with a fault in each mask, and the faults.

    Pixels that a dilated mask adds show a background; pixels that a mask loses become black and transparent.
    """
    chosen: list[MaskFault] = [FAULTS[rng.integers(len(FAULTS))] if fault == "mixed" else fault for _ in masks]
    wall = rng.uniform(0.35, 0.75, (2, 3))
    new_images, new_masks = images.copy(), masks.copy()
    for view, kind in enumerate(chosen):
        if kind == "exact":
            continue
        new_masks[view] = _with_fault(masks[view], kind, width_px, rng)
        if kind == "dilated":
            height = np.linspace(0.0, 1.0, masks.shape[1])[:, None, None]
            backdrop = wall[0] * (1.0 - height) + wall[1] * height
            alpha = masks[view][..., None]
            new_images[view] = images[view] * alpha + backdrop * (1.0 - alpha)
    new_images[new_masks == 0.0] = 0.0
    return new_images, new_masks, tuple(chosen)


def _with_fault(
    mask: Float[np.ndarray, "height width"], kind: MaskFault, width_px: float, rng: np.random.Generator
) -> Float[np.ndarray, "height width"]:
    """The mask with one kind of fault."""
    if kind == "holes":
        return mask * _holes(mask, rng)
    reach = int(np.ceil(width_px))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disc = x * x + y * y <= width_px * width_px
    operation = ndimage.grey_erosion if kind == "eroded" else ndimage.grey_dilation
    return operation(mask, footprint=disc, mode="constant", cval=0.0)


def _holes(mask: Float[np.ndarray, "height width"], rng: np.random.Generator) -> Float[np.ndarray, "height width"]:
    """0 in a few soft-edged ovals on the object, 1 elsewhere."""
    size = mask.shape[0]
    rows, columns = np.nonzero(mask > 0.5)
    y, x = np.mgrid[0 : mask.shape[0], 0 : mask.shape[1]]
    keep = np.ones_like(mask)
    for _ in range(int(rng.integers(2, 6))):
        if len(rows) == 0:
            break
        at = rng.integers(len(rows))
        radius, squeeze, angle = size * rng.uniform(0.02, 0.05), rng.uniform(0.5, 1.0), rng.uniform(0, np.pi)
        u = (x - columns[at]) * np.cos(angle) + (y - rows[at]) * np.sin(angle)
        v = (y - rows[at]) * np.cos(angle) - (x - columns[at]) * np.sin(angle)
        distance = np.hypot(u, v / squeeze)
        keep = np.minimum(keep, np.clip(distance - radius + 0.5, 0.0, 1.0))
    return keep.astype(mask.dtype)


def padded(images: Images, masks: Masks, cut: float, rng: np.random.Generator) -> tuple[Images, Masks, Masks]:
    """Images and masks without what lies beyond a random edge through each object, and where pixels are known (1)."""
    images, masks, valid = images.copy(), masks.copy(), np.ones_like(masks)
    for view, mask in enumerate(masks):
        axis, beyond = int(rng.integers(2)), bool(rng.integers(2))
        occupied = np.nonzero(mask.max(axis) > 0)[0]
        if len(occupied) == 0:
            continue
        low, high = occupied[0], occupied[-1] + 1
        lost = int(round(cut * (high - low)))
        span = slice(high - lost, None) if beyond else slice(0, low + lost)
        index = (view, slice(None), span) if axis == 0 else (view, span)
        images[index], masks[index], valid[index] = 0.0, 0.0, 0.0
    return images, masks, valid
