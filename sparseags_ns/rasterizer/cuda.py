"""The CUDA back end: gsplat 1.4.0, imported when first used (it compiles its kernels once if installed without them).

gsplat has no gradient for the intrinsics. It is computed through the poses: a camera with intrinsics K at pose T
renders exactly what a camera with K_0 renders at (K_0^-1 K) T, and gsplat differentiates by that pose.
"""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.rasterizer.checks import RasterizerInputError
from sparseags_ns.rasterizer.constants import EPS_2D, FAR, GSPLAT_TILE, NEAR
from sparseags_ns.rasterizer.reference import rasterize_reference
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
        raise RasterizerInputError(f"gsplat renders float32 only, the Gaussians are {gaussians.means.dtype}")
    if len(gaussians.means) == 0:
        # gsplat's kernels cannot be launched without Gaussians; the reference renders the background on any device.
        return rasterize_reference(gaussians, cameras, background, depth=depth, absgrad=absgrad)
    if gaussians.colors.dim() == 3 and sh_degree is None:
        sh_degree = math.isqrt(gaussians.colors.shape[1]) - 1
    if cameras.K.requires_grad:
        cameras = intrinsics_in_poses(cameras)
    colors, alpha, info = _gsplat_rasterization()(
        **{field.name: getattr(gaussians, field.name).contiguous() for field in fields(gaussians)},
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


def intrinsics_in_poses(cameras: Cameras) -> Cameras:
    """Equivalent cameras with constant intrinsics K_0 = K, whose poses (K_0^-1 K) T carry the gradient of K."""
    fixed = cameras.K.detach()
    change = functional.pad(torch.linalg.solve(fixed, cameras.K), (0, 1, 0, 1))
    corner = torch.zeros_like(change)
    corner[:, 3, 3] = 1
    return Cameras((change + corner) @ cameras.T_camera_world, fixed, cameras.width, cameras.height)


def _gsplat_rasterization() -> Any:
    try:
        from gsplat import rasterization
    except ImportError as error:
        raise ImportError("rendering on CUDA needs gsplat; install it with: pip install gsplat==1.4.0") from error
    return rasterization
