"""Start selection and outlier repair, between the coarse and the fine stages of a run.

1. The run goes on from the best of several starts (outliers/start_selection.py).
2. Views that refinement carried far from a given pose that fits better go back to it (outliers/fallback.py).
3. Outliers get other poses, and views without a trusted pose are registered (outliers/repair.py).
4. Where views are left that fit nowhere, all are arranged anew (outliers/rearrangement.py).
5. Given poses that were as wrong as an outlier's, but that refinement alone has put right, are declared wrong.

A pure function of its inputs: after an interruption it is begun again and ends the same.

Frame: `world`, normalised.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool
from torch import Tensor

from sparseags_ns.metrics.images import published_error
from sparseags_ns.optimization.corrections import share_focal_length
from sparseags_ns.optimization.reconstruct import Reconstruction
from sparseags_ns.optimization.settings import JointSettings, Preset
from sparseags_ns.outliers.budget import Budget, CountingFitter
from sparseags_ns.outliers.context import RepairContext
from sparseags_ns.outliers.fallback import declare_wrong, fall_back
from sparseags_ns.outliers.rearrangement import Arrange, rearrange
from sparseags_ns.outliers.repair import RepairResult, repair
from sparseags_ns.outliers.settings import RepairSettings
from sparseags_ns.outliers.start_selection import fitter_at, select_start
from sparseags_ns.runs.record import Decision, PoseRepairRecord, Start
from sparseags_ns.views import Views


@dataclass(frozen=True)
class PoseRepair:
    """Result of start selection and outlier repair."""

    reconstruction: Reconstruction
    """State from which the run goes on."""
    record: PoseRepairRecord
    """What was decided."""


def repair_poses(
    views: Views,
    preset: Preset,
    coarse: Reconstruction,
    *,
    arrange: Arrange | None = None,
    budget: Budget | None = None,
    say: Callable[[str], None] | None = None,
) -> PoseRepair:
    """Choose among starts, then repair outliers and register views, as the preset's settings say.

    Args:
        views: with the cameras and the trust that the run began with.
        preset: of the run.
        coarse: the run's own start, at the end of its coarse stages.
        arrange: arranges photographs whose poses are not known (pose_init/ab_initio); None never arranges anew.
        budget: work that may be done after the start is selected; any amount if None.
        say: receives a sentence for the user whenever something begins.
    """
    say = say or (lambda _: None)
    views = share_focal_length(views, preset.settings)
    best, starts, chosen = select_start(views, preset, coarse, say)
    settings, budget = _repair_settings(preset.settings), budget or Budget()

    def counting(start: Start) -> CountingFitter:
        return CountingFitter(fitter_at(views, preset, start.pose_rate), budget)

    fitter = counting(chosen)
    context = RepairContext(views, fitter, settings, views.cameras.T_camera_world, budget=budget)
    best, fallen = fall_back(context, best)
    none = torch.zeros_like(best.trusted)
    result, wrong, declared = RepairResult(best, none, none, ()), none, ()
    if preset.settings.outlier_rule != "off":
        unregistered = int((~views.trusted).sum())
        also = f", then for the poses of the {unregistered} that are not trusted yet" if unregistered else ""
        say(f"looking for outliers among {int(best.trusted.sum())} views{also}")
        others = [counting(start) for start in starts if start is not chosen]
        result = repair(views, fitter, best, settings, other_fitters=others, budget=budget)
        if arrange is not None:
            result = rearrange(context, result, arrange, say)
        wrong, declared = declare_wrong(context, result.fit, ~views.trusted | result.corrected)
    decisions = (*fallen, *result.decisions, *declared, *_ended_early(budget))
    record = PoseRepairRecord(
        starts, chosen, _indices(result.corrected | wrong), _indices(result.registered), decisions
    )
    return PoseRepair(result.fit, record)


def _ended_early(budget: Budget) -> tuple[Decision, ...]:
    """What is said where the budget has ended the work."""
    if not budget.exhausted:
        return ()
    why = "the time budget is used up; the best so far is taken"
    if budget.late:
        why = "the clock ended it, since it took much longer than planned; another run may end otherwise"
    return (Decision("finish", None, why, {"reconstructions": budget.spent, "planned": budget.most}),)


def _indices(views: Bool[Tensor, " views"]) -> tuple[int, ...]:
    return tuple(views.nonzero().flatten().tolist())


def _repair_settings(settings: JointSettings) -> RepairSettings:
    """Settings of the chosen rule; the published one makes no quick searches."""
    if settings.outlier_rule == "published":
        return RepairSettings(rule="published", perceptual=published_error(), quick_searches=0)
    return RepairSettings()
