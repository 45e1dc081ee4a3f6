"""One view searched because somebody asks for it: the same search, candidates and verdict as the run's own.

Nothing is held against the view, so there is no trial: what it painted fades, it is searched on what is left, and all
views together decide between its own pose and the best one found, each refined jointly with the others.

Frame: `world`, normalised. Units: degrees. Losses are squared errors over the object's area.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from sparseags_ns.geometry.pose_errors import pose_change
from sparseags_ns.optimization.reconstruct import Reconstruction
from sparseags_ns.outliers.context import RepairContext, without
from sparseags_ns.pose_search.leave_one_out import candidate_poses
from sparseags_ns.pose_search.settings import ELSEWHERE_DEG
from sparseags_ns.runs.record import Decision

FEWEST = 2
"""Views that have to be left without the searched one."""


@dataclass(frozen=True)
class ManualSearch:
    """What came of it."""

    fit: Reconstruction | None
    """The splat and cameras with the view at its new pose; None if it stays where it was."""
    decision: Decision


def search_manually(place: RepairContext, fit: Reconstruction, view: int) -> ManualSearch:
    """Search one view of a fit.

    A view that was not trusted is trusted from now on if it fits nearly as well as the others at the pose found, by the
    measure of the run's own verdict.

    Args:
        fit: where the run stands; trusted or not, the view's camera is where it claims to be.
    """
    others = without(fit.trusted, view)
    if int(others.sum()) < FEWEST:
        return _stays(view, f"a search needs {FEWEST} other trusted views, and {int(others.sum())} are left")
    alone = place.faded(fit, view) if fit.trusted[view] else fit
    found = place.thoroughly(alone, view)
    if len(found.search.poses) == 0:
        return _stays(view, "the photograph shows no object")
    own = alone.cameras.T_camera_world[view : view + 1]
    stay = place.best_joined(alone, view, own)
    moved = place.best_joined(alone, view, candidate_poses(found.search, own, place.settings.candidates))
    losses = [place.losses(one) for one in (stay, moved)]
    sums = [float(one[stay.trusted].sum()) for one in losses]
    rotation_deg, _ = pose_change(own, moved.cameras.T_camera_world[view : view + 1])
    limit = _fits_below(place, view, losses[1], others)
    numbers = {"sum_own": sums[0], "sum_found": sums[1], "rotation_deg": float(rotation_deg[0])}
    numbers |= {"loss": float(losses[1][view]), "limit": limit}
    was, fits = bool(fit.trusted[view]), float(losses[1][view]) <= limit
    better = sums[1] < place.settings.correct_below * sums[0] and float(rotation_deg[0]) > ELSEWHERE_DEG
    if was and not better:
        return ManualSearch(None, Decision("restore", view, "its own pose fits all views best", numbers))
    if not was and not fits:
        return ManualSearch(None, Decision("reject", view, "it fits nowhere and stays out", numbers))
    return ManualSearch(moved, Decision("correct", view, "with its new pose all views agree better", numbers))


def _stays(view: int, why: str) -> ManualSearch:
    return ManualSearch(None, Decision("restore", view, why, {}))


def _fits_below(place: RepairContext, view: int, losses: torch.Tensor, others: torch.Tensor) -> float:
    """Loss up to which a view fits: as outliers/verdict.py has it."""
    arbitrary = float(place.searches[view].hypothesis_losses.quantile(0.5))
    usual = float(losses[others].quantile(0.5))
    return max(place.settings.misfit_above * usual, place.settings.misfit_share * arbitrary)
