"""Depth of the splat in its own photographs, and the Gaussians' centres that they show: points for COLMAP models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.formats.colmap import SeenPoints
from sparseags_ns.geometry.cameras import Cameras, project
from sparseags_ns.rasterizer import rasterize
from sparseags_ns.rasterizer.reference import view_colors
from sparseags_ns.rasterizer.types import Gaussians, Raster

SOLID = 0.5
"""Alpha from which a pixel counts as covered by the object."""
_SIGMAS, _DEPTH_SLACK = 2.0, 0.01
"""A centre is seen where it lies no further behind the rendered depth than this many standard deviations and this
share of its depth."""

Progress = Callable[[int, int], None]


@torch.no_grad()
def render_views(
    gaussians: Gaussians,
    cameras: Cameras,
    sh_degree: int,
    background: Float[Tensor, " 3"] | None = None,
    progress: Progress | None = None,
) -> Raster:
    """Renders of all cameras with depth, one after the other so that memory stays small and progress shows."""
    rasters, cameras = [], cameras.to(gaussians.means)
    for view in range(len(cameras)):
        rasters.append(rasterize(gaussians, cameras[view : view + 1], background, sh_degree=sh_degree, depth=True))
        if progress is not None:
            progress(view + 1, len(cameras))
    depths = [raster.depth for raster in rasters if raster.depth is not None]
    return Raster(
        torch.cat([raster.rgb for raster in rasters]), torch.cat([r.alpha for r in rasters]), torch.cat(depths), {}
    )


def solid_depth(raster: Raster) -> Float[Tensor, "views height width"]:
    """Depth where the object covers the pixel, elsewhere 0."""
    assert raster.depth is not None
    return torch.where(raster.alpha >= SOLID, raster.depth, 0.0)


@torch.no_grad()
def seen_points(
    gaussians: Gaussians,
    cameras: Cameras,
    sh_degree: int,
    progress: Progress | None = None,
    min_opacity: float = 0.2,
) -> SeenPoints:
    """The centres of opaque Gaussians that two or more photographs show, with their places in all of them.

    Args:
        cameras: those of the photographs, in the Gaussians' world.
    """
    opaque = gaussians.opacities >= min_opacity
    kept = replace(gaussians, **{name: value[opaque] for name, value in vars(gaussians).items()})
    depth = solid_depth(render_views(gaussians, cameras, sh_degree, None, progress))
    pixels, z = project(cameras, kept.means.to(cameras.K))
    column, row = pixels.floor().long().unbind(-1)
    inside = (z > 0) & (column >= 0) & (row >= 0) & (column < cameras.width) & (row < cameras.height)
    column, row = column.clamp(0, cameras.width - 1), row.clamp(0, cameras.height - 1)
    surface = depth.flatten(1).gather(1, (row * cameras.width + column).to(depth.device)).to(z)
    behind = _SIGMAS * kept.scales.max(-1).values.to(z) + _DEPTH_SLACK * z
    seen = inside & (surface > 0) & (z <= surface + behind)
    often = seen.sum(0) >= min(2, len(cameras))
    colors = _mean_colors(kept, cameras, sh_degree, seen)
    return SeenPoints(kept.means[often], colors[often], pixels[:, often], seen[:, often])


def _mean_colors(gaussians: Gaussians, cameras: Cameras, sh_degree: int, seen: Tensor) -> Float[Tensor, "gaussians 3"]:
    """Colours as the photographs that show them see them, on the average."""
    colors = view_colors(gaussians, cameras.to(gaussians.means), sh_degree)
    weights = seen.to(colors)[..., None]
    return ((colors * weights).sum(0) / weights.sum(0).clamp_min(1)).clamp(0, 1)
