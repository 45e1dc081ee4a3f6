"""Image errors of each view: the render at its pose against its photo, both over white.

Errors are per object area: an image error divided by the share of the image that the object covers, so that errors of
small and large objects are comparable (METHOD, outlier loop).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.metrics.images import PerceptualError, over_white
from sparseags_ns.rasterizer import rasterize
from sparseags_ns.rasterizer.types import Gaussians
from sparseags_ns.views import Views

MIN_AREA_SHARE = 0.1
"""Lower bound of the covered area as a share of the mask's: an empty render must not divide by zero."""


@dataclass(frozen=True)
class ViewErrors:
    """Errors of all views; higher is worse."""

    mse: Float[Tensor, " views"]
    """Mean squared error divided by the object's area."""
    perceptual: Float[Tensor, " views"]
    """LPIPS, or DSSIM in its place, divided by the object's area."""
    perceptual_name: str
    renders: Float[Tensor, "views height width 3"]
    """Renders over white."""


@torch.no_grad()
def view_errors(
    gaussians: Gaussians, cameras: Cameras, views: Views, perceptual: PerceptualError, *, sh_degree: int | None
) -> ViewErrors:
    """Render every view and compare it with its photo, where the photo is valid."""
    white = torch.ones(3).to(views.images)
    raster = rasterize(gaussians, cameras, white, sh_degree=sh_degree)
    rendered, photos = raster.rgb.clamp(0, 1), over_white(views.images, views.masks)
    valid = views.valid[..., None]
    # Unknown pixels have the photo's value in both images, so that they add nothing to either error.
    compared = rendered * valid + photos * (1 - valid)
    covered = ((raster.alpha > 0.5) * views.valid).mean((1, 2))
    area = torch.maximum(covered, MIN_AREA_SHARE * views.masks.mean((1, 2))).clamp_min(1e-6)
    mse = (compared - photos).square().mean((1, 2, 3))
    return ViewErrors(mse / area, perceptual(compared, photos) / area, perceptual.name, rendered)
