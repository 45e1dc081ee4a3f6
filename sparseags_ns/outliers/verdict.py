"""Dropped views get their poses back, and all views together decide between what was given and what was recovered.

Frame: `world`, normalised. Units: degrees. Losses are squared errors over the object's area.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from sparseags_ns.geometry.motion import motion
from sparseags_ns.optimization.reconstruct import Reconstruction
from sparseags_ns.outliers.context import RepairContext
from sparseags_ns.outliers.detection import DetectionState
from sparseags_ns.outliers.fits import claimed, realigned
from sparseags_ns.pose_search.leave_one_out import candidate_poses
from sparseags_ns.pose_search.settings import ELSEWHERE_DEG
from sparseags_ns.runs.record import Decision


@dataclass(frozen=True)
class Verdict:
    """How a repair ends."""

    fit: Reconstruction
    """What was judged best, with the detail with which it was judged; the given one if that was."""
    corrected: Bool[Tensor, " views"]
    """Views that stand elsewhere now."""
    decisions: tuple[Decision, ...]


def rejoined(
    place: RepairContext, inliers: Reconstruction, dropped: Sequence[int], base: Reconstruction
) -> Reconstruction:
    """The fit of the inliers with all dropped views added, each where all views so far like it best.

    Those come first whose best pose stands out most from the next best: each view that has found its place helps the
    next. Those that still fit badly when all are back are searched once more.
    """
    for view in dropped:
        place.thoroughly(inliers, view)

    def margin(view: int) -> float:
        losses = place.searches[view].losses
        return float(losses[0] / losses[1]) if len(losses) > 1 else 1.0

    fit = inliers
    for number, view in enumerate(sorted(dropped, key=margin)):
        if number > 0:
            place.thoroughly(fit, view)
        poses = (place.views.cameras.T_camera_world, place.claims, base.cameras.T_camera_world)
        known = [realigned(fit, one)[view] for one in poses]
        fit = _joined(place, fit, view, torch.stack(known))
    for view in dropped:
        losses = place.losses(fit)
        if losses[view] > place.settings.again_above * losses[fit.trusted].quantile(0.5):
            faded = place.faded(fit, view)
            place.thoroughly(faded, view)
            fit = _joined(place, faded, view, faded.cameras.T_camera_world[view : view + 1])
    return fit


def _joined(place: RepairContext, fit: Reconstruction, view: int, known: Float[Tensor, "known 4 4"]) -> Reconstruction:
    """The fit with a view added at the best of what its search found and of the known poses."""
    return place.best_joined(fit, view, candidate_poses(place.searches[view], known, place.settings.candidates))


def verdict(place: RepairContext, base: Reconstruction, inliers: Reconstruction, state: DetectionState) -> Verdict:
    """The reconstruction that explains all photographs best, if it does so clearly better than the given poses.

    Args:
        base: of the given poses.
        inliers: of the views that are trusted after detection.
    """
    _, given_losses = place.sharpened(base)
    before = float(given_losses[base.trusted].sum())
    settings = place.settings
    enough = (settings.correct_below_again if state.again else settings.correct_below) * before
    best, losses, after, least = base, given_losses, enough, torch.inf
    for options in (_options(place, base, inliers, state), _fewer(place, base, state.dropped)):
        for option in options:
            sharp, option_losses = place.sharpened(option)
            total = float(option_losses[base.trusted].sum())
            least = min(least, total)
            if total < after and moved_fit_better(base, sharp, option_losses / given_losses):
                best, losses, after = sharp, option_losses, total
        if best is not base:
            break
    if best is base:
        no_gain = "the views agree no better"
        why = no_gain if least >= enough else "some view put elsewhere is itself explained no better"
        numbers = {"sum_given": before, "sum_recovered": least}
        decisions = tuple(
            Decision("restore", view, f"with the recovered poses {why}", numbers)
            for view in (*state.dropped, *state.corrected)
        )
        return Verdict(base, torch.zeros_like(base.trusted), decisions)
    numbers = {"sum_given": before, "sum_recovered": after}
    corrected, decisions, trusted = _recovered(place, base, best, losses, state, numbers)
    return Verdict(best.with_trusted(trusted), corrected, decisions)


def moved_fit_better(base: Reconstruction, fit: Reconstruction, factors: Float[Tensor, " views"]) -> bool:
    """Whether each view that stands elsewhere than in the base is itself explained better there (paper: each dropped
    view, by MSE and by LPIPS): on a box that looks alike from two sides, a right view put on the other side lowered the
    sum of all losses by a tenth, but not its own.

    Args:
        factors: on each view's loss, against the base.
    """
    elsewhere = turned_against(base.cameras.T_camera_world, fit) > ELSEWHERE_DEG
    return bool((factors[fit.trusted & elsewhere] < 1).all())


def _options(
    place: RepairContext, base: Reconstruction, inliers: Reconstruction, state: DetectionState
) -> Iterator[Reconstruction]:
    """Dropped views joined to the inliers; all from scratch from there; only what was corrected, with all that was
    dropped as it was; and what was put elsewhere while another view was still wrong must prove itself: all of them
    searched anew on a splat without any, and one of them as it was given."""
    dropped, given, recovered = state.dropped, place.views.cameras.T_camera_world, place.claims
    if dropped:
        if state.corrected:
            yield place.from_scratch(place.claims, base.trusted)
        joined = rejoined(place, inliers, dropped, base)
        yield joined
        recovered = claimed(joined, recovered, *dropped)
        yield place.from_scratch(recovered, base.trusted)
    else:
        joined = inliers
        yield joined
    moved = [view for view in range(len(given)) if base.trusted[view] and not torch.equal(recovered[view], given[view])]
    if len(moved) < 2:
        return
    if set(moved) != set(dropped) and len(moved) <= state.limit:
        yield from _anew(place, base, moved)
    for view in moved:
        if not may_belong(place, joined, view, given):
            continue
        mixed = recovered.clone()
        mixed[view] = given[view]
        yield place.from_scratch(mixed, base.trusted)


def _fewer(place: RepairContext, base: Reconstruction, dropped: Sequence[int]) -> Iterator[Reconstruction]:
    """Only the first dropped views joined to all others, and all from scratch from there: where right views were
    dropped after a wrong one, too little was left to find it its place."""
    for count in range(len(dropped) - 1, 0, -1):
        first, others = dropped[:count], base.trusted.clone()
        others[list(first)] = False
        joined = rejoined(place, place.from_scratch(place.claims, others), first, base)
        yield joined
        yield place.from_scratch(claimed(joined, place.claims, *first), base.trusted)


def may_belong(place: RepairContext, fit: Reconstruction, view: int, given: Float[Tensor, "views 4 4"]) -> bool:
    """Whether a view that stands elsewhere does not look hopeless at its given pose, once what it painted has faded; a
    reconstruction from scratch costs five times as much as this question."""
    faded = place.faded(fit, view)
    poses = realigned(faded, given)[view], realigned(faded, fit.cameras.T_camera_world)[view]
    back, stay = (place.best_joined(faded, view, pose[None]) for pose in poses)
    return place.loss_sum(back) < place.settings.hopeless_above * place.loss_sum(stay)


def _anew(place: RepairContext, base: Reconstruction, views: Sequence[int]) -> Iterator[Reconstruction]:
    """Some views joined to a splat that is made without any of them; and all from scratch from there."""
    given, others = place.views.cameras.T_camera_world, base.trusted.clone()
    others[list(views)] = False
    clean = place.best_from_scratch(given, others)
    own = realigned(clean, base.cameras.T_camera_world)
    for view in views:
        clean = clean.with_pose(view, own[view])
    joined = rejoined(place, clean, views, base)
    yield joined
    yield place.from_scratch(claimed(joined, given, *views), base.trusted)


def _recovered(
    place: RepairContext,
    base: Reconstruction,
    best: Reconstruction,
    losses: Float[Tensor, " views"],
    state: DetectionState,
    numbers: dict[str, float],
) -> tuple[Bool[Tensor, " views"], tuple[Decision, ...], Bool[Tensor, " views"]]:
    """Which views stand elsewhere in the best reconstruction, what is decided, and who is trusted: some fit nowhere."""
    settings = place.settings
    rotation_deg = turned_against_given(place, best)
    changed = torch.zeros_like(base.trusted)
    changed[[*state.dropped, *state.corrected]] = True
    usual = float(losses[base.trusted & ~changed].quantile(0.5))
    decisions, trusted = [], base.trusted.clone()
    for view in (*state.dropped, *state.corrected):
        arbitrary = float(place.searches[view].hypothesis_losses.quantile(0.5))
        limit = max(settings.misfit_above * usual, settings.misfit_share * arbitrary)
        known = numbers | {"rotation_deg": float(rotation_deg[view]), "loss": float(losses[view]), "limit": limit}
        if losses[view] > limit:
            trusted[view] = False
            decisions.append(Decision("reject", view, "it fits nowhere and stays out, at the best pose known", known))
        elif rotation_deg[view] > ELSEWHERE_DEG:
            decisions.append(Decision("correct", view, "with its new pose all views agree better", known))
        else:
            decisions.append(Decision("restore", view, "refined with the others, its own pose fits", known))
    return changed & (rotation_deg > ELSEWHERE_DEG), tuple(decisions), trusted


def turned_against_given(place: RepairContext, fit: Reconstruction) -> Float[Tensor, " views"]:
    """By how many degrees a fit has turned each camera against its given pose."""
    return turned_against(place.views.cameras.T_camera_world, fit)


def turned_against(poses: Float[Tensor, "views 4 4"], fit: Reconstruction) -> Float[Tensor, " views"]:
    """By how many degrees each camera is turned against its other pose; those that agree say how the world drifted."""
    return motion(poses, fit.cameras.T_camera_world, fit.gaussians.visible_center).rotation_deg.to(poses)
