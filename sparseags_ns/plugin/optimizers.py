"""nerfstudio's configs of our optimizers: Adam with betas, which its own config leaves out, and PoseAdam."""

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
    """Learning rate before the model's schedule."""
    eps: float = 1e-15
    """Added to the denominator (3D Gaussian splatting and the authors' code: 1e-15)."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Decay rates of the moments."""


@dataclass
class PoseAdamConfig(AdamConfig):
    """Adam with one step size for all camera tangents (optimization/pose_adam.py: why)."""

    _target: type = field(default_factory=lambda: PoseAdam)
    betas: tuple[float, float] = (0.9, 0.99)
    """Decay rates of the moments."""
