"""Losses of poses against photographs: squared error of colour and alpha, over the share of the image that the object
covers, so that small and large objects compare.

Frames: `world`; `camera`, OpenCV axes. Photographs and renders are compared over a gray.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.optimization.observer import observer
from sparseags_ns.optimization.reconstruct import Reconstruction
from sparseags_ns.pose_search.proxy import proxy
from sparseags_ns.pose_search.target import target_of
from sparseags_ns.rasterizer import score_poses
from sparseags_ns.rasterizer.types import Gaussians, Target
from sparseags_ns.views import Views

GRAY = 0.5
"""Background of photographs and renders: neither a dark nor a bright object vanishes on it."""

_BATCH = 512
"""Poses scored in one call."""


def pose_losses(
    gaussians: Gaussians, target: Target, poses: Float[Tensor, "poses 4 4"], mask_weight: float
) -> Float[Tensor, " poses"]:
    """Loss of each pose (`T_camera_world`); differentiable with respect to the poses.

    Args:
        gaussians: plain RGB colours.
        target: the photograph; its area must not be 0.
        poses: hypotheses, any number.
        mask_weight: weight of the squared error of alpha relative to that of the colour.
    """
    losses = []
    for part in poses.split(_BATCH):
        losses.append(
            score_poses(gaussians, target, part, background=target.mask.new_full((3,), GRAY), mask_weight=mask_weight)
        )
        observer().pause()
    return torch.cat(losses) / target.area


def view_losses(fit: Reconstruction, views: Views, pixels: int, mask_weight: float = 0.5) -> Float[Tensor, " views"]:
    """Loss of every view at its pose in a reconstruction; infinite for views that show no object.

    Args:
        fit: splat and cameras; view-dependent colour is left out.
        views: the photographs.
        pixels: longer side at which they are compared.
        mask_weight: weight of the squared error of alpha relative to that of the colour.
    """
    gaussians, losses = proxy(fit.gaussians), []
    refined = replace(views, cameras=fit.cameras)  # The focal lengths too are those of the fit.
    for view in range(len(views)):
        target = target_of(refined, view, pixels)
        if target.area == 0:
            losses.append(fit.gaussians.means.new_tensor(torch.inf))
        else:
            pose = fit.cameras.T_camera_world[view : view + 1]
            losses.append(pose_losses(gaussians, target, pose, mask_weight)[0])
    return torch.stack(losses)
