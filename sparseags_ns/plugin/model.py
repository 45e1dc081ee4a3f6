"""nerfstudio's model: splatfacto's Gaussians and the camera corrections, wired to the code of `optimization/`.

Frames: the normalised world (optimization/seeding.py); cameras OpenCV inside, nerfstudio's OpenGL at the border.
"""

from __future__ import annotations

from functools import cached_property, partial
from typing import Any

import torch
from nerfstudio.cameras.cameras import Cameras as NerfstudioCameras
from nerfstudio.data.scene_box import OrientedBox
from nerfstudio.engine.callbacks import TrainingCallback, TrainingCallbackAttributes, TrainingCallbackLocation
from nerfstudio.model_components import renderers
from nerfstudio.models.splatfacto import SplatfactoModel
from nerfstudio.utils.colors import get_color
from torch import Tensor, nn

from sparseags_ns.console import announce
from sparseags_ns.geometry.cameras import Cameras, opencv_from_opengl
from sparseags_ns.metrics.images import PerceptualError, perceptual_error, psnr, ssim
from sparseags_ns.optimization.corrections import share_focal_length
from sparseags_ns.optimization.losses import TargetPyramid, backgrounds
from sparseags_ns.optimization.parameters import activate
from sparseags_ns.optimization.prior import Prior, build_prior
from sparseags_ns.optimization.reconstruct import Reconstruction, restart
from sparseags_ns.optimization.schedule import Run
from sparseags_ns.optimization.seeding import seed_params
from sparseags_ns.optimization.step import GradientDensification, begin_step, step_losses
from sparseags_ns.plugin.camera_optimizer import CameraDeltas
from sparseags_ns.plugin.model_config import SparseAGSModelConfig
from sparseags_ns.rasterizer import rasterize
from sparseags_ns.rasterizer.types import Gaussians, Raster
from sparseags_ns.runs.history import is_due, phases_of, row_of_step
from sparseags_ns.runs.record import RunRecord
from sparseags_ns.views import Views


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
        self.record = RunRecord(self.views.names)
        self._set_length(1)
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
        if crop is None:
            return activate(self.gauss_params)
        return activate({name: value[crop] for name, value in self.gauss_params.items()})

    def cameras(self) -> Cameras:
        """Refined cameras of all views; differentiable in the corrections."""
        return self.camera_optimizer.corrections.cameras()

    def initial_cameras(self) -> Cameras:
        """Initial cameras of all views, as pose initialisation gave them."""
        template = self.views.cameras
        return Cameras(self.T_camera_initial, self.K_initial, template.width, template.height)

    def reconstruction(self) -> Reconstruction:
        """The present state of the optimisation, detached."""
        gaussians = activate({name: value.detach() for name, value in self.gauss_params.items()})
        return Reconstruction(gaussians, self.cameras().detach(), self.trusted.clone())

    def continue_from(self, fit: Reconstruction, optimizers: dict[str, torch.optim.Optimizer]) -> None:
        """Replace Gaussians, cameras and trust."""
        restart(fit, self.gauss_params, self.camera_optimizer.corrections, optimizers)
        self.trusted.copy_(fit.trusted)

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
        before = TrainingCallback(
            [TrainingCallbackLocation.BEFORE_TRAIN_ITERATION],
            partial(self.begin_step, optimizers.optimizers, means_lr),
        )
        after = TrainingCallback([TrainingCallbackLocation.AFTER_TRAIN_ITERATION], self.end_step)
        return [before, after]

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
        if is_due(step, self.run.num_steps):
            self._record_row(step, raster, cameras)
        if self.config.densify:
            self.densification.before_backward(step, self.gauss_params, self.optimizers, self.info)
        metrics: dict[str, Any] = {"gaussian_count": self.num_points, "stage": self.run.moment(step).index}
        self.camera_optimizer.get_metrics_dict(metrics)
        ratio = self.run.moment(step).run_ratio
        if self.prior is not None and self.prior.is_due(step, ratio):
            degree = self.run.sh_degree(step)
            losses["guidance"], diagnostics = self.prior.loss(
                self.gaussians(), cameras, self.trusted, ratio=ratio, step=step, sh_degree=degree
            )
            metrics |= diagnostics
        return losses, metrics

    def _record_row(self, step: int, raster: Raster, cameras: Cameras) -> None:
        background = backgrounds(self.config, int(self.trusted.sum()), step).to(self.device)
        targets, degree = self._targets.at(self.run.moment(step).stage.pixels), self.run.sh_degree(step)
        state = self.gaussians(), cameras, self.T_camera_initial, self.trusted, targets, degree
        self.record.rows.append(row_of_step(step, raster, background, *state))

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
        background = self._eval_background()
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

    def _eval_background(self) -> Tensor:
        override = renderers.BACKGROUND_COLOR_OVERRIDE
        return (self.background_color if override is None else override).to(self.device)

    def get_image_metrics_and_images(
        self, outputs: dict[str, Tensor], batch: dict[str, Any]
    ) -> tuple[dict[str, float], dict[str, Tensor]]:
        """PSNR, SSIM and perceptual error over the render's background, and an image of photograph beside render."""
        photograph = self.composite_with_background(self.get_gt_img(batch["image"]), outputs["background"])
        rendered = outputs["rgb"]
        pair = rendered[None], photograph[None]
        metrics = {
            "psnr": psnr(*pair).item(),
            "ssim": ssim(*pair).item(),
            self.perceptual.name: self.perceptual(*pair).item(),
        }
        return metrics, {"img": torch.cat([photograph, rendered], dim=1)}

    @cached_property
    def perceptual(self) -> PerceptualError:
        """The perceptual error, made at the first use; no submodule, so that its weights enter no checkpoint."""
        return perceptual_error(self.device)

    def _get_downscale_factor(self) -> int:
        return 1
