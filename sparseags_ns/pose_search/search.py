"""The search for the pose of one photograph on a splat: many hypotheses scored small, the best refined larger.

1. Cameras all around the object, placed by their silhouettes, are scored at `coarse_px` on a proxy of the splat.
2. A shortlist of poses that are well apart is refined at that size by gradient descent.
3. The finalists, again well apart, are refined and ranked at `fine_px`.

It needs torch and numba only, and works on any splat of an object near the origin.

Frames: `world`, normalised (object near the origin, +y up); `camera`, OpenCV axes. Units: world units; degrees where a
name ends in `_deg`; pixels. Losses are those of pose_search/losses.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.geometry import se3
from sparseags_ns.geometry.alignment import NORMAL_DISTANCE
from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.optimization.observer import SearchKind, observer
from sparseags_ns.pose_search.hypotheses import all_orientations, place_by_silhouette, select_diverse
from sparseags_ns.pose_search.losses import pose_losses
from sparseags_ns.pose_search.proxy import proxy
from sparseags_ns.pose_search.settings import THOROUGH_SEARCH, SearchSettings
from sparseags_ns.pose_search.target import make_target, target_of
from sparseags_ns.rasterizer.types import Gaussians, Target
from sparseags_ns.views import Views


@dataclass(frozen=True)
class SearchResult:
    """Poses that a search found, and all that it tried."""

    poses: Float[Tensor, "candidates 4 4"]
    """`T_camera_world` of the finalists, best first; none if the photograph shows no object."""
    losses: Float[Tensor, " candidates"]
    """Losses of the finalists at `fine_px`."""
    hypotheses: Float[Tensor, "hypotheses 4 4"]
    """`T_camera_world` of all hypotheses, as placed and scored."""
    hypothesis_losses: Float[Tensor, " hypotheses"]
    """Losses of the hypotheses at `coarse_px`; infinite if the photograph shows no object."""

    @property
    def distinctness(self) -> float:
        """Loss of the best pose over that of the next best: low where one is clearly best, 1 if there is no other."""
        return float(self.losses[0] / self.losses[1]) if len(self.losses) > 1 else 1.0

    @property
    def arbitrary_loss(self) -> float:
        """Loss at an arbitrary pose: the median over all hypotheses."""
        return float(self.hypothesis_losses.quantile(0.5))


def search_pose(
    gaussians: Gaussians,
    image: Float[Tensor, "height width 3"],
    mask: Float[Tensor, "height width"],
    K: Float[Tensor, "3 3"],
    *,
    distance: float = NORMAL_DISTANCE,
    settings: SearchSettings = THOROUGH_SEARCH,
) -> SearchResult:
    """Search the pose of one photograph on a splat of the object that it shows; no pose is needed to start from.

    Args:
        gaussians: in a normalised world: object near the origin, +y up.
        image: sRGB, 0 to 1, not multiplied by the mask.
        mask: coverage of the object, 0 to 1.
        K: intrinsics, pixels of the image.
        distance: of a typical camera from the object's centre, world units; the search starts there.
        settings: thoroughness of the search.

    Returns:
        Candidate poses, best first; none if the mask is empty.
    """
    start = Cameras(torch.eye(4).to(image)[None], K[None], mask.shape[1], mask.shape[0])
    observer().on_search_begin(0, _kind(settings), start)
    valid = torch.ones_like(mask)
    coarse, fine = (make_target(image, mask, valid, K, px) for px in (settings.coarse_px, settings.fine_px))
    return _search(gaussians, coarse, fine, distance, settings)


def search_view(
    gaussians: Gaussians,
    views: Views,
    view: int,
    distance: float,
    settings: SearchSettings = THOROUGH_SEARCH,
    *,
    extra: Float[Tensor, "extra 4 4"] | None = None,
) -> SearchResult:
    """Search the pose of one of several views.

    Args:
        gaussians: a splat that was made without that view.
        views: the photographs and their intrinsics; poses are only passed to the observer, and trust does not matter.
        view: index of the view.
        distance: of a typical camera from the object's centre, world units; the search starts there.
        settings: thoroughness of the search.
        extra: poses that are refined along with the shortlist, such as the given one.
    """
    observer().on_search_begin(view, _kind(settings), views.cameras)
    coarse, fine = (target_of(views, view, px) for px in (settings.coarse_px, settings.fine_px))
    return _search(gaussians, coarse, fine, distance, settings, extra)


def _kind(settings: SearchSettings) -> SearchKind:
    return "thorough" if settings.fine_steps > 0 else "quick"


def _search(
    gaussians: Gaussians,
    coarse: Target,
    fine: Target,
    distance: float,
    settings: SearchSettings,
    extra: Float[Tensor, "extra 4 4"] | None = None,
) -> SearchResult:
    """Search the pose of the photograph of two targets, which are of `coarse_px` and `fine_px`."""
    small = proxy(gaussians, settings.proxy_gaussians)
    poses = all_orientations(settings.spacing_deg, settings.max_roll_deg).poses(distance, small.visible_center)
    if coarse.area == 0:
        nothing = poses.new_zeros(0)
        observer().on_search_end(poses[:0], nothing)
        return SearchResult(poses[:0], nothing, poses, poses.new_full((len(poses),), torch.inf))
    poses = place_by_silhouette(poses, small, coarse)
    losses = pose_losses(small, coarse, poses, settings.mask_weight)
    observer().on_hypotheses(poses, losses)
    chosen = poses[select_diverse(poses, losses, settings.shortlist, settings.min_apart_deg)]
    if extra is not None:
        chosen = torch.cat([chosen, extra.to(chosen)])
    chosen, chosen_losses = refine_poses(small, coarse, chosen, settings, fine=False)
    best = chosen[select_diverse(chosen, chosen_losses, settings.finalists, settings.finalists_apart_deg)]
    best, best_losses = refine_poses(proxy(gaussians, settings.fine_gaussians), fine, best, settings, fine=True)
    order = select_diverse(best, best_losses, len(best), settings.finalists_apart_deg)
    observer().on_search_end(best[order], best_losses[order])
    return SearchResult(best[order], best_losses[order], poses, losses)


def refine_poses(
    gaussians: Gaussians, target: Target, poses: Float[Tensor, "poses 4 4"], settings: SearchSettings, *, fine: bool
) -> tuple[Float[Tensor, "poses 4 4"], Float[Tensor, " poses"]]:
    """Poses after gradient descent on a fixed splat, and their losses.

    Each pose has an Adam optimiser of its own, whose second moment is the mean over the six numbers of its tangent
    (optimization/pose_adam.py explains why).

    Args:
        gaussians: the splat, plain RGB colours.
        target: the photograph.
        poses: `T_camera_world` to start from.
        settings: steps and step sizes.
        fine: whether those of the finalists apply, or those of the shortlist.
    """
    steps, lr = (settings.fine_steps, settings.fine_lr) if fine else (settings.coarse_steps, settings.coarse_lr)
    tangents = poses.new_zeros(len(poses), 6)
    mean, square = torch.zeros_like(tangents), poses.new_zeros(len(poses), 1)
    for step in range(steps):
        moving = tangents.requires_grad_()
        with torch.enable_grad():
            # On the right of the pose, a tangent moves the world before the camera looks at it: its rotation orbits
            # the object, which keeps it in the image.
            losses = pose_losses(gaussians, target, poses @ se3.exp(moving), settings.mask_weight)
            (gradient,) = torch.autograd.grad(losses.sum(), moving)
        mean = torch.lerp(gradient, mean, 0.9)
        square = torch.lerp(gradient.square().mean(1, keepdim=True), square, 0.99)
        root = (square / (1 - 0.99 ** (step + 1))).sqrt()
        rate = lr * settings.lr_decay ** (step / steps)
        tangents = (tangents - rate * (mean / (1 - 0.9 ** (step + 1))) / (root + 1e-15)).detach()
    with torch.no_grad():
        final = poses @ se3.exp(tangents)
        return final, pose_losses(gaussians, target, final, settings.mask_weight)
