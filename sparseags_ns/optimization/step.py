"""What every step of the joint optimisation does, whoever owns parameters and optimizers.

nerfstudio's trainer and `reconstruct` (benchmarks, short reconstructions) call the same functions. Parameters are
splatfacto's: `means`, `scales` (logarithms), `quats`, `features_dc`, `features_rest` (spherical harmonics), `opacities`
(logits). Everything is a pure function of the step, so that a resumed run repeats an unbroken one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from gsplat.strategy import DefaultStrategy
from jaxtyping import Bool, Float
from torch import Tensor, nn

from sparseags_ns.geometry.alignment import AlignmentError, centering_similarity
from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.optimization import schedule, seeding
from sparseags_ns.optimization.corrections import CameraCorrections
from sparseags_ns.optimization.densify import split_all
from sparseags_ns.optimization.losses import Targets, make_targets
from sparseags_ns.optimization.objective import LossWeights, joint_loss, random_backgrounds
from sparseags_ns.optimization.pose_adam import PoseAdam
from sparseags_ns.optimization.reconstruction import Reconstruction
from sparseags_ns.optimization.settings import JointSettings
from sparseags_ns.rasterizer.types import Gaussians, Raster
from sparseags_ns.views import Views

SH_C0 = 0.28209479177387814
"""Value of the constant spherical harmonic, 1 / (2 sqrt(pi))."""

GRAY = {"white": 1.0, "black": 0.0}


@dataclass(frozen=True)
class Run:
    """Settings and length of one optimisation."""

    settings: JointSettings
    num_steps: int

    def moment(self, step: int) -> schedule.Moment:
        """Where a step lies in the schedule."""
        return schedule.moment_of(step, self.settings.stages, self.num_steps)

    def sh_degree(self, step: int) -> int:
        """Degree of the spherical harmonics that a step renders with."""
        settings = self.settings
        return min(self.moment(step).stage.sh_degree, step // settings.sh_degree_interval, settings.sh_degree)


class TargetPyramid:
    """The photographs at every size that a stage asks for, computed once each."""

    def __init__(self, views: Views) -> None:
        self._views = views
        self._targets: dict[int | None, Targets] = {}

    def at(self, pixels: int | None) -> Targets:
        """Targets of all views whose longer side has this many pixels; None: full size."""
        if pixels not in self._targets:
            self._targets[pixels] = make_targets(self._views, pixels)
        return self._targets[pixels]


def seed_params(
    settings: JointSettings, views: Views, say: Callable[[str, str], None] | None = None
) -> nn.ParameterDict:
    """The first Gaussians of a scene.

    Args:
        say: told where they start from and why, if that was chosen automatically.
    """
    generator = torch.Generator().manual_seed(settings.seed)
    seeds = seeding.place_seeds(
        settings.seeding,
        views,
        settings.num_gaussians,
        ball_radius=settings.ball_radius,
        slack_px=settings.hull_slack_px,
        spread=settings.seed_scale,
        generator=generator,
    )
    if say is not None and settings.seeding == "auto":
        say(f"Gaussians start from: {seeds.origin}", seeds.why)
    means, colors = seeds.means, seeds.colors
    count, bases = len(means), (settings.sh_degree + 1) ** 2
    values = {
        "means": means,
        "scales": torch.full((count, 3), settings.seed_scale).log(),
        "quats": nn.functional.normalize(torch.randn(count, 4, generator=generator), dim=-1),
        "features_dc": (colors - 0.5) / SH_C0,
        "features_rest": torch.zeros(count, bases - 1, 3),
        "opacities": torch.full((count, 1), settings.seed_opacity).logit(),
    }
    return nn.ParameterDict({name: nn.Parameter(value.to(views.images)) for name, value in values.items()})


def activate(params: Mapping[str, Tensor] | nn.ParameterDict) -> Gaussians:
    """The parameters as Gaussians that can be rendered; gradients flow."""
    return Gaussians(
        means=params["means"],
        quats=params["quats"],
        scales=params["scales"].exp(),
        opacities=params["opacities"].sigmoid().squeeze(-1),
        colors=torch.cat([params["features_dc"][:, None], params["features_rest"]], dim=1),
    )


def deactivate(gaussians: Gaussians, num_bases: int) -> nn.ParameterDict:
    """The parameters of Gaussians that can be rendered; the inverse of `activate` but for all colour bands above the
    first, which are zero."""
    base = gaussians.colors if gaussians.colors.ndim == 2 else SH_C0 * gaussians.colors[:, 0] + 0.5
    values = {
        "means": gaussians.means,
        "scales": gaussians.scales.log(),
        "quats": gaussians.quats,
        "features_dc": (base - 0.5) / SH_C0,
        "features_rest": base.new_zeros(len(base), num_bases - 1, 3),
        "opacities": gaussians.opacities.clamp(1e-4, 1 - 1e-4).logit()[:, None],
    }
    return nn.ParameterDict({name: nn.Parameter(value.detach().clone()) for name, value in values.items()})


def restart(
    start: Reconstruction,
    params: nn.ParameterDict,
    corrections: CameraCorrections,
    optimizers: dict[str, torch.optim.Optimizer],
) -> None:
    """Go on from other Gaussians and cameras: parameters are replaced in place, optimizers forget their moments."""
    fresh = deactivate(start.gaussians, params["features_rest"].shape[1] + 1)
    for name, value in fresh.items():
        params[name] = nn.Parameter(value.detach().to(params[name]))
        optimizers[name].param_groups[0]["params"] = [params[name]]
    for optimizer in optimizers.values():
        optimizer.state.clear()
    corrections.start_from(start.cameras)


def begin_step(
    step: int,
    run: Run,
    params: nn.ParameterDict,
    corrections: CameraCorrections,
    trusted: Bool[Tensor, " views"],
    optimizers: dict[str, torch.optim.Optimizer],
    means_lr: float,
) -> None:
    """Where a stage begins, make the world normal again and split; set the learning rates that follow the schedule.

    Args:
        params: Gaussians; replaced in place by a split.
        optimizers: one for each entry of `params`, and `camera_opt` and `focal_opt`.
        means_lr: learning rate of the means before the schedule.
    """
    settings, moment = run.settings, run.moment(step)
    if moment.begins and step > 0:
        keep_smoothing(params, corrections.cameras(), run.moment(step - 1).stage)
        renormalize(params, corrections, trusted)
    if moment.begins and moment.stage.split:
        generator = torch.Generator().manual_seed(settings.seed + step)
        split_all(params, optimizers, min_opacity=settings.split_min_opacity, generator=generator)
    decay = schedule.exponential(1.0, settings.means_lr_decay, moment.run_ratio)
    _set_lr(optimizers["means"], means_lr * decay)
    _set_lr(optimizers["camera_opt"], schedule.pose_lr(moment))
    if isinstance(optimizers["camera_opt"], PoseAdam):
        optimizers["camera_opt"].param_groups[0]["precondition"] = moment.stage.precondition_poses
    _set_lr(optimizers["focal_opt"], moment.stage.focal_lr)


def smoothed(
    scales: Float[Tensor, "gaussians 3"], cameras: Cameras, stage: schedule.Stage
) -> Float[Tensor, "gaussians 3"]:
    """Standard deviations of Gaussians blurred in space by the stage's `smoothing_px` (Yu et al. 2024, eq. 9, without
    the change of opacity).

    A blur on the screen does the same for the views' reach, but is as wide for what is far as for what is near, which
    looks like weaker perspective and shortens refined focal lengths (rasterizer/constants.py).

    Args:
        cameras: a pixel's size is taken where their distance to the world's origin is, on average.
    """
    if stage.smoothing_px == 0:
        return scales
    longer_side = max(cameras.width, cameras.height)
    focal_px = cameras.K[:, 0, 0].detach() * min((stage.pixels or longer_side) / longer_side, 1.0)
    pixel = (cameras.centers.detach().norm(dim=-1) / focal_px).mean()
    return (scales.square() + (stage.smoothing_px * pixel).square()).sqrt()


@torch.no_grad()
def keep_smoothing(params: nn.ParameterDict | Mapping[str, Tensor], cameras: Cameras, stage: schedule.Stage) -> None:
    """Make a finished stage's blur part of the Gaussians."""
    params["scales"].data.copy_(smoothed(params["scales"].exp(), cameras, stage).log())


