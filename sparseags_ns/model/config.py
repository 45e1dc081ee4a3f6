"""Settings of the SparseAGS model.

Constants of the paper are those of the authors' released code; presets live in method_configs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from nerfstudio.cameras.camera_optimizers import CameraOptimizerConfig
from nerfstudio.models.splatfacto import SplatfactoModelConfig
from tyro.conf import Suppress

from sparseags_ns.model.camera_deltas import CameraDeltasConfig
from sparseags_ns.model.schedule import Stage

COARSE_TO_FINE = (
    Stage(share=0.12, pixels=16, pose_lr=5e-3, pose_lr_decay=0.5),
    Stage(share=0.12, pixels=32, pose_lr=5e-3, pose_lr_decay=0.5),
    Stage(share=0.20, pixels=64, pose_lr=5e-3, pose_lr_decay=0.4, split=True),
    Stage(share=0.22, pixels=128, pose_lr=2e-3, split=True),
    Stage(share=0.34, pixels=None, pose_lr=1e-3, split=True, sh_degree=2),
)
"""Few large Gaussians first, detail once the views agree (docs/method.md: why)."""

PAPER = (Stage(share=1.0, pixels=None, pose_lr=2.5e-4, pose_lr_decay=1.0, sh_degree=3),)
"""The authors' schedule: full resolution and all Gaussians from the first step."""


def _model() -> type:
    from sparseags_ns.model.sparseags import SparseAGSModel

    return SparseAGSModel


@dataclass
class SparseAGSModelConfig(SplatfactoModelConfig):
    """Joint optimisation of Gaussians and cameras."""

    _target: type = field(default_factory=_model)
    seed: int = 0
    """Seed of the first Gaussians, the backgrounds and the splits."""
    stages: tuple[Stage, ...] = COARSE_TO_FINE
    """The run's stages: resolution, pose learning rate, splits, colour bands."""
    camera_optimizer: CameraOptimizerConfig = field(default_factory=CameraDeltasConfig)
    """Learnable pose corrections."""

    seeding: Literal["hull", "ball"] = "ball"
    """Where the first Gaussians go: a ball (paper), or the visual hull of the masks. The hull of wrong poses bears them
    out, so it is for poses that are nearly right."""
    num_gaussians: int = 2000
    """How many Gaussians there are at the start (paper: 25,000)."""
    hull_slack_px: int = 8
    """The masks are grown by this before the hull is carved, since initial poses are rough."""
    ball_radius: float = 0.3
    """Radius of the ball, world units (paper: 0.3)."""
    seed_scale: float = 0.03
    """Standard deviation of the first Gaussians, world units."""
    seed_opacity: float = 0.27
    """Opacity of the first Gaussians."""
    split_min_opacity: float = 0.02
    """Fainter Gaussians are dropped when a stage splits the others."""

    rgb_weight: float = 20.0
    """Weight of the squared colour error (paper: 1e4, ramped)."""
    alpha_weight: float = 5.0
    """Weight of the squared alpha error (paper: 1e3, ramped)."""
    ramp_losses: bool = False
    """Multiply both by the share of the run done (paper: yes)."""
    opacity_weight: float = 1e-3
    """Weight of the mean opacity."""
    oversize_weight: float = 0.02
    """Weight of the excess of a Gaussian's size over `oversize_limit`."""
    oversize_limit: float = 0.06
    """Standard deviation from which a Gaussian counts as oversized, world units."""
    means_lr_decay: float = 0.3
    """Factor by which the learning rate of the means has fallen at the end (paper: 0.02, from 1e-3 to 2e-5)."""
    background_color: Literal["random", "black", "white"] = "random"
    """Colour behind photographs and renders: drawn for each view and step, or fixed (paper: white)."""

    sh_degree: int = 2
    """Highest degree of the spherical harmonics (paper: 3)."""
    sh_degree_interval: int = 1
    """A degree is added every so many steps, as far as the stage allows (paper: 100)."""

    densify: bool = False
    """Densify by gsplat's gradient rule besides the stages' splits (paper: yes)."""
    warmup_length: int = 99
    """First step after which gsplat's rule densifies (paper: 100)."""
    refine_every: int = 100
    """Steps between densifications (paper: 100)."""
    densify_grad_thresh: float = 0.01
    """Screen-space gradient that makes a Gaussian grow (paper: 0.01)."""
    cull_alpha_thresh: float = 0.01
    """Opacity below which gsplat's rule prunes (paper: 0.01)."""
    use_absgrad: bool = False
    """Sum absolute gradients for gsplat's rule (paper: no)."""

    # Splatfacto's fields that this model has no use for: hidden, so that nobody sets them in vain.
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
