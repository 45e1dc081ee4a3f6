"""A closed mesh of the object: depth of the splat is rendered from all around, fused, cleaned, simplified and coloured.

Frames: the mesh is made in the run's world and moved to that of the export. Colours are sRGB and come from renders;
those through the cameras of trusted photographs have the largest weight.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from sparseags_ns.export.destination import ExportError
from sparseags_ns.export.orientation import OrientedRun
from sparseags_ns.export.surface import Grid, largest_parts, level_surface, simplified
from sparseags_ns.export.turntable import Sphere, object_sphere
from sparseags_ns.export.visible import Progress, render_views
from sparseags_ns.geometry.cameras import Cameras, look_at
from sparseags_ns.runs.opening import OpenedRun

if TYPE_CHECKING:
    from sparseags_ns.export.fusion import DepthMaps

Stage = Callable[[str], Progress]
"""Begins a stage of this name; returns the function that takes the stage's progress."""

GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))


@dataclass(frozen=True)
class MeshSettings:
    """How the mesh is made."""

    resolution: int = 128
    """Voxels along each side of the cube around the object."""
    faces: int = 50_000
    """Number of triangles that the mesh is decimated to."""
    viewpoints: int = 48
    """Number of cameras all around the object from which depth is rendered, besides those of the photographs."""
    truncation: float = 0.047
    """Distance from the surface at which signed distances are cut off, as a share of the cube's side."""
    smoothing: int = 10
    """Passes of Taubin smoothing, which keeps the volume; 0 for none."""
    least_part: float = 0.02
    """Unconnected parts with less than this share of the largest part's area are dropped."""
    texture: int = 0
    """Side in pixels of a texture, which replaces the colours of the vertices; .glb and .obj only. 0 for none."""
    photograph_weight: float = 2.0
    """Weight of a trusted photograph's camera; the cameras all around have weight 1."""


def make_mesh(oriented: OrientedRun, settings: MeshSettings, stage: Stage) -> Any:
    """The object as a trimesh.Trimesh with vertex colours or a texture, in the world of the export.

    Raises:
        ExportError: the splat has no surface.
    """
    import trimesh

    from sparseags_ns.export.fusion import distance_field  # numba takes half a second to import

    run = oriented.run
    sphere = object_sphere(run.gaussians)
    maps = render_maps(run, sphere, settings, stage("Rendering depth"))
    side = 2 * sphere.radius * 1.2
    grid = Grid(sphere.center - side / 2, side / (settings.resolution - 1), settings.resolution)
    field = distance_field(maps, grid, settings.truncation * side, stage("Fusing depth"))
    try:
        surface = level_surface(field, grid)
    except ValueError as error:
        raise ExportError(f"{run.folder}: {error}; train it longer") from error
    stage("Cleaning and simplifying")
    surface = simplified(largest_parts(surface, settings.least_part), settings.faces, settings.smoothing)
    mesh = trimesh.Trimesh(surface.vertices, surface.faces, process=False)
    mesh = _colored(mesh, maps, 2 * grid.spacing, settings.texture)
    mesh.vertices = oriented.from_world.apply_to_points(torch.from_numpy(np.array(mesh.vertices))).numpy()
    return mesh


def _colored(mesh: Any, maps: DepthMaps, slack: float, texture: int) -> Any:
    """The mesh with a texture of that size, or with colours of its vertices if the size is 0."""
    from scipy.spatial import KDTree
    from trimesh.visual.color import ColorVisuals

    from sparseags_ns.export.fusion import surface_colors
    from sparseags_ns.export.texture import textured

    if texture:
        return textured(mesh, maps, slack, texture)
    vertices = np.array(mesh.vertices)
    colors, weights = surface_colors(maps, vertices, np.array(mesh.vertex_normals), slack)
    seen = weights > 0
    if seen.any() and not seen.all():
        # Vertices that no render shows take the colour of the nearest one that a render shows.
        colors[~seen] = colors[seen][KDTree(vertices[seen]).query(vertices[~seen])[1]]
    mesh.visual = ColorVisuals(mesh, vertex_colors=(colors * 255).round().astype(np.uint8))
    return mesh


def render_maps(run: OpenedRun, sphere: Sphere, settings: MeshSettings, progress: Progress | None = None) -> DepthMaps:
    """Depth of the splat from the cameras of the trusted photographs and from cameras all around."""
    from sparseags_ns.export.fusion import DepthMaps

    real = run.refined.detach()[run.trusted]
    around = surrounding_cameras(sphere, settings.viewpoints, real.width, real.height)
    cameras = Cameras(
        torch.cat([real.T_camera_world, around.T_camera_world]), torch.cat([real.K, around.K]), real.width, real.height
    )
    weights = torch.ones(len(cameras))
    weights[: len(real)] = settings.photograph_weight
    return DepthMaps(cameras, render_views(run.gaussians, cameras, run.sh_degree, None, progress), weights)


def surrounding_cameras(sphere: Sphere, count: int, width: int, height: int) -> Cameras:
    """Cameras spread evenly around a sphere (on a Fibonacci lattice), each of which sees all of it."""
    index = torch.arange(count, dtype=torch.float32) + 0.5
    # Heights are half a step away from the poles, where the line of sight is the up direction.
    y = 1 - 2 * index / count
    across, azimuth = (1 - y * y).sqrt(), index * GOLDEN_ANGLE
    outward = torch.stack([across * azimuth.cos(), y, across * azimuth.sin()], dim=-1).to(sphere.center)
    distance = 4 * sphere.radius
    poses = look_at(sphere.center + distance * outward, sphere.center.expand_as(outward))
    focal = min(width, height) / 2 * math.sqrt(distance**2 - sphere.radius**2) / (1.2 * sphere.radius)
    K = torch.tensor([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]]).to(poses)
    return Cameras(poses, K.expand(count, 3, 3).contiguous(), width, height)
