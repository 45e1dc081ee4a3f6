"""Cameras that the diffusion prior's renders are taken from: around the object, with the splat centred in the frame.

The paper moves the principal point and the focal length up to ten times, until the mask of a render is centred and
fills the frame. Here both follow at once from the bounding box of the projected Gaussians.

Frames: `world`, normalised (the object at the origin, +y up); `camera`, OpenCV. Screen coordinates u, v are x / z and
y / z in the camera, so that pixel = focal * u + principal point.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.geometry import se3
from sparseags_ns.geometry.cameras import Cameras, orbit, orbit_angles
from sparseags_ns.rasterizer.types import Gaussians

MARGIN_DEG, STEEPEST_DEG = 60.0, 80.0
"""Margin around the photographs' elevations, and the steepest elevation (paper)."""

FILL = 1.2
"""Side of the frame over the size of the object (paper)."""

OUTLYING = 0.002
"""Share of the visible mass that may lie beyond each side of the bounding box, so that stray Gaussians do not count."""

EDGE = 1.0
"""Extent of a Gaussian in standard deviations: one of high opacity covers a pixel by about half there."""

ZOOM = 6.0
"""Largest factor between the focal length and that of the photographs, either way."""

EMPTY_RADIUS = 0.3
"""Radius of the ball that is framed while nothing is visible, world units: that of the first Gaussians (paper)."""


@dataclass(frozen=True)
class NovelView:
    """Camera and background of a render for the prior."""

    camera: Cameras
    """One square camera."""
    background: Float[Tensor, "1 3"]
    """White or black."""


@torch.no_grad()
def sample_novel_view(gaussians: Gaussians, cameras: Cameras, side_px: int, generator: torch.Generator) -> NovelView:
    """Draw a square camera on a sphere around the object and a background; not differentiable.

    The cameras are those of the trusted photographs, one or more; the generator is on the CPU.

    Raises:
        ValueError: there are no cameras.
    """
    pose = sample_pose(cameras, generator)
    usual = float((cameras.K[:, [0, 1], [0, 1]] / max(cameras.width, cameras.height)).mean())
    K = framing_intrinsics(gaussians, pose, side_px, usual * side_px)
    background = torch.randint(0, 2, (1, 1), generator=generator).expand(1, 3)
    return NovelView(Cameras(pose, K, side_px, side_px), background.to(gaussians.means))


def sample_pose(cameras: Cameras, generator: torch.Generator) -> Float[Tensor, "1 4 4"]:
    """`T_camera_world` of an upright camera at the photographs' mean distance.

    The azimuth is uniform, the elevation uniform in the photographs' range and a margin around it.
    """
    if len(cameras) == 0:
        raise ValueError("a novel view is placed by the trusted photographs' cameras, and there are none")
    _, elevations, radii = orbit_angles(cameras.centers.detach())
    low = max(float(elevations.min()) - MARGIN_DEG, -STEEPEST_DEG)
    high = min(float(elevations.max()) + MARGIN_DEG, STEEPEST_DEG)
    draw = torch.rand(2, generator=generator).to(radii)
    return orbit(360 * draw[:1] - 180, low + (high - low) * draw[1:], radii.mean()[None])


def framing_intrinsics(
    gaussians: Gaussians, T_camera_world: Float[Tensor, "1 4 4"], side_px: int, usual_focal_px: float
) -> Float[Tensor, "1 3 3"]:
    """Intrinsics that centre the object and make it fill the frame, with one focal length for both axes.

    The focal length is within `ZOOM` of `usual_focal_px`, that of the photographs at the size `side_px`.
    """
    low, high = screen_box(gaussians, T_camera_world)
    extent = float((high - low).amax())
    focal = min(max(side_px / (FILL * max(extent, 1e-6)), usual_focal_px / ZOOM), usual_focal_px * ZOOM)
    K = torch.eye(3, dtype=T_camera_world.dtype, device=T_camera_world.device)
    K[0, 0] = K[1, 1] = focal
    K[:2, 2] = side_px / 2 - focal * (low + high) / 2
    return K[None]


def screen_box(
    gaussians: Gaussians, T_camera_world: Float[Tensor, "1 4 4"]
) -> tuple[Float[Tensor, " 2"], Float[Tensor, " 2"]]:
    """Least and greatest u, v of the visible Gaussians, without a few strays.

    Each Gaussian weighs opacity squared times area on screen, so that faint ones hardly count.
    """
    point = se3.transform_points(T_camera_world[0], gaussians.means)
    depth = point[:, 2:]
    seen = depth > 0.05 * T_camera_world[0, :3, 3].norm()
    safe = torch.where(seen, depth, torch.ones_like(depth))
    center = point[:, :2] / safe
    unit = F.normalize(gaussians.quats, dim=-1)
    w, v = unit[:, 0, None, None], se3.skew(unit[:, 1:])
    rotations = torch.eye(3, dtype=unit.dtype, device=unit.device) + 2 * (w * v + v @ v)
    axes = T_camera_world[0, :3, :3] @ rotations * gaussians.scales[:, None, :]
    # First-order change of u = x / z along each of the Gaussian's three axes: du = (dx - u dz) / z. The projected
    # covariance is the sum of the outer products of these changes.
    spread = (axes[:, :2] - center[:, :, None] * axes[:, 2:]) / safe[:, :, None]
    covariance = spread @ spread.mT
    # Area within one standard deviation; 0 behind the camera.
    area = torch.det(covariance).clamp_min(0).sqrt() * seen[:, 0]
    deviation = covariance.diagonal(dim1=-2, dim2=-1).sqrt()
    mass = gaussians.opacities.square() * area
    counts = torch.isfinite(center).all(-1) & torch.isfinite(deviation).all(-1) & torch.isfinite(mass) & (mass > 0)
    if not counts.any():
        distance = float(T_camera_world[0, :3, 3].norm())
        # An upright camera that looks at the origin sees it at u = v = 0.
        half = center.new_full((2,), EMPTY_RADIUS / max(distance, EMPTY_RADIUS))
        return -half, half
    center, reach, mass = center[counts], EDGE * deviation[counts], mass[counts]
    low, high = (
        torch.stack([_weighted_quantile(edges[:, axis], mass, share) for axis in range(2)])
        for edges, share in ((center - reach, OUTLYING), (center + reach, 1 - OUTLYING))
    )
    return torch.minimum(low, high), torch.maximum(low, high)


def _weighted_quantile(values: Float[Tensor, " n"], weights: Float[Tensor, " n"], share: float) -> Float[Tensor, ""]:
    """The value below which `share` of the weight lies."""
    order = values.argsort()
    reached = weights[order].double().cumsum(0)
    index = torch.searchsorted(reached, share * reached[-1])
    return values[order][index.clamp(max=len(values) - 1)]
