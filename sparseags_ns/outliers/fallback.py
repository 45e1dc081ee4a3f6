"""Views that refinement has carried far from their given poses: some go back, and of some the given pose is declared
wrong, as that of an outlier which the search has corrected.

Frame: `world`, normalised. Units: degrees. Losses are squared errors over the object's area (pose_search/losses.py).
"""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from sparseags_ns.geometry.motion import motion
from sparseags_ns.geometry.pose_errors import pose_change
from sparseags_ns.optimization.reconstruct import Reconstruction
from sparseags_ns.outliers.alignment import align_poses
from sparseags_ns.outliers.context import RepairContext, without
from sparseags_ns.pose_search.proxy import proxy
from sparseags_ns.pose_search.search import refine_poses
from sparseags_ns.pose_search.target import target_of
from sparseags_ns.runs.record import Decision


def fall_back(context: RepairContext, fit: Reconstruction) -> tuple[Reconstruction, tuple[Decision, ...]]:
    """Put views back to their given poses where that lowers the sum of all views' losses.

    Each view that was rotated far is first compared on a left-out fit: does its photograph fit better near the given
    pose? If so, both poses are refined jointly with all views, and the sums of losses decide.

    Returns:
        The fit, in which some views may be back at their given poses, and one decision for each of these.
    """
    settings, given = context.settings.fallback, context.views.cameras.T_camera_world
    rotation_deg, _ = pose_change(align_poses(given, fit), fit.cameras.T_camera_world)
    far = max(settings.far_deg, settings.far_factor * float(rotation_deg[fit.trusted].quantile(0.5)))
    order = rotation_deg.masked_fill(~fit.trusted, 0.0).argsort(descending=True, stable=True).tolist()
    decisions: list[Decision] = []
    for view in [view for view in order if rotation_deg[view] > far][: settings.max_views]:
        others = fit.with_trusted(without(fit.trusted, view))
        given_pose = align_poses(given, others)[view]
        refined_loss, given_loss = _losses_nearby(context, fit, view, given_pose)
        if given_loss >= refined_loss:
            continue
        poses = fit.cameras.T_camera_world[view], given_pose
        stay, back = (context.best_joined(fit, view, pose[None]) for pose in poses)
        sums = [context.loss_sum(one) for one in (stay, back)]
        numbers = {"rotation_deg": float(rotation_deg[view]), "sum_refined": sums[0], "sum_given": sums[1]}
        if sums[1] < settings.must_fall * sums[0]:
            fit = back
            why = "with its given pose the sum of all errors falls"
            decisions.append(Decision("fall back", view, why, numbers))
    return fit, tuple(decisions)


def declare_wrong(
    context: RepairContext, fit: Reconstruction, excluded: Bool[Tensor, " views"]
) -> tuple[Bool[Tensor, " views"], tuple[Decision, ...]]:
    """Find views whose given pose was grossly wrong and which refinement alone has put right; no camera is moved.

    Such a view was rotated far relative to the others, and on a left-out fit its loss near the given pose is a multiple
    of that near the refined one.

    Args:
        context: of the repair.
        fit: at the end of the repair.
        excluded: views whose given pose is known to be wrong, or was not trusted from the start.
    """
    settings = context.settings.fallback
    wrong = torch.zeros_like(excluded)
    counted = (fit.trusted & ~excluded).nonzero().flatten().tolist()
    if len(counted) < 3:
        return wrong, ()  # A median over fewer views tells nothing.
    given = context.views.cameras.T_camera_world
    moved = motion(given[counted], fit.cameras.T_camera_world[counted], fit.gaussians.visible_center)
    limit = max(settings.wrong_deg, settings.wrong_factor * float(moved.rotation_deg.quantile(0.5)))
    decisions: list[Decision] = []
    for view, given_pose, rotation_deg in zip(counted, moved.given, moved.rotation_deg.tolist(), strict=True):
        if rotation_deg <= limit:
            continue
        refined_loss, given_loss = _losses_nearby(context, fit, view, given_pose.to(given))
        rise = max(settings.must_rise * settings.wrong_deg / rotation_deg, settings.min_rise)
        if given_loss > rise * refined_loss:
            numbers = {"rotation_deg": rotation_deg, "limit_deg": limit}
            numbers |= {"loss_given": given_loss, "loss_refined": refined_loss}
            why = "its given pose was wrong: refinement rotated it far, and the others' splat shows it there"
            decisions.append(Decision("declare", view, why, numbers))
            wrong[view] = True
    return wrong, tuple(decisions)


def _losses_nearby(
    context: RepairContext, fit: Reconstruction, view: int, given_pose: Float[Tensor, "4 4"]
) -> tuple[float, float]:
    """Losses of a view on its left-out fit after refinement from its pose in the fit and from the given one.

    Both are infinite where the photograph shows no object.
    """
    left_out = context.left_out_fit(fit, view)
    both = (fit, fit.with_pose(view, given_pose))
    poses = torch.stack([align_poses(one.cameras.T_camera_world, left_out)[view] for one in both])
    settings = context.settings.thorough_search
    target = target_of(replace(context.views, cameras=left_out.cameras), view, settings.fine_px)
    if target.area == 0:
        return torch.inf, torch.inf
    splat = proxy(left_out.gaussians, settings.fine_gaussians)
    _, losses = refine_poses(splat, target, poses, settings, fine=True)
    return float(losses[0]), float(losses[1])
