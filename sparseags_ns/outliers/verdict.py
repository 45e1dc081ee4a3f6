"""The verdict of a pass: dropped views get poses back, and all views decide between given and recovered poses.

Frame: `world`, normalised. Units: degrees. Losses are squared errors over the object's area (pose_search/losses.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from sparseags_ns.optimization.reconstruct import Reconstruction
from sparseags_ns.outliers.alignment import adopt_poses, align_poses, rotation_against
from sparseags_ns.outliers.context import RepairContext
from sparseags_ns.outliers.detection import DetectionState
from sparseags_ns.pose_search.settings import ELSEWHERE_DEG
from sparseags_ns.runs.record import Decision


@dataclass(frozen=True)
class Verdict:
    """Outcome of one pass of detection."""

    fit: Reconstruction
    """The best reconstruction, sharpened; the given one, as it was, if that is the best."""
    corrected: Bool[Tensor, " views"]
    """Views that have another pose than the given one."""
    decisions: tuple[Decision, ...]


def verdict(context: RepairContext, base: Reconstruction, inliers: Reconstruction, state: DetectionState) -> Verdict:
    """Choose the reconstruction of least sum of losses, if that is clearly less than from the given poses.

    Args:
        context: of the repair.
        base: reconstruction from the given poses.
        inliers: reconstruction of the views that are trusted after detection.
        state: at the end of detection.
    """
    _, given_losses = context.sharpened(base)
    before = float(given_losses[base.trusted].sum())
    settings = context.settings.verdict
    enough = (settings.correct_below_again if state.again else settings.correct_below) * before
    best, losses, after, least = base, given_losses, enough, torch.inf
    # Both are generators: the second one's reconstructions are made only if none of the first one's wins.
    for options in (_options(context, base, inliers, state), _fewer_dropped(context, base, state.dropped)):
        for option in options:
            sharp, option_losses = context.sharpened(option)
            total = float(option_losses[base.trusted].sum())
            least = min(least, total)
            if total < after and moved_views_improve(base, sharp, option_losses / given_losses):
                best, losses, after = sharp, option_losses, total
            if context.budget.exhausted:
                break
        if best is not base or context.budget.exhausted:
            break
    if best is base:
        reason = "the sum of all errors hardly falls"
        if least < enough:
            reason = "the error of some view that has another pose does not fall"
        numbers = {"sum_given": before, "sum_recovered": least}
        decisions = tuple(
            Decision("restore", view, f"with the recovered poses {reason}", numbers)
            for view in (*state.dropped, *state.corrected)
        )
        return Verdict(base, torch.zeros_like(base.trusted), decisions)
    return _recovered(context, base, best, losses, state, {"sum_given": before, "sum_recovered": after})


def moved_views_improve(base: Reconstruction, fit: Reconstruction, factors: Float[Tensor, " views"]) -> bool:
    """Whether the loss of each view that has another pose than in the base falls there (paper: that of each dropped
    view, by MSE and by LPIPS).

    The sum of losses is not enough: on a box that looks alike from two sides, a right view put on the other side
    lowered the sum by a tenth, but not its own loss.

    Args:
        base: from the given poses.
        fit: compared with it.
        factors: loss of each view in the fit over that in the base.
    """
    elsewhere = rotation_against(base.cameras.T_camera_world, fit) > ELSEWHERE_DEG
    return bool((factors[fit.trusted & elsewhere] < 1).all())


def _options(
    context: RepairContext, base: Reconstruction, inliers: Reconstruction, state: DetectionState
) -> Iterator[Reconstruction]:
    """Reconstructions that compete with the base.

    1. Only what was corrected is moved; dropped views have their given poses.
    2. The dropped views are joined to the inliers; 3. all is reconstructed from scratch from there.
    4. If views were corrected in earlier passes, while another one was still wrong: they and the dropped views are all
       searched again on a splat without any of them.
    5. One moved view after the other is put back to its given pose.
    """
    dropped, given, recovered = state.dropped, context.views.cameras.T_camera_world, context.start_poses
    if dropped:
        if state.corrected:
            yield context.from_scratch(context.start_poses, base.trusted)
        joined = _rejoined(context, inliers, dropped, base)
        yield joined
        recovered = adopt_poses(recovered, joined, *dropped)
        yield context.from_scratch(recovered, base.trusted)
    else:
        joined = inliers
        yield joined
    moved = [view for view in range(len(given)) if base.trusted[view] and not torch.equal(recovered[view], given[view])]
    if len(moved) < 2:
        return
    if set(moved) != set(dropped) and len(moved) <= state.limit:
        yield from _all_searched_again(context, base, moved)
    for view in moved:
        if not may_belong(context, joined, view, given):
            continue
        mixed = recovered.clone()
        mixed[view] = given[view]
        yield context.from_scratch(mixed, base.trusted)


def _fewer_dropped(context: RepairContext, base: Reconstruction, dropped: Sequence[int]) -> Iterator[Reconstruction]:
    """Reconstructions in which only the first dropped views are searched, joined to all others or from scratch.

    Where right views were dropped after a wrong one, too few were left to find the wrong one's pose.
    """
    for count in range(len(dropped) - 1, 0, -1):
        first, others = dropped[:count], base.trusted.clone()
        others[list(first)] = False
        joined = _rejoined(context, context.from_scratch(context.start_poses, others), first, base)
        yield joined
        yield context.from_scratch(adopt_poses(context.start_poses, joined, *first), base.trusted)


def _all_searched_again(context: RepairContext, base: Reconstruction, views: Sequence[int]) -> Iterator[Reconstruction]:
    """Views joined to a splat that is made without any of them; then all from scratch from there."""
    given, others = context.views.cameras.T_camera_world, base.trusted.clone()
    others[list(views)] = False
    clean = context.best_from_scratch(given, others)
    own = align_poses(base.cameras.T_camera_world, clean)
    for view in views:
        clean = clean.with_pose(view, own[view])
    joined = _rejoined(context, clean, views, base)
    yield joined
    yield context.from_scratch(adopt_poses(given, joined, *views), base.trusted)


def _rejoined(
    context: RepairContext, inliers: Reconstruction, dropped: Sequence[int], base: Reconstruction
) -> Reconstruction:
    """The fit of the inliers with all dropped views joined, each at its pose of least joint loss.

    Views whose best pose is most distinct from the next best come first, because each right view helps the next. Those
    that still fit badly when all are back are searched once more.
    """
    for view in dropped:
        context.search_thoroughly(inliers, view)
    fit = inliers
    for number, view in enumerate(sorted(dropped, key=lambda view: context.searches[view].distinctness)):
        if number > 0:
            context.search_thoroughly(fit, view)
        sources = (context.views.cameras.T_camera_world, context.start_poses, base.cameras.T_camera_world)
        fit = context.joined_as_found(fit, view, torch.stack([align_poses(poses, fit)[view] for poses in sources]))
    for view in dropped:
        losses = context.losses(fit)
        if losses[view] > context.settings.verdict.search_again_above * losses[fit.trusted].quantile(0.5):
            left_out = context.left_out_fit(fit, view)
            context.search_thoroughly(left_out, view)
            fit = context.joined_as_found(left_out, view, left_out.cameras.T_camera_world[view : view + 1])
    return fit


def may_belong(context: RepairContext, fit: Reconstruction, view: int, given: Float[Tensor, "views 4 4"]) -> bool:
    """Whether a moved view does not look hopeless at its given pose, joined there to its left-out fit.

    The reconstruction from scratch that this may save costs five times as much.
    """
    left_out = context.left_out_fit(fit, view)
    poses = align_poses(given, left_out)[view], align_poses(fit.cameras.T_camera_world, left_out)[view]
    back, stay = (context.best_joined(left_out, view, pose[None]) for pose in poses)
    return context.loss_sum(back) < context.settings.verdict.hopeless_above * context.loss_sum(stay)


def _recovered(
    context: RepairContext,
    base: Reconstruction,
    best: Reconstruction,
    losses: Float[Tensor, " views"],
    state: DetectionState,
    numbers: dict[str, float],
) -> Verdict:
    """The verdict for the best reconstruction, in which a view that fits nowhere loses its trust.

    Args:
        context: of the repair.
        base: from the given poses.
        best: chosen in its place.
        losses: of the views in the best reconstruction.
        state: at the end of detection.
        numbers: of every decision.
    """
    rotation_deg = rotation_against(context.views.cameras.T_camera_world, best)
    changed = torch.zeros_like(base.trusted)
    changed[[*state.dropped, *state.corrected]] = True
    decisions, trusted = [], base.trusted.clone()
    for view in (*state.dropped, *state.corrected):
        limit = context.reject_above(view, losses[base.trusted & ~changed])
        known = numbers | {"rotation_deg": float(rotation_deg[view]), "loss": float(losses[view]), "limit": limit}
        if losses[view] > limit:
            trusted[view] = False
            decisions.append(Decision("reject", view, "it fits nowhere and stays out, at the best pose known", known))
        elif rotation_deg[view] > ELSEWHERE_DEG:
            decisions.append(Decision("correct", view, "with its new pose the sum of all errors falls", known))
        else:
            decisions.append(Decision("restore", view, "refined with the others, its own pose fits", known))
    corrected = changed & (rotation_deg > ELSEWHERE_DEG)
    return Verdict(best.with_trusted(trusted), corrected, tuple(decisions))
