"""Objects before plain backgrounds, cut out with OpenCV alone.

What counts as background: colours that the photograph's border shows, and all that a path from the border reaches
without crossing a strong change of colour (the minimum barrier distance: Strand et al. 2013; for saliency, Zhang et al.
2015). GrabCut (Rother et al. 2004) draws the outline. All photographs show one object, so the colours of object and
background found in all of them then correct each.

Letters: L, colours in CIE Lab; D, barrier distances from the border. Arrays are [row, column]; masks are boolean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Shaped, UInt8
from scipy.ndimage import gaussian_filter

Pixels = UInt8[np.ndarray, "height width 3"]
Lab = Float[np.ndarray, "height width 3"]
Plane = Float[np.ndarray, "height width"]
Mask = Bool[np.ndarray, "height width"]

WORK_PX = 256
"""Longer side of the photographs that `cut_out` takes."""
ROUNDS = 2
"""How often the colours of all photographs correct each."""
PLAIN = 0.07
"""Clutter at the border up to which backgrounds count as plain. Measured: 0.02 to 0.05 for shoes and toys on floors and
tables, 0.07 to 0.4 for rooms and streets."""

_BINS = (24, 48, 48)
_RARE = 1e-5
_BARRIER_PX = 128
# Shadows change the lightness more than the hue, and are background.
_BARRIER_WEIGHTS = (0.5, 1.0, 1.0)
_BORDER = 0.05
_BARRIER_BORDER = 0.02
_GRABCUT_ITERATIONS = 3
_MOST_EVIDENCE = 2.0
_BAND = 0.02
_OUTLINE_PX = 384
_PIECE = 0.1
_HOLE = 0.02
_STRANGE_PERCENT = 5
"""Colours that are rarer in a photograph's background than all but these of its pixels are strange to it."""


@dataclass(frozen=True)
class _Look:
    """What one photograph says before any other is seen."""

    pixels: Pixels
    lab: Lab
    distance: Plane
    """Barrier distance, in units of the value that tells object from background best (Otsu 1979)."""
    border: Mask

    @property
    def far(self) -> Mask:
        """Pixels that no path of one colour joins to the border."""
        return self.distance > 1.0


@dataclass(frozen=True)
class CutOuts:
    """What was found in the photographs of one object."""

    masks: list[Mask]
    clutter: float
    """How much stands out along the photographs' borders, on average: 1 is as much as an object does."""


def cut_out(photographs: Sequence[Pixels]) -> CutOuts:
    """Masks of the one object that all photographs show. Photographs are sRGB, `WORK_PX` on their longer side."""
    looks = [_look(pixels) for pixels in photographs]
    masks = [_first_mask(look) for look in looks]
    for _ in range(ROUNDS):
        masks = _corrected(looks, masks)
    return CutOuts(masks, float(np.mean([look.distance[look.border].mean() for look in looks])))


