"""Fusion of depth maps: a truncated signed distance field on a grid, and the colours that the renders show.

The distance is positive in front of the surface (outside) and is cut off at the truncation. Each depth map gives every
voxel a distance along the optical axis. A voxel on the ray of a pixel that the object does not cover is outside at any
depth; a voxel further behind the surface than the truncation is not judged by that map. Voxels that no map judges are
inside. Voxels outside the ball that touches the sides of the grid are always outside, so the surface is closed.
(Curless and Levoy, "A volumetric method for building complex models from range images", 1996.)

Frames: the cameras' world. Units: world units. The kernels do the work of one thread and release the GIL.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.export.surface import Grid
from sparseags_ns.export.visible import SOLID, Progress
from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.rasterizer.kernels.jit import jit
from sparseags_ns.rasterizer.threads import run_chunks
from sparseags_ns.rasterizer.types import Raster

SEEN, FREE, UNSEEN = 0, 1, 2
"""What a depth map knows of a point: a surface on its ray; a ray that misses the object; the point is out of view."""
_EDGE = 0.03
"""Relative difference of neighbouring depths above which they belong to two surfaces and are not interpolated."""


@dataclass(frozen=True)
class DepthMaps:
    """Renders with depth of several cameras of one size, and the weights of the cameras."""

    cameras: Cameras
    raster: Raster
    weights: Float[Tensor, " views"]

    def arrays(self) -> tuple[np.ndarray, ...]:
        """Arguments of the kernels: poses [views 3 4], intrinsics [views 4] (fx fy cx cy), alphas and depths."""
        K = self.cameras.K
        intrinsics = torch.stack([K[:, 0, 0], K[:, 1, 1], K[:, 0, 2], K[:, 1, 2]], dim=-1)
        assert self.raster.depth is not None
        maps = (self.cameras.T_camera_world[:, :3], intrinsics, self.raster.alpha, self.raster.depth)
        return tuple(np.ascontiguousarray(m.detach().cpu().float().numpy()) for m in maps)


def distance_field(
    maps: DepthMaps, grid: Grid, truncation: float, progress: Progress | None = None
) -> Float[Tensor, "n n n"]:
    """Mean signed distances of all voxels as a share of the truncation, from -1 (inside) to 1 (outside)."""
    field = np.empty((grid.count,) * 3, np.float32)
    origin = grid.origin.double().cpu().numpy()
    weights = maps.weights.double().cpu().numpy()
    arrays, done = maps.arrays(), [0]

    def work(begin: int, end: int) -> None:
        _fuse(*arrays, weights, origin, grid.spacing, begin, end, truncation, SOLID, field)
        done[0] += end - begin
        if progress is not None:
            progress(done[0], grid.count)

    run_chunks(grid.count, 4, work)
    # The cameras stand around the ball and need not see the corners of the cube.
    square = torch.linspace(-1, 1, grid.count).square()
    outside_ball = square[:, None, None] + square[None, :, None] + square[None, None, :] > 1
    return torch.where(outside_ball, 1.0, torch.from_numpy(field))


def surface_colors(
    maps: DepthMaps, points: Float[np.ndarray, "points 3"], normals: Float[np.ndarray, "points 3"], slack: float
) -> tuple[Float[np.ndarray, "points 3"], Float[np.ndarray, " points"]]:
    """Colours of surface points in the renders (sRGB, 0 to 1), and their weights: 0 for points that no render shows.

    Args:
        maps: rendered over black.
        slack: largest distance of a point from the rendered depth.
    """
    colors, weights = np.zeros((len(points), 3)), np.zeros(len(points))
    rgb = np.ascontiguousarray(maps.raster.rgb.detach().cpu().float().numpy())
    arrays, counts = maps.arrays(), maps.weights.double().cpu().numpy()

    def work(begin: int, end: int) -> None:
        _gather_colors(*arrays, rgb, counts, points, normals, slack, SOLID, begin, end, colors, weights)

    run_chunks(len(points), 4096, work)
    return colors.clip(0, 1), weights


@jit
def _distance_to_surface(alpha, depth, x, y, z, solid):
    """SEEN, FREE or UNSEEN, and the depth of the surface at pixel (x, y) minus the depth z of a point on that ray.

    Alpha and depth are interpolated bilinearly between pixel centres. Across an edge an interpolated depth would lie
    between the two surfaces, where there is nothing; there the pixel with the largest weight counts alone.
    """
    height, width = alpha.shape
    if not (x >= 0.0 and y >= 0.0 and x < width and y < height):
        return UNSEEN, 0.0
    left, top = int(max(x - 0.5, 0.0)), int(max(y - 0.5, 0.0))
    left, top = min(left, width - 2), min(top, height - 2)
    u, v = min(max(x - 0.5 - left, 0.0), 1.0), min(max(y - 0.5 - top, 0.0), 1.0)
    cover, total, mean, low, high, heaviest, nearest = 0.0, 0.0, 0.0, 1e30, 0.0, -1.0, 0.0
    for row in range(2):
        for column in range(2):
            weight = (u if column else 1.0 - u) * (v if row else 1.0 - v)
            a, d = alpha[top + row, left + column], depth[top + row, left + column]
            cover += weight * a
            if a >= solid:
                total += weight
                mean += weight * d
                low, high = min(low, d), max(high, d)
                if weight > heaviest:
                    heaviest, nearest = weight, d
    if cover < solid or total <= 0.0:
        return FREE, 0.0
    mean /= total
    return SEEN, (mean if high - low < _EDGE * mean else nearest) - z


@jit
def _fuse(poses, intrinsics, alphas, depths, weights, origin, spacing, begin, end, truncation, solid, field):
    """Write the mean distances of voxels [begin, end) of the first axis, as shares of the truncation, into `field`."""
    for i in range(begin, end):
        for j in range(field.shape[1]):
            for k in range(field.shape[2]):
                px, py, pz = origin[0] + i * spacing, origin[1] + j * spacing, origin[2] + k * spacing
                total, count = 0.0, 0.0
                for view in range(poses.shape[0]):
                    P = poses[view]
                    z = P[2, 0] * px + P[2, 1] * py + P[2, 2] * pz + P[2, 3]
                    if z <= 0.0:
                        continue
                    x = (P[0, 0] * px + P[0, 1] * py + P[0, 2] * pz + P[0, 3]) / z
                    y = (P[1, 0] * px + P[1, 1] * py + P[1, 2] * pz + P[1, 3]) / z
                    K = intrinsics[view]
                    kind, ahead = _distance_to_surface(
                        alphas[view], depths[view], K[0] * x + K[2], K[1] * y + K[3], z, solid
                    )
                    if kind == FREE:
                        total += weights[view]
                        count += weights[view]
                    elif kind == SEEN and ahead > -truncation:
                        total += weights[view] * min(ahead / truncation, 1.0)
                        count += weights[view]
                field[i, j, k] = total / count if count > 0.0 else -1.0


@jit
def _gather_colors(
    poses, intrinsics, alphas, depths, colors, counts, points, normals, slack, solid, begin, end, out, weight
):
    """Write the mean colours of points [begin, end) into `out` [points 3] and their weights into `weight` [points].

    A render counts with the weight of its camera times the cubed cosine between the viewing ray and the normal. Colours
    were rendered over black, so they are divided by alpha.
    """
    for i in range(begin, end):
        total, r, g, b = 0.0, 0.0, 0.0, 0.0
        px, py, pz = points[i, 0], points[i, 1], points[i, 2]
        for view in range(poses.shape[0]):
            P, K = poses[view], intrinsics[view]
            x = P[0, 0] * px + P[0, 1] * py + P[0, 2] * pz + P[0, 3]
            y = P[1, 0] * px + P[1, 1] * py + P[1, 2] * pz + P[1, 3]
            z = P[2, 0] * px + P[2, 1] * py + P[2, 2] * pz + P[2, 3]
            if z <= 0.0:
                continue
            n = normals[i]
            # Cosine of the angle between the normal, rotated into the camera's axes, and the ray back to the camera.
            facing = -(
                (P[0, 0] * n[0] + P[0, 1] * n[1] + P[0, 2] * n[2]) * x
                + (P[1, 0] * n[0] + P[1, 1] * n[1] + P[1, 2] * n[2]) * y
                + (P[2, 0] * n[0] + P[2, 1] * n[1] + P[2, 2] * n[2]) * z
            ) / np.sqrt(x * x + y * y + z * z)
            if facing <= 0.1:
                continue  # nearly edge-on: the pixel mixes surfaces
            u, v = K[0] * x / z + K[2], K[1] * y / z + K[3]
            kind, ahead = _distance_to_surface(alphas[view], depths[view], u, v, z, solid)
            if kind != SEEN or abs(ahead) > slack:
                continue
            column, row = min(int(u), alphas.shape[2] - 1), min(int(v), alphas.shape[1] - 1)
            a = alphas[view, row, column]
            if a < solid:
                continue
            w = counts[view] * facing * facing * facing
            total += w
            r += w * colors[view, row, column, 0] / a
            g += w * colors[view, row, column, 1] / a
            b += w * colors[view, row, column, 2] / a
        weight[i] = total
        if total > 0.0:
            out[i, 0], out[i, 1], out[i, 2] = r / total, g / total, b / total
