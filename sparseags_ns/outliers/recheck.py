"""What is repeated after views were corrected: the choice of the pose learning rate, and the search of these views.

The first answers were found while poses were grossly wrong. Such poses want a high pose learning rate, with which the
views of a near-symmetric object slide around its axis; and views were searched on splats that other wrong views had
blurred.

Frame: `world`, normalised. Units: degrees. Losses are squared errors over the object's area (pose_search/losses.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from sparseags_ns.geometry.pose_errors import pose_change
from sparseags_ns.optimization.reconstruct import Reconstruction
from sparseags_ns.outliers.alignment import adopt_poses, align_poses
from sparseags_ns.outliers.context import RepairContext, without
from sparseags_ns.pose_search.settings import ELSEWHERE_DEG
from sparseags_ns.runs.record import Decision


@dataclass(frozen=True)
class Reconstructed:
    """A reconstruction from scratch from corrected poses."""

    base: Reconstruction
    """The reconstruction as it is, for the next pass of detection."""
    fit: Reconstruction
    """The reconstruction sharpened, or the fit that it was to replace if that has a clearly lesser sum of losses."""
    decision: Decision


def reconstruct_again(context: RepairContext, fit: Reconstruction, *, at_every_rate: bool = True) -> Reconstructed:
    """Reconstruct from scratch from the corrected poses.

    Args:
        context: of the repair; its start poses are the corrected ones.
        fit: sharpened; trusts the views that take part.
        at_every_rate: choose the pose learning rate that suits the corrected poses, instead of keeping the present one.
    """
    make = context.best_from_scratch if at_every_rate else context.from_scratch
    base = make(context.start_poses, fit.trusted)
    sharp, losses = context.sharpened(base)
    before, after = _sharp_sum(context, fit), float(losses[fit.trusted].sum())
    better = after < context.settings.recheck.may_rise * before
    how = "not clearly larger than" if better else "clearly larger than"
    why = f"all was reconstructed from scratch from the corrected poses: the sum of all errors is {how} before"
    decision = Decision("restart", None, why, {"sum_before": before, "sum_after": after})
    return Reconstructed(base, sharp if better else fit, decision)


def search_again(context: RepairContext, fit: Reconstruction, view: int) -> tuple[Reconstruction, Decision]:
    """Search a corrected view on a splat that is made without it from scratch, now that all others are right.

    Args:
        context: of the repair; its start poses are updated.
        fit: sharpened.
        view: index of the view.
    """
    own, before = fit.cameras.T_camera_world, _sharp_sum(context, fit)
    clean, _ = context.sharpened(context.from_scratch(context.start_poses, without(fit.trusted, view)))
    clean = clean.with_pose(view, align_poses(own, clean)[view])
    context.search_thoroughly(clean, view)
    joined = context.joined_as_found(clean, view, clean.cameras.T_camera_world[view : view + 1])
    sharp, losses = context.sharpened(joined)
    rotation_deg, _ = pose_change(align_poses(own, sharp)[view][None], sharp.cameras.T_camera_world[view : view + 1])
    after, rotated = float(losses[fit.trusted].sum()), float(rotation_deg[0])
    numbers = {"sum_before": before, "sum_after": after, "rotated_by_deg": rotated}
    limit = context.settings.verdict.correct_below_again if rotated > ELSEWHERE_DEG else 1.0
    if after >= limit * before:
        return fit, Decision("re-search", view, "the sum of all errors falls at no other pose", numbers)
    context.start_poses = adopt_poses(context.start_poses, sharp, view)
    confirmed = rotated < context.settings.recheck.confirmed_deg
    why = "the search confirms its pose" if confirmed else "the sum of all errors falls at another pose"
    return sharp, Decision("re-search", view, why, numbers)


def _sharp_sum(context: RepairContext, fit: Reconstruction) -> float:
    return float(context.sharp_losses(fit)[fit.trusted].sum())
