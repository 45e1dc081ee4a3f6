"""A texture for a mesh: xatlas unwraps it, and every texel gets the colour of the renders at its point.

Texture coordinates (u, v) have their origin at the lower left corner, as trimesh and OBJ have it; rows of the image run
downwards. Texels beside the charts repeat the nearest one inside, so that no seam shows when a viewer shrinks the
texture.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float, Int
from PIL import Image

from sparseags_ns.export.fusion import DepthMaps, surface_colors
from sparseags_ns.rasterizer.kernels.jit import jit


@jit
def locate_texels(uvs, faces, face_of, weights):
    """Write the face of every texel whose centre lies in a chart, and its barycentric coordinates there.

    face_of [size size] must be filled with -1; weights [size size 3] receives the coordinates.
    """
    size = face_of.shape[0]
    for face in range(faces.shape[0]):
        ax, ay = uvs[faces[face, 0], 0] * size, (1.0 - uvs[faces[face, 0], 1]) * size
        bx, by = uvs[faces[face, 1], 0] * size, (1.0 - uvs[faces[face, 1], 1]) * size
        cx, cy = uvs[faces[face, 2], 0] * size, (1.0 - uvs[faces[face, 2], 1]) * size
        area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        if area == 0.0:
            continue
        left, right = max(int(min(ax, bx, cx) - 1.0), 0), min(int(max(ax, bx, cx) + 1.0), size - 1)
        top, bottom = max(int(min(ay, by, cy) - 1.0), 0), min(int(max(ay, by, cy) + 1.0), size - 1)
        for row in range(top, bottom + 1):
            for column in range(left, right + 1):
                x, y = column + 0.5, row + 0.5
                b = ((x - ax) * (cy - ay) - (cx - ax) * (y - ay)) / area
                c = ((bx - ax) * (y - ay) - (x - ax) * (by - ay)) / area
                a = 1.0 - b - c
                if a >= -1e-6 and b >= -1e-6 and c >= -1e-6:
                    face_of[row, column] = face
                    weights[row, column, 0], weights[row, column, 1], weights[row, column, 2] = a, b, c


def textured(mesh: Any, maps: DepthMaps, slack: float, size: int) -> Any:
    """A mesh with the triangles of `mesh` and a texture instead of vertex colours; vertices at seams are duplicated.

    Args:
        mesh: a trimesh.Trimesh in the world of the maps.
        slack: largest distance of a point from the rendered depth.
        size: side of the texture, pixels.
    """
    import trimesh
    import xatlas
    from trimesh.visual.material import PBRMaterial
    from trimesh.visual.texture import TextureVisuals

    vertices, normals = np.array(mesh.vertices), np.array(mesh.vertex_normals)
    origin, faces, uvs = xatlas.parametrize(vertices.astype(np.float32), np.asarray(mesh.faces, np.uint32))
    faces, uvs = faces.astype(np.int64), uvs.astype(np.float64)
    image = _bake(vertices[origin], normals[origin], faces, uvs, maps, slack, size)
    material = PBRMaterial(baseColorTexture=image, metallicFactor=0.0, roughnessFactor=1.0)
    visual = TextureVisuals(uv=uvs, material=material)
    return trimesh.Trimesh(vertices[origin], faces, vertex_normals=normals[origin], visual=visual, process=False)


def _bake(
    vertices: Float[np.ndarray, "vertices 3"],
    normals: Float[np.ndarray, "vertices 3"],
    faces: Int[np.ndarray, "faces 3"],
    uvs: Float[np.ndarray, "vertices 2"],
    maps: DepthMaps,
    slack: float,
    size: int,
) -> Image.Image:
    """The texture: colours at the points of the texels, sRGB."""
    from scipy.ndimage import distance_transform_edt

    face_of, weights = np.full((size, size), -1, np.int64), np.zeros((size, size, 3))
    locate_texels(uvs, faces, face_of, weights)
    inside = face_of >= 0
    corners, shares = faces[face_of[inside]], weights[inside][..., None]
    points, directions = (vertices[corners] * shares).sum(1), (normals[corners] * shares).sum(1)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True).clip(1e-9)
    colors, seen = surface_colors(maps, points, directions, slack)
    pixels, known = np.zeros((size, size, 3)), np.zeros((size, size), bool)
    pixels[inside], known[inside] = colors, seen > 0
    # Texels that no render shows and those beside the charts take the nearest known colour.
    _, (rows, columns) = distance_transform_edt(~known, return_indices=True)  # type: ignore[misc]
    return Image.fromarray((pixels[rows, columns] * 255).round().astype(np.uint8))
