"""One step of the joint optimisation, whoever owns parameters and optimizers.

nerfstudio's trainer and `reconstruct` call the same functions. Parameters are those of optimization/parameters.py.
Everything is a pure function of the step, so that a resumed run repeats an uninterrupted one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from sparseags_ns.geometry.alignment import AlignmentError, centering_similarity
from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.optimization.corrections import CameraCorrections
from sparseags_ns.optimization.losses import TargetPyramid, backgrounds, joint_loss
from sparseags_ns.optimization.parameters import activate, split_all
from sparseags_ns.optimization.pose_adam import PoseAdam
from sparseags_ns.optimization.schedule import Run, exponential
from sparseags_ns.optimization.settings import JointSettings, Stage
from sparseags_ns.rasterizer.types import Raster

SCENE_EXTENT = 4.0
"""Extent of the scene for gsplat's densification, world units (paper): Gaussians of more than a hundredth of it are
split, smaller ones are duplicated."""


def begin_step(
    step: int,
    run: Run,
    params: nn.ParameterDict,
    corrections: CameraCorrections,
    trusted: Bool[Tensor, " views"],
    optimizers: dict[str, torch.optim.Optimizer],
    means_lr: float,
) -> None:
    """Renormalise the world and split the Gaussians where a stage begins; set the scheduled learning rates.

    Args:
        step: number of the step, from 0.
        params: Gaussians; entries are replaced by a split.
        corrections: cameras of all views; changed in place.
        optimizers: one for each entry of `params`, `camera_opt` and `focal_opt`.
        means_lr: learning rate of the means before the schedule.
    """
    settings, moment = run.settings, run.moment(step)
    if moment.begins and step > 0:
        keep_smoothing(params, corrections.cameras(), run.moment(step - 1).stage)
        renormalize(params, corrections, trusted)
    if moment.begins and moment.stage.split:
        generator = torch.Generator().manual_seed(settings.seed + step)
        split_all(params, optimizers, min_opacity=settings.split_min_opacity, generator=generator)
    decay = exponential(1.0, settings.means_lr_decay, moment.run_ratio)
    rates = {"means": means_lr * decay, "camera_opt": moment.pose_lr, "focal_opt": moment.stage.focal_lr}
    for name, lr in rates.items():
        for group in optimizers[name].param_groups:
            group["lr"] = lr
    if isinstance(optimizers["camera_opt"], PoseAdam):
        optimizers["camera_opt"].param_groups[0]["precondition"] = moment.stage.precondition_poses


def step_losses(
    step: int, run: Run, params: nn.ParameterDict, cameras: Cameras, trusted: Tensor, targets: TargetPyramid
) -> tuple[dict[str, Float[Tensor, ""]], Raster]:
    """Losses of one step (counted from 0) over all trusted views, and the renders they come from.

    `cameras` and `targets` are of all views, the cameras at the photographs' working size. Differentiable in `params`
    and `cameras`.
    """
    settings, moment = run.settings, run.moment(step)
    index = trusted.nonzero().flatten()
    gaussians = activate(params)
    return joint_loss(
        replace(gaussians, scales=smoothed(gaussians.scales, cameras, moment.stage)),
        cameras[index],
        targets.at(moment.stage.pixels)[index],
        backgrounds(settings, len(index), step).to(params["means"]),
        settings,
        ramp=moment.run_ratio if settings.ramp_losses else 1.0,
        sh_degree=run.sh_degree(step),
        absgrad=settings.use_absgrad and settings.densify,
    )


def smoothed(scales: Float[Tensor, "gaussians 3"], cameras: Cameras, stage: Stage) -> Float[Tensor, "gaussians 3"]:
    """Standard deviations of Gaussians blurred in space by the stage's `smoothing_px`.

    Yu et al. 2024, equation 9, without the change of opacity.
    """
    if stage.smoothing_px == 0:
        return scales
    longer_side = max(cameras.width, cameras.height)
    focal_px = cameras.K[:, 0, 0].detach() * min((stage.pixels or longer_side) / longer_side, 1.0)
    # A pixel of a camera at distance d from the object, with focal length f in pixels, is d / f world units wide there.
    # Convolving a Gaussian of variance s^2 with an isotropic one of variance b^2 gives variance s^2 + b^2 along each of
    # its axes. A blur on the screen would attract views as well, but is as wide for what is far as for what is near,
    # which looks like weaker perspective and shortens refined focal lengths (rasterizer/constants.py).
    pixel = (cameras.centers.detach().norm(dim=-1) / focal_px).mean()
    return (scales.square() + (stage.smoothing_px * pixel).square()).sqrt()


@torch.no_grad()
def keep_smoothing(params: nn.ParameterDict | Mapping[str, Tensor], cameras: Cameras, stage: Stage) -> None:
    """Make the blur of a finished stage part of the Gaussians."""
    params["scales"].data.copy_(smoothed(params["scales"].exp(), cameras, stage).log())


@torch.no_grad()
def renormalize(
    params: nn.ParameterDict | Mapping[str, Tensor], corrections: CameraCorrections, trusted: Bool[Tensor, " views"]
) -> None:
    """Move the origin to where the trusted views' optical axes meet and scale their mean distance to 1.85.

    No render changes: cameras and Gaussians move together. No loss fixes the world's origin and scale: it drifts and
    shrinks by several percent while the poses are found, and the prior depends on its scale. Fixing the cameras' common
    motion instead was measured and is worse: the cameras find the ball of the first Gaussians sooner than the ball
    finds the object. The axes of the world stay, because view-dependent colours would have to rotate with them.
    """
    cameras = corrections.cameras()
    try:
        similarity = centering_similarity(cameras.T_camera_world[trusted])
    except AlignmentError:
        return  # All views look from one direction, so that their axes do not determine an origin.
    # x' = s x + t maps the means; standard deviations scale by s, so that their logarithms grow by log s. The corrected
    # cameras become the new guess: tangents are defined about the origin, and the origin has moved.
    params["means"].data.copy_(similarity.apply_to_points(params["means"]))
    params["scales"].data.add_(similarity.scale.log().to(params["scales"]))
    corrections.start_from(cameras.with_poses(similarity.apply_to_poses(cameras.T_camera_world)))


class GradientDensification:
    """gsplat's densification by screen-space gradients (3D Gaussian splatting), for presets that ask for it.

    Without `JointSettings.densify` it does nothing and needs no gsplat.
    """

    def __init__(self, settings: JointSettings) -> None:
        self._seed, self._strategy = settings.seed, None
        self.state: dict[str, Any] = {"scene_scale": SCENE_EXTENT}
        """Running sums of the rule, which a checkpoint must hold."""
        if settings.densify:
            from gsplat.strategy import DefaultStrategy

            self._strategy = DefaultStrategy(
                prune_opa=settings.cull_alpha_thresh,
                grow_grad2d=settings.densify_grad_thresh,
                refine_start_iter=settings.warmup_length,
                # The paper resets no opacities. The rule resets (and prunes by size) at multiples of this.
                reset_every=10**9,
                refine_every=settings.refine_every,
                absgrad=settings.use_absgrad,
            )
            self.state = self._strategy.initialize_state(scene_scale=SCENE_EXTENT)

    def before_backward(
        self, step: int, params: nn.ParameterDict, optimizers: dict[str, torch.optim.Optimizer], info: dict[str, Any]
    ) -> None:
        """Keep the gradients of the projected means; `info` is the `Raster.info` of the step's render."""
        if self._strategy is not None:
            self._strategy.step_pre_backward(params, optimizers, self.state, step, info)

    def after_step(
        self, step: int, params: nn.ParameterDict, optimizers: dict[str, torch.optim.Optimizer], info: dict[str, Any]
    ) -> None:
        """Count the step's gradients; at its steps, let the rule duplicate, split and prune."""
        # 0 is a multiple of `reset_every` too, so the rule would reset all opacities after the first step.
        if self._strategy is None or step == 0:
            return
        # gsplat samples from torch's global generator: seeded here, so that a resumed run is the same.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self._seed + step)
            self._strategy.step_post_backward(params, optimizers, self.state, step, info)
