"""The CUDA back end: gsplat 1.4.0, imported when first used.

gsplat has no gradient for the intrinsics. Its rasterizer is compiled at the first call if no built copy is found.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.rasterizer.constants import EPS_2D, FAR, GSPLAT_TILE, NEAR
from sparseags_ns.rasterizer.types import Gaussians, Raster


def rasterize_cuda(
    gaussians: Gaussians,
    cameras: Cameras,
    background: Float[Tensor, "views 3"],
    *,
    sh_degree: int | None = None,
    depth: bool = False,
    absgrad: bool = False,
    near: float = NEAR,
    far: float = FAR,
) -> Raster:
    """Render through `gsplat.rasterization`, unpacked, so that `info` has one row for each Gaussian and view."""
    if gaussians.means.dtype != torch.float32:
        raise ValueError(f"gsplat renders float32 only, the Gaussians are {gaussians.means.dtype}; call .float()")
    if gaussians.colors.dim() == 3 and sh_degree is None:
        sh_degree = math.isqrt(gaussians.colors.shape[1]) - 1
    colors, alpha, info = _gsplat_rasterization()(
        means=gaussians.means.contiguous(),
        quats=gaussians.quats.contiguous(),
        scales=gaussians.scales.contiguous(),
        opacities=gaussians.opacities.contiguous(),
        colors=gaussians.colors.contiguous(),
        viewmats=cameras.T_camera_world.contiguous(),
        Ks=cameras.K.contiguous(),
        width=cameras.width,
        height=cameras.height,
        near_plane=near,
        far_plane=far,
        eps2d=EPS_2D,
        sh_degree=sh_degree,
        packed=False,
        tile_size=GSPLAT_TILE,
        backgrounds=background.contiguous(),
        render_mode="RGB+ED" if depth else "RGB",
        absgrad=absgrad,
    )
    return Raster(colors[..., :3], alpha[..., 0], colors[..., 3] if depth else None, info)


def _gsplat_rasterization() -> Any:
    try:
        from gsplat import rasterization
    except ImportError as error:
        raise ImportError("rendering on CUDA needs gsplat; install it with: pip install gsplat==1.4.0") from error
    return rasterization
