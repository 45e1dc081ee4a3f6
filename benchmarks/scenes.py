"""Random scenes for tests and benchmarks.

The ball is the scene of the project's speed figures: Gaussians in a ball of radius 0.5, seen from a ring of cameras
at distance 2.4 with focal length 1.6 image widths.

Frames: `world`; `camera`, OpenCV axes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.geometry.cameras import Cameras, orbit
from sparseags_ns.rasterizer.types import Gaussians


@dataclass(frozen=True)
class Scene:
    """All inputs of one render."""

    gaussians: Gaussians
    cameras: Cameras
    background: Float[Tensor, "views 3"]

    def tensors(self) -> dict[str, Tensor]:
        """Every differentiable input by name."""
        named = {field.name: getattr(self.gaussians, field.name) for field in fields(self.gaussians)}
        return named | {
            "background": self.background,
            "T_camera_world": self.cameras.T_camera_world,
            "K": self.cameras.K,
        }

    def with_tensors(self, tensors: dict[str, Tensor]) -> Scene:
        """A copy of the scene with some inputs replaced by name."""
        mine = {field.name for field in fields(self.gaussians)}
        cameras = {name: tensors[name] for name in ("T_camera_world", "K") if name in tensors}
        return Scene(
            replace(self.gaussians, **{name: value for name, value in tensors.items() if name in mine}),
            replace(self.cameras, **cameras),
            tensors.get("background", self.background),
        )

    def map(self, change: Callable[[Tensor], Tensor]) -> Scene:
        """A copy of the scene with `change` applied to every differentiable input."""
        return self.with_tensors({name: change(value) for name, value in self.tensors().items()})

    def leaves(self) -> Scene:
        """A copy of the scene whose inputs are leaves that collect gradients."""
        return self.map(lambda tensor: tensor.detach().clone().requires_grad_())


def ball_scene(
    count: int,
    size: int | tuple[int, int],
    views: int = 8,
    *,
    scale: float = 0.02,
    sh_bases: int | None = None,
    seed: int = 0,
) -> Scene:
    """A ball of `count` Gaussians with log-normal scales about `scale`, float32, seeded.

    Args:
        count: number of Gaussians.
        size: the images' side in pixels, or (width, height).
        views: number of cameras.
        scale: median standard deviation in world units.
        sh_bases: colours as this many spherical-harmonics coefficients; RGB if None.
        seed: seed of all random values.
    """
    generator = torch.Generator().manual_seed(seed)
    directions = torch.nn.functional.normalize(torch.randn(count, 3, generator=generator), dim=1)
    means = 0.5 * directions * torch.rand(count, 1, generator=generator) ** (1 / 3)
    quats = torch.nn.functional.normalize(torch.randn(count, 4, generator=generator), dim=1)
    scales = scale * torch.exp(0.4 * torch.randn(count, 3, generator=generator))
    opacities = torch.sigmoid(1.5 * torch.randn(count, generator=generator))
    if sh_bases is None:
        colors = torch.rand(count, 3, generator=generator)
    else:
        colors = 0.3 * torch.randn(count, sh_bases, 3, generator=generator)
    background = torch.rand(views, 3, generator=generator)
    return Scene(Gaussians(means, quats, scales, opacities, colors), ring_of_cameras(views, size), background)


def ring_of_cameras(views: int, size: int | tuple[int, int], distance: float = 2.4) -> Cameras:
    """Cameras around the origin at three elevations."""
    width, height = (size, size) if isinstance(size, int) else size
    steps = torch.arange(views)
    T_camera_world = orbit(360.0 * steps / max(views, 1), 20.0 * (steps % 3 - 1).float(), distance)
    focal = 1.6 * width
    K = torch.tensor([[focal, 0.0, width / 2], [0.0, focal, height / 2], [0.0, 0.0, 1.0]]).repeat(views, 1, 1)
    return Cameras(T_camera_world, K, width, height)
