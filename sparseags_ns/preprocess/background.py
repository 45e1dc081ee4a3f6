"""Cutting objects out before plain backgrounds, with OpenCV alone.

Background is what has the colours of the photograph's border, and what a path from the border reaches without crossing
a strong change of colour (the minimum barrier distance: Strand et al. 2013; for saliency, Zhang et al. 2015). GrabCut
(Rother et al. 2004) draws the outline. All photographs show one object, so the colours of object and background in all
of them then correct each mask.

L is a photograph in CIE Lab. Arrays are [row, column]; masks are boolean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Shaped, UInt8
from scipy.ndimage import gaussian_filter

Rgb8 = UInt8[np.ndarray, "height width 3"]
Lab = Float[np.ndarray, "height width 3"]
Plane = Float[np.ndarray, "height width"]
Mask = Bool[np.ndarray, "height width"]

WORK_PX = 256
"""Longer side in pixels of the photographs that `cut_out` takes."""
ROUNDS = 2
"""How many times the colours of all photographs correct each mask."""
MAX_PLAIN_CLUTTER = 0.07
"""Clutter at the border up to which backgrounds count as plain. Measured: 0.02 to 0.05 for shoes and toys on floors and
tables, 0.07 to 0.4 for rooms and streets."""

_BINS = (24, 48, 48)
"""Bins of the colour histograms along L, a and b."""
_RARE = 1e-5
"""Added to every bin, so that colours never seen have a finite likelihood."""
_BARRIER_PX = 128
"""Longer side at which barrier distances are computed."""
_BARRIER_WEIGHTS = (0.5, 1.0, 1.0)
"""Weights of L, a and b in the barrier distance: shadows are background and change lightness more than hue."""
_BORDER = 0.05
"""Width of the border that counts as background, in longer sides."""
_BARRIER_BORDER = 0.02
"""Width of the border that barrier distances start from, in longer sides."""
_GRABCUT_ITERATIONS = 3
_MAX_EVIDENCE = 2.0
"""Bound on the log likelihood ratio of a pixel's colour, so that colours cannot outweigh the barrier distance."""
_BAND = 0.02
"""Width of the band in which an outline is drawn again, in longer sides."""
_OUTLINE_PX = 384
"""Longer side at which outlines are drawn again."""
_MIN_PIECE = 0.1
"""Smaller pieces of a mask are dropped, as shares of the largest piece."""
_MIN_HOLE = 0.02
"""Smaller holes are filled, as shares of the mask."""
_SAME_COLOUR, _OTHER_COLOUR = 12.0, 25.0
"""Distances in Lab from the border's median colour: below the first within one plain background, above the second
outside it."""
_PLAIN_SHARE = 0.95
"""Share of the border that a plain background must fill."""
_STRANGE_PERCENT = 5
"""A colour is strange to a background if it is rarer there than those of all but this percentage of its pixels."""


@dataclass(frozen=True)
class _Evidence:
    """Evidence of object and background in one photograph by itself."""

    rgb: Rgb8
    lab: Lab
    distance: Plane
    """Barrier distance, in units of the value that separates object and background best (Otsu 1979)."""
    border: Mask

    @property
    def far(self) -> Mask:
        """Pixels that no path of similar colours joins to the border."""
        return self.distance > 1.0


def cut_out(photographs: Sequence[Rgb8]) -> tuple[list[Mask], float]:
    """Masks of the one object that all photographs show, and the clutter of their backgrounds.

    The clutter is the mean barrier distance along the photographs' borders; an object has 1 or more.

    Args:
        photographs: sRGB, `WORK_PX` on their longer side.
    """
    all_evidence = [_gather(rgb) for rgb in photographs]
    masks = [_first_mask(evidence) for evidence in all_evidence]
    for _ in range(ROUNDS):
        masks = _corrected(all_evidence, masks)
    return masks, float(np.mean([evidence.distance[evidence.border].mean() for evidence in all_evidence]))


def standing_out(rgb: Rgb8) -> Mask | None:
    """The largest piece of a photograph that differs clearly from a border of one colour; None without such a border.

    It is a cautious guess at the object, to judge masks by: of several objects and of shadows it may hold too much.
    """
    L = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    border = _frame_of((L.shape[0], L.shape[1]), _BORDER)
    difference = np.linalg.norm(L - np.median(L[border], axis=0), axis=-1)
    if np.mean(difference[border] < _SAME_COLOUR) < _PLAIN_SHARE:
        return None
    count, labels, stats, _ = cv2.connectedComponentsWithStats((difference > _OTHER_COLOUR).astype(np.uint8))
    return labels == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax()) if count > 1 else None