@torch.no_grad()
def renormalize(
    params: nn.ParameterDict | Mapping[str, Tensor], corrections: CameraCorrections, trusted: Bool[Tensor, " views"]
) -> None:
    """Put the origin where the trusted views' optical axes meet, and their mean distance to 1.85; no picture changes.

    No loss holds the world where it is: it drifts and shrinks by several percent while the poses are found, and the
    prior depends on its scale. Holding the cameras' common motion instead was measured and is worse: the cameras find
    the ball of the first Gaussians sooner than the ball finds the object. The axes of the world stay (colours that
    depend on the direction of view would have to turn with them).
    """
    cameras = corrections.cameras()
    try:
        similarity = centering_similarity(cameras.T_camera_world[trusted])
    except AlignmentError:
        return  # Views from one direction: nothing says where the origin belongs.
    params["means"].data.copy_(similarity.apply_to_points(params["means"]))
    params["scales"].data.add_(similarity.scale.log().to(params["scales"]))
    corrections.start_from(cameras.with_poses(similarity.apply_to_poses(cameras.T_camera_world)))


def step_losses(
    step: int, run: Run, params: nn.ParameterDict, cameras: Cameras, trusted: Tensor, targets: TargetPyramid
) -> tuple[dict[str, Float[Tensor, ""]], Raster]:
    """Losses of one step over all trusted views, and the renders."""
    settings, moment = run.settings, run.moment(step)
    index = trusted.nonzero().flatten()
    ramp = moment.run_ratio if settings.ramp_losses else 1.0
    weights = loss_weights(settings, ramp)
    gaussians = activate(params)
    return joint_loss(
        replace(gaussians, scales=smoothed(gaussians.scales, cameras, moment.stage)),
        cameras[index],
        targets.at(moment.stage.pixels)[index],
        backgrounds(settings, len(index), step).to(params["means"]),
        weights,
        sh_degree=run.sh_degree(step),
        absgrad=settings.use_absgrad and settings.densify,
    )


