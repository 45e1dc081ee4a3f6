"""Never worse than given: views that the refinement carried far, from where they were better off, go back.

Frame: `world`, normalised. Units: degrees. Losses are squared errors over the object's area.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from sparseags_ns.geometry.pose_metrics import pose_change
from sparseags_ns.outliers.detection import Decision
from sparseags_ns.outliers.fits import Fit, realigned
from sparseags_ns.outliers.photographs import photograph_of
from sparseags_ns.outliers.proxy import proxy
from sparseags_ns.outliers.search import refined
from sparseags_ns.outliers.workplace import Workplace, without

FAR_DEG = 8.0
"""A view that was turned by less cannot have left its basin."""
FAR_FACTOR = 2.0
"""...nor one that was turned by less than this times the median view."""
MOST = 3
"""So many views are questioned, those first that were turned most."""
MUST_FALL = 0.9
"""All views' losses together must fall by this factor, else the refined pose stays."""


def fall_back(place: Workplace, fit: Fit) -> tuple[Fit, tuple[Decision, ...]]:
    """The fit with views put back to their given poses where all views together are better explained so.

    A view is questioned on a splat from which what it painted itself has faded: does its photograph fit better where it
    was given? If so, both poses are refined jointly with all views, and the sum of all losses decides.
    """
    given = realigned(fit, place.views.cameras.T_camera_world)
    turned_deg, _ = pose_change(given, fit.cameras.T_camera_world)
    far = max(FAR_DEG, FAR_FACTOR * float(turned_deg[fit.trusted].quantile(0.5)))
    order = turned_deg.masked_fill(~fit.trusted, 0.0).argsort(descending=True, stable=True).tolist()
    decisions: list[Decision] = []
    for view in [view for view in order if turned_deg[view] > far][:MOST]:
        others = fit.with_trusted(without(fit.trusted, view))
        given_pose = realigned(others, place.views.cameras.T_camera_world)[view]
        if not _fits_better(place, fit, view, given_pose):
            continue
        poses = fit.cameras.T_camera_world[view], given_pose
        stay, back = (place.best_joined(fit, view, pose[None]) for pose in poses)
        sums = [float(place.losses(one)[fit.trusted].sum()) for one in (stay, back)]
        numbers = {"turned_deg": float(turned_deg[view]), "sum_refined": sums[0], "sum_given": sums[1]}
        if sums[1] < MUST_FALL * sums[0]:
            fit = back
            decisions.append(Decision("fall back", view, "all views agree better with its given pose", numbers))
    return fit, tuple(decisions)


@torch.no_grad()
def _fits_better(place: Workplace, fit: Fit, view: int, given_pose: torch.Tensor) -> bool:
    """Whether a view fits a splat made without it better from near its given pose than from near its refined one."""
    faded = place.faded(fit, view)
    both = (fit, fit.with_pose(view, given_pose))
    poses = torch.stack([realigned(faded, one.cameras.T_camera_world)[view] for one in both])
    settings = place.settings.thorough
    photograph = photograph_of(replace(place.views, cameras=faded.cameras), view, settings.fine_px)
    if photograph.area == 0:
        return False
    _, losses = refined(proxy(faded.gaussians, settings.fine_gaussians), photograph, poses, settings, fine=True)
    return bool(losses[1] < losses[0])
