"""A toy scene that every unit test can build in a moment: a few coloured Gaussians seen from a ring of cameras."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from sparseags_ns.geometry.cameras import Cameras, orbit
from sparseags_ns.rasterizer import rasterize
from sparseags_ns.rasterizer.types import Gaussians
from sparseags_ns.views import Views


def ring(count: int, size: int, radius: float = 1.85) -> Cameras:
    """Cameras around the origin, looking at it."""
    steps = torch.arange(count)
    T_camera_world = orbit(360.0 * steps / count, 10.0 * (steps % 3).float(), radius)
    focal = 1.8 * size
    K = torch.tensor([[focal, 0.0, size / 2], [0.0, focal, size / 2], [0.0, 0.0, 1.0]]).repeat(count, 1, 1)
    return Cameras(T_camera_world, K, size, size)


@pytest.fixture
def toy_gaussians() -> Gaussians:
    """Sixty opaque blobs in a ball of radius 0.3."""
    generator = torch.Generator().manual_seed(0)
    return Gaussians(
        means=(torch.rand(60, 3, generator=generator) - 0.5) * 0.5,
        quats=torch.randn(60, 4, generator=generator),
        scales=torch.full((60, 3), 0.04),
        opacities=torch.full((60,), 0.9),
        colors=torch.rand(60, 3, generator=generator),
    )


@pytest.fixture
def make_views(toy_gaussians: Gaussians) -> Callable[..., Views]:
    """Photographs of the toy scene: `make_views(count, size)`."""

    def make(count: int = 4, size: int = 32) -> Views:
        cameras = ring(count, size)
        raster = rasterize(toy_gaussians, cameras, backend="reference")
        return Views(
            names=tuple(f"{i:03d}" for i in range(count)),
            paths=tuple(Path(f"{i:03d}.png") for i in range(count)),
            images=(raster.rgb / raster.alpha.clamp_min(1e-6)[..., None]).clamp(0, 1),
            masks=raster.alpha,
            valid=torch.ones_like(raster.alpha),
            cameras=cameras,
            trusted=torch.ones(count, dtype=torch.bool),
        )

    return make
