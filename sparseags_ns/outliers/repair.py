"""Find the views whose pose is wrong, and give them their true pose: detection, search, correction, verdict.

A pure function of the photographs, the cameras and the settings: interrupted, it is simply begun again and ends the
same. Clean input costs a glance at the worst explained views and is handed back untouched.

Frame: `world`, normalised. Losses are squared errors over the object's area.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from sparseags_ns.geometry.pose_metrics import pose_change
from sparseags_ns.outliers.detection import (
    Decision,
    DetectionState,
    Evidence,
    RelocationRule,
    Rule,
    begin,
    judged,
    next_suspect,
)
from sparseags_ns.outliers.fits import Continuation, Fit, Fitter, realigned, view_losses
from sparseags_ns.outliers.relocation import ELSEWHERE_DEG, GLANCE, Relocation, candidates, relocation
from sparseags_ns.outliers.search import SearchResult, SearchSettings
from sparseags_ns.views import Views


@dataclass(frozen=True)
class RepairSettings:
    """How the outlier loop goes about it."""

    rule: Rule = field(default_factory=RelocationRule)
    """Who is suspect, who is guilty."""
    glances: int = 4
    """So many of the worst explained views are glanced at in a round."""
    glance: SearchSettings = GLANCE
    """The search behind a glance."""
    thorough: SearchSettings = field(default_factory=SearchSettings)
    """The search of a suspect."""
    fading: Continuation = Continuation(pixels=32, steps=60, pose_lr=4e-3)
    """Before a glance at a view, what it painted fades from the splat."""
    joining: Continuation = Continuation(pixels=64, steps=80, pose_lr=3e-3)
    """A view at a candidate pose is refined jointly with the others before the candidate is judged."""
    candidates: int = 4
    """Poses of a search that are judged so, besides the given one."""
    pixels: int = 64
    """Photographs are compared at this size."""
    correct_below: float = 0.9
    """The sum of all views' losses must fall by this factor, else the given poses stay."""
    misfit_above: float = 6.0
    """A dropped view whose loss is this many times the others' median, wherever it is put, stays out."""


@dataclass(frozen=True)
class RepairResult:
    """What came of it."""

    fit: Fit
    """Splat, cameras and trust to go on from; the one that was handed in if nothing was repaired."""
    corrected: Bool[Tensor, " views"]
    """Views that stand elsewhere now."""
    decisions: tuple[Decision, ...]
    searches: dict[int, SearchResult]
    """The thorough search of each suspect."""

    @property
    def repaired(self) -> bool:
        """Whether anything has changed."""
        return bool(self.corrected.any()) or any(decision.action == "keep" for decision in self.decisions)


@dataclass
class _Workplace:
    """What all parts of one repair share."""

    views: Views
    fitter: Fitter
    settings: RepairSettings
    between_batches: Callable[[], None] | None
    searches: dict[int, SearchResult] = field(default_factory=dict)

    def losses(self, fit: Fit) -> Float[Tensor, " views"]:
        return view_losses(fit, self.views, self.settings.pixels)

    def relocation(self, fit: Fit, view: int, settings: SearchSettings) -> Relocation:
        return relocation(fit, self.views, view, settings, between_batches=self.between_batches)


def repair(
    views: Views,
    fitter: Fitter,
    base: Fit | None = None,
    settings: RepairSettings | None = None,
    *,
    between_batches: Callable[[], None] | None = None,
) -> RepairResult:
    """Repair the poses of one scene.

    Args:
        views: with the given cameras and trust.
        fitter: makes short reconstructions of these views.
        base: of all trusted views, at the end of the coarse stages; made here if None.
        between_batches: called every few hundred renders of a search.
    """
    settings = settings or RepairSettings()
    place = _Workplace(views, fitter, settings, between_batches)
    shows = views.masks.flatten(1).amax(1) > 0.5
    base = base or fitter.from_scratch(views.cameras, views.trusted & shows)
    state, inliers = _detect(place, base)
    if not state.dropped:
        return RepairResult(base, torch.zeros_like(views.trusted), state.decisions, place.searches)
    recovered = inliers
    for view in _easiest_first(place, inliers, state.dropped):
        recovered = _join(place, recovered, view, base)
    return _verdict(place, base, recovered, state)


def _detect(place: _Workplace, base: Fit) -> tuple[DetectionState, Fit]:
    """Drop views until none is suspect; the state, and a fit of the views that are left."""
    fit, state = base, begin(tuple(base.trusted.tolist()))
    evidence = _glance(place, fit)
    while True:
        state = next_suspect(state, evidence, place.settings.rule)
        if state.suspect is None:
            return state, fit
        trial, after = _try_without(place, fit, state.suspect, base)
        judged_state = judged(state, evidence, after, place.settings.rule)
        if judged_state.dropped != state.dropped:
            fit, evidence = trial, _glance(place, trial)
        state = judged_state


