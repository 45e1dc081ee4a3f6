"""nerfstudio config of the model: settings of optimisation and prior as flags, unused ones of splatfacto hidden."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from nerfstudio.cameras.camera_optimizers import CameraOptimizerConfig
from nerfstudio.models.splatfacto import SplatfactoModelConfig
from tyro.conf import Suppress

from sparseags_ns.optimization.prior import PriorSettings
from sparseags_ns.optimization.settings import JointSettings
from sparseags_ns.plugin.camera_optimizer import CameraDeltasConfig


def _model() -> type:
    from sparseags_ns.plugin.model import SparseAGSModel

    return SparseAGSModel


@dataclass
class SparseAGSModelConfig(PriorSettings, JointSettings, SplatfactoModelConfig):
    """Settings of the joint optimisation of Gaussians and cameras, and of the diffusion prior."""

    _target: type = field(default_factory=_model)
    camera_optimizer: CameraOptimizerConfig = field(default_factory=CameraDeltasConfig)
    """Learnable pose corrections."""

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
