"""The reference rasterizer: plain torch, autograd for every gradient, the oracle of the tests.

It defines the results of all back ends, which are those of `gsplat.rasterization` (classic mode): EWA splatting
(Zwicker et al. 2001) as used by 3D Gaussian splatting (Kerbl et al. 2023).

Frames: `world`; `camera`, OpenCV axes. Units: world units; pixels, pixel (column i, row j) has its centre at
(i + 0.5, j + 0.5).

Notation: Sigma, covariance; conic, the three distinct entries (A, B, C) of an inverse 2D covariance; sigma, the
exponent 1/2 d^T Sigma^-1 d; T, transmittance.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from sparseags_ns.geometry import se3
from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.rasterizer.constants import (
    ALPHA_MAX,
    ALPHA_MIN,
    EPS_2D,
    FAR,
    FRUSTUM_MARGIN,
    GSPLAT_TILE,
    NEAR,
    RADIUS_SIGMAS,
    SH_C0,
    SH_C1,
    SH_C2,
    SH_C3,
    TRANSMITTANCE_MIN,
)
from sparseags_ns.rasterizer.types import Gaussians, Raster


@dataclass(frozen=True)
class Projection:
    """The Gaussians as ellipses in the images."""

    means2d: Float[Tensor, "views gaussians 2"]
    """Centres in pixels."""
    conics: Float[Tensor, "views gaussians 3"]
    """(A, B, C): sigma = 1/2 (A dx^2 + 2 B dx dy + C dy^2)."""
    depths: Float[Tensor, "views gaussians"]
    """z in the camera frame."""
    radii: Int[Tensor, "views gaussians"]
    """ceil(3 standard deviations) in pixels, 0 where the Gaussian is not seen."""


def rasterize_reference(
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
    """Render in plain torch; slow, any floating dtype, any device."""
    gaussians = without_broken(gaussians)
    projection = project(gaussians, cameras, near, far)
    colors = view_colors(gaussians, cameras, sh_degree)
    if absgrad:
        projection.means2d.absgrad = torch.zeros_like(projection.means2d)  # pyright: ignore
    images = [
        _composite_view(projection, view, gaussians.opacities, colors[view], cameras, absgrad)
        for view in range(len(cameras))
    ]
    rgbd, alpha = torch.stack([image for image, _ in images]), torch.stack([alpha for _, alpha in images])
    rgb = rgbd[..., :3] + (1 - alpha)[..., None] * background[:, None, None]
    expected_depth = torch.where(alpha > 0, rgbd[..., 3] / alpha.clamp_min(ALPHA_MIN / 2), 0)
    return Raster(rgb, alpha, expected_depth if depth else None, strategy_info(projection, cameras))


def strategy_info(projection: Projection, cameras: Cameras) -> dict[str, object]:
    """The fields of `Raster.info`, which gsplat's strategies read after an unpacked render."""
    return {
        "means2d": projection.means2d,
        "radii": projection.radii,
        "depths": projection.depths,
        "conics": projection.conics,
        "width": cameras.width,
        "height": cameras.height,
        "n_cameras": len(cameras),
        "gaussian_ids": None,
    }


def without_broken(gaussians: Gaussians) -> Gaussians:
    """Replace Gaussians that hold NaN or infinity by transparent ones, so that their gradients are zero."""
    parts = (gaussians.means, gaussians.quats, gaussians.scales, gaussians.opacities[:, None])
    healthy = torch.stack([part.isfinite().all(dim=1) for part in parts]).all(dim=0)
    return Gaussians(
        means=torch.where(healthy[:, None], gaussians.means, 0),
        quats=torch.where(healthy[:, None], gaussians.quats, 1),
        scales=torch.where(healthy[:, None], gaussians.scales, 1),
        opacities=torch.where(healthy, gaussians.opacities, 0),
        colors=gaussians.colors,
    )


