"""The joint optimisation without nerfstudio: views in, Gaussians and refined cameras out.

Frame: the normalised world (origin where the optical axes meet, mean camera distance 1.85, +y up).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from sparseags_ns.optimization.corrections import CameraCorrections
from sparseags_ns.optimization.pose_adam import PoseAdam
from sparseags_ns.optimization.reconstruction import Reconstruction
from sparseags_ns.optimization.schedule import coarse_end
from sparseags_ns.optimization.settings import Preset
from sparseags_ns.optimization.shared_intrinsics import share_focal_length
from sparseags_ns.optimization.step import (
    Run,
    TargetPyramid,
    activate,
    begin_step,
    densify,
    make_strategy,
    restart,
    seed_params,
    step_losses,
)
from sparseags_ns.rasterizer.threads import torch_on_one_thread
from sparseags_ns.views import Views

Settle = Callable[[Reconstruction], Reconstruction]
"""From where the coarse stages ended to where the run goes on."""


def reconstruct(
    views: Views,
    preset: Preset,
    *,
    steps: int | None = None,
    refine_poses: bool = True,
    repair_poses: Settle | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Reconstruction:
    """Optimise a splat, and with `refine_poses` the cameras of the trusted views, as `ns-train` does.

    Args:
        views: float32, in the normalised world.
        preset: the recipe.
        steps: length of the run; the preset's if None.
        refine_poses: False keeps the given poses.
        repair_poses: decides between the coarse stages and the others where the run goes on from (outliers/pose_repair.py).
        progress: called with steps done and their number.
    """
    with torch_on_one_thread():
        return _reconstruct(views, preset, steps, refine_poses, repair_poses, progress)


def _reconstruct(
    views: Views,
    preset: Preset,
    steps: int | None,
    refine_poses: bool,
    repair_poses: Settle | None,
    progress: Callable[[int, int], None] | None,
) -> Reconstruction:
    run = Run(preset.settings, preset.steps if steps is None else steps)
    views = share_focal_length(views, preset.settings) if refine_poses else views
    params, targets = seed_params(preset.settings, views), TargetPyramid(views)
    corrections = CameraCorrections(
        views.cameras, preset.settings.refine_focal, refine_poses=refine_poses, pose_lr_scale=views.pose_lr_scale
    )
    optimizers = make_optimizers(preset, params, corrections)
    strategy = make_strategy(preset.settings)
    state = strategy.initialize_state(scene_scale=1.0)
    trusted, settle_at = views.trusted, coarse_end(run.settings.stages, run.num_steps)
    for step in range(run.num_steps):
        if repair_poses is not None and step == settle_at:
            chosen = repair_poses(_detached(params, corrections, trusted))
            restart(chosen, params, corrections, optimizers)
            trusted = chosen.trusted
        begin_step(step, run, params, corrections, trusted, optimizers, preset.learning_rates["means"])
        losses, raster = step_losses(step, run, params, corrections.cameras(), trusted, targets)
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
    return _detached(params, corrections, trusted)


@torch.no_grad()
def _detached(params: nn.ParameterDict, corrections: CameraCorrections, trusted: Tensor) -> Reconstruction:
    gaussians = activate({name: value.detach() for name, value in params.items()})
    return Reconstruction(gaussians, corrections.cameras(), trusted)


def make_optimizers(
    preset: Preset, params: nn.ParameterDict, corrections: CameraCorrections
) -> dict[str, torch.optim.Optimizer]:
    """One for each group, as gsplat's densification expects; `camera_opt` for tangents, `focal_opt` for focals."""
    optimizers: dict[str, torch.optim.Optimizer] = {
        name: torch.optim.Adam([value], lr=preset.learning_rates[name], betas=preset.betas, eps=1e-15)
        for name, value in params.items()
    }
    if preset.pose_optimizer == "pose_adam":
        optimizers["camera_opt"] = PoseAdam([corrections.tangents])
    else:
        optimizers["camera_opt"] = torch.optim.Adam([corrections.tangents], betas=preset.betas, eps=1e-15)
    optimizers["focal_opt"] = torch.optim.Adam([corrections.log_focal], betas=(0.9, 0.99), eps=1e-15)
    return optimizers
