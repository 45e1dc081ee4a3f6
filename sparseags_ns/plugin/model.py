"""nerfstudio's model: splatfacto's Gaussians and the camera corrections, wired to the code of `optimization/`.

Frames: the normalised world (optimization/seeding.py); cameras OpenCV inside, nerfstudio's OpenGL at the border.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, Literal

import torch
from nerfstudio.cameras.camera_optimizers import CameraOptimizerConfig
from nerfstudio.cameras.cameras import Cameras as NerfstudioCameras
from nerfstudio.data.scene_box import OrientedBox
from nerfstudio.engine.callbacks import TrainingCallback, TrainingCallbackAttributes, TrainingCallbackLocation
from nerfstudio.model_components import renderers
from nerfstudio.models.splatfacto import SplatfactoModel, SplatfactoModelConfig
from nerfstudio.utils.colors import get_color
from torch import Tensor, nn
from tyro.conf import Suppress

from sparseags_ns.console import announce
from sparseags_ns.geometry.cameras import Cameras, opencv_from_opengl
from sparseags_ns.metrics.images import PerceptualError, perceptual_error, psnr, ssim
from sparseags_ns.optimization.corrections import share_focal_length
from sparseags_ns.optimization.losses import TargetPyramid, backgrounds
from sparseags_ns.optimization.parameters import activate
from sparseags_ns.optimization.prior import Prior, PriorSettings, build_prior
from sparseags_ns.optimization.reconstruct import Reconstruction, restart
from sparseags_ns.optimization.schedule import Run
from sparseags_ns.optimization.seeding import seed_params
from sparseags_ns.optimization.settings import JointSettings
from sparseags_ns.optimization.step import GradientDensification, begin_step, step_losses
from sparseags_ns.plugin.camera_optimizer import CameraDeltas, CameraDeltasConfig
from sparseags_ns.rasterizer import rasterize
from sparseags_ns.rasterizer.types import Gaussians
from sparseags_ns.runs.history import is_due, phases_of, row_of_step
from sparseags_ns.runs.opening import OpenedRun
from sparseags_ns.runs.record import RunRecord
from sparseags_ns.views import Views


@dataclass
class SparseAGSModelConfig(PriorSettings, JointSettings, SplatfactoModelConfig):
    """Settings of the joint optimisation of Gaussians and cameras, and of the diffusion prior."""

    _target: type = field(default_factory=lambda: SparseAGSModel)
    camera_optimizer: CameraOptimizerConfig = field(default_factory=CameraDeltasConfig)
    """Learnable pose corrections."""
    outlier_time_budget: float | None = None
    """Seconds that the outlier search may take, about; None for as long as it needs. They are turned into a number of
    reconstructions once, from the time that the run's coarse stages took."""

    # Fields of splatfacto that have no effect here are hidden from the command line.
    enable_collider: Suppress[bool] = False
    collider_params: Suppress[dict[str, float] | None] = None
    loss_coefficients: Suppress[dict[str, float]] = field(default_factory=dict)
    eval_num_rays_per_chunk: Suppress[int] = 4096
    prompt: Suppress[str | None] = None
    resolution_schedule: Suppress[int] = 0
    num_downscales: Suppress[int] = 0
    reset_alpha_every: Suppress[int] = 0
    n_split_samples: Suppress[int] = 2
    cull_screen_size: Suppress[float] = 0.0
    split_screen_size: Suppress[float] = 0.0
    stop_screen_size_at: Suppress[int] = 0
    random_init: Suppress[bool] = False
    num_random: Suppress[int] = 0
    random_scale: Suppress[float] = 0.0
    ssim_lambda: Suppress[float] = 0.0
    use_scale_regularization: Suppress[bool] = False
    max_gauss_ratio: Suppress[float] = 0.0
    output_depth_during_training: Suppress[bool] = False
    rasterize_mode: Suppress[Literal["classic", "antialiased"]] = "classic"
    use_bilateral_grid: Suppress[bool] = False
    grid_shape: Suppress[tuple[int, int, int]] = (16, 16, 8)
    color_corrected_metrics: Suppress[bool] = False