def project(gaussians: Gaussians, cameras: Cameras, near: float = NEAR, far: float = FAR) -> Projection:
    """Project means exactly and covariances to first order: Sigma_2d = J W Sigma W^T J^T + EPS_2D I."""
    W, t = cameras.T_camera_world[:, :3, :3], cameras.T_camera_world[:, :3, 3]
    points = torch.einsum("cij,nj->cni", W, gaussians.means) + t[:, None]
    depths = points[..., 2]
    in_range = (depths > near) & (depths < far)
    means2d, J = _pinhole(torch.where(in_range[..., None], points, 1), cameras)
    half = se3.rotations_from_quats(gaussians.quats) * gaussians.scales[:, None]
    JWM = J @ W[:, None] @ half
    covariance = JWM @ JWM.transpose(-1, -2) + EPS_2D * torch.eye(2, dtype=half.dtype, device=half.device)
    a, b, c = covariance[..., 0, 0], covariance[..., 0, 1], covariance[..., 1, 1]
    determinant = (a * c - b * b).clamp_min(1e-10)
    conics = torch.stack([c, -b, a], dim=-1) / determinant[..., None]
    radii = _radii(a, c, determinant)
    edge = radii[..., None]
    size = torch.tensor([cameras.width, cameras.height], dtype=half.dtype, device=half.device)
    inside = ((means2d + edge > 0) & (means2d - edge < size)).all(dim=-1)
    seen = in_range & inside & (radii < 2**30)
    return Projection(means2d, conics, depths, torch.where(seen, radii, 0).int())


def _pinhole(
    points: Float[Tensor, "views n 3"], cameras: Cameras
) -> tuple[Float[Tensor, "views n 2"], Float[Tensor, "views n 2 3"]]:
    """Pinhole projection of points in the camera frame, and its derivative.

    Far outside the image the derivative explodes, so it is taken at the image point clamped to a margin of 15% around
    the image (as in the code of 3DGS; the paper does not mention it).
    """
    x, y, z = points.unbind(-1)
    fx, fy, cx, cy = (cameras.K[:, i, j, None] for i, j in ((0, 0), (1, 1), (0, 2), (1, 2)))
    u, v = fx * x / z + cx, fy * y / z + cy
    u_near = u.clamp(-FRUSTUM_MARGIN * cameras.width, (1 + FRUSTUM_MARGIN) * cameras.width)
    v_near = v.clamp(-FRUSTUM_MARGIN * cameras.height, (1 + FRUSTUM_MARGIN) * cameras.height)
    zero = torch.zeros_like(z)
    first = torch.stack([fx / z, zero, -(u_near - cx) / z], dim=-1)
    second = torch.stack([zero, fy / z, -(v_near - cy) / z], dim=-1)
    return torch.stack([u, v], dim=-1), torch.stack([first, second], dim=-2)


@torch.no_grad()
def _radii(a: Float[Tensor, "*b"], c: Float[Tensor, "*b"], determinant: Float[Tensor, "*b"]) -> Float[Tensor, "*b"]:
    """Three standard deviations along the longer axis, rounded up to pixels."""
    middle = 0.5 * (a + c)
    largest = middle + (middle * middle - determinant).clamp_min(0.01).sqrt()
    return (RADIUS_SIGMAS * largest.sqrt()).ceil()


def view_colors(gaussians: Gaussians, cameras: Cameras, sh_degree: int | None) -> Float[Tensor, "views gaussians 3"]:
    """Colours seen by each camera: RGB unchanged, or spherical harmonics + 0.5, not below 0."""
    if gaussians.colors.dim() == 2:
        return gaussians.colors.expand(len(cameras), -1, -1)
    bases = gaussians.colors.shape[1]
    degree = round(bases**0.5) - 1 if sh_degree is None else sh_degree
    centers = torch.linalg.inv(cameras.T_camera_world)[:, :3, 3]
    directions = functional.normalize(gaussians.means - centers[:, None], dim=-1)
    active = harmonics(directions, degree)
    rgb = torch.einsum("cnb,nbk->cnk", active, gaussians.colors[:, : active.shape[-1]])
    return (rgb + 0.5).clamp_min(0)


def harmonics(directions: Float[Tensor, "*batch 3"], degree: int) -> Float[Tensor, "*batch bases"]:
    """Real spherical harmonics of unit directions, degree 0 to 3, in the order of the 3DGS paper's code."""
    x, y, z = directions.unbind(-1)
    bases = [torch.full_like(x, SH_C0)]
    if degree >= 1:
        bases += [-SH_C1 * y, SH_C1 * z, -SH_C1 * x]
    xx, yy, zz = x * x, y * y, z * z
    if degree >= 2:
        bases += [SH_C2[0] * x * y, -SH_C2[0] * y * z, SH_C2[1] * (3 * zz - 1), -SH_C2[0] * x * z]
        bases += [SH_C2[2] * (xx - yy)]
    if degree >= 3:
        bases += [-SH_C3[0] * y * (3 * xx - yy), SH_C3[1] * x * y * z, -SH_C3[2] * y * (5 * zz - 1)]
        bases += [SH_C3[3] * z * (5 * zz - 3), -SH_C3[2] * x * (5 * zz - 1), SH_C3[4] * z * (xx - yy)]
        bases += [-SH_C3[0] * x * (xx - 3 * yy)]
    return torch.stack(bases, dim=-1)


