"""The search of one view that a person asks for: the same search, candidates and thresholds as in a run's own repair.

The view is not suspected, so there is no trial by reconstruction: it is searched on its left-out fit, and the sum of
all views' losses decides between its own pose and the best one found, each refined jointly with the others.

Frame: `world`, normalised. Units: degrees. Losses are squared errors over the object's area (pose_search/losses.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from sparseags_ns.geometry.pose_errors import pose_change
from sparseags_ns.optimization.reconstruct import Reconstruction
from sparseags_ns.outliers.context import RepairContext, without
from sparseags_ns.outliers.settings import MIN_VIEWS
from sparseags_ns.pose_search.settings import ELSEWHERE_DEG
from sparseags_ns.runs.record import Decision


@dataclass(frozen=True)
class ManualSearch:
    """Result of the search."""

    fit: Reconstruction | None
    """Splat and cameras with the view at its new pose; None if it keeps its own."""
    decision: Decision


def search_manually(context: RepairContext, fit: Reconstruction, view: int) -> ManualSearch:
    """Search one view of a reconstruction.

    A view that was not trusted becomes trusted if it fits nearly as well as the others at the pose found, by the
    threshold of the run's own verdict.

    Args:
        context: of the run.
        fit: the present state of the run; trusted or not, the view's camera has its own pose.
        view: index of the view.
    """
    others = without(fit.trusted, view)
    if int(others.sum()) < MIN_VIEWS:
        return _kept(view, f"a search needs {MIN_VIEWS} other trusted views, and {int(others.sum())} are left")
    alone = context.left_out_fit(fit, view) if fit.trusted[view] else fit
    if len(context.search_thoroughly(alone, view).search.poses) == 0:
        return _kept(view, "the photograph shows no object")
    own = alone.cameras.T_camera_world[view : view + 1]
    stay = context.best_joined(alone, view, own)
    moved = context.joined_as_found(alone, view, own)
    losses = [context.losses(one) for one in (stay, moved)]
    sums = [float(one[stay.trusted].sum()) for one in losses]
    rotated = float(pose_change(own, moved.cameras.T_camera_world[view : view + 1])[0][0])
    loss, limit = float(losses[1][view]), context.reject_above(view, losses[1][others])
    numbers = {"sum_own": sums[0], "sum_found": sums[1], "rotation_deg": rotated, "loss": loss, "limit": limit}
    better = sums[1] < context.settings.verdict.correct_below * sums[0] and rotated > ELSEWHERE_DEG
    if fit.trusted[view] and not better:
        return ManualSearch(None, Decision("restore", view, "its own pose fits all views best", numbers))
    if not fit.trusted[view] and loss > limit:
        return ManualSearch(None, Decision("reject", view, "it fits nowhere and stays out", numbers))
    return ManualSearch(moved, Decision("correct", view, "with its new pose the sum of all errors falls", numbers))


def _kept(view: int, why: str) -> ManualSearch:
    return ManualSearch(None, Decision("restore", view, why, {}))
