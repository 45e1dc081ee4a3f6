"""A mesh of the object: depth of the splat from all around, fused, cleaned, simplified, coloured.

Frames: the run's world, then that of the export. The mesh is closed (watertight). Colours are those of the vertices,
sRGB; they come from renders, in which the trusted photographs' cameras count most.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from sparseags_ns.export.fusion import DepthMaps, Grid, Surface, distance_field, level_surface, surface_colors
from sparseags_ns.export.orientation import OrientedRun
from sparseags_ns.export.places import ExportError
from sparseags_ns.export.turntable import Sphere, object_sphere
from sparseags_ns.export.visible import render_views
from sparseags_ns.geometry.cameras import Cameras, look_at
from sparseags_ns.rasterizer.types import Raster
from sparseags_ns.runs.opening import OpenedRun

Stage = Callable[[str], Callable[[int, int], None]]
"""Told what begins; returns what is told how far it is."""

GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))


@dataclass(frozen=True)
class MeshSettings:
    """How the mesh is made."""

    resolution: int = 128
    """Voxels along each side of the cube around the object."""
    faces: int = 50_000
    """About how many triangles are kept."""
    viewpoints: int = 48
    """Cameras all around the object from which depth is rendered, besides those of the photographs."""
    truncation: float = 0.047
    """Reach of a depth map on both sides of the surface, as a share of the cube's side."""
    smoothing: int = 10
    """Passes of Taubin's smoothing, which keeps the volume; 0 for none."""
    least_part: float = 0.02
    """Parts that are not connected to the rest are dropped below this share of the largest part's area."""
    texture: int = 0
    """Side of a texture in pixels, for .glb and .obj, instead of colours of the vertices; 0 for none."""
    photograph_weight: float = 2.0
    """How much a trusted photograph's camera counts against one of the others."""


def make_mesh(oriented: OrientedRun, settings: MeshSettings, stage: Stage) -> Any:
    """The mesh as a trimesh.Trimesh with vertex colours, in the world of the export.

    Raises:
        ExportError: the splat has no surface.
    """
    import trimesh

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
    """The mesh with colours of its vertices, or with a texture of that size."""
    from trimesh.visual.color import ColorVisuals

    if texture:
        from sparseags_ns.export.texture import textured  # numba takes half a second to import

        return textured(mesh, maps, slack, texture)
    vertices = np.array(mesh.vertices)
    colors, weights = surface_colors(maps, vertices, np.array(mesh.vertex_normals), slack)
    bytes_ = (_filled(vertices, colors, weights) * 255).round().astype(np.uint8)
    mesh.visual = ColorVisuals(mesh, vertex_colors=bytes_)
    return mesh


def render_maps(
    run: OpenedRun, sphere: Sphere, settings: MeshSettings, progress: Callable[[int, int], None] | None = None
) -> DepthMaps:
    """Depth of the splat from the trusted photographs' cameras and from all around."""
    real = run.refined.detach()[run.trusted]
    around = surrounding_cameras(sphere, settings.viewpoints, real.width, real.height)
    cameras = Cameras(
        torch.cat([real.T_camera_world, around.T_camera_world]), torch.cat([real.K, around.K]), real.width, real.height
    )
    raster: Raster = render_views(run.gaussians, cameras, run.sh_degree, None, progress)
    weights = torch.ones(len(cameras))
    weights[: len(real)] = settings.photograph_weight
    return DepthMaps(cameras, raster, weights)


def surrounding_cameras(sphere: Sphere, count: int, width: int, height: int) -> Cameras:
    """Cameras evenly all around a sphere (a Fibonacci lattice) that see all of it."""
    index = torch.arange(count, dtype=torch.float32) + 0.5
    # Not quite the poles, where up is the line of sight.
    y = 1 - 2 * index / count
    across, azimuth = (1 - y * y).sqrt(), index * GOLDEN_ANGLE
    outward = torch.stack([across * azimuth.cos(), y, across * azimuth.sin()], dim=-1).to(sphere.center)
    distance = 4 * sphere.radius
    poses = look_at(sphere.center + distance * outward, sphere.center.expand_as(outward))
    focal = min(width, height) / 2 * math.sqrt(distance**2 - sphere.radius**2) / (1.2 * sphere.radius)
    K = torch.tensor([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]]).to(poses)
    return Cameras(poses, K.expand(count, 3, 3).contiguous(), width, height)


def largest_parts(surface: Surface, least: float) -> Surface:
    """The surface without the parts that are far smaller than the largest, and without cavities inside."""
    import trimesh

    mesh = trimesh.Trimesh(surface.vertices, surface.faces, process=False)
    labels = trimesh.graph.connected_component_labels(mesh.face_adjacency, node_count=len(mesh.faces))
    areas = np.bincount(labels, weights=mesh.area_faces)
    first, second, third = mesh.triangles.swapaxes(0, 1)
    # Six times the signed volume: a cavity is a surface seen from its inside.
    volumes = np.bincount(labels, weights=np.einsum("ij,ij->i", first, np.cross(second, third)))
    kept = (areas >= least * areas.max()) & (volumes > 0)
    mesh.update_faces(kept[labels])
    mesh.remove_unreferenced_vertices()
    return Surface(np.array(mesh.vertices), np.array(mesh.faces))


def simplified(surface: Surface, faces: int, smoothing: int) -> Surface:
    """The surface smoothed, and with about so many triangles; left as it is where that would open it."""
    import open3d as o3d

    mesh = o3d.geometry.TriangleMesh(
        o3d.utility.Vector3dVector(surface.vertices), o3d.utility.Vector3iVector(surface.faces.astype(np.int32))
    )
    if smoothing:
        mesh = mesh.filter_smooth_taubin(smoothing)
    if len(surface.faces) > faces:
        fewer = mesh.simplify_quadric_decimation(faces)
        if fewer.is_edge_manifold(allow_boundary_edges=False):
            mesh = fewer
    return Surface(np.asarray(mesh.vertices), np.asarray(mesh.triangles).astype(np.int64))


def _filled(
    vertices: Float[np.ndarray, "vertices 3"],
    colors: Float[np.ndarray, "vertices 3"],
    weights: Float[np.ndarray, " vertices"],
) -> Float[np.ndarray, "vertices 3"]:
    """Vertices that nobody sees take the colour of the nearest one that somebody does."""
    from scipy.spatial import KDTree

    seen = weights > 0
    if seen.any() and not seen.all():
        nearest = KDTree(vertices[seen]).query(vertices[~seen])[1]
        colors = colors.copy()
        colors[~seen] = colors[seen][nearest]
    return colors


def write_mesh(path: Path, mesh: Any) -> None:
    """Write .glb, .obj or .ply, by the ending."""
    mesh.export(str(path))
