"""The leave-one-out test: does a splat that was made without a view show it at its own pose, or rather at another one?

Frame: `world`, normalised. Units: degrees. Losses are those of pose_search/losses.py.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.geometry.pose_errors import pose_change
from sparseags_ns.optimization.observer import observer
from sparseags_ns.optimization.reconstruct import Reconstruction
from sparseags_ns.pose_search.hypotheses import place_by_silhouette, select_diverse
from sparseags_ns.pose_search.losses import pose_losses
from sparseags_ns.pose_search.proxy import proxy
from sparseags_ns.pose_search.search import SearchResult, search_view
from sparseags_ns.pose_search.settings import ELSEWHERE_DEG, SearchSettings
from sparseags_ns.pose_search.target import target_of
from sparseags_ns.views import Views

SAME_CANDIDATE_DEG = 3.0
"""Candidate poses that are rotated by less than this against each other count as one."""


@dataclass(frozen=True)
class LeaveOneOut:
    """Result of the test of one view."""

    loss_near: float
    """Least loss at poses within ELSEWHERE_DEG of the view's own."""
    loss_elsewhere: float
    """Least loss at all other poses."""
    search: SearchResult

    @property
    def ratio(self) -> float:
        """`loss_elsewhere` over `loss_near`: below 1, another pose fits better. 1 if the photograph shows no object."""
        return self.loss_elsewhere / max(self.loss_near, 1e-12) if len(self.search.poses) > 0 else 1.0


def leave_one_out(fit: Reconstruction, views: Views, view: int, settings: SearchSettings) -> LeaveOneOut:
    """Search a view on a splat that was made without it, and compare the result with the view's own pose.

    Args:
        fit: a reconstruction without that view, in which the view's camera has its own pose.
        views: the photographs.
        view: index of the view.
        settings: thoroughness of the search.
    """
    own_pose = fit.cameras.T_camera_world[view]
    seen = replace(views, cameras=fit.cameras)
    target, small = target_of(seen, view, settings.fine_px), proxy(fit.gaussians, settings.fine_gaussians)
    own = torch.stack([own_pose, place_by_silhouette(own_pose[None], small, target)[0]])
    found = search_view(fit.gaussians, seen, view, fit.camera_distance, settings, extra=own)
    if len(found.poses) == 0:
        return LeaveOneOut(torch.inf, torch.inf, found)
    rotation_deg, _ = pose_change(own_pose.expand(len(found.poses), 4, 4), found.poses)
    far = rotation_deg > ELSEWHERE_DEG
    near_losses = torch.cat([pose_losses(small, target, own, settings.mask_weight), found.losses[~far]])
    far_losses = found.losses[far]
    loss_elsewhere = float(far_losses.min()) if len(far_losses) else torch.inf
    result = LeaveOneOut(float(near_losses.min()), loss_elsewhere, found)
    observer().on_comparison(result.loss_near, result.loss_elsewhere)
    return result


def candidate_poses(
    found: SearchResult, known: Float[Tensor, "known 4 4"], count: int
) -> Float[Tensor, "candidates 4 4"]:
    """The best `count` poses of a search, and those of the known poses that are not among them."""
    best = found.poses[:count]
    poses = torch.cat([best, known.to(found.poses)])
    ranks = torch.arange(len(poses)).to(found.losses)
    return poses[select_diverse(poses, ranks, len(poses), SAME_CANDIDATE_DEG)]
