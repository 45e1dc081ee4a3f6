"""Finding the pose of one photograph on a splat of the others: many turns scored small, the best refined larger.

1. Every turn around the object, placed by its silhouette, is scored at `coarse_px` on a proxy of the splat.
2. A shortlist of poses well apart is refined there by gradient descent.
3. The finalists, again apart, are refined and ranked at `fine_px`, by colour and by structure.

Frames: `world`, normalised (object near the origin, +y up); `camera`, OpenCV axes. Units: world units; degrees where a
name ends in `_deg`; pixels. Losses are mean squared errors over the mask's share of the picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.geometry import se3
from sparseags_ns.geometry.alignment import NORMAL_DISTANCE
from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.metrics.images import ssim
from sparseags_ns.optimization.observer import observer
from sparseags_ns.pose_search.hypotheses import Turns, all_turns, diverse, placed
from sparseags_ns.pose_search.proxy import proxy
from sparseags_ns.pose_search.target import target_of
from sparseags_ns.rasterizer import Target, rasterize, score_poses
from sparseags_ns.rasterizer.types import Gaussians
from sparseags_ns.views import Views

GRAY = 0.5
"""Behind photographs and renders: neither bright nor dark objects vanish on it."""


@dataclass(frozen=True)
class SearchSettings:
    """How thorough a search is."""

    spacing_deg: float = 18.0
    """Of neighbouring turns (authors: 15, without roll)."""
    max_roll_deg: float = 180.0
    """Cameras may be rolled by this; 180 searches upside down too (authors: 0)."""
    coarse_px: int = 32
    """Size at which all hypotheses are scored and the shortlist is refined."""
    fine_px: int = 64
    """Size at which the finalists are refined and ranked."""
    proxy_gaussians: int = 600
    """The coarse proxy has so many Gaussians at most."""
    fine_gaussians: int = 2500
    """The fine one."""
    shortlist: int = 40
    """Hypotheses that are refined (authors: all 5,000)."""
    min_apart_deg: float = 20.0
    """No two of the shortlist are turned by less against each other."""
    finalists: int = 10
    """Poses that are refined again at `fine_px`."""
    finalists_apart_deg: float = 8.0
    """No two of the finalists are turned by less against each other."""
    coarse_steps: int = 50
    """Gradient steps of the shortlist (authors: 128, 256, 256)."""
    fine_steps: int = 40
    """Gradient steps of the finalists."""
    coarse_lr: float = 2e-2
    """Step size of the shortlist, radians and world units (authors: 5e-3)."""
    fine_lr: float = 8e-3
    """Step size of the finalists (authors: 1e-3)."""
    lr_decay: float = 0.15
    """Factor by which a step size has fallen at the end."""
    mask_weight: float = 0.5
    """Of the squared error of alpha against that of the colour."""
    structure_weight: float = 0.0
    """Of (1 - SSIM) / 2 against the squared error when the finalists are ranked."""


@dataclass(frozen=True)
class SearchResult:
    """What a search found."""

    poses: Float[Tensor, "candidates 4 4"]
    """`T_camera_world` of the finalists, best first; none if the photograph shows no object."""
    losses: Float[Tensor, " candidates"]
    """Theirs, at `fine_px`."""
    turns: Turns
    """All hypotheses."""
    hypotheses: Float[Tensor, "hypotheses 4 4"]
    """All hypotheses as placed and scored."""
    hypothesis_losses: Float[Tensor, " hypotheses"]
    """Theirs, at `coarse_px`."""


def search(
    gaussians: Gaussians,
    views: Views,
    view: int,
    distance: float,
    settings: SearchSettings = SearchSettings(),
    *,
    extra: Float[Tensor, "extra 4 4"] | None = None,
) -> SearchResult:
    """Search the pose of one view.

    Args:
        gaussians: reconstructed without that view.
        views: the photographs and their intrinsics; poses are only shown to who watches, trust does not count.
        view: which of them.
        distance: of a typical camera from the object, where the placing starts.
        extra: poses that are refined along with the shortlist (the given one).
    """
    watching = observer()
    watching.on_search_begin(view, "thorough" if settings.fine_steps > 0 else "quick", views.cameras)
    coarse, fine = (target_of(views, view, px) for px in (settings.coarse_px, settings.fine_px))
    small = proxy(gaussians, settings.proxy_gaussians)
    turns = all_turns(settings.spacing_deg, settings.max_roll_deg)
    poses = turns.poses(distance, small.visible_center)
    if coarse.area == 0:
        nothing = poses.new_zeros(0)
        watching.on_search_end(poses[:0], nothing)
        return SearchResult(poses[:0], nothing, turns, poses, poses.new_full((len(poses),), torch.inf))
    poses = placed(poses, small, coarse.mask, coarse.valid, coarse.K)
    losses = pose_losses(small, coarse, poses, settings.mask_weight)
    watching.on_hypotheses(poses, losses)
    chosen = poses[diverse(poses, losses, settings.shortlist, settings.min_apart_deg)]
    if extra is not None:
        chosen = torch.cat([chosen, extra.to(chosen)])
    chosen, chosen_losses = refined(small, coarse, chosen, settings, fine=False)
    best = chosen[diverse(chosen, chosen_losses, settings.finalists, settings.finalists_apart_deg)]
    large = proxy(gaussians, settings.fine_gaussians)
    best, best_losses = refined(large, fine, best, settings, fine=True)
    if settings.structure_weight > 0:
        best_losses = best_losses + settings.structure_weight * _structure_errors(large, fine, best)
    order = diverse(best, best_losses, len(best), settings.finalists_apart_deg)
    watching.on_search_end(best[order], best_losses[order])
    return SearchResult(best[order], best_losses[order], turns, poses, losses)


def search_pose(
    gaussians: Gaussians,
    image: Float[Tensor, "height width 3"],
    mask: Float[Tensor, "height width"],
    K: Float[Tensor, "3 3"],
    *,
    distance: float = NORMAL_DISTANCE,
    settings: SearchSettings = SearchSettings(),
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
    height, width = mask.shape
    start = torch.eye(4).to(image)[None]
    start[:, 2, 3] = distance
    view = Views(
        names=("photograph",),
        paths=(Path(),),
        images=image[None],
        masks=mask[None],
        valid=torch.ones_like(mask)[None],
        cameras=Cameras(start, K[None], width, height),
        trusted=torch.zeros(1, dtype=torch.bool, device=image.device),
    )
    return search(gaussians, view, 0, distance, settings)


def pose_losses(
    gaussians: Gaussians,
    target: Target,
    poses: Float[Tensor, "hypotheses 4 4"],
    mask_weight: float,
    *,
    batch: int = 512,
) -> Float[Tensor, " hypotheses"]:
    """Loss of each pose; differentiable with respect to the poses."""
    losses = []
    for part in poses.split(batch):
        losses.append(
            score_poses(gaussians, target, part, background=target.mask.new_full((3,), GRAY), mask_weight=mask_weight)
        )
        observer().pause()
    return torch.cat(losses) / target.area


def refined(
    gaussians: Gaussians,
    target: Target,
    poses: Float[Tensor, "hypotheses 4 4"],
    settings: SearchSettings,
    *,
    fine: bool,
) -> tuple[Float[Tensor, "hypotheses 4 4"], Float[Tensor, " hypotheses"]]:
    """Poses after gradient descent, and their losses.

    Each hypothesis has an Adam of its own whose second moment is the mean over its six numbers (optimization/pose_adam.py says
    why). A tangent moves the world before the camera looks at it, so that a rotation orbits the object.
    """
    steps, lr = (settings.fine_steps, settings.fine_lr) if fine else (settings.coarse_steps, settings.coarse_lr)
    tangents = poses.new_zeros(len(poses), 6)
    mean, square = torch.zeros_like(tangents), poses.new_zeros(len(poses), 1)
    for step in range(steps):
        moving = tangents.requires_grad_()
        with torch.enable_grad():
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


def _structure_errors(
    gaussians: Gaussians, target: Target, poses: Float[Tensor, "candidates 4 4"]
) -> Float[Tensor, " candidates"]:
    """Structural dissimilarity of the renders from the photograph, over the mask's share."""
    height, width = target.mask.shape
    cameras = Cameras(poses, target.K.expand(len(poses), 3, 3), width, height)
    rendered = rasterize(gaussians, cameras, target.mask.new_full((3,), GRAY)).rgb
    shown = target.over(GRAY).expand_as(rendered)
    known = target.valid[..., None]
    return (1 - ssim(rendered * known, shown * known)) / 2 / target.area
