"""A fitter that needs no fitting, for all tests of detection and repair."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from torch import Tensor

from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.optimization.reconstruct import Reconstruction
from sparseags_ns.optimization.short_fits import Continuation, Fitter
from sparseags_ns.rasterizer.types import Gaussians


@dataclass
class PerfectFitter:
    """The splat is always the true one, whatever the poses; they are not refined."""

    gaussians: Gaussians

    def from_scratch(self, cameras: Cameras, trusted: Tensor) -> Reconstruction:
        return Reconstruction(self.gaussians, cameras, trusted)

    def continued(self, fit: Reconstruction, continuation: Continuation) -> Reconstruction:
        return fit


@pytest.fixture
def perfect_fitter(toy_gaussians: Gaussians) -> Fitter:
    """Always finds the toy splat."""
    return PerfectFitter(toy_gaussians)
