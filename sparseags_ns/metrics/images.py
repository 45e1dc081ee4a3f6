"""Measures of how alike two images are: PSNR, SSIM, DSSIM, and a perceptual distance.

The perceptual distance is LPIPS if its weights are on this machine, otherwise DSSIM, which is announced. Nothing is
downloaded.

Images are sRGB, 0 to 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import torch
from jaxtyping import Float
from pytorch_msssim import ssim as windowed_ssim
from torch import Tensor

from sparseags_ns.console import announce

Images: TypeAlias = Float[Tensor, "views height width 3"]

ALEXNET_FILES = "alexnet-owt-*.pth"
"""File name of the AlexNet weights that torchvision downloads."""


def over_white(
    images: Float[Tensor, "*batch height width 3"], masks: Float[Tensor, "*batch height width"]
) -> Float[Tensor, "*batch height width 3"]:
    """Straight (not premultiplied) colours composited over white."""
    return images * masks[..., None] + (1 - masks[..., None])


def psnr(a: Images, b: Images) -> Float[Tensor, " views"]:
    """Peak signal-to-noise ratio in dB of each pair, for a peak of 1. Identical images give infinity."""
    return -10 * torch.log10((a - b).square().mean((1, 2, 3)))


def ssim(a: Images, b: Images) -> Float[Tensor, " views"]:
    """Structural similarity of each pair (Wang et al. 2004): Gaussian window of 11 px, sigma 1.5, 1 if identical.

    Raises:
        ValueError: images smaller than the window.
    """
    if min(a.shape[1:3]) < 11:
        raise ValueError(f"SSIM needs images of at least 11x11 px, got {a.shape[2]}x{a.shape[1]}")
    return windowed_ssim(a.permute(0, 3, 1, 2), b.permute(0, 3, 1, 2), data_range=1.0, size_average=False)


def dssim(a: Images, b: Images) -> Float[Tensor, " views"]:
    """Structural dissimilarity (1 - SSIM) / 2: 0 if identical."""
    return (1 - ssim(a, b)) / 2


@dataclass(frozen=True)
class PerceptualError:
    """A perceptual distance and its name."""

    name: Literal["lpips", "dssim"]
    function: Callable[[Tensor, Tensor], Tensor]

    def __call__(self, rendered: Images, photos: Images) -> Float[Tensor, " views"]:
        """Distance of each pair, 0 if identical, without gradient."""
        with torch.no_grad():
            return self.function(rendered.clamp(0, 1), photos.clamp(0, 1))


def find_alexnet(folder: Path | None = None) -> Path | None:
    """AlexNet's ImageNet weights in torch's hub folder, where torchvision stores them; None if they are not there."""
    folder = folder or Path(torch.hub.get_dir()) / "checkpoints"
    return next(iter(sorted(folder.glob(ALEXNET_FILES))), None)


def perceptual_error(device: torch.device | str = "cpu") -> PerceptualError:
    """LPIPS (Zhang et al. 2018, AlexNet) if its weights are on this machine, else DSSIM; prints which and why."""
    weights = find_alexnet()
    if weights is None:
        wanted, place = f"torchvision's AlexNet weights ({ALEXNET_FILES})", Path(torch.hub.get_dir()) / "checkpoints"
        announce("perceptual error: DSSIM", f"LPIPS needs {wanted}, none in {place}")
        return PerceptualError("dssim", dssim)
    announce("perceptual error: LPIPS", f"its weights are in {weights}")
    # torchmetrics carries LPIPS's own linear layers and asks torch's hub, which finds the file, for the backbone.
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

    network = LearnedPerceptualImagePatchSimilarity(net_type="alex", normalize=True).to(device)

    def distance(a: Tensor, b: Tensor) -> Tensor:
        pairs = zip(a.permute(0, 3, 1, 2).to(device), b.permute(0, 3, 1, 2).to(device), strict=True)
        return torch.stack([network(first[None], second[None]) for first, second in pairs])

    return PerceptualError("lpips", distance)
