"""Five views or fewer: nobody's neighbours are near enough to say where he would rather stand, so everybody is tried.

Each view is left out in turn, searched on what the others show, and joined to them at what was found. The most
promising of all these arrangements are reconstructed from scratch, and one replaces the given poses if it explains all
photographs clearly better. At most one view can be put elsewhere (paper: 1 of up to 5 may be dropped).

Frame: `world`, normalised. Losses are squared errors over the object's area.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from sparseags_ns.geometry.pose_errors import pose_change
from sparseags_ns.optimization.reconstruct import Reconstruction
from sparseags_ns.outliers.context import RepairContext, without
from sparseags_ns.outliers.fits import claimed, realigned
from sparseags_ns.outliers.second_look import reconstructed_anew
from sparseags_ns.runs.record import Decision

FEW = 5
"""So many views are few."""
MOST = 3
"""So many arrangements are reconstructed from scratch."""
MUST_FALL = 0.9
"""The sum of all losses has to fall by this factor: among few views wrong arrangements come near the right one."""


@dataclass(frozen=True)
class _Arrangement:
    """The given poses, but for one view."""

    view: int
    claims: Float[Tensor, "views 4 4"]
    joined: float
    """Sum of all losses after the view was joined to the others' splat."""


def all_tried(
    place: RepairContext, base: Reconstruction
) -> tuple[Reconstruction, Bool[Tensor, " views"], tuple[Decision, ...]]:
    """The best explanation of all photographs, the view that stands elsewhere in it, if any, and why.

    Args:
        base: of the given poses.
    """
    corrected = torch.zeros_like(base.trusted)
    arrangements = sorted(_arrangements(place, base), key=lambda one: one.joined)[:MOST]
    if not arrangements:
        return base, corrected, (Decision("finish", None, "no view is left to suspect", {}),)
    before = place.sharpened_sum(base)
    totals = []
    for one in arrangements:
        fit = place.from_scratch(one.claims, base.trusted)
        totals.append((place.sharpened_sum(fit), fit))
    number = min(range(len(totals)), key=lambda index: totals[index][0])
    (after, fit), best = totals[number], arrangements[number]
    numbers = {"sum_given": before, "sum_recovered": after}
    if after >= MUST_FALL * before:
        why = "no view, put elsewhere, makes all of these few views agree better"
        return base, corrected, (Decision("finish", None, why, numbers),)
    corrected[best.view], place.claims = True, best.claims
    anew = reconstructed_anew(place, place.sharpened(fit)[0])
    correct = Decision("correct", best.view, "with its new pose all views agree better", numbers)
    return anew.fit, corrected, (correct, anew.decision)


def _arrangements(place: RepairContext, base: Reconstruction) -> Iterator[_Arrangement]:
    """Every view that may move at every pose that its search found far from its own."""
    for view in (base.trusted & ~place.views.fixed).nonzero().flatten().tolist():
        trial = place.from_scratch(place.claims, without(base.trusted, view))
        own = realigned(trial, base.cameras.T_camera_world)[view]
        place.thoroughly(trial.with_pose(view, own), view)
        poses = place.searches[view].poses
        rotation_deg, _ = pose_change(own.expand(len(poses), 4, 4), poses)
        for pose in poses[rotation_deg > place.settings.own_deg][: place.settings.candidates]:
            joined = place.best_joined(trial, view, pose[None])
            yield _Arrangement(view, claimed(joined, place.claims, view), place.loss_sum(joined))
