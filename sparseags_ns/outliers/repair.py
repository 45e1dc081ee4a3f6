"""Find the views whose pose is wrong, and give them their true pose: detection, search, verdict; then place those that
came without a pose that counts.

A pure function of the photographs, the cameras and the settings: interrupted, it is simply begun again and ends the
same. Clean input costs a glance at the worst explained views and is handed back untouched.

Frame: `world`, normalised. Losses are squared errors over the object's area.
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
from sparseags_ns.outliers.context import RepairContext, RepairSettings, without
from sparseags_ns.outliers.detection import (
    Decision,
    DetectionState,
    Evidence,
    LeaveOneOutRule,
    begin,
    judged,
    next_suspect,
    settled,
)
from sparseags_ns.outliers.few_views import FEW, all_tried
from sparseags_ns.outliers.fits import claimed, realigned
from sparseags_ns.outliers.registration import register_views
from sparseags_ns.outliers.second_look import placed_anew, reconstructed_anew
from sparseags_ns.outliers.verdict import turned_against_given, verdict
from sparseags_ns.pose_search.search import SearchResult
from sparseags_ns.pose_search.settings import ELSEWHERE_DEG
from sparseags_ns.views import Views

__all__ = ["RepairResult", "RepairSettings", "repair"]


@dataclass(frozen=True)
class RepairResult:
    """What came of it."""

    fit: Reconstruction
    """Splat, cameras and trust to go on from; the one that was handed in if nothing was repaired."""
    corrected: Bool[Tensor, " views"]
    """Views that stand elsewhere now."""
    decisions: tuple[Decision, ...]
    searches: dict[int, SearchResult]
    """The latest thorough search of each suspect."""
    repaired: bool
    """Whether the fit is another one than was handed in; a view that was lost may be back near its own pose."""
    placed: Bool[Tensor, " views"]
    """Views that were not trusted at first and have found their places."""


def repair(
    views: Views,
    fitter: Fitter,
    base: Reconstruction | None = None,
    settings: RepairSettings | None = None,
    *,
    others: Sequence[Fitter] = (),
) -> RepairResult:
    """Repair the poses of one scene.

    Args:
        views: with the given cameras and trust.
        fitter: makes short reconstructions of these views.
        base: of all trusted views, at the end of the coarse stages; made here if None.
        others: the same, with other pose learning rates; which one is best is asked again after every correction.
    """
    given, settings = views.cameras.T_camera_world, settings or RepairSettings()
    place = RepairContext(views, fitter, settings, claims=given, others=others)
    shows = views.masks.flatten(1).amax(1) > 0.5
    base = base or fitter.from_scratch(views.cameras, views.trusted & shows)
    few = 2 < int(base.trusted.sum()) <= FEW and isinstance(place.settings.rule, LeaveOneOutRule)
    fit, corrected, decisions = all_tried(place, base) if few else _settled_outliers(place, base)
    for view in (corrected & fit.trusted).nonzero().flatten().tolist():
        fit, decision = placed_anew(place, fit, view)
        decisions = (*decisions, decision)
    placed = torch.zeros_like(base.trusted)
    waiting = (~views.trusted & shows).nonzero().flatten().tolist()
    if waiting:
        newcomers = register_views(place, fit, waiting)
        fit, decisions = newcomers.fit, (*decisions, *newcomers.decisions)
        placed[list(newcomers.placed)] = True
    return RepairResult(fit, corrected, decisions, place.searches, fit is not base, placed)


def _settled_outliers(
    place: RepairContext, base: Reconstruction
) -> tuple[Reconstruction, Bool[Tensor, " views"], tuple[Decision, ...]]:
    """Detection and verdict, again and again until nothing is found: wrong views bear one another out, and each that is
    put right makes the next one stand out more."""
    fit, corrected, decisions = base, torch.zeros_like(base.trusted), ()
    for number in range(place.settings.passes):
        claims, (state, inliers) = place.claims, _detect(place, base, again=number > 0)
        decisions = (*decisions, *state.decisions)
        if not state.dropped and not state.corrected:
            break
        end = verdict(place, base, inliers, state)
        decisions = (*decisions, *end.decisions)
        if end.fit is base:
            place.claims = claims
            break  # The poses as they were are better; nothing else would be found from them.
        fit = end.fit
        corrected = (corrected | end.corrected) & (turned_against_given(place, fit) > ELSEWHERE_DEG)
        place.claims = claimed(fit, place.views.cameras.T_camera_world, *corrected.nonzero().flatten().tolist())
        if float(pose_change(claims, place.claims)[0].max()) < ELSEWHERE_DEG:
            break  # Nobody stands elsewhere than before.
        # A drop has just had the rate chosen anew, without the views that were wrong.
        anew = reconstructed_anew(place, fit, at_every_rate=not state.dropped)
        base, fit, decisions = anew.base, anew.fit, (*decisions, anew.decision)
    return fit, corrected, decisions


def _detect(place: RepairContext, base: Reconstruction, again: bool) -> tuple[DetectionState, Reconstruction]:
    """Drop or correct views until none is suspect; the state, and a fit of the views that are trusted now."""
    held = tuple((place.views.fixed & base.trusted).nonzero().flatten().tolist())
    rule, fit, state = place.settings.rule, base, begin(tuple(base.trusted.tolist()), held, again)
    evidence = _glance(place, fit)
    while True:
        state = next_suspect(state, evidence, rule)
        if state.suspect is None:
            return state, fit
        view, known = state.suspect, (state.dropped, state.corrected)
        trial, after = _try_without(place, fit, view, base)
        state = judged(state, evidence, after, rule)
        if state.suspect is not None:
            trial, claims = _try_elsewhere(place, trial, view, base)
            state = settled(state, place.sharpened_sum(fit), place.sharpened_sum(trial), rule)
            place.claims = claims if state.corrected != known[1] else place.claims
        if state.dropped != known[0]:
            trial = _at_best_rate(place, trial, view, base)
        if (state.dropped, state.corrected) != known:
            fit, evidence = trial, _glance(place, trial)


def _glance(place: RepairContext, fit: Reconstruction) -> Evidence:
    """Errors of all views, and where the worst explained ones would rather stand."""
    errors = place.errors(fit)
    elsewhere = torch.full_like(errors, torch.nan)
    asked = fit.trusted & ~place.views.fixed
    ranked = errors.masked_fill(~asked, -torch.inf).argsort(descending=True, stable=True).tolist()
    for view in ranked[: min(place.settings.quick_searches, int(asked.sum()))]:
        elsewhere[view] = place.leave_one_out(place.faded(fit, view), view, place.settings.quick_search).ratio
    return Evidence(tuple(errors.tolist()), tuple(elsewhere.tolist()))


def _try_without(
    place: RepairContext, fit: Reconstruction, suspect: int, base: Reconstruction
) -> tuple[Reconstruction, Evidence]:
    """Reconstruct from the given poses without a view; what that does to the others, and where it belongs."""
    trial = place.from_scratch(place.claims, without(fit.trusted, suspect))
    trial = trial.with_pose(suspect, realigned(trial, base.cameras.T_camera_world)[suspect])
    errors = place.errors(trial)
    elsewhere = torch.full_like(errors, torch.nan)
    elsewhere[suspect] = place.thoroughly(trial, suspect).ratio
    return trial, Evidence(tuple(errors.tolist()), tuple(elsewhere.tolist()))


def _at_best_rate(place: RepairContext, trial: Reconstruction, dropped: int, base: Reconstruction) -> Reconstruction:
    """The reconstruction without a view that was dropped, at the pose learning rate that suits what is left.

    The rate until now was chosen with a grossly wrong pose among the views: such a pose wants a high one, at which the
    right views of a near-symmetric object slide around its axis, and nobody is found on such a splat.
    """
    fitter, best = place.fitter, place.best_from_scratch(place.claims, trial.trusted)
    if place.fitter is fitter:
        return trial
    best = best.with_pose(dropped, realigned(best, base.cameras.T_camera_world)[dropped])
    place.thoroughly(best, dropped)
    return best


def _try_elsewhere(
    place: RepairContext, trial: Reconstruction, view: int, base: Reconstruction
) -> tuple[Reconstruction, Float[Tensor, "views 4 4"]]:
    """Reconstruct from the given poses, but with a suspect where its best pose is other than its own; and these poses.

    It starts from scratch, as the fit did that it is compared with: what is only joined has not had the same chances.
    """
    poses = place.searches[view].poses
    own = realigned(trial, base.cameras.T_camera_world)[view]
    rotation_deg, _ = pose_change(own.expand(len(poses), 4, 4), poses)
    others = poses[rotation_deg > place.settings.own_deg][: place.settings.candidates]
    claims = claimed(place.best_joined(trial, view, others), place.claims, view)
    trusted = trial.trusted.clone()
    trusted[view] = True
    return place.from_scratch(claims, trusted), claims
