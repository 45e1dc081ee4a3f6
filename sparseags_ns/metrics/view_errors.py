"""How badly the model explains each photograph. Pure but for the perceptual network.

Errors are per object area: an image error divided by the share of the image that the object covers, so that small and
large objects compare (METHOD, outlier loop). Photographs and renders are compared over white.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.metrics.images import over_white
from sparseags_ns.metrics.perceptual import PerceptualError
from sparseags_ns.rasterizer import rasterize
from sparseags_ns.rasterizer.types import Gaussians
from sparseags_ns.views import Views

MIN_AREA_SHARE = 0.1
"""The covered area counts as at least this share of the mask: an empty render must not divide by zero."""


@dataclass(frozen=True)
class ViewErrors:
    """Errors of all views, higher is worse."""

    mse: Float[Tensor, " views"]
    """Mean squared error over area."""
    perceptual: Float[Tensor, " views"]
    """LPIPS or its stand-in, over area."""
    perceptual_name: str
    renders: Float[Tensor, "views height width 3"]
    """What was compared with the photographs, over white."""


@torch.no_grad()
def view_errors(
    gaussians: Gaussians, cameras: Cameras, views: Views, perceptual: PerceptualError, *, sh_degree: int | None
) -> ViewErrors:
    """Render every view and compare it with its photograph, where the photograph is valid."""
    white = torch.ones(3).to(views.images)
    raster = rasterize(gaussians, cameras, white, sh_degree=sh_degree)
    rendered, photographs = raster.rgb.clamp(0, 1), over_white(views.images, views.masks)
    valid = views.valid[..., None]
    # Unknown pixels show the photograph's own value in both, so that they add nothing to either error.
    compared = rendered * valid + photographs * (1 - valid)
    covered = ((raster.alpha > 0.5) * views.valid).mean((1, 2))
    area = torch.maximum(covered, MIN_AREA_SHARE * views.masks.mean((1, 2))).clamp_min(1e-6)
    mse = (compared - photographs).square().mean((1, 2, 3))
    return ViewErrors(mse / area, perceptual(compared, photographs) / area, perceptual.name, rendered)
