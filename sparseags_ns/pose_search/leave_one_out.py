"""Would a view rather stand elsewhere? Its loss near its pose against its loss anywhere else, on a splat of the others.

Frame: `world`, normalised. Units: degrees.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.geometry.pose_errors import pose_change
from sparseags_ns.optimization.observer import observer
from sparseags_ns.optimization.reconstruct import Reconstruction
from sparseags_ns.pose_search.hypotheses import diverse, placed
from sparseags_ns.pose_search.proxy import proxy
from sparseags_ns.pose_search.search import SearchResult, SearchSettings, pose_losses, search
from sparseags_ns.pose_search.target import target_of
from sparseags_ns.views import Views

GLANCE = SearchSettings(
    spacing_deg=24.0, shortlist=24, coarse_steps=40, fine_px=32, fine_gaussians=600, fine_steps=0, finalists=12
)
"""A quick search, for views that nothing is held against yet."""

ELSEWHERE_DEG = 15.0
"""A pose turned by more than this is elsewhere: joint refinement would not have arrived there."""


@dataclass(frozen=True)
class Relocation:
    """Where one view would rather stand."""

    view: int
    here: float
    """Least loss near the view's pose."""
    elsewhere: float
    """Least loss anywhere else."""
    search: SearchResult

    @property
    def ratio(self) -> float:
        """Elsewhere over here: below 1, the view fits better elsewhere. 1 if it shows nothing."""
        return self.elsewhere / max(self.here, 1e-12) if len(self.search.poses) > 0 else 1.0


def relocation(
    fit: Reconstruction,
    views: Views,
    view: int,
    settings: SearchSettings,
) -> Relocation:
    """Search a view on a splat made without it, and compare what is found with its present pose.

    Args:
        fit: made without that view; its camera stands where the view claims to be.
    """
    here = fit.cameras.T_camera_world[view]
    seen = replace(views, cameras=fit.cameras)
    target, small = target_of(seen, view, settings.fine_px), proxy(fit.gaussians, settings.fine_gaussians)
    own = torch.stack([here, placed(here[None], small, target.mask, target.valid, target.K)[0]])
    found = search(fit.gaussians, seen, view, fit.camera_distance, settings, extra=own)
    if len(found.poses) == 0:
        return Relocation(view, torch.inf, torch.inf, found)
    rotation_deg, _ = pose_change(here.expand(len(found.poses), 4, 4), found.poses)
    far = rotation_deg > ELSEWHERE_DEG
    near_losses = torch.cat([pose_losses(small, target, own, settings.mask_weight), found.losses[~far]])
    far_losses = found.losses[far]
    elsewhere = float(far_losses.min()) if len(far_losses) else torch.inf
    result = Relocation(view, float(near_losses.min()), elsewhere, found)
    observer().on_comparison(result.here, result.elsewhere)
    return result


def candidates(found: SearchResult, given: Float[Tensor, "given 4 4"], count: int) -> Float[Tensor, "candidates 4 4"]:
    """The best `count` poses of a search, and the given ones that are not among them."""
    best = found.poses[:count]
    poses = torch.cat([best, given.to(found.poses)])
    ranks = torch.arange(len(poses)).to(found.losses)
    return poses[diverse(poses, ranks, len(poses), 3.0)]