def _glance(place: _Workplace, fit: Fit) -> Evidence:
    """Errors of all views, and where the worst explained ones would rather stand."""
    errors = place.losses(fit)
    elsewhere = torch.full_like(errors, torch.nan)
    ranked = errors.masked_fill(~fit.trusted, -torch.inf).argsort(descending=True, stable=True).tolist()
    for view in ranked[: min(place.settings.glances, int(fit.trusted.sum()))]:
        faded = place.fitter.continued(fit.with_trusted(_without(fit.trusted, view)), place.settings.fading)
        elsewhere[view] = place.relocation(faded, view, place.settings.glance).ratio
    return Evidence(tuple(errors.tolist()), tuple(elsewhere.tolist()))


def _try_without(place: _Workplace, fit: Fit, suspect: int, base: Fit) -> tuple[Fit, Evidence]:
    """Reconstruct from the given poses without a view; what that does to the others, and where it belongs."""
    trial = place.fitter.from_scratch(place.views.cameras, _without(fit.trusted, suspect))
    trial = trial.with_pose(suspect, realigned(trial, base.cameras.T_camera_world)[suspect])
    found = place.relocation(trial, suspect, place.settings.thorough)
    place.searches[suspect] = found.search
    errors = place.losses(trial)
    elsewhere = torch.full_like(errors, torch.nan)
    elsewhere[suspect] = found.ratio
    return trial, Evidence(tuple(errors.tolist()), tuple(elsewhere.tolist()))


def _easiest_first(place: _Workplace, inliers: Fit, dropped: Sequence[int]) -> list[int]:
    """Dropped views, those first whose best pose stands out most from the next best."""

    def margin(view: int) -> float:
        losses = place.searches[view].losses
        return float(losses[0] / losses[1]) if len(losses) > 1 else 1.0

    if len(dropped) > 1:
        for view in dropped:
            place.searches[view] = place.relocation(inliers, view, place.settings.thorough).search
    return sorted(dropped, key=margin)


def _join(place: _Workplace, fit: Fit, view: int, base: Fit) -> Fit:
    """The fit with a dropped view added where all views together like it best."""
    given = realigned(fit, place.views.cameras.T_camera_world)[view]
    refined = realigned(fit, base.cameras.T_camera_world)[view]
    poses = candidates(place.searches[view], torch.stack([given, refined]), place.settings.candidates)
    trusted = fit.trusted.clone()
    trusted[view] = True
    best, least = fit, torch.inf
    for pose in poses:
        joined = place.fitter.continued(fit.with_pose(view, pose).with_trusted(trusted), place.settings.joining)
        total = float(place.losses(joined)[trusted].sum())
        if total < least:
            best, least = joined, total
    return best


def _verdict(place: _Workplace, base: Fit, recovered: Fit, state: DetectionState) -> RepairResult:
    """The recovered poses, if all views together say so; else the given ones."""
    settings = place.settings
    floor = place.fitter.continued(base, settings.joining)
    before, after = place.losses(floor), place.losses(recovered)
    numbers = {"sum_given": float(before[base.trusted].sum()), "sum_recovered": float(after[base.trusted].sum())}
    if not numbers["sum_recovered"] < settings.correct_below * numbers["sum_given"]:
        why = "with the recovered poses the views agree no better"
        decisions = tuple(Decision("restore", view, why, numbers) for view in state.dropped)
        untouched = torch.zeros_like(base.trusted)
        return RepairResult(base, untouched, (*state.decisions, *decisions), place.searches)
    turned_deg, _ = pose_change(realigned(recovered, base.cameras.T_camera_world), recovered.cameras.T_camera_world)
    dropped = torch.zeros_like(base.trusted)
    dropped[list(state.dropped)] = True
    limit = settings.misfit_above * after[base.trusted & ~dropped].quantile(0.5)
    decisions, trusted = list(state.decisions), base.trusted.clone()
    for view in state.dropped:
        known = numbers | {"turned_deg": float(turned_deg[view]), "loss": float(after[view]), "limit": float(limit)}
        if after[view] > limit:
            trusted[view] = False
            decisions.append(Decision("keep", view, "it fits nowhere and stays out, at the best pose known", known))
        else:
            decisions.append(Decision("correct", view, "with its new pose all views agree better", known))
    corrected = dropped & (turned_deg > ELSEWHERE_DEG)
    return RepairResult(recovered.with_trusted(trusted), corrected, tuple(decisions), place.searches)


def _without(trusted: Bool[Tensor, " views"], view: int) -> Bool[Tensor, " views"]:
    left = trusted.clone()
    left[view] = False
    return left
