"""The CPU back end: numba kernels under three differentiable steps, project, colour, composite.

Results equal those of `reference.rasterize_reference`, which defines them. Frames: `world`; `camera`, OpenCV axes.
Units: world units; pixels.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.rasterizer.autograd import Composite, Harmonics, Project
from sparseags_ns.rasterizer.constants import FAR, NEAR
from sparseags_ns.rasterizer.reference import Projection, strategy_info
from sparseags_ns.rasterizer.types import Gaussians, Raster


def rasterize_cpu(
    gaussians: Gaussians,
    cameras: Cameras,
    background: Float[Tensor, "views 3"],
    *,
    sh_degree: int | None = None,
    depth: bool = False,
    absgrad: bool = False,
    near: float = NEAR,
    far: float = FAR,
) -> Raster:
    """Render all views; float32, or float64 for checks of gradients."""
    size = (cameras.width, cameras.height)
    projection = Projection(
        *Project.apply(
            gaussians.means, gaussians.quats, gaussians.scales, cameras.T_camera_world, cameras.K, size, (near, far)
        )
    )
    colors = _view_colors(gaussians, cameras, projection, sh_degree)
    rgb, alpha, z_sum = Composite.apply(
        projection.means2d,
        projection.conics,
        projection.depths,
        gaussians.opacities,
        colors,
        background,
        projection.radii,
        size,
        depth,
        absgrad,
    )
    # Alpha is 0 or at least 1/255. Where it is 0 the division must stay finite, or the gradient becomes NaN.
    covered = alpha.detach() > 0
    expected_depth = torch.where(covered, z_sum / torch.where(covered, alpha, 1), 0) if depth else None
    return Raster(rgb, alpha, expected_depth, strategy_info(projection, cameras))


def _view_colors(
    gaussians: Gaussians, cameras: Cameras, projection: Projection, sh_degree: int | None
) -> Float[Tensor, "views gaussians 3"]:
    if gaussians.colors.dim() == 2:
        return gaussians.colors.expand(len(cameras), -1, -1)
    degree = math.isqrt(gaussians.colors.shape[1]) - 1 if sh_degree is None else sh_degree
    centers = torch.linalg.inv(cameras.T_camera_world)[:, :3, 3]
    return Harmonics.apply(gaussians.means, centers, gaussians.colors, projection.radii, (degree + 1) ** 2)
