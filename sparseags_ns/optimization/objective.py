"""The joint step's loss: every trusted view rendered in one call and compared with its photograph.

Pure in its inputs: the model, and later the outlier search's short reconstructions, call the same function.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.optimization.losses import Targets, needles, oversize, squared_error
from sparseags_ns.rasterizer import rasterize
from sparseags_ns.rasterizer.types import Gaussians, Raster


@dataclass(frozen=True)
class LossWeights:
    """Weights of the joint step's terms."""

    rgb: float
    """Squared error of the colours, mean over pixels, channels and views."""
    alpha: float
    """Squared error of alpha against the mask, mean over pixels and views."""
    opacity: float = 0.0
    """Mean opacity: what no photograph needs fades away."""
    oversize: float = 0.0
    """Excess of the largest standard deviation over `oversize_limit`."""
    oversize_limit: float = 0.06
    """World units."""
    needle: float = 0.0
    """Logarithm of a Gaussian's largest over middle standard deviation, in excess of `needle_limit`."""
    needle_limit: float = 4.0
    """Ratio."""
    unknown_alpha: float = 0.0
    """Share of the alpha term's weight outside the photographs, where the target is empty."""


def joint_loss(
    gaussians: Gaussians,
    cameras: Cameras,
    targets: Targets,
    background: Float[Tensor, "views 3"],
    weights: LossWeights,
    *,
    sh_degree: int | None = None,
    absgrad: bool = False,
) -> tuple[dict[str, Float[Tensor, ""]], Raster]:
    """Losses of one step, and the renders they come from.

    Args:
        gaussians: what is rendered; gradients reach them.
        cameras: of the views in `targets`, at the photographs' working size; gradients reach the poses.
        targets: at a fraction of that size, which decides the size of the renders.
        background: one colour for each view.
        weights: of the terms.
        sh_degree: bands to evaluate if the Gaussians' colours are spherical harmonics.
        absgrad: whether the strategy wants absolute screen-space gradients.
    """
    height, width = targets.alpha.shape[1:]
    raster = rasterize(gaussians, cameras.resized(width, height), background, sh_degree=sh_degree, absgrad=absgrad)
    # Targets are empty outside the photographs (the crop made them so).
    known = targets.valid + weights.unknown_alpha * (1 - targets.valid)
    losses = {
        "rgb": weights.rgb * squared_error(raster.rgb, targets.over(background), targets.valid),
        "alpha": weights.alpha * squared_error(raster.alpha, targets.alpha, known),
    }
    if weights.opacity > 0:
        losses["opacity"] = weights.opacity * gaussians.opacities.mean()
    if weights.oversize > 0:
        losses["oversize"] = weights.oversize * oversize(gaussians.scales, weights.oversize_limit)
    if weights.needle > 0:
        losses["needle"] = weights.needle * needles(gaussians.scales, weights.needle_limit)
    return losses, raster


def random_backgrounds(count: int, seed: int, step: int) -> Float[Tensor, "views 3"]:
    """A colour for each view, the same whenever the same step of the same run is repeated."""
    generator = torch.Generator().manual_seed(seed * 1_000_003 + step)
    return torch.rand(count, 3, generator=generator)
