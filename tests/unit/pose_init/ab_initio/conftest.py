"""A toy for the ab-initio engine: balls whose colours tell their sides apart, photographed from known places."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from jaxtyping import Float

from sparseags_ns.geometry import se3
from sparseags_ns.geometry.cameras import Cameras, orbit
from sparseags_ns.pose_init.ab_initio import refinement
from sparseags_ns.pose_init.ab_initio.arrangement import looking_from
from sparseags_ns.pose_init.ab_initio.crops import OBJECT_RADIUS, Crops
from sparseags_ns.preprocess.photo import Photo
from sparseags_ns.rasterizer import rasterize
from sparseags_ns.rasterizer.types import Gaussians

FOCAL = 1.7
"""Focal length in sides of the photographs."""
AZIMUTHS_DEG = (0.0, 65.0, 120.0, 190.0, 240.0, 310.0)
ELEVATIONS_DEG = (5.0, 25.0, 45.0, 5.0, 25.0, 45.0)


def ball(seed: int) -> Gaussians:
    """A ball of radius OBJECT_RADIUS with a colour for each direction, and patches of its own for each seed."""
    generator = torch.Generator().manual_seed(seed)
    outward = F.normalize(torch.randn(400, 3, generator=generator), dim=-1)
    frequencies = 6 * torch.rand(3, generator=generator) + 3
    return Gaussians(
        # Gaussians reach beyond their means by about one and a half standard deviations.
        means=(OBJECT_RADIUS - 0.06) * outward,
        quats=torch.randn(400, 4, generator=generator),
        scales=torch.full((400, 3), 0.04),
        opacities=torch.full((400,), 0.95),
        colors=0.5 + 0.36 * outward + 0.12 * torch.sign(torch.sin(frequencies * outward.roll(1, -1))),
    )


@pytest.fixture(scope="session")
def photograph() -> Callable[..., list[Photo]]:
    """`photograph(azimuths, elevations, distances=2.2, away=None, side=96, seed=0)`: photographs of a toy.

    `away` [views, 2] are small rotations in radians, about the x and y axes of the cameras, away from the ball.
    """

    def take(
        azimuths: list[float],
        elevations: list[float],
        distances: float | list[float] = 2.2,
        away: list[list[float]] | None = None,
        side: int = 96,
        seed: int = 0,
    ) -> list[Photo]:
        T = orbit(torch.tensor(azimuths), torch.tensor(elevations), torch.tensor(distances))
        tangents = torch.zeros(len(T), 6)
        tangents[:, 3:5] = torch.tensor(away or [[0.0, 0.0]] * len(T))
        K = torch.tensor([[FOCAL * side, 0, side / 2], [0, FOCAL * side, side / 2], [0, 0, 1]]).repeat(len(T), 1, 1)
        raster = rasterize(ball(seed), Cameras(se3.exp(tangents) @ T, K, side, side))
        rgb = (raster.rgb / raster.alpha.clamp_min(1e-6)[..., None]).clamp(0, 1)
        return [Photo(c, a, torch.ones_like(a), k) for c, a, k in zip(rgb, raster.alpha, K, strict=True)]

    return take


@pytest.fixture(scope="session")
def crops(photograph: Callable[..., list[Photo]]) -> Crops:
    """Six photographs of the toy from all around."""
    return Crops.of(photograph(list(AZIMUTHS_DEG), list(ELEVATIONS_DEG)))


@pytest.fixture(scope="session")
def orientations() -> Float[np.ndarray, "views 3 3"]:
    """True orientations of `crops`."""
    return looking_from(np.array(AZIMUTHS_DEG), np.array(ELEVATIONS_DEG), np.zeros(len(AZIMUTHS_DEG)))


@pytest.fixture(scope="module")
def short_refinement() -> Iterator[None]:
    """Refinement in few steps at small sizes, with few Gaussians."""
    first, second = refinement.PRESET.settings.stages
    stages = replace(first, pixels=16, pose_lr=1e-2), replace(second, pixels=32)
    settings = replace(refinement.PRESET.settings, stages=stages, num_gaussians=150)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(refinement, "PRESET", replace(refinement.PRESET, steps=45, settings=settings))
        yield
