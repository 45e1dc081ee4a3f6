"""Settings of the joint optimisation and its presets: every number of the algorithm and where it comes from.

"Paper" values are those of the code that the SparseAGS authors released. Other values were measured on our benchmarks
(docs/method.md). Units: world units of the normalised world (mean camera distance 1.85), pixels of the photographs at
the working resolution, steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

RefineFocal = Literal["shared", "per_view", "off"]
Seeding = Literal["auto", "points", "hull", "ball"]

COARSE_PX = 64
"""Stages that compare photographs at this size or less are coarse; start selection and outlier repair follow them."""

ADAM_EPS = 1e-15
"""Added to Adam's denominator, for Gaussians and cameras (3D Gaussian splatting)."""

FOCAL_BETAS = (0.9, 0.99)
"""Decay rates of the moments for the focal factors."""

MIN_SEED_POINTS = 100
"""Fewer points on the object tell too little about its shape to start from them."""
MIN_POINT_VIEWS = 2
"""A point of the initialiser belongs to the object if at least this many trusted views see it inside their masks."""
MIN_POINT_AGREEMENT = 0.75
"""Share of the trusted views that must not rule a point out; poses are rough, so one wrong view in four is allowed."""

SPLIT_SPREAD = 0.7
"""Children of a split Gaussian lie around its centre with this many of its standard deviations."""


@dataclass(frozen=True)
class Stage:
    """One part of a run, with its own resolution and learning rates."""

    share: float
    """Share of the run's steps; the shares of all stages are scaled to sum to 1."""
    pixels: int | None
    """Longer side at which photographs are compared; None is the working resolution."""
    pose_lr: float
    """Learning rate of the camera tangents (radians and world units) at the start of the stage."""
    pose_lr_decay: float = 0.1
    """Factor that the pose learning rate has fallen by at the end of the stage (exponential)."""
    precondition_poses: bool = False
    """Whether shift, distance, orbit and roll each have a step size of their own (optimization/pose_adam.py)."""
    focal_lr: float = 0.0
    """Learning rate of the logarithms of the focal factors. Only perspective tells a focal length from a distance, and
    it shows once the poses are nearly right."""
    smoothing_px: float = 0.0
    """Every Gaussian is rendered as if blurred, in space, by this many pixels of the stage (standard deviation), so
    that views attract each other from farther away. The blur becomes part of the Gaussians when the stage ends; it is
    0 in the last stage."""
    split: bool = False
    """Split every visible Gaussian in two when the stage begins."""
    sh_degree: int = 0
    """Highest degree of the spherical harmonics that are learned. View-dependent colour lets a view match its
    photograph from a wrong pose, so it waits until the poses have converged."""


COARSE_TO_FINE = (
    Stage(share=0.05, pixels=16, pose_lr=6e-3, pose_lr_decay=0.7, smoothing_px=0.55),
    Stage(share=0.26, pixels=32, pose_lr=6e-3, pose_lr_decay=0.7, smoothing_px=0.55),
    Stage(share=0.26, pixels=64, pose_lr=5e-3, pose_lr_decay=0.3, precondition_poses=True, focal_lr=1e-3, split=True),
    Stage(share=0.26, pixels=128, pose_lr=2.5e-3, pose_lr_decay=0.2, precondition_poses=True, focal_lr=1e-3),
    Stage(share=0.17, pixels=None, pose_lr=1e-3, precondition_poses=True, focal_lr=5e-4, split=True, sh_degree=2),
)
"""Few large Gaussians first, detail once the views agree (docs/method.md)."""

PAPER = (Stage(share=1.0, pixels=None, pose_lr=2.5e-4, pose_lr_decay=1.0, sh_degree=3),)
"""The authors' schedule: full resolution and all Gaussians from the first step."""


