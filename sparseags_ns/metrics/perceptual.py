"""The perceptual error: LPIPS where its weights are on this machine, else a stated stand-in. Nothing is downloaded.

Images are [views, height, width, 3], sRGB, 0 to 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.console import announce
from sparseags_ns.metrics.images import dssim

ALEXNET_FILES = "alexnet-owt-*.pth"


@dataclass(frozen=True)
class PerceptualError:
    """A perceptual distance and its name."""

    name: Literal["lpips", "dssim"]
    function: Callable[[Tensor, Tensor], Tensor]

    def __call__(
        self, rendered: Float[Tensor, "views height width 3"], photographs: Float[Tensor, "views height width 3"]
    ) -> Float[Tensor, " views"]:
        """Distance of each pair, 0 if identical, without gradient."""
        with torch.no_grad():
            return self.function(rendered.clamp(0, 1), photographs.clamp(0, 1))


def find_alexnet(folder: Path | None = None) -> Path | None:
    """AlexNet's ImageNet weights as torchvision stores them in torch's hub folder, if they are there."""
    folder = folder or Path(torch.hub.get_dir()) / "checkpoints"
    return next(iter(sorted(folder.glob(ALEXNET_FILES))), None)


def perceptual_error(device: torch.device | str = "cpu") -> PerceptualError:
    """LPIPS (Zhang et al. 2018, AlexNet) if its weights are at hand, else DSSIM; says which and why."""
    weights = find_alexnet()
    if weights is None:
        place = Path(torch.hub.get_dir()) / "checkpoints"
        announce(
            "perceptual error: DSSIM", f"LPIPS needs torchvision's AlexNet weights ({ALEXNET_FILES}), none in {place}"
        )
        return PerceptualError("dssim", dssim)
    announce("perceptual error: LPIPS", f"its weights are in {weights}")
    return PerceptualError("lpips", _lpips(device))


def _lpips(device: torch.device | str) -> Callable[[Tensor, Tensor], Tensor]:
    # torchmetrics carries LPIPS's own linear layers and asks torch's hub, which finds the file, for the backbone.
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

    network = LearnedPerceptualImagePatchSimilarity(net_type="alex", normalize=True).to(device)

    def distance(a: Tensor, b: Tensor) -> Tensor:
        pairs = zip(a.permute(0, 3, 1, 2).to(device), b.permute(0, 3, 1, 2).to(device), strict=True)
        return torch.stack([network(first[None], second[None]) for first, second in pairs])

    return distance