class SparseAGSModel(SplatfactoModel):
    """Gaussians and camera corrections of one scene.

    Learned are Gaussians and corrections. Buffers in every checkpoint are initial cameras and trust. The photographs
    come through `metadata["views"]` and stay out of the checkpoints.
    """

    config: SparseAGSModelConfig
    camera_optimizer: CameraDeltas
    T_camera_initial: Tensor
    K_initial: Tensor
    trusted: Tensor

    def populate_modules(self) -> None:
        """Make parameters and buffers. Splatfacto's own method downloads LPIPS and seeds on CUDA only."""
        self.step = 0
        self.steps_done = 0
        self.crop_box: OrientedBox | None = None
        self.background_color = get_color("white")
        given: Views = self.kwargs["metadata"]["views"]
        self.views = share_focal_length(given, self.config, say=announce)
        self.gauss_params = seed_params(self.config, self.views, say=announce)
        self.camera_optimizer = self.config.camera_optimizer.setup(
            num_cameras=len(self.views),
            device="cpu",
            cameras=given.cameras,
            refine_focal=self.config.refine_focal,
            pose_lr_scale=self.views.pose_lr_scale,
        )
        self.camera_optimizer.corrections.start_from(self.views.cameras)
        self.register_buffer("T_camera_initial", given.cameras.T_camera_world.clone())
        self.register_buffer("K_initial", given.cameras.K.clone())
        self.register_buffer("trusted", self.views.trusted.clone())
        self.densification = GradientDensification(self.config)
        self.record = RunRecord(self.views.names, pose_init=self.kwargs["metadata"]["pose_init"])
        self._set_length(1)  # The trainer sets the length of the run (`get_training_callbacks`).
        # Distance of the depth of empty pixels behind the farthest Gaussian, world units; the viewer sets it.
        self.room_behind = 0.0

    def _set_length(self, num_steps: int) -> None:
        """Make the schedule of a run of this length."""
        self.run = Run(self.config, num_steps)
        self.record.num_steps = num_steps
        self.record.phases = phases_of(self.config, num_steps, max(self.views.images.shape[1:3]))

    # --- state ---

    def get_extra_state(self) -> dict[str, Any]:
        """State of checkpoints besides parameters and buffers: densification statistics and the run's record."""
        strategy = {key: value for key, value in self.densification.state.items() if value is not None}
        return {"strategy": strategy, "record": self.record.to_json()}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Restore `get_extra_state`, also that of sparseags_ns 0.1.0, which has no `record`."""
        self.record = RunRecord.from_json(state.get("record", state), self.views.names)
        self._set_length(self.record.num_steps)
        for key, value in state["strategy"].items():
            self.densification.state[key] = value.to(self.device) if isinstance(value, Tensor) else value

    def load_state_dict(self, dict: dict[str, Any], strict: bool = True, **kwargs: Any) -> Any:  # type: ignore
        """Resize the Gaussians in place (the optimizers already hold these parameters), then load.

        Splatfacto makes new parameters here, which the optimizers of a resumed run would not know.
        """
        for name, param in self.gauss_params.items():
            param.data = torch.zeros(dict[f"gauss_params.{name}"].shape, device=self.device)
        return nn.Module.load_state_dict(self, dict, strict=strict, **kwargs)

    def gaussians(self, crop: Tensor | None = None) -> Gaussians:
        """The Gaussians, activated; only those in `crop` (indices or mask) if given."""
        params = self.gauss_params
        return activate(params if crop is None else {name: value[crop] for name, value in params.items()})

    def cameras(self) -> Cameras:
        """Refined cameras of all views; differentiable in the corrections."""
        return self.camera_optimizer.corrections.cameras()

    def initial_cameras(self) -> Cameras:
        """Initial cameras of all views, as pose initialisation gave them."""
        return replace(self.views.cameras, T_camera_world=self.T_camera_initial, K=self.K_initial)

    def reconstruction(self) -> Reconstruction:
        """The present state of the optimisation, detached."""
        gaussians = activate({name: value.detach() for name, value in self.gauss_params.items()})
        return Reconstruction(gaussians, self.cameras().detach(), self.trusted.clone())

    def continue_from(self, fit: Reconstruction, optimizers: dict[str, torch.optim.Optimizer]) -> None:
        """Replace Gaussians, cameras and trust."""
        restart(fit, self.gauss_params, self.camera_optimizer.corrections, optimizers)
        self.trusted.copy_(fit.trusted)

    def show(self, run: OpenedRun) -> None:
        """Take over what a run came to: its Gaussians, cameras, trust and record."""
        for name, value in run.parameters.items():
            self.gauss_params[name] = nn.Parameter(value.to(self.device))
        self.camera_optimizer.start_from(run.refined.to(self.device))
        self.T_camera_initial.copy_(run.initial.T_camera_world)
        self.K_initial.copy_(run.initial.K)
        self.trusted.copy_(run.trusted)
        self.run, self.record = Run(self.config, run.record.num_steps), run.record
        self.update_to_step(run.steps_done - 1)

    # --- training ---

    def get_training_callbacks(
        self, training_callback_attributes: TrainingCallbackAttributes
    ) -> list[TrainingCallback]:
        """Callbacks before each step (schedule, splits) and after it (densification, if the preset densifies).

        They are needed in training only, so the prior is loaded here, and an unusable one ends the program here.
        """
        trainer, optimizers = training_callback_attributes.trainer, training_callback_attributes.optimizers
        assert trainer is not None and optimizers is not None
        self._set_length(trainer.config.max_num_iterations)
        _ = self.prior
        means_lr = optimizers.config["means"]["optimizer"].lr
        begin = partial(self.begin_step, optimizers.optimizers, means_lr)
        return [
            TrainingCallback([TrainingCallbackLocation.BEFORE_TRAIN_ITERATION], begin),
            TrainingCallback([TrainingCallbackLocation.AFTER_TRAIN_ITERATION], self.end_step),
        ]

    def begin_step(self, optimizers: dict[str, torch.optim.Optimizer], means_lr: float, step: int) -> None:
        """Set learning rates by the schedule and split the Gaussians where a stage says so."""
        self.step, self.optimizers = step, optimizers
        corrections = self.camera_optimizer.corrections
        begin_step(step, self.run, self.gauss_params, corrections, self.trusted, optimizers, means_lr)

    @cached_property
    def _targets(self) -> TargetPyramid:
        return TargetPyramid(self.views.to(self.device))

    @cached_property
    def prior(self) -> Prior | None:
        """The diffusion prior, or None; loaded at the first use, which is training.

        It is no submodule, so that its networks enter no checkpoint.
        """
        return build_prior(self.config, self.views.to(self.device), self.device, self.config.seed)

    def joint_step(self, step: int) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Losses and metrics of one step over all trusted views."""
        cameras = self.cameras()
        losses, raster = step_losses(step, self.run, self.gauss_params, cameras, self.trusted, self._targets)
        self.info = raster.info
        moment, degree = self.run.moment(step), self.run.sh_degree(step)
        if is_due(step, self.run.num_steps):
            background = backgrounds(self.config, int(self.trusted.sum()), step).to(self.device)
            targets = self._targets.at(moment.stage.pixels)
            state = self.gaussians(), cameras, self.T_camera_initial, self.trusted, targets, degree
            self.record.rows.append(row_of_step(step, raster, background, *state))
        if self.config.densify:
            self.densification.before_backward(step, self.gauss_params, self.optimizers, self.info)
        metrics: dict[str, Any] = {"gaussian_count": self.num_points, "stage": moment.index}
        self.camera_optimizer.get_metrics_dict(metrics)
        if self.prior is not None and self.prior.is_due(step, moment.run_ratio):
            losses["guidance"], diagnostics = self.prior.loss(
                self.gaussians(), cameras, self.trusted, ratio=moment.run_ratio, step=step, sh_degree=degree
            )
            metrics |= diagnostics
        return losses, metrics

    def end_step(self, step: int) -> None:
        """Densify, if the preset does, and count the step as done."""
        self.densification.after_step(step, self.gauss_params, self.optimizers, self.info)
        self.steps_done = step + 1

    def update_to_step(self, step: int) -> None:
        """Continue counting after `step`, whose checkpoint was loaded."""
        self.step, self.steps_done = step, step + 1

    # --- rendering for the viewer and nerfstudio's commands ---

    def get_outputs(self, camera: NerfstudioCameras) -> dict[str, Any]:
        """Render a nerfstudio camera; returns rgb, depth, accumulation and background, as splatfacto does."""
        width, height = int(camera.width.item()), int(camera.height.item())
        override = renderers.BACKGROUND_COLOR_OVERRIDE
        background = (self.background_color if override is None else override).to(self.device)
        crop = None
        if self.crop_box is not None and not self.training:
            crop = self.crop_box.within(self.means).squeeze(-1)
            if not crop.any():
                return self.get_empty_outputs(width, height, background)
        pose = self.camera_optimizer.apply_to_camera(camera) if self.training else camera.camera_to_worlds
        ours = Cameras(opencv_from_opengl(pose), camera.get_intrinsics_matrices().to(self.device), width, height)
        raster = rasterize(self.gaussians(crop), ours, background, sh_degree=self.config.sh_degree, depth=True)
        assert raster.depth is not None
        alpha = raster.alpha[0, ..., None]
        depth = torch.where(alpha > 0, raster.depth[0, ..., None], raster.depth.detach().max() + self.room_behind)
        return {
            "rgb": raster.rgb[0].clamp(0, 1),
            "depth": depth,
            "accumulation": alpha,
            "background": background.expand(height, width, 3),
        }

    def get_image_metrics_and_images(
        self, outputs: dict[str, Tensor], batch: dict[str, Any]
    ) -> tuple[dict[str, float], dict[str, Tensor]]:
        """PSNR, SSIM and perceptual error over the render's background, and an image of photograph beside render."""
        photograph = self.composite_with_background(self.get_gt_img(batch["image"]), outputs["background"])
        pair = outputs["rgb"][None], photograph[None]
        metrics = {
            "psnr": psnr(*pair).item(),
            "ssim": ssim(*pair).item(),
            self.perceptual.name: self.perceptual(*pair).item(),
        }
        return metrics, {"img": torch.cat([photograph, outputs["rgb"]], dim=1)}

    @cached_property
    def perceptual(self) -> PerceptualError:
        """The perceptual error, made at the first use; no submodule, so that its weights enter no checkpoint."""
        return perceptual_error()

    def _get_downscale_factor(self) -> int:
        return 1