def loss_weights(settings: JointSettings, ramp: float = 1.0) -> LossWeights:
    """The settings' weights; `ramp` multiplies those of the photographs."""
    return LossWeights(
        rgb=settings.rgb_weight * ramp,
        alpha=settings.alpha_weight * ramp,
        unknown_alpha=settings.unknown_alpha_weight,
        opacity=settings.opacity_weight,
        oversize=settings.oversize_weight,
        oversize_limit=settings.oversize_limit,
        needle=settings.needle_weight,
        needle_limit=settings.needle_limit,
    )


def make_strategy(settings: JointSettings) -> DefaultStrategy:
    """gsplat's densification by gradients, for the presets that use it."""
    return DefaultStrategy(
        prune_opa=settings.cull_alpha_thresh,
        grow_grad2d=settings.densify_grad_thresh,
        refine_start_iter=settings.warmup_length,
        # METHOD has no opacity reset. The strategy resets (and prunes by size) at multiples of this.
        reset_every=10**9,
        refine_every=settings.refine_every,
        absgrad=settings.use_absgrad,
    )


def densify(
    step: int,
    run: Run,
    params: nn.ParameterDict,
    optimizers: dict[str, torch.optim.Optimizer],
    strategy: DefaultStrategy,
    state: dict[str, Any],
    info: dict[str, Any],
) -> None:
    """Let gsplat's rule act after a step, for the presets that densify; `info` is the step's render's."""
    # METHOD has no opacity reset; gsplat's rule resets at multiples of `reset_every`, 0 included.
    if not run.settings.densify or step == 0:
        return
    # gsplat samples from torch's global generator: seeded here, so that a resumed run is the same.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(run.settings.seed + step)
        strategy.step_post_backward(params, optimizers, state, step, info)


def backgrounds(settings: JointSettings, count: int, step: int) -> Float[Tensor, "views 3"]:
    """The colours behind the views of a step."""
    if settings.background_color == "random":
        return random_backgrounds(count, settings.seed, step)
    return torch.full((count, 3), GRAY[settings.background_color])


def _set_lr(optimizer: torch.optim.Optimizer, lr: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = lr
