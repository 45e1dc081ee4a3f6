"""A closed surface from depth maps: a truncated signed distance field on a grid, and its zero level.

Each depth map says of a voxel how far in front of the seen surface it lies (positive: outside). A voxel on the ray of a
pixel that the object does not cover is outside, however deep. Distances beyond the truncation in front count as the
truncation; voxels further behind the surface are not judged. What no map judges lies inside, but outside the ball that
touches the grid's sides nothing does, so the surface is closed. (Curless and Levoy, "A volumetric method for building
complex models from range images", 1996.)

Frames: the cameras' world. Units: world units.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from sparseags_ns.export.visible import SOLID
from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.rasterizer.threads import run_chunks
from sparseags_ns.rasterizer.types import Raster


@dataclass(frozen=True)
class Grid:
    """Voxels in a cube, their centres `spacing` apart."""

    origin: Float[Tensor, " 3"]
    """Centre of the first voxel."""
    spacing: float
    count: int
    """Along each side."""


@dataclass(frozen=True)
class DepthMaps:
    """Renders with depth of several cameras of one size, and how much each of them counts."""

    cameras: Cameras
    raster: Raster
    weights: Float[Tensor, " views"]

    def arrays(self) -> tuple[np.ndarray, ...]:
        """Poses, intrinsics, alphas and depths for the kernels."""
        K = self.cameras.K
        intrinsics = torch.stack([K[:, 0, 0], K[:, 1, 1], K[:, 0, 2], K[:, 1, 2]], dim=-1)
        assert self.raster.depth is not None
        maps = (self.cameras.T_camera_world[:, :3], intrinsics, self.raster.alpha, self.raster.depth)
        return tuple(np.ascontiguousarray(m.detach().cpu().float().numpy()) for m in maps)


@dataclass(frozen=True)
class Surface:
    """Triangles; their corners go round counterclockwise as seen from outside."""

    vertices: Float[np.ndarray, "vertices 3"]
    faces: Int[np.ndarray, "faces 3"]


def distance_field(
    maps: DepthMaps, grid: Grid, truncation: float, progress: Callable[[int, int], None] | None = None
) -> Float[Tensor, "n n n"]:
    """Mean signed distances, in truncations, -1 (inside) to 1, at all voxels."""
    from sparseags_ns.export.fusion_kernel import fuse  # numba takes half a second to import

    field = np.empty((grid.count,) * 3, np.float32)
    origin = grid.origin.double().cpu().numpy()
    weights = maps.weights.double().cpu().numpy()
    arrays, done = maps.arrays(), [0]

    def work(begin: int, end: int) -> None:
        fuse(*arrays, weights, origin, grid.spacing, begin, end, truncation, SOLID, field)
        done[0] += end - begin
        if progress is not None:
            progress(done[0], grid.count)

    run_chunks(grid.count, 4, work)
    return torch.where(outside_ball(grid.count), 1.0, torch.from_numpy(field))


def outside_ball(count: int) -> Bool[Tensor, "n n n"]:
    """Voxels outside the ball that touches the sides of the cube: cameras around the ball need not see them."""
    across = (torch.linspace(-1, 1, count)).square()
    return across[:, None, None] + across[None, :, None] + across[None, None, :] > 1


def level_surface(field: Float[Tensor, "n n n"], grid: Grid) -> Surface:
    """The closed surface between negative values (inside) and positive ones.

    Raises:
        ValueError: nothing is inside.
    """
    from skimage.measure import marching_cubes

    # A layer all around that is outside.
    closed = torch.nn.functional.pad(field[None, None], (1, 1, 1, 1, 1, 1), value=1.0)[0, 0]
    if not bool((closed < 0).any()):
        raise ValueError("the splat has no surface: nowhere does it cover the pixels of cameras from all sides")
    # Exact zeros at voxels would give triangles without area.
    closed = torch.where(closed.abs() < 1e-3, 1e-3, closed)
    vertices, faces, _, _ = marching_cubes(closed.numpy(), level=0.0)
    place = (vertices.astype(np.float64) - 1) * grid.spacing + grid.origin.double().cpu().numpy()
    return Surface(place, faces.astype(np.int64))


def surface_colors(
    maps: DepthMaps,
    points: Float[np.ndarray, "points 3"],
    normals: Float[np.ndarray, "points 3"],
    slack: float,
) -> tuple[Float[np.ndarray, "points 3"], Float[np.ndarray, " points"]]:
    """Colours of surface points as the renders show them (sRGB, 0 to 1), and their weights, 0 where none does.

    Args:
        maps: rendered over black.
        slack: how far a point may lie from the rendered depth.
    """
    from sparseags_ns.export.fusion_kernel import gather_colors

    colors, weights = np.zeros((len(points), 3)), np.zeros(len(points))
    rgb = np.ascontiguousarray(maps.raster.rgb.detach().cpu().float().numpy())
    arrays, counts = maps.arrays(), maps.weights.double().cpu().numpy()

    def work(begin: int, end: int) -> None:
        gather_colors(*arrays, rgb, counts, points, normals, slack, SOLID, begin, end, colors, weights)

    run_chunks(len(points), 4096, work)
    return colors.clip(0, 1), weights