def _composite_view(
    projection: Projection,
    view: int,
    opacities: Float[Tensor, " gaussians"],
    colors: Float[Tensor, "gaussians 3"],
    cameras: Cameras,
    absgrad: bool,
) -> tuple[Float[Tensor, "height width 4"], Float[Tensor, "height width"]]:
    """Composite one image tile by tile: (sums of w (r, g, b, z), alpha)."""
    features = torch.cat([colors, projection.depths[view][:, None]], dim=-1)
    order = torch.argsort(projection.depths[view], stable=True)
    rows, alpha_rows = [], []
    for top in range(0, cameras.height, GSPLAT_TILE):
        tiles = []
        for left in range(0, cameras.width, GSPLAT_TILE):
            ids = order[_touches_tile(projection, view, left, top)[order]]
            pixels = _pixel_centers(left, top, cameras, opacities)
            offsets = projection.means2d[view, ids] - pixels[..., None, :]
            if absgrad and offsets.requires_grad:
                _accumulate_absgrad(offsets, projection.means2d.absgrad[view], ids)  # pyright: ignore
            weights, transmittance = _weights(offsets, projection.conics[view, ids], opacities[ids])
            tiles.append((weights @ features[ids], 1 - transmittance))
        rows.append(torch.cat([tile for tile, _ in tiles], dim=1))
        alpha_rows.append(torch.cat([alpha for _, alpha in tiles], dim=1))
    return torch.cat(rows), torch.cat(alpha_rows)


def _accumulate_absgrad(
    offsets: Float[Tensor, "h w m 2"], target: Float[Tensor, "gaussians 2"], ids: Int[Tensor, " m"]
) -> None:
    """Make the backward pass add |d loss / d mean| of each pixel to `target` (AbsGS, Ye et al. 2024)."""

    def add(grad: Float[Tensor, "h w m 2"]) -> None:
        target.index_add_(0, ids, grad.abs().sum(dim=(0, 1)))

    offsets.register_hook(add)


def _touches_tile(projection: Projection, view: int, left: int, top: int) -> Bool[Tensor, " gaussians"]:
    """Which Gaussians gsplat lists for a tile: the square of 3 sigma, rounded outwards to whole tiles, covers it."""
    radii, tile = projection.radii[view], torch.tensor([left, top], device=projection.radii.device) / GSPLAT_TILE
    means, reach = projection.means2d[view].detach() / GSPLAT_TILE, radii[:, None] / GSPLAT_TILE
    covers = (torch.floor(means - reach) <= tile) & (tile < torch.ceil(means + reach))
    return covers.all(dim=1) & (radii > 0)


def _pixel_centers(left: int, top: int, cameras: Cameras, like: Tensor) -> Float[Tensor, "h w 2"]:
    """Centres of the pixels of one tile inside the image."""
    bottom, right = min(top + GSPLAT_TILE, cameras.height), min(left + GSPLAT_TILE, cameras.width)
    y = torch.arange(top, bottom, dtype=like.dtype, device=like.device) + 0.5
    x = torch.arange(left, right, dtype=like.dtype, device=like.device) + 0.5
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)


def _weights(
    offsets: Float[Tensor, "h w m 2"], conics: Float[Tensor, "m 3"], opacities: Float[Tensor, " m"]
) -> tuple[Float[Tensor, "h w m"], Float[Tensor, "h w"]]:
    """Weight of each Gaussian in each pixel, front to back, and the transmittance behind the last one.

    w_i = alpha_i prod_{j<i} (1 - alpha_j); a pixel is closed by the first Gaussian that would bring its
    transmittance to 1e-4 or below, and that one no longer counts.
    """
    dx, dy = offsets.unbind(-1)
    A, B, C = conics.unbind(-1)
    sigma = 0.5 * (A * dx * dx + C * dy * dy) + B * dx * dy
    alpha = (opacities * torch.exp(-sigma)).clamp_max(ALPHA_MAX)
    alpha = torch.where((alpha >= ALPHA_MIN) & (sigma >= 0), alpha, 0)
    after = torch.cumprod(1 - alpha, dim=-1)
    open_still = after > TRANSMITTANCE_MIN
    before = torch.cat([torch.ones_like(after[..., :1]), after[..., :-1]], dim=-1)
    transmittance = torch.where(open_still, 1 - alpha, 1).prod(dim=-1)
    return torch.where(open_still, alpha * before, 0), transmittance
