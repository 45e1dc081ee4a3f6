"""The joint optimisation without nerfstudio: views in, Gaussians and refined cameras out.

Frame: the normalised world (origin where the optical axes meet, mean camera distance 1.85, +y up).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from sparseags_ns.geometry import se3
from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.model.joint import (
    Run,
    TargetPyramid,
    activate,
    begin_step,
    densify,
    make_strategy,
    seed_params,
    step_losses,
)
from sparseags_ns.model.pose_adam import PoseAdam
from sparseags_ns.model.settings import Preset
from sparseags_ns.rasterizer.threads import torch_on_one_thread
from sparseags_ns.rasterizer.types import Gaussians
from sparseags_ns.views import Views


@dataclass(frozen=True)
class Reconstruction:
    """What came out, detached from the graph."""

    gaussians: Gaussians
    cameras: Cameras
    """All views, trusted or not, at their refined poses in the world of the input views."""
    sh_degree: int
    """Bands that the Gaussians' colours hold."""
    seconds: float
    """Wall time."""


def reconstruct(
    views: Views,
    preset: Preset,
    *,
    steps: int | None = None,
    refine_poses: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> Reconstruction:
    """Optimise a splat, and with `refine_poses` the cameras of the trusted views, as `ns-train` does.

    Args:
        views: float32, in the normalised world.
        preset: the recipe.
        steps: length of the run; the preset's if None.
        refine_poses: False keeps the given poses.
        progress: called with steps done and their number.
    """
    with torch_on_one_thread():
        return _reconstruct(views, preset, steps, refine_poses, progress)


def _reconstruct(
    views: Views,
    preset: Preset,
    steps: int | None,
    refine_poses: bool,
    progress: Callable[[int, int], None] | None,
) -> Reconstruction:
    started = time.monotonic()
    run = Run(preset.settings, preset.steps if steps is None else steps)
    params, targets = seed_params(preset.settings, views), TargetPyramid(views)
    tangents = nn.Parameter(torch.zeros(len(views), 6).to(views.images), requires_grad=refine_poses)
    optimizers = make_optimizers(preset, params, tangents)
    strategy = make_strategy(preset.settings)
    state = strategy.initialize_state(scene_scale=1.0)
    for step in range(run.num_steps):
        begin_step(step, run, params, optimizers, preset.learning_rates["means"])
        cameras = _moved(views.cameras, tangents)
        losses, raster = step_losses(step, run, params, cameras, views.trusted, targets)
        if preset.settings.densify:
            strategy.step_pre_backward(params, optimizers, state, step, raster.info)
        for optimizer in optimizers.values():
            optimizer.zero_grad()
        torch.stack(list(losses.values())).sum().backward()
        for optimizer in optimizers.values():
            optimizer.step()
        densify(step, run, params, optimizers, strategy, state, raster.info)
        if progress is not None:
            progress(step + 1, run.num_steps)
    with torch.no_grad():
        cameras = _moved(views.cameras, tangents)
        gaussians = activate({name: value.detach() for name, value in params.items()})
    return Reconstruction(
        gaussians=gaussians,
        cameras=cameras,
        sh_degree=preset.settings.sh_degree,
        seconds=time.monotonic() - started,
    )


def _moved(cameras: Cameras, tangents: nn.Parameter) -> Cameras:
    return cameras.with_poses(cameras.T_camera_world @ se3.exp(tangents))


def make_optimizers(
    preset: Preset, params: nn.ParameterDict, tangents: nn.Parameter
) -> dict[str, torch.optim.Optimizer]:
    """One optimizer for each group, as gsplat's densification expects; the tangents' is `camera_opt`."""
    optimizers: dict[str, torch.optim.Optimizer] = {
        name: torch.optim.Adam([value], lr=preset.learning_rates[name], betas=preset.betas, eps=1e-15)
        for name, value in params.items()
    }
    if preset.pose_optimizer == "pose_adam":
        optimizers["camera_opt"] = PoseAdam([tangents])
    else:
        optimizers["camera_opt"] = torch.optim.Adam([tangents], betas=preset.betas, eps=1e-15)
    return optimizers
