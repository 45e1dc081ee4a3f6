"""Outlier detection among five views or fewer, by trying all: they are too far apart for leave-one-out tests to tell.

Each view is left out in turn, searched on the others' splat, and joined to it at the poses found. The arrangements of
least loss are reconstructed from scratch, and one replaces the given poses if the sum of all losses falls clearly. At
most one view gets another pose (paper: 1 of up to 5 may be dropped).

Frame: `world`, normalised. Losses are squared errors over the object's area (pose_search/losses.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from sparseags_ns.optimization.reconstruct import Reconstruction
from sparseags_ns.outliers.alignment import adopt_poses, align_poses
from sparseags_ns.outliers.context import RepairContext, without
from sparseags_ns.outliers.recheck import reconstruct_again
from sparseags_ns.runs.record import Decision


@dataclass(frozen=True)
class _Arrangement:
    """The given poses, except that of one view."""

    view: int
    poses: Float[Tensor, "views 4 4"]
    loss: float
    """Sum of all losses after the view was joined to the others' splat."""


def try_all_views(
    context: RepairContext, base: Reconstruction
) -> tuple[Reconstruction, Bool[Tensor, " views"], tuple[Decision, ...]]:
    """Find the arrangement of least loss, in which at most one view has another pose.

    Args:
        context: of the repair; its start poses are updated.
        base: reconstruction from the given poses.

    Returns:
        The reconstruction of that arrangement, the corrected view if there is one, and the decisions.
    """
    settings, corrected = context.settings.few, torch.zeros_like(base.trusted)
    arrangements = sorted(_arrangements(context, base), key=lambda one: one.loss)[: settings.arrangements]
    if not arrangements:
        return base, corrected, (Decision("finish", None, "no view is left to suspect", {}),)
    before = context.sharpened_sum(base)
    fits, sums = [], []
    for one in arrangements:
        fits.append(context.from_scratch(one.poses, base.trusted))
        sums.append(context.sharpened_sum(fits[-1]))
    number = min(range(len(sums)), key=sums.__getitem__)
    best, after = arrangements[number], sums[number]
    numbers = {"sum_given": before, "sum_recovered": after}
    if after >= settings.must_fall * before:
        why = "the sum of all errors does not fall with any view at another pose"
        return base, corrected, (Decision("finish", None, why, numbers),)
    corrected[best.view], context.start_poses = True, best.poses
    again = reconstruct_again(context, context.sharpened(fits[number])[0])
    correct = Decision("correct", best.view, "with its new pose the sum of all errors falls", numbers)
    return again.fit, corrected, (correct, again.decision)


def _arrangements(context: RepairContext, base: Reconstruction) -> Iterator[_Arrangement]:
    """Every view whose camera is not fixed, at every pose that its search found far from its own."""
    for view in (base.trusted & ~context.views.fixed).nonzero().flatten().tolist():
        if context.budget.exhausted:
            return
        trial = context.from_scratch(context.start_poses, without(base.trusted, view))
        own = align_poses(base.cameras.T_camera_world, trial)[view]
        context.search_thoroughly(trial.with_pose(view, own), view)
        for pose in context.other_poses(view, own):
            joined = context.best_joined(trial, view, pose[None])
            yield _Arrangement(view, adopt_poses(context.start_poses, joined, view), context.loss_sum(joined))
