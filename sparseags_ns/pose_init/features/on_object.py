"""Which key points lie on the object, and whether the object has moved before its background.

On a turntable, or in a hand, the object moves and the background stays. The background has most of the matches, so the
geometry of two whole photographs is the background's. The matches on the object contradict it, although they fit
together by themselves.

Units: `virtual` pixels, see `features.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool
from scipy.ndimage import binary_dilation

from sparseags_ns.pose_init.features.mapping import VIRTUAL_PX
from sparseags_ns.pose_init.features.matching import KeyPoints, PairMatches
from sparseags_ns.preprocess.mask_plan import MaskPlan, read_with_mask
from sparseags_ns.preprocess.photo_files import PhotoFile

OnObject = Bool[np.ndarray, " points"]

MARGIN_PX = 8
"""Virtual pixels around the mask that count as the object: masks are seldom exact, and outlines are rich in corners."""
WHOLE = 0.9
"""Share of key points on the object above which the photographs show little else."""
MOVED_BELOW = 0.5
"""The object has moved if less than this share of the matches that fit together on it fit to whole photographs, too.

Measured: 0.01 and 0.08 for sample objects on a turntable before a textured background; 0.95, 0.96 and 1.00 for the
middle part of photographs of statue, fox and kitchen, where nothing moves.
"""
MIN_EVIDENCE = 30
"""Fewest matches that fit together on the object, over all pairs, from which that can be told."""
_IS_OBJECT = 0.5


def points_on_object(photo_files: Sequence[PhotoFile], points: Sequence[KeyPoints], plan: MaskPlan) -> list[OnObject]:
    """Whether each key point of each photograph lies in its mask or at most `MARGIN_PX` beside it."""
    return [_on_object(file, found, plan) for file, found in zip(photo_files, points, strict=True)]


def _on_object(photo_file: PhotoFile, points: KeyPoints, plan: MaskPlan) -> OnObject:
    _, mask, _ = read_with_mask(photo_file, plan, VIRTUAL_PX)
    if mask is None:
        return np.ones(len(points.positions), bool)
    inside = torch.as_tensor(mask).numpy() >= _IS_OBJECT
    scale = max(inside.shape) / VIRTUAL_PX
    inside = binary_dilation(inside, iterations=max(round(MARGIN_PX * scale), 1))
    columns, rows = np.floor(points.positions * scale).astype(int).T
    return inside[rows.clip(0, inside.shape[0] - 1), columns.clip(0, inside.shape[1] - 1)]


def select(points: KeyPoints, chosen: OnObject) -> KeyPoints:
    """Some of a photograph's key points."""
    per_point = ("positions", "descriptors", "scores", "colors")
    return replace(points, **{name: getattr(points, name)[chosen] for name in per_point})


def matches_on_object(matches: PairMatches, on_object: Sequence[OnObject]) -> PairMatches:
    """Matches whose key points lie on the object in both photographs."""
    return {(a, b): m[on_object[a][m[:, 0]] & on_object[b][m[:, 1]]] for (a, b), m in matches.items()}


def share_kept(everything: PairMatches, on_object: PairMatches) -> float | None:
    """Share of the matches that fit together on the object that fit to whole photographs, too.

    Args:
        everything: matches that the geometry of two whole photographs explains.
        on_object: of the same matches those on the object that a geometry of their own explains.

    Returns:
        0 to 1 over all pairs of which both are known; None where there are fewer than `MIN_EVIDENCE` matches.
    """
    kept, evidence = 0, 0
    for pair, own in on_object.items():
        if len(everything[pair]) > 0:
            kept += len(set(map(tuple, own.tolist())) & set(map(tuple, everything[pair].tolist())))
            evidence += len(own)
    return kept / evidence if evidence >= MIN_EVIDENCE else None
