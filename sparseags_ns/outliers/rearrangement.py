"""Where repair ends with views that it cannot explain, all of them are arranged anew, and the better explanation wins.

Repair trusts most poses and doubts a few. Where several wrong poses support each other, or where an object looks alike
from several sides, it ends at views that fit nowhere. A search over arrangements trusts no pose: the trusted ones are a
start among others.

Frame: `world`, normalised. Losses are squared errors over the object's area (pose_search/losses.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from sparseags_ns.geometry.motion import drift
from sparseags_ns.optimization.reconstruct import Reconstruction
from sparseags_ns.outliers.alignment import rotation_against
from sparseags_ns.outliers.context import RepairContext
from sparseags_ns.outliers.repair import RepairResult
from sparseags_ns.pose_search.settings import ELSEWHERE_DEG
from sparseags_ns.runs.record import Decision
from sparseags_ns.views import Views


@dataclass(frozen=True)
class Proposal:
    """Cameras around the object, all found anew."""

    T_camera_world: Float[Tensor, "views 4 4"]
    """In a normalised world of their own."""
    fits: Bool[Tensor, " views"]
    """Views that fit to the others; the others' poses mean nothing."""


Arrange = Callable[[Views], Sequence[Proposal]]
"""Arranges all views that show the object, best proposal first; the cameras of the trusted ones are a start."""


def rearrange(
    context: RepairContext, repaired: RepairResult, arrange: Arrange, say: Callable[[str], None]
) -> RepairResult:
    """The result of repair, or that of another arrangement where repair leaves views unexplained.

    Args:
        context: of the repair.
        repaired: its result.
        arrange: proposes arrangements.
        say: receives a sentence for the user before the search.
    """
    fit, settings = repaired.fit, context.settings.rearrangement
    shows_object = context.views.shows_object
    unexplained = shows_object & _unexplained(context, repaired)
    enough_time = context.budget.left >= settings.work
    if not unexplained.any() or not enough_time or not _can_be_arranged(context):
        return repaired
    say(f"arranging all photographs anew: {int(unexplained.sum())} fit nowhere so far")
    poses = fit.cameras.T_camera_world
    known = replace(context.views, cameras=fit.cameras, trusted=fit.trusted & ~unexplained)
    before = float(context.sharpened(fit)[1][shows_object].sum())
    best, least, numbers = None, settings.must_fall * before, {"sum_before": before, "sum_after": torch.inf}
    for proposal in arrange(known)[: settings.tried]:
        fits, found = proposal.fits.to(fit.trusted.device), proposal.T_camera_world.to(poses)
        into_world = drift(found[fit.trusted], poses[fit.trusted], fit.gaussians.visible_center)
        start = into_world.apply_to_poses(found).to(context.start_poses)
        other, losses = context.sharpened(context.from_scratch(start, fits))
        total = float(losses[shows_object].sum())
        numbers["sum_after"] = min(numbers["sum_after"], total)
        if total < least:
            best, least = other, total
    if best is None:
        decision = Decision("finish", None, "arranged anew, the photographs are explained no better", numbers)
        return replace(repaired, decisions=(*repaired.decisions, decision))
    return _taken(context, repaired, best, numbers)


def _unexplained(context: RepairContext, repaired: RepairResult) -> Bool[Tensor, " views"]:
    """Views that are left out, or rendered badly: much worse than the others, or any worse than is usual where some
    view was suspected."""
    settings, fit, losses = context.settings.rearrangement, repaired.fit, context.losses(repaired.fit)
    suspected = any(decision.action == "suspect" for decision in repaired.decisions)
    usual = 0.0 if suspected else settings.over_median * float(losses[fit.trusted].quantile(0.5))
    return ~fit.trusted | (losses > max(usual, settings.explained_loss))


def _can_be_arranged(context: RepairContext) -> bool:
    """Whether these are a few photographs of one object that is cut out, and no camera is fixed."""
    views, settings = context.views, context.settings.rearrangement
    enough = settings.least_views <= int(views.shows_object.sum()) <= settings.most_views
    return enough and bool(views.is_cut_out[views.shows_object].all()) and not views.fixed.any()


def _taken(
    context: RepairContext, repaired: RepairResult, fit: Reconstruction, numbers: dict[str, float]
) -> RepairResult:
    """The result with a fit of another arrangement, and a decision for each view whose state or pose it changes."""
    views = context.views
    rotation_deg = rotation_against(views.cameras.T_camera_world, fit)
    elsewhere, posed = rotation_deg > ELSEWHERE_DEG, views.posed.to(fit.trusted.device)
    corrected, registered = fit.trusted & posed & elsewhere, fit.trusted & ~views.trusted
    why = "another arrangement of all photographs explains them better"
    decisions = [Decision("rearrange", None, why, numbers)]
    for view in range(len(views)):
        known = {"rotation_deg": float(rotation_deg[view])} if posed[view] else {}
        if registered[view]:
            decisions.append(Decision("register", view, "it has its place in the other arrangement", known))
        elif corrected[view]:
            decisions.append(Decision("correct", view, "it has its place in the other arrangement", known))
        elif not fit.trusted[view]:
            decisions.append(Decision("reject", view, "it fits to the others in no arrangement and stays out", known))
    return RepairResult(fit, corrected, registered, (*repaired.decisions, *decisions))
