"""Joint optimisation without nerfstudio: views in, Gaussians and refined cameras out.

Frame: `world`, normalised (origin where the optical axes meet, mean camera distance 1.85, +y up). Lengths are in units
of that world.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from sparseags_ns.geometry import se3
from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.optimization.corrections import CameraCorrections, share_focal_length
from sparseags_ns.optimization.losses import TargetPyramid
from sparseags_ns.optimization.parameters import activate, deactivate
from sparseags_ns.optimization.pose_adam import PoseAdam
from sparseags_ns.optimization.schedule import Run, coarse_end
from sparseags_ns.optimization.seeding import seed_params
from sparseags_ns.optimization.settings import ADAM_EPS, FOCAL_BETAS, SPARSEAGS, Preset
from sparseags_ns.optimization.step import GradientDensification, begin_step, step_losses
from sparseags_ns.rasterizer.threads import torch_on_one_thread
from sparseags_ns.rasterizer.types import Gaussians
from sparseags_ns.views import Views


@dataclass(frozen=True)
class Reconstruction:
    """State of a scene: a splat, the cameras of all views and which views are trusted; detached from the graph."""

    gaussians: Gaussians
    cameras: Cameras
    """Cameras of all views; views that took no part in the optimisation keep the camera they had."""
    trusted: Bool[Tensor, " views"]
    """Views that take part in the optimisation."""

    @property
    def sh_degree(self) -> int:
        """Degree of the spherical harmonics that the Gaussians' colours hold; 0 for plain RGB."""
        colors = self.gaussians.colors
        return 0 if colors.ndim == 2 else math.isqrt(colors.shape[1]) - 1

    @property
    def camera_distance(self) -> float:
        """Mean distance of the trusted cameras from the object's visible centre."""
        centers = se3.inverse(self.cameras.T_camera_world)[self.trusted, :3, 3]
        return float((centers - self.gaussians.visible_center).norm(dim=-1).mean())

    def with_pose(self, view: int, T_camera_world: Float[Tensor, "4 4"]) -> Reconstruction:
        """A copy in which one camera has another pose."""
        poses = self.cameras.T_camera_world.clone()
        poses[view] = T_camera_world
        return replace(self, cameras=self.cameras.with_poses(poses))

    def with_trusted(self, trusted: Bool[Tensor, " views"]) -> Reconstruction:
        """A copy in which these views are trusted."""
        return replace(self, trusted=trusted)


@torch_on_one_thread()
def reconstruct(
    views: Views,
    preset: Preset = SPARSEAGS,
    *,
    steps: int | None = None,
    refine_poses: bool = True,
    repair_poses: Callable[[Reconstruction], Reconstruction] | None = None,
    progress: Callable[[int, int], None] | None = None,
    targets: TargetPyramid | None = None,
) -> Reconstruction:
    """Optimise a splat and, with `refine_poses`, the cameras of the trusted views, as `ns-train` does.

    Args:
        views: float32, in the normalised world.
        preset: recipe.
        steps: length of the run; None is the preset's.
        refine_poses: False keeps the given poses and focal lengths.
        repair_poses: called once, between the coarse and the fine stages, with the state at that point; the run
            continues from the state it returns (outliers/pose_repair.py).
        progress: called after every step with the number of steps done and their total.
        targets: targets of these photographs, for callers that fit the same views many times; None makes them.
    """
    run = Run(preset.settings, preset.steps if steps is None else steps)
    views = share_focal_length(views, preset.settings) if refine_poses else views
    params, targets = seed_params(preset.settings, views), targets or TargetPyramid(views)
    corrections = CameraCorrections(
        views.cameras, preset.settings.refine_focal, refine_poses=refine_poses, pose_lr_scale=views.pose_lr_scale
    )
    optimizers = make_optimizers(preset, params, corrections)
    densification = GradientDensification(preset.settings)
    trusted, repair_at = views.trusted, coarse_end(run.settings.stages, run.num_steps)
    for step in range(run.num_steps):
        if repair_poses is not None and step == repair_at:
            repaired = repair_poses(_detached(params, corrections, trusted))
            restart(repaired, params, corrections, optimizers)
            trusted = repaired.trusted
        begin_step(step, run, params, corrections, trusted, optimizers, preset.learning_rates["means"])
        losses, raster = step_losses(step, run, params, corrections.cameras(), trusted, targets)
        densification.before_backward(step, params, optimizers, raster.info)
        for optimizer in optimizers.values():
            optimizer.zero_grad()
        torch.stack(list(losses.values())).sum().backward()
        for optimizer in optimizers.values():
            optimizer.step()
        densification.after_step(step, params, optimizers, raster.info)
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
    """An optimizer for each entry of `params`, `camera_opt` for the tangents and `focal_opt` for the focal factors.

    Each holds one tensor, because splits and gsplat's densification replace tensor and state together.
    """
    optimizers: dict[str, torch.optim.Optimizer] = {
        name: torch.optim.Adam([value], lr=preset.learning_rates[name], betas=preset.betas, eps=ADAM_EPS)
        for name, value in params.items()
    }
    optimizers["camera_opt"] = (
        PoseAdam([corrections.tangents])
        if preset.pose_optimizer == "pose_adam"
        else torch.optim.Adam([corrections.tangents], betas=preset.betas, eps=ADAM_EPS)
    )
    optimizers["focal_opt"] = torch.optim.Adam([corrections.log_focal], betas=FOCAL_BETAS, eps=ADAM_EPS)
    return optimizers


def restart(
    start: Reconstruction,
    params: nn.ParameterDict,
    corrections: CameraCorrections,
    optimizers: dict[str, torch.optim.Optimizer],
) -> None:
    """Continue from another state: replace parameters in place and clear the optimizers' moments."""
    for name, value in deactivate(start.gaussians, params["features_rest"].shape[1] + 1).items():
        params[name] = nn.Parameter(value.detach().to(params[name]))
        optimizers[name].param_groups[0]["params"] = [params[name]]
    for optimizer in optimizers.values():
        optimizer.state.clear()
    corrections.start_from(start.cameras)