@dataclass
class JointSettings:
    """Joint optimisation of Gaussians and cameras."""

    seed: int = 0
    """Seed of the first Gaussians, the backgrounds and the splits."""
    stages: tuple[Stage, ...] = COARSE_TO_FINE
    """The run's stages: resolution, pose learning rate, splits, colour bands."""

    refine_focal: RefineFocal = "shared"
    """Focal lengths: one factor for all views, one for each, or off where the intrinsics are exact (paper: off)."""

    other_pose_rates: tuple[float, ...] = (0.4, 0.05)
    """The coarse stages are run again with their pose learning rates multiplied by each of these, and the run continues
    from the start that renders the photographs best (paper: one start)."""
    outlier_rule: Literal["leave-one-out", "published", "off"] = "leave-one-out"
    """Which views are searched for another pose once the coarse stages are done: those that a splat made without them
    shows elsewhere; those by the authors' rule; none."""

    seeding: Seeding = "auto"
    """Where the first Gaussians go: a ball (paper), the visual hull of the masks, the initialiser's points, or auto:
    the points if there are any, else the ball. The hull of wrong poses confirms these poses, so it suits poses that
    are nearly right."""
    num_gaussians: int = 1500
    """Number of Gaussians at the start (paper: 25,000)."""
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
    unknown_alpha_weight: float = 0.05
    """Share of the alpha term's weight outside the photographs, where the target is empty: without it, views that are
    cut by the edge of their photograph hide there what does not fit (paper: photographs are whole)."""
    ramp_losses: bool = False
    """Multiply both by the share of the run done (paper: yes)."""
    opacity_weight: float = 1e-3
    """Weight of the mean opacity."""
    oversize_weight: float = 0.02
    """Weight of the excess of a Gaussian's size over `oversize_limit`."""
    oversize_limit: float = 0.06
    """Standard deviation from which a Gaussian counts as oversized, world units."""
    needle_weight: float = 0.02
    """Weight of the logarithm of a Gaussian's largest over middle size, in excess of `needle_limit`."""
    needle_limit: float = 4.0
    """Ratio of the largest to the middle standard deviation from which a Gaussian counts as a needle."""
    means_lr_decay: float = 0.3
    """Factor by which the learning rate of the means has fallen at the end (paper: 0.02, from 1e-2 to 2e-4)."""
    background_color: Literal["random", "black", "white"] = "random"
    """Colour behind photographs and renders: drawn for each view and step, or fixed (paper: white)."""

    sh_degree: int = 2
    """Highest degree of the spherical harmonics (paper: 3)."""
    sh_degree_interval: int = 1
    """Steps between one degree and the next, as far as the stage allows (paper: 100)."""

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

    @property
    def repairs_poses(self) -> bool:
        """Whether other starts are compared or outliers searched between the coarse and the fine stages."""
        return bool(self.other_pose_rates) or self.outlier_rule != "off"


@dataclass(frozen=True)
class Preset:
    """A complete recipe: settings, optimizers and length of a run."""

    settings: JointSettings
    learning_rates: dict[str, float]
    """Adam's learning rate for each group of the Gaussians' parameters; the schedule scales that of the means."""
    betas: tuple[float, float]
    """Decay rates of Adam's moments."""
    pose_optimizer: Literal["pose_adam", "adam"]
    """Optimizer of the camera tangents (optimization/pose_adam.py); the stages set its learning rate."""
    steps: int = 500
    """Length of a run (paper: 500)."""


SPARSEAGS = Preset(
    settings=JointSettings(),
    learning_rates={
        "means": 2e-3,
        "features_dc": 5e-2,
        "features_rest": 1e-3,
        "opacities": 5e-2,
        "scales": 2e-2,
        "quats": 1e-2,
    },
    betas=(0.9, 0.99),
    pose_optimizer="pose_adam",
    steps=1540,
)
"""Our recipe: few Gaussians, coarse to fine."""

SPARSEAGS_PAPER = Preset(
    settings=JointSettings(
        stages=PAPER,
        refine_focal="off",
        other_pose_rates=(),
        outlier_rule="off",
        seeding="ball",
        num_gaussians=25_000,
        seed_scale=0.012,
        seed_opacity=0.1,
        rgb_weight=1e4,
        alpha_weight=1e3,
        ramp_losses=True,
        opacity_weight=0.0,
        oversize_weight=0.0,
        needle_weight=0.0,
        unknown_alpha_weight=0.0,
        means_lr_decay=0.02,
        background_color="white",
        sh_degree=3,
        sh_degree_interval=100,
        densify=True,
    ),
    # The authors' configuration has 1e-3 for the means, which their code multiplies by a scene extent of 10. The higher
    # bands learn at a twentieth of the rate of the first, as in 3D Gaussian splatting.
    learning_rates={
        "means": 1e-2,
        "features_dc": 1e-2,
        "features_rest": 1e-2 / 20,
        "opacities": 5e-2,
        "scales": 5e-3,
        "quats": 5e-3,
    },
    betas=(0.9, 0.999),
    pose_optimizer="adam",
)
"""The authors' recipe, without their diffusion prior and outlier rule."""

PRESETS = {"sparseags": SPARSEAGS, "sparseags-paper": SPARSEAGS_PAPER}
"""Presets by the name of their nerfstudio method."""
