"""Renders of a run's cameras with depth, and the centres of the Gaussians that photographs show, as COLMAP points."""

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
"""A centre is visible if it lies behind the rendered depth by at most this many standard deviations of its Gaussian
plus this share of its depth."""

Progress = Callable[[int, int], None]
"""Takes how many parts are done and how many there are."""


@torch.no_grad()
def render_views(
    gaussians: Gaussians,
    cameras: Cameras,
    sh_degree: int,
    background: Float[Tensor, " 3"] | None = None,
    progress: Progress | None = None,
) -> Raster:
    """Render all cameras with depth, one after the other to save memory and to report progress."""
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
    """Depth where alpha is at least `SOLID`, elsewhere 0."""
    assert raster.depth is not None
    return torch.where(raster.alpha >= SOLID, raster.depth, 0.0)


@torch.no_grad()
def seen_points(
    gaussians: Gaussians, cameras: Cameras, sh_degree: int, progress: Progress | None = None, min_opacity: float = 0.2
) -> SeenPoints:
    """The centres of opaque Gaussians that two or more photographs show, with their projections in all of them.

    Args:
        cameras: cameras of the photographs, in the Gaussians' world.
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
    # Mean colour over the photographs that show the centre.
    per_view = view_colors(kept, cameras.to(kept.means), sh_degree)
    weights = seen.to(per_view)[..., None]
    colors = ((per_view * weights).sum(0) / weights.sum(0).clamp_min(1)).clamp(0, 1)
    return SeenPoints(kept.means[often], colors[often], pixels[:, often], seen[:, often])
