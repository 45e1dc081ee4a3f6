"""Views that the refinement carried far: those that were better off where they were given go back, and of those that
were not the given pose is declared wrong, as of an outlier that the search has put right.

Frame: `world`, normalised. Units: degrees. Losses are squared errors over the object's area.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Bool
from torch import Tensor

from sparseags_ns.geometry.motion import motion
from sparseags_ns.geometry.pose_errors import pose_change
from sparseags_ns.optimization.reconstruct import Reconstruction
from sparseags_ns.outliers.context import RepairContext, without
from sparseags_ns.outliers.fits import realigned
from sparseags_ns.pose_search.proxy import proxy
from sparseags_ns.pose_search.search import refine_poses
from sparseags_ns.pose_search.target import target_of
from sparseags_ns.runs.record import Decision

FAR_DEG = 8.0
"""A view that was turned by less cannot have left its basin."""
FAR_FACTOR = 2.0
"""...nor one that was turned by less than this times the median view."""
MOST = 3
"""So many views are questioned, those first that were turned most."""
MUST_FALL = 0.9
"""All views' losses together must fall by this factor, else the refined pose stays."""
WRONG_DEG = 12.0
"""The given pose of a view that was turned by less is not called wrong..."""
WRONG_FACTOR = 3.0
"""...nor that of one turned by less than this times the median view: then all were rough..."""
MUST_RISE = 10.0
"""...nor where it explains the photograph as well: near it the loss must be so many times that near the refined one,
for a view that was turned by WRONG_DEG; the farther it was turned, the less..."""
LEAST_RISE = 3.0
"""...but never less than this. (A shoe turned from 76 degrees off to 5 off: 8 times.)"""


def fall_back(place: RepairContext, fit: Reconstruction) -> tuple[Reconstruction, tuple[Decision, ...]]:
    """The fit with views put back to their given poses where all views together are better explained so.

    A view is questioned on a splat from which what it painted itself has faded: does its photograph fit better where it
    was given? If so, both poses are refined jointly with all views, and the sum of all losses decides.
    """
    given = realigned(fit, place.views.cameras.T_camera_world)
    rotation_deg, _ = pose_change(given, fit.cameras.T_camera_world)
    far = max(FAR_DEG, FAR_FACTOR * float(rotation_deg[fit.trusted].quantile(0.5)))
    order = rotation_deg.masked_fill(~fit.trusted, 0.0).argsort(descending=True, stable=True).tolist()
    decisions: list[Decision] = []
    for view in [view for view in order if rotation_deg[view] > far][:MOST]:
        others = fit.with_trusted(without(fit.trusted, view))
        given_pose = realigned(others, place.views.cameras.T_camera_world)[view]
        refined_loss, given_loss = _losses_nearby(place, fit, view, given_pose)
        if given_loss >= refined_loss:
            continue
        poses = fit.cameras.T_camera_world[view], given_pose
        stay, back = (place.best_joined(fit, view, pose[None]) for pose in poses)
        sums = [place.loss_sum(one) for one in (stay, back)]
        numbers = {"rotation_deg": float(rotation_deg[view]), "sum_refined": sums[0], "sum_given": sums[1]}
        if sums[1] < MUST_FALL * sums[0]:
            fit = back
            decisions.append(Decision("fall back", view, "all views agree better with its given pose", numbers))
    return fit, tuple(decisions)


def declared_wrong(
    place: RepairContext, fit: Reconstruction, known: Bool[Tensor, " views"]
) -> tuple[Bool[Tensor, " views"], tuple[Decision, ...]]:
    """Views whose given pose was grossly wrong and which the refinement has put right; nothing is moved here.

    They are told by how far they were turned against the others, and asked on a splat without them, as in `fall_back`.

    Args:
        known: views whose given pose counts for nothing: found wrong already, or not trusted from the start.
    """
    wrong = torch.zeros_like(known)
    counted = (fit.trusted & ~known).nonzero().flatten().tolist()
    if len(counted) < 3:
        return wrong, ()  # Nothing to compare with.
    given = place.views.cameras.T_camera_world
    moved = motion(given[counted], fit.cameras.T_camera_world[counted], fit.gaussians.visible_center)
    limit = max(WRONG_DEG, WRONG_FACTOR * float(moved.rotation_deg.quantile(0.5)))
    decisions: list[Decision] = []
    for view, given_pose, rotation_deg in zip(counted, moved.given, moved.rotation_deg.tolist(), strict=True):
        if rotation_deg <= limit:
            continue
        refined_loss, given_loss = _losses_nearby(place, fit, view, given_pose.to(given))
        if given_loss > max(MUST_RISE * WRONG_DEG / rotation_deg, LEAST_RISE) * refined_loss:
            numbers = {"rotation_deg": rotation_deg, "limit_deg": limit}
            numbers |= {"loss_given": given_loss, "loss_refined": refined_loss}
            why = "its given pose was wrong: refinement turned it far, and the others' splat shows it there"
            decisions.append(Decision("declare", view, why, numbers))
            wrong[view] = True
    return wrong, tuple(decisions)


def _losses_nearby(
    place: RepairContext, fit: Reconstruction, view: int, given_pose: torch.Tensor
) -> tuple[float, float]:
    """Losses of a view on a splat made without it, from near its refined pose and from near its given one.

    Both are infinite where the photograph shows nothing.
    """
    faded = place.faded(fit, view)
    both = (fit, fit.with_pose(view, given_pose))
    poses = torch.stack([realigned(faded, one.cameras.T_camera_world)[view] for one in both])
    settings = place.settings.thorough
    target = target_of(replace(place.views, cameras=faded.cameras), view, settings.fine_px)
    if target.area == 0:
        return torch.inf, torch.inf
    _, losses = refine_poses(proxy(faded.gaussians, settings.fine_gaussians), target, poses, settings, fine=True)
    return float(losses[0]), float(losses[1])
