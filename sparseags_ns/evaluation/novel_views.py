"""The splat seen from where held-out photographs were taken (METHOD.md, Metrics).

Frames: the true `world`, in which the held-out cameras are known; the splat's `world`, to which the similarity of the
input views' centres leads. Images are compared over white.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.evaluation.held_out import HeldOut
from sparseags_ns.geometry.alignment import Similarity
from sparseags_ns.metrics.images import ssim
from sparseags_ns.metrics.perceptual import PerceptualError
from sparseags_ns.rasterizer import rasterize
from sparseags_ns.rasterizer.types import Gaussians

_LEAST_MSE = 1e-10
"""PSNR ends at 100 dB, so that means over views stay finite."""


@dataclass(frozen=True)
class NovelViewErrors:
    """How close the renders come to the held-out photographs, view by view."""

    names: tuple[str, ...]
    psnr: Float[Tensor, " views"]
    """dB, over the pixels that are known."""
    ssim: Float[Tensor, " views"]
    perceptual: Float[Tensor, " views"]
    """LPIPS or its stand-in, lower is better."""
    perceptual_name: str
    renders: Float[Tensor, "views height width 3"]

    def summary(self) -> dict[str, float]:
        """Means over the views."""
        return {
            "psnr": float(self.psnr.mean()),
            "ssim": float(self.ssim.mean()),
            self.perceptual_name: float(self.perceptual.mean()),
        }

    def views(self) -> list[dict[str, Any]]:
        """The figures of each view."""
        columns = zip(self.names, self.psnr.tolist(), self.ssim.tolist(), self.perceptual.tolist(), strict=True)
        return [{"name": n, "psnr": p, "ssim": s, self.perceptual_name: d} for n, p, s, d in columns]


@torch.no_grad()
def novel_view_errors(
    gaussians: Gaussians,
    held_out: HeldOut,
    splat_to_truth: Similarity,
    perceptual: PerceptualError,
    *,
    sh_degree: int | None,
) -> NovelViewErrors:
    """Render the held-out cameras, with their true intrinsics, and compare with their photographs.

    Args:
        splat_to_truth: from the splat's world to the true one: `PoseErrors.alignment` of the splat's cameras.
    """
    cameras = held_out.cameras
    in_splat = cameras.with_poses(splat_to_truth.inverse().apply_to_poses(cameras.T_camera_world))
    raster = rasterize(gaussians, in_splat.to(gaussians.means), gaussians.means.new_ones(3), sh_degree=sh_degree)
    photographs, valid = held_out.images.to(raster.rgb), held_out.valid.to(raster.rgb)[..., None]
    renders = raster.rgb.clamp(0, 1)
    # Unknown pixels show the same in both, so that they add nothing to any error.
    compared = renders * valid + photographs * (1 - valid)
    squared = (compared - photographs).square().sum((1, 2, 3)) / (3 * valid.sum((1, 2, 3)).clamp_min(1))
    return NovelViewErrors(
        names=held_out.names,
        psnr=-10 * squared.clamp_min(_LEAST_MSE).log10(),
        ssim=ssim(compared, photographs),
        perceptual=perceptual(compared, photographs),
        perceptual_name=perceptual.name,
        renders=renders,
    )
