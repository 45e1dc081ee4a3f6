"""How alike two images are: PSNR, SSIM, DSSIM; and the white that objects are compared on. Pure.

Images are [views, height, width, 3], sRGB, 0 to 1.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from pytorch_msssim import ssim as windowed_ssim
from torch import Tensor


def over_white(
    images: Float[Tensor, "*batch height width 3"], masks: Float[Tensor, "*batch height width"]
) -> Float[Tensor, "*batch height width 3"]:
    """Straight colours on white."""
    return images * masks[..., None] + (1 - masks[..., None])


def psnr(a: Float[Tensor, "views height width 3"], b: Float[Tensor, "views height width 3"]) -> Float[Tensor, " views"]:
    """Peak signal-to-noise ratio in dB of each pair, for a peak of 1. Identical images give infinity."""
    return -10 * torch.log10((a - b).square().mean((1, 2, 3)))


def ssim(a: Float[Tensor, "views height width 3"], b: Float[Tensor, "views height width 3"]) -> Float[Tensor, " views"]:
    """Structural similarity of each pair (Wang et al. 2004): Gaussian window of 11 px, sigma 1.5, 1 if identical.

    Raises:
        ValueError: images smaller than the window.
    """
    if min(a.shape[1:3]) < 11:
        raise ValueError(f"SSIM needs images of at least 11x11 px, got {a.shape[2]}x{a.shape[1]}")
    return windowed_ssim(a.permute(0, 3, 1, 2), b.permute(0, 3, 1, 2), data_range=1.0, size_average=False)


def dssim(
    a: Float[Tensor, "views height width 3"], b: Float[Tensor, "views height width 3"]
) -> Float[Tensor, " views"]:
    """Structural dissimilarity (1 - SSIM) / 2: 0 if identical."""
    return (1 - ssim(a, b)) / 2
