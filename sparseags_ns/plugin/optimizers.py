"""nerfstudio configs of the optimizers: Adam with betas, which nerfstudio's own config lacks, and PoseAdam."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from nerfstudio.engine.optimizers import OptimizerConfig

from sparseags_ns.optimization.pose_adam import PoseAdam


@dataclass
class AdamConfig(OptimizerConfig):
    """Adam (Kingma and Ba 2015)."""

    _target: type = field(default_factory=lambda: torch.optim.Adam)
    lr: float = 1e-3
    """Learning rate, which the model's schedule scales."""
    eps: float = 1e-15
    """Term added to the denominator (3D Gaussian splatting and the authors' code: 1e-15)."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Decay rates of the moments."""


@dataclass
class PoseAdamConfig(AdamConfig):
    """Adam with one step size for all six numbers of a camera's tangent (optimization/pose_adam.py)."""

    _target: type = field(default_factory=lambda: PoseAdam)
    betas: tuple[float, float] = (0.9, 0.99)
    """Decay rates of the moments."""