def outlined(rgb: Rgb8, mask: Bool[np.ndarray, "small_height small_width"]) -> Mask:
    """A mask enlarged to its photograph's size, with the outline drawn again at that size."""
    height, width = rgb.shape[:2]
    large = cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    rows, columns = np.nonzero(large > 0.5)
    if max(rgb.shape[:2]) <= max(mask.shape) or len(rows) == 0:
        return large > 0.5
    band = max(3, round(_BAND * max(height, width)))
    part = (
        slice(max(0, rows.min() - 3 * band), rows.max() + 1 + 3 * band),
        slice(max(0, columns.min() - 3 * band), columns.max() + 1 + 3 * band),
    )
    scale = min(1.0, _OUTLINE_PX / max(large[part].shape))
    small = cv2.resize(rgb[part], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    soft = cv2.resize(large[part], (small.shape[1], small.shape[0]), interpolation=cv2.INTER_AREA)
    blurred = cv2.blur(soft, (2 * max(1, round(band * scale)) + 1,) * 2)
    guess = np.where(soft > 0.5, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    guess[blurred > 0.99], guess[blurred < 0.01] = cv2.GC_FGD, cv2.GC_BGD
    drawn = _grabcut(small, guess).astype(np.float32)
    result = np.zeros((height, width), dtype=bool)
    result[part] = cv2.resize(drawn, large[part].shape[::-1], interpolation=cv2.INTER_LINEAR) > 0.5
    return result


def inner_part(mask: Mask) -> Bool[np.ndarray, "inner_height inner_width"]:
    """The mask without the border that counts as background."""
    width = max(2, int(_BORDER * max(mask.shape)))
    return mask[width:-width, width:-width]


def barrier_distance(L: Lab, border: Mask) -> Plane:
    """Minimum barrier distance of each pixel, summed over the channels.

    The barrier of a path is its highest minus its lowest value; the distance is the least barrier of any path from the
    border. All pixels are relaxed from their neighbours at once until nothing changes. Each pixel keeps the extremes of
    its best path only, which makes the result the usual close approximation from above.
    """
    image = np.moveaxis(L, -1, 0)
    distance = np.where(border, 0.0, np.inf)[None].repeat(len(image), axis=0)
    highest, lowest = image.copy(), image.copy()
    changed = True
    while changed:
        changed = False
        for axis, step in ((1, 1), (1, -1), (2, 1), (2, -1)):
            # Rolling wraps around at the edge, which is harmless: the edge is border, whose distance of 0 cannot fall.
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
    """The mask without false holes: those that are small, far from the border, or of colours that are not background.

    The colours are those of this photograph's background around the object, since a true hole shows that background. A
    white panel of the object is no hole because the wall is white in another photograph.
    """
    count, labels = cv2.connectedComponents((~mask).astype(np.uint8))
    holes = [inside for i in range(1, count) if not ((inside := labels == i) & border).any()]
    if not holes:
        return mask
    around = ~np.any([mask, *holes], axis=0)
    likely = np.log(_histogram([L], [around])[_bins(L)])
    strange = np.percentile(likely[around], _STRANGE_PERCENT)
    min_area = _MIN_HOLE * mask.sum()

    def is_false(hole: Mask) -> bool:
        small, far = hole.sum() < min_area, np.median(distance[hole]) > 1.0
        return bool(small or far or np.median(likely[hole]) < strange)

    return np.any([mask, *filter(is_false, holes)], axis=0)


def _gather(rgb: Rgb8) -> _Evidence:
    height, width = rgb.shape[:2]
    L = cv2.bilateralFilter(cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), 7, 8, 3)
    scale = min(1.0, _BARRIER_PX / max(height, width))
    small = cv2.resize(L, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    border = _frame_of((small.shape[0], small.shape[1]), _BARRIER_BORDER)
    distance = barrier_distance(small * np.array(_BARRIER_WEIGHTS, np.float32), border).astype(np.float32)
    top = max(float(np.percentile(distance, 99.5)), 1e-6)
    level, _ = cv2.threshold((distance / top * 255).clip(0, 255).astype(np.uint8), 0, 255, cv2.THRESH_OTSU)
    distance = cv2.resize(distance / max(level / 255 * top, 1e-3), (width, height))
    return _Evidence(rgb, L, distance, _frame_of((height, width), _BORDER))


def _first_mask(evidence: _Evidence) -> Mask:
    """Mask from one photograph alone: what is far from the border, or halfway and of colours that the border lacks."""
    L, border = evidence.lab, evidence.border
    likely = np.log(_histogram([L], [border])[_bins(L)])
    strange = likely < np.percentile(likely[border], _STRANGE_PERCENT)
    is_object = evidence.far | (strange & (evidence.distance > 0.5))
    guess = np.where(is_object, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    guess[border] = cv2.GC_BGD
    return _tidied(_grabcut(evidence.rgb, guess), evidence)


def _corrected(all_evidence: Sequence[_Evidence], masks: Sequence[Mask]) -> list[Mask]:
    """Masks by the colours that object and background have in all photographs."""
    labs, others = [evidence.lab for evidence in all_evidence], [~mask for mask in masks]
    object_colours, shared = _histogram(labs, masks), _histogram(labs, others)
    corrected = []
    for evidence, other in zip(all_evidence, others, strict=True):
        background, bins = (shared + _histogram([evidence.lab], [other])) / 2, _bins(evidence.lab)
        ratio = np.log(object_colours[bins] / background[bins])
        ratio = cv2.GaussianBlur(np.clip(ratio, -_MAX_EVIDENCE, _MAX_EVIDENCE), (0, 0), 1.5)
        score = ratio + np.clip(evidence.distance - 1, -1, 1)
        guess = np.where(score > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
        # Colours cannot tell an object's white panel from a white wall; the barrier between the two can.
        guess[evidence.far] = cv2.GC_FGD
        guess[evidence.border] = cv2.GC_BGD
        corrected.append(_tidied(_grabcut(evidence.rgb, guess), evidence))
    return corrected


def _histogram(labs: Sequence[Lab], where: Sequence[Mask]) -> Float[np.ndarray, "lightness a b"]:
    """Frequency of each colour, with equal weights of all photographs, blurred over neighbouring colours."""
    counts = np.zeros(int(np.prod(_BINS)))
    for lab, mask in zip(labs, where, strict=True):
        flat = np.ravel_multi_index(_bins(lab[mask]), _BINS)
        counts += np.bincount(flat, minlength=counts.size) / max(1, flat.size) / len(labs)
    return gaussian_filter(counts.reshape(_BINS), 1.0) + _RARE


def _bins(lab: Float[np.ndarray, "*pixels 3"]) -> tuple[Shaped[np.ndarray, "*pixels"], ...]:
    offset, extent, bins = (np.array(row, np.float32) for row in ([0, 100, 100], [100, 200, 200], _BINS))
    scaled = (lab + offset) / extent * bins
    return tuple(np.moveaxis(np.clip(scaled.astype(int), 0, np.array(_BINS) - 1), -1, 0))


def _grabcut(rgb: Rgb8, guess: UInt8[np.ndarray, "height width"]) -> Mask:
    """GrabCut from a guess of object and background; the guess itself if it has one of them only."""
    is_object = (guess == cv2.GC_FGD) | (guess == cv2.GC_PR_FGD)
    if not is_object.any() or is_object.all():
        return is_object
    cv2.setRNGSeed(0)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(np.ascontiguousarray(rgb), guess, (0, 0, 0, 0), *models, _GRABCUT_ITERATIONS, cv2.GC_INIT_WITH_MASK)
    return (guess == cv2.GC_FGD) | (guess == cv2.GC_PR_FGD)


def _tidied(mask: Mask, evidence: _Evidence) -> Mask:
    """The mask without small pieces and false holes."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    areas = stats[:, cv2.CC_STAT_AREA]
    if count < 2:
        return mask
    kept = np.isin(labels, [i for i in range(1, count) if areas[i] >= _MIN_PIECE * areas[1:].max()])
    return filled(kept, evidence.lab, evidence.distance, evidence.border)


def _frame_of(shape: tuple[int, int], share: float) -> Mask:
    """Pixels within `share` longer sides of the edges."""
    width = max(2, int(share * max(shape)))
    frame = np.ones(shape, dtype=bool)
    frame[width:-width, width:-width] = False
    return frame