def outlined(pixels: Pixels, mask: Bool[np.ndarray, "small_height small_width"]) -> Mask:
    """The mask at the size of the photograph it was made from, its outline drawn again there."""
    height, width = pixels.shape[:2]
    large = cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    rows, columns = np.nonzero(large > 0.5)
    if max(pixels.shape[:2]) <= max(mask.shape) or len(rows) == 0:
        return large > 0.5
    band = max(3, round(_BAND * max(height, width)))
    part = (
        slice(max(0, rows.min() - 3 * band), rows.max() + 1 + 3 * band),
        slice(max(0, columns.min() - 3 * band), columns.max() + 1 + 3 * band),
    )
    scale = min(1.0, _OUTLINE_PX / max(large[part].shape))
    small = cv2.resize(pixels[part], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    soft = cv2.resize(large[part], (small.shape[1], small.shape[0]), interpolation=cv2.INTER_AREA)
    blurred = cv2.blur(soft, (2 * max(1, round(band * scale)) + 1,) * 2)
    guess = np.where(soft > 0.5, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    guess[blurred > 0.99], guess[blurred < 0.01] = cv2.GC_FGD, cv2.GC_BGD
    drawn = _grabcut(small, guess).astype(np.float32)
    result = np.zeros((height, width), dtype=bool)
    result[part] = cv2.resize(drawn, large[part].shape[::-1], interpolation=cv2.INTER_LINEAR) > 0.5
    return result


def inner_part(mask: Mask) -> Bool[np.ndarray, "inner_height inner_width"]:
    """The mask without the border, which is taken for background."""
    width = max(2, int(_BORDER * max(mask.shape)))
    return mask[width:-width, width:-width]


def barrier_distance(L: Lab, border: Mask) -> Plane:
    """Sum over the channels of the least (highest minus lowest value) on any path from the border to each pixel.

    All pixels look at their neighbours at once, until nothing changes; paths keep their own extremes, which makes it
    the usual close approximation.
    """
    image = np.moveaxis(L, -1, 0)
    distance = np.where(border, 0.0, np.inf)[None].repeat(len(image), axis=0)
    highest, lowest = image.copy(), image.copy()
    changed = True
    while changed:
        changed = False
        for axis, step in ((1, 1), (1, -1), (2, 1), (2, -1)):
            # Rolling round the edge is harmless: the edge is border, which nothing improves.
            high = np.maximum(np.roll(highest, step, axis), image)
            low = np.minimum(np.roll(lowest, step, axis), image)
            reached = np.isfinite(np.roll(distance, step, axis))
            better = reached & (high - low < distance - 1e-4)
            if better.any():
                changed = True
                distance = np.where(better, high - low, distance)
                highest, lowest = np.where(better, high, highest), np.where(better, low, lowest)
    return distance.sum(axis=0)


def filled(mask: Mask, L: Lab, distance: Plane, border: Mask) -> Mask:
    """The mask without holes that are small, that no background can have reached, or that show none.

    Through a hole one sees the background of this very photograph, most of which lies around the object. A panel as
    white as the wall in another photograph is no hole.
    """
    count, labels = cv2.connectedComponents((~mask).astype(np.uint8))
    holes = [inside for i in range(1, count) if not ((inside := labels == i) & border).any()]
    if not holes:
        return mask
    around = ~np.any([mask, *holes], axis=0)
    likely = np.log(_colours_at(_colours([L], [around]), L))
    strange = np.percentile(likely[around], _STRANGE_PERCENT)
    false = [
        inside
        for inside in holes
        if inside.sum() < _HOLE * mask.sum() or np.median(distance[inside]) > 1.0 or np.median(likely[inside]) < strange
    ]
    return np.any([mask, *false], axis=0)


def _look(pixels: Pixels) -> _Look:
    height, width = pixels.shape[:2]
    L = cv2.bilateralFilter(cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), 7, 8, 3)
    scale = min(1.0, _BARRIER_PX / max(height, width))
    small = cv2.resize(L, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) * np.array(
        _BARRIER_WEIGHTS, np.float32
    )
    distance = barrier_distance(small, _frame_of((small.shape[0], small.shape[1]), _BARRIER_BORDER)).astype(np.float32)
    distance = cv2.resize(distance / max(_otsu(distance), 1e-3), (width, height))
    return _Look(pixels, L, distance, _frame_of((height, width), _BORDER))


def _first_mask(look: _Look) -> Mask:
    """From one photograph alone: what is far from the border, or halfway and of colours that the border lacks."""
    likely = np.log(_colours_at(_colours([look.lab], [look.border]), look.lab))
    strange = likely < np.percentile(likely[look.border], _STRANGE_PERCENT)
    guess = np.where(look.far | (strange & (look.distance > 0.5)), cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    guess[look.border] = cv2.GC_BGD
    return _tidied(_grabcut(look.pixels, guess), look)


def _corrected(looks: Sequence[_Look], masks: Sequence[Mask]) -> list[Mask]:
    """Masks by the colours that object and background have in all photographs."""
    labs, others = [look.lab for look in looks], [~mask for mask in masks]
    object_colours, shared = _colours(labs, masks), _colours(labs, others)
    corrected = []
    for look, other in zip(looks, others, strict=True):
        background = (shared + _colours([look.lab], [other])) / 2
        evidence = np.log(_colours_at(object_colours, look.lab) / _colours_at(background, look.lab))
        evidence = cv2.GaussianBlur(np.clip(evidence, -_MOST_EVIDENCE, _MOST_EVIDENCE), (0, 0), 1.5)
        score = evidence + np.clip(look.distance - 1, -1, 1)
        guess = np.where(score > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
        # White panels of an object before a wall as white: colours say nothing there, but nothing joins them to it.
        guess[look.far] = cv2.GC_FGD
        guess[look.border] = cv2.GC_BGD
        corrected.append(_tidied(_grabcut(look.pixels, guess), look))
    return corrected


def _colours(labs: Sequence[Lab], where: Sequence[Mask]) -> Float[np.ndarray, "lightness a b"]:
    """How often each colour occurs, all photographs counting alike; blurred over the neighbouring colours."""
    counts = np.zeros(int(np.prod(_BINS)))
    for lab, mask in zip(labs, where, strict=True):
        flat = np.ravel_multi_index(_bins(lab[mask]), _BINS)
        counts += np.bincount(flat, minlength=counts.size) / max(1, flat.size) / len(labs)
    return gaussian_filter(counts.reshape(_BINS), 1.0) + _RARE


def _colours_at(colours: Float[np.ndarray, "lightness a b"], lab: Lab) -> Plane:
    return colours[_bins(lab)]


def _bins(lab: Float[np.ndarray, "*pixels 3"]) -> tuple[Shaped[np.ndarray, "*pixels"], ...]:
    scaled = (
        (lab + np.array([0, 100, 100], np.float32))
        / np.array([100, 200, 200], np.float32)
        * np.array(_BINS, np.float32)
    )
    return tuple(np.moveaxis(np.clip(scaled.astype(int), 0, np.array(_BINS) - 1), -1, 0))


def _grabcut(pixels: Pixels, guess: UInt8[np.ndarray, "height width"]) -> Mask:
    """GrabCut from a guess of both sides; the guess itself where it names one side only."""
    is_object = (guess == cv2.GC_FGD) | (guess == cv2.GC_PR_FGD)
    if not is_object.any() or is_object.all():
        return is_object
    cv2.setRNGSeed(0)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(np.ascontiguousarray(pixels), guess, (0, 0, 0, 0), *models, _GRABCUT_ITERATIONS, cv2.GC_INIT_WITH_MASK)
    return (guess == cv2.GC_FGD) | (guess == cv2.GC_PR_FGD)


def _tidied(mask: Mask, look: _Look) -> Mask:
    """Without crumbs and false holes."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    areas = stats[:, cv2.CC_STAT_AREA]
    if count < 2:
        return mask
    kept = np.isin(labels, [i for i in range(1, count) if areas[i] >= _PIECE * areas[1:].max()])
    return filled(kept, look.lab, look.distance, look.border)


def _frame_of(shape: tuple[int, int], share: float) -> Mask:
    """The pixels along the edges, a share of the longer side wide."""
    width = max(2, int(share * max(shape)))
    frame = np.ones(shape, dtype=bool)
    frame[width:-width, width:-width] = False
    return frame


def _otsu(values: Plane) -> float:
    """The value that parts bright from dark best."""
    top = max(float(np.percentile(values, 99.5)), 1e-6)
    level, _ = cv2.threshold((values / top * 255).clip(0, 255).astype(np.uint8), 0, 255, cv2.THRESH_OTSU)
    return level / 255 * top
