"""Differentiable Gaussian splatting for many cameras in one call, on CPU and CUDA.

    raster = rasterize(gaussians, cameras, background)
    raster.rgb, raster.alpha  # [views height width 3], [views height width]

Frames: `world`; `camera`, OpenCV axes. Units: world units; pixels.
"""

from __future__ import annotations

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor

from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.rasterizer.checks import Backend, check_backend, check_inputs, expand_background
from sparseags_ns.rasterizer.constants import FAR, NEAR
from sparseags_ns.rasterizer.image_loss import photometric_loss
from sparseags_ns.rasterizer.reference import rasterize_reference
from sparseags_ns.rasterizer.scoring import score_poses
from sparseags_ns.rasterizer.types import Gaussians, Raster, Target

__all__ = ["Backend", "Gaussians", "Raster", "Target", "photometric_loss", "rasterize", "score_poses"]


def rasterize(
    gaussians: Gaussians,
    cameras: Cameras,
    background: Float[Tensor, " 3"] | Float[Tensor, "views 3"] | None = None,
    *,
    sh_degree: int | None = None,
    depth: bool = False,
    backend: Backend = "auto",
    absgrad: bool = False,
    near: float = NEAR,
    far: float = FAR,
) -> Raster:
    """Render all cameras; gradients flow to every tensor of the Gaussians, the background, the poses, and K.

    K counts through fx, fy, cx and cy only. Gaussians that hold NaN or infinity are left out (not by gsplat on CUDA).

    Args:
        gaussians: activated. Colours [N 3] are RGB, colours [N bases 3] are spherical harmonics.
        background: colour behind the splats; black if None.
        sh_degree: highest degree to use; by default that of the coefficients. Not allowed with RGB.
        depth: also render expected depth.
        backend: "auto" chooses by the tensors' device (cpu: the numba kernels; cuda: gsplat). A back end named here is
            used or refused, never replaced.
        absgrad: make the backward pass write the sums of absolute per-pixel gradients to `info["means2d"].absgrad`.
        near, far: range of z that is drawn, in world units.

    Raises:
        RasterizerInputError: shapes, devices or dtypes do not fit together, or the back end does not fit them.
    """
    check_inputs(gaussians, cameras, sh_degree)
    chosen = check_backend(backend, gaussians.means.device)
    filled = expand_background(background, gaussians.means, len(cameras))
    options = {"sh_degree": sh_degree, "depth": depth, "absgrad": absgrad, "near": near, "far": far}
    return _renderer(chosen)(gaussians, cameras, filled, **options)


def _renderer(backend: str) -> Callable[..., Raster]:
    """The function of a back end; numba and gsplat are imported only when used."""
    if backend == "cuda":
        from sparseags_ns.rasterizer.cuda import rasterize_cuda

        return rasterize_cuda
    if backend == "cpu":
        from sparseags_ns.rasterizer.cpu import rasterize_cpu

        return rasterize_cpu
    return rasterize_reference
