"""Triangle surfaces: the zero level of a distance field, cleaned, smoothed and simplified."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Grid:
    """Voxels in a cube, their centres `spacing` apart."""

    origin: Float[Tensor, " 3"]
    """Centre of the first voxel."""
    spacing: float
    count: int
    """Number of voxels along each side."""


@dataclass(frozen=True)
class Surface:
    """Triangles; their corners go round counterclockwise as seen from outside."""

    vertices: Float[np.ndarray, "vertices 3"]
    faces: Int[np.ndarray, "faces 3"]


def level_surface(field: Float[Tensor, "n n n"], grid: Grid) -> Surface:
    """The closed surface between negative values (inside) and positive ones.

    Raises:
        ValueError: no value is negative.
    """
    from skimage.measure import marching_cubes

    # An outer layer of voxels that are outside closes the surface at the border.
    closed = torch.nn.functional.pad(field[None, None], (1, 1, 1, 1, 1, 1), value=1.0)[0, 0]
    if not bool((closed < 0).any()):
        raise ValueError("the splat has no surface: nowhere does it cover the pixels of cameras from all sides")
    # Exact zeros at voxels would give triangles without area.
    closed = torch.where(closed.abs() < 1e-3, 1e-3, closed)
    vertices, faces, _, _ = marching_cubes(closed.numpy(), level=0.0)
    placed = (vertices.astype(np.float64) - 1) * grid.spacing + grid.origin.double().cpu().numpy()
    return Surface(placed, faces.astype(np.int64))


def largest_parts(surface: Surface, least: float) -> Surface:
    """The surface without cavities and without parts below a share `least` of the largest part's area."""
    import trimesh

    mesh = trimesh.Trimesh(surface.vertices, surface.faces, process=False)
    labels = trimesh.graph.connected_component_labels(mesh.face_adjacency, node_count=len(mesh.faces))
    areas = np.bincount(labels, weights=mesh.area_faces)
    first, second, third = mesh.triangles.swapaxes(0, 1)
    # Six times the signed volume, which is negative for a cavity because its faces point inwards.
    volumes = np.bincount(labels, weights=np.einsum("ij,ij->i", first, np.cross(second, third)))
    kept = (areas >= least * areas.max()) & (volumes > 0)
    mesh.update_faces(kept[labels])
    mesh.remove_unreferenced_vertices()
    return Surface(np.array(mesh.vertices), np.array(mesh.faces))


def simplified(surface: Surface, faces: int, smoothing: int) -> Surface:
    """The surface smoothed and, if it stays closed, decimated to about `faces` triangles."""
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
