"""After views were put elsewhere, everything is asked again from there: how fast poses should move, and each of these
views for its place.

The first answers were found while poses were grossly wrong: such poses want a high pose learning rate, with which a
near-symmetric object's views slide around its axis; and a view was searched on splats that other wrong views had
blurred.

Frame: `world`, normalised. Units: degrees. Losses are squared errors over the object's area.
"""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from sparseags_ns.geometry.pose_errors import pose_change
from sparseags_ns.optimization.reconstruct import Reconstruction
from sparseags_ns.outliers.context import RepairContext, without
from sparseags_ns.outliers.fits import claimed, realigned
from sparseags_ns.pose_search.leave_one_out import candidate_poses
from sparseags_ns.pose_search.losses import view_losses
from sparseags_ns.pose_search.settings import ELSEWHERE_DEG
from sparseags_ns.runs.record import Decision

FEWER_STEPS = 1.1
"""All that begins anew has had fewer steps than the fit that it is to replace, which was joined from parts and refined
time and again; so it may be this many times worse. (Within this, poses were nearer the truth where all began anew.)"""
SAME_DEG = 5.0
"""A pose found anew that is turned by less than this against the last one confirms it."""


@dataclass(frozen=True)
class Anew:
    """A reconstruction from scratch from corrected poses."""

    base: Reconstruction
    """As it is, for what else is to be found."""
    fit: Reconstruction
    """It with more detail; or the one that it was to replace, if that explains the photographs clearly better."""
    decision: Decision


def reconstructed_anew(place: RepairContext, fit: Reconstruction, *, at_every_rate: bool = True) -> Anew:
    """All from scratch from the corrected poses.

    Args:
        fit: with as much detail as the verdict has.
        at_every_rate: choose the pose learning rate that suits the corrected poses; else it stays.
    """
    base = (place.best_from_scratch if at_every_rate else place.from_scratch)(place.claims, fit.trusted)
    sharp, losses = place.sharpened(base)
    before, after = _sum(place, fit), float(losses[fit.trusted].sum())
    better = after < FEWER_STEPS * before
    how = "as well" if better else "clearly less well"
    why = f"from the corrected poses, all views agree {how} when all begins anew"
    return Anew(
        base, sharp if better else fit, Decision("restart", None, why, {"sum_before": before, "sum_after": after})
    )


def placed_anew(place: RepairContext, fit: Reconstruction, view: int) -> tuple[Reconstruction, Decision]:
    """Search a view that stands elsewhere on a splat made without it, from scratch, now that all others are right.

    Args:
        fit: with as much detail as the verdict has.
    """
    own, before = fit.cameras.T_camera_world, _sum(place, fit)
    clean, _ = place.sharpened(place.from_scratch(place.claims, without(fit.trusted, view)))
    clean = clean.with_pose(view, realigned(clean, own)[view])
    place.thoroughly(clean, view)
    here = clean.cameras.T_camera_world[view : view + 1]
    joined = place.best_joined(clean, view, candidate_poses(place.searches[view], here, place.settings.candidates))
    sharp, losses = place.sharpened(joined)
    rotation_deg, _ = pose_change(realigned(sharp, own)[view][None], sharp.cameras.T_camera_world[view : view + 1])
    after = float(losses[fit.trusted].sum())
    numbers = {"sum_before": before, "sum_after": after, "turned_by_deg": float(rotation_deg[0])}
    elsewhere = float(rotation_deg[0]) > ELSEWHERE_DEG
    if after >= (place.settings.correct_below_again if elsewhere else 1.0) * before:
        return fit, Decision("re-search", view, "no other pose agrees better with all other views", numbers)
    place.claims = claimed(sharp, place.claims, view)
    confirmed = float(rotation_deg[0]) < SAME_DEG
    why = "the search confirms its pose" if confirmed else "another pose agrees better with all other views"
    return sharp, Decision("re-search", view, why, numbers)


def _sum(place: RepairContext, fit: Reconstruction) -> float:
    losses: Float[Tensor, " views"] = view_losses(fit, place.views, place.settings.sharpening.pixels)
    return float(losses[fit.trusted].sum())
