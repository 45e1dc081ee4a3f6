"""Outlier repair: find views with a wrong pose and give them another one, then register views without a trusted pose.

A pure function of the photographs, the cameras and the settings: after an interruption it is begun again and ends the
same. Where no view is wrong it costs a quick search of the views with the largest errors, and returns its input.

Frame: `world`, normalised. Losses are squared errors over the object's area (pose_search/losses.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from sparseags_ns.geometry.pose_errors import pose_change
from sparseags_ns.optimization.reconstruct import Reconstruction
from sparseags_ns.optimization.short_fits import Fitter
from sparseags_ns.outliers.alignment import adopt_poses, align_poses, rotation_against
from sparseags_ns.outliers.budget import Budget
from sparseags_ns.outliers.context import RepairContext, without
from sparseags_ns.outliers.detection import DetectionState, Evidence, begin, judged, make_rule, next_suspect, resolved
from sparseags_ns.outliers.few_views import try_all_views
from sparseags_ns.outliers.recheck import reconstruct_again, search_again
from sparseags_ns.outliers.registration import register_views
from sparseags_ns.outliers.settings import RepairSettings
from sparseags_ns.outliers.verdict import verdict
from sparseags_ns.pose_search.leave_one_out import leave_one_out
from sparseags_ns.pose_search.settings import ELSEWHERE_DEG
from sparseags_ns.runs.record import Decision
from sparseags_ns.views import Views


@dataclass(frozen=True)
class RepairResult:
    """Result of a repair."""

    fit: Reconstruction
    """Splat, cameras and trust to go on from; the given one if nothing was repaired."""
    corrected: Bool[Tensor, " views"]
    """Views that have another pose than the given one."""
    registered: Bool[Tensor, " views"]
    """Views that were not trusted at first and for which a pose was found."""
    decisions: tuple[Decision, ...]


def repair(
    views: Views,
    fitter: Fitter,
    base: Reconstruction | None = None,
    settings: RepairSettings | None = None,
    *,
    other_fitters: Sequence[Fitter] = (),
    budget: Budget | None = None,
) -> RepairResult:
    """Repair the poses of one scene.

    Args:
        views: with the given cameras and trust.
        fitter: makes short reconstructions of these views.
        base: of all trusted views, at the end of the coarse stages; made here if None.
        settings: of the repair; the defaults if None.
        other_fitters: fitters with other pose learning rates; the best is chosen again after every correction.
        budget: work that may be done, which the fitters count; any amount if None.
    """
    context = RepairContext(
        views,
        fitter,
        settings or RepairSettings(),
        views.cameras.T_camera_world,
        other_fitters=other_fitters,
        budget=budget or Budget(),
    )
    base = base or fitter.from_scratch(views.cameras, views.trusted & views.shows_object)
    few = 2 < int(base.trusted.sum()) <= context.settings.few.max_views
    search = try_all_views if few and context.settings.rule == "leave-one-out" else _repair_outliers
    fit, corrected, decisions = search(context, base)
    for view in (corrected & fit.trusted).nonzero().flatten().tolist():
        if not context.budget.exhausted:
            fit, decision = search_again(context, fit, view)
            decisions = (*decisions, decision)
    registered = torch.zeros_like(base.trusted)
    unregistered = (~views.trusted & views.shows_object).nonzero().flatten().tolist()
    if unregistered:
        fit, state = register_views(context, fit, unregistered)
        decisions = (*decisions, *state.decisions)
        registered[list(state.registered)] = True
    return RepairResult(fit, corrected, registered, decisions)


def _repair_outliers(
    context: RepairContext, base: Reconstruction
) -> tuple[Reconstruction, Bool[Tensor, " views"], tuple[Decision, ...]]:
    """Detect outliers and correct them, in several passes: wrong views support each other, and each one that is
    corrected makes the next one easier to detect.

    Returns:
        The fit, the views that have another pose than the given one, and the decisions.
    """
    given = context.views.cameras.T_camera_world
    fit, corrected, decisions = base, torch.zeros_like(base.trusted), ()
    for number in range(context.settings.passes):
        if context.budget.exhausted:
            break
        poses, (state, inliers) = context.start_poses, _detect(context, base, again=number > 0)
        decisions = (*decisions, *state.decisions)
        if not state.dropped and not state.corrected:
            break
        end = verdict(context, base, inliers, state)
        decisions = (*decisions, *end.decisions)
        if end.fit is base:
            context.start_poses = poses
            break  # The poses as they were are better, and another pass would find the same.
        fit = end.fit
        corrected = (corrected | end.corrected) & (rotation_against(given, fit) > ELSEWHERE_DEG)
        context.start_poses = adopt_poses(given, fit, *corrected.nonzero().flatten().tolist())
        if float(pose_change(poses, context.start_poses)[0].max()) < ELSEWHERE_DEG:
            break  # No view has another pose than before this pass.
        # After a drop, the rate was chosen again already, without the views that were wrong.
        again = reconstruct_again(context, fit, at_every_rate=not state.dropped)
        base, fit, decisions = again.base, again.fit, (*decisions, again.decision)
    return fit, corrected, decisions


def _detect(context: RepairContext, base: Reconstruction, again: bool) -> tuple[DetectionState, Reconstruction]:
    """Drop or correct views until none is suspected.

    Returns:
        The final state, and a fit of the views that it trusts.
    """
    fixed = tuple((context.views.fixed & base.trusted).nonzero().flatten().tolist())
    rule, fit, state = make_rule(context.settings), base, begin(tuple(base.trusted.tolist()), fixed, again)
    evidence = _test_worst_views(context, fit)
    while True:
        if context.budget.exhausted:
            return state, fit
        state = next_suspect(state, evidence, rule)
        if state.suspect is None:
            return state, fit
        view, before = state.suspect, (state.dropped, state.corrected)
        trial, after = _try_without(context, fit, view, base)
        state = judged(state, evidence, after, rule)
        if state.suspect is not None:
            trial, poses = _try_elsewhere(context, trial, view, base)
            state = resolved(state, context.sharpened_sum(fit), context.sharpened_sum(trial), rule)
            context.start_poses = poses if state.corrected != before[1] else context.start_poses
        if state.dropped != before[0]:
            trial = _at_best_rate(context, trial, view, base)
        if (state.dropped, state.corrected) != before:
            fit, evidence = trial, _test_worst_views(context, trial)


def _test_worst_views(context: RepairContext, fit: Reconstruction) -> Evidence:
    """Errors of all views, and ratios of those with the largest errors, by quick searches on their left-out fits."""
    settings, errors = context.settings, context.errors(fit)
    ratios = torch.full_like(errors, torch.nan)
    eligible = fit.trusted & ~context.views.fixed
    ranked = errors.masked_fill(~eligible, -torch.inf).argsort(descending=True, stable=True).tolist()
    for view in ranked[: min(settings.quick_searches, int(eligible.sum()))]:
        ratios[view] = leave_one_out(context.left_out_fit(fit, view), context.views, view, settings.quick_search).ratio
    return Evidence(tuple(errors.tolist()), tuple(ratios.tolist()))


def _try_without(
    context: RepairContext, fit: Reconstruction, suspect: int, base: Reconstruction
) -> tuple[Reconstruction, Evidence]:
    """Reconstruct from the start poses without a suspect, and search it on the result.

    Returns:
        The reconstruction, and the errors of all views in it with the suspect's ratio.
    """
    trial = context.from_scratch(context.start_poses, without(fit.trusted, suspect))
    trial = trial.with_pose(suspect, align_poses(base.cameras.T_camera_world, trial)[suspect])
    errors = context.errors(trial)
    ratios = torch.full_like(errors, torch.nan)
    ratios[suspect] = context.search_thoroughly(trial, suspect).ratio
    return trial, Evidence(tuple(errors.tolist()), tuple(ratios.tolist()))


def _at_best_rate(context: RepairContext, trial: Reconstruction, dropped: int, base: Reconstruction) -> Reconstruction:
    """The reconstruction without a dropped view, at the pose learning rate that suits what is left.

    The rate until now was chosen with a grossly wrong pose among the views. Such a pose wants a high rate, at which the
    right views of a near-symmetric object slide around its axis, and no outlier is found on such a splat.
    """
    fitter, best = context.fitter, context.best_from_scratch(context.start_poses, trial.trusted)
    if context.fitter is fitter:
        return trial
    best = best.with_pose(dropped, align_poses(base.cameras.T_camera_world, best)[dropped])
    context.search_thoroughly(best, dropped)
    return best


def _try_elsewhere(
    context: RepairContext, trial: Reconstruction, view: int, base: Reconstruction
) -> tuple[Reconstruction, Float[Tensor, "views 4 4"]]:
    """Reconstruct from the start poses, except that a suspect has the best of its other poses.

    It starts from scratch, as did the fit that it is compared with; a fit to which the view is only joined has had
    fewer steps.

    Returns:
        The reconstruction, and the poses that it started from.
    """
    own = align_poses(base.cameras.T_camera_world, trial)[view]
    joined = context.best_joined(trial, view, context.other_poses(view, own))
    poses = adopt_poses(context.start_poses, joined, view)
    trusted = trial.trusted.clone()
    trusted[view] = True
    return context.from_scratch(poses, trusted), poses
