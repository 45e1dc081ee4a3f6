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

from sparseags_ns.console import announce, warn

Images: TypeAlias = Float[Tensor, "views height width 3"]

ALEXNET_FILES = "alexnet-owt-*.pth"
"""File name of the AlexNet weights that torchvision downloads."""
VGG_FILES = "vgg16-*.pth"
"""File name of the VGG16 weights that torchvision downloads."""


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
    return _find(ALEXNET_FILES, folder)


def perceptual_error() -> PerceptualError:
    """LPIPS (Zhang et al. 2018, AlexNet) if its weights are on this machine, else DSSIM; prints which and why.

    It is computed on the device of the images.
    """
    weights = find_alexnet()
    if weights is None:
        announce("perceptual error: DSSIM", f"LPIPS needs torchvision's AlexNet weights ({_absent(ALEXNET_FILES)})")
        return PerceptualError("dssim", dssim)
    announce("perceptual error: LPIPS", f"its weights are in {weights}")
    return PerceptualError("lpips", _lpips("alex", normalize=True))


def published_error() -> PerceptualError:
    """The perceptual error to which the threshold of the published outlier rule belongs, if its weights are here.

    The authors' is LPIPS with VGG, given values from 0 to 1 where it expects -1 to 1. Else it is `perceptual_error`,
    and a warning says that the threshold belongs to another quantity.
    """
    weights = _find(VGG_FILES, None)
    if weights is None:
        error = perceptual_error()
        warn(
            f"the published rule's threshold is compared with {error.name.upper()}, to which it does not belong",
            f"it needs torchvision's VGG16 weights ({_absent(VGG_FILES)}): python -c \"import torchvision; "
            "torchvision.models.vgg16(weights='DEFAULT')\" fetches them (528 MB)",
        )
        return error
    announce("perceptual error of the published rule: LPIPS with VGG", f"its weights are in {weights}")
    return PerceptualError("lpips", _lpips("vgg", normalize=False))


def _find(files: str, folder: Path | None) -> Path | None:
    return next(iter(sorted((folder or _hub_folder()).glob(files))), None)


def _hub_folder() -> Path:
    """Where torchvision stores weights."""
    return Path(torch.hub.get_dir()) / "checkpoints"


def _absent(files: str) -> str:
    return f"{files}, none in {_hub_folder()}"


def _lpips(backbone: Literal["alex", "vgg"], normalize: bool) -> Callable[[Images, Images], Tensor]:
    """LPIPS on the device of the images; `normalize` brings 0 to 1 to the range from -1 to 1 that it was trained on."""
    # torchmetrics carries LPIPS's own linear layers and asks torch's hub, which finds the file, for the backbone.
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

    network = LearnedPerceptualImagePatchSimilarity(net_type=backbone, normalize=normalize)

    def distance(a: Tensor, b: Tensor) -> Tensor:
        here = network.to(a.device)
        pairs = zip(a.permute(0, 3, 1, 2), b.permute(0, 3, 1, 2), strict=True)
        return torch.stack([here(first[None], second[None]) for first, second in pairs])

    return distance
