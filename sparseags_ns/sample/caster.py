"""The sample's ray caster: photographs of the object by sphere tracing, with shadows and highlights. Compiled.

Frames: `world`; `object`, p_world = (p_object - center) * scale; `camera`, OpenCV axes. A pixel's alpha is the share of
its sub-pixel rays that meet the object, its colour the mean over those rays alone (straight alpha). `t` is the distance
along a ray, in object units.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from jaxtyping import Float

from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.sample import layout as at
from sparseags_ns.sample.layout import kernel
from sparseags_ns.sample.model import Tables
from sparseags_ns.sample.sdf import distance
from sparseags_ns.sample.shading import bumped, film, shade, surface_color

STEP = 0.85  # part of the distance to step: some solids' distances are estimates that can be a little too long
ROWS = 16  # rows of a photograph that one thread takes at a time


@kernel
def candidates(parts, origin, direction, spread, ids):
    """Find the parts whose bounding spheres a ray's cone (radius `spread * t`) meets; return count, first, last t."""
    count, near, far = 0, 1e9, 0.0
    for i in range(parts.shape[0]):
        dx = parts[i, at.BOUND] - origin[0]
        dy = parts[i, at.BOUND + 1] - origin[1]
        dz = parts[i, at.BOUND + 2] - origin[2]
        along = dx * direction[0] + dy * direction[1] + dz * direction[2]
        radius = parts[i, at.BOUND_RADIUS] + parts[i, at.BLEND]
        reach = radius + spread * max(along, 0.0)
        off = dx * dx + dy * dy + dz * dz - along * along
        if off > reach * reach or along < -radius:
            continue
        ids[count] = i
        count += 1
        if parts[i, at.CARVE] == 0.0:
            near, far = min(near, along - reach), max(far, along + reach)
    return (count if far > 0.0 else 0), max(near, 0.0), far


@kernel
def march(parts, profiles, ids, count, origin, direction, near, far, tiny):
    """Distance along the ray to the first surface, and its part; -1 when there is none."""
    t = near
    for _ in range(200):
        x, y, z = origin[0] + t * direction[0], origin[1] + t * direction[1], origin[2] + t * direction[2]
        d, part = distance(parts, profiles, ids, count, x, y, z)
        if d < tiny:
            return t, part
        t += STEP * d
        if t > far:
            break
    return -1.0, -1


@kernel
def _free_distance(parts, profiles, ids, count, origin, direction, near, far, spread):
    """Distance over which the cone of a pixel's rays (radius `spread * t`) is free; `far` or more if all of it is."""
    t = near
    for _ in range(100):
        x, y, z = origin[0] + t * direction[0], origin[1] + t * direction[1], origin[2] + t * direction[2]
        d, _ = distance(parts, profiles, ids, count, x, y, z)
        room = STEP * d - spread * t
        if room < 0.5 * spread * t:
            break
        t += room
        if t > far:
            break
    return t


@kernel
def normal_at(parts, profiles, ids, count, x, y, z, h):
    """Unit normal, from distances at the four corners of a tetrahedron of size h (central differences need six)."""
    nx, ny, nz = 0.0, 0.0, 0.0
    for corner in range(4):
        sx = 1.0 if corner in (0, 3) else -1.0
        sy = 1.0 if corner in (1, 3) else -1.0
        sz = 1.0 if corner in (2, 3) else -1.0
        d, _ = distance(parts, profiles, ids, count, x + sx * h, y + sy * h, z + sz * h)
        nx, ny, nz = nx + sx * d, ny + sy * d, nz + sz * d
    length = math.sqrt(nx * nx + ny * ny + nz * nz) + 1e-12
    return nx / length, ny / length, nz / length


@kernel
def _shadow(parts, profiles, lights, ids, x, y, z, size):
    """Share of the key light that arrives: soft, by the narrowest angle at which the ray to it passes the object."""
    origin, direction = (x, y, z), (lights[0, 0], lights[0, 1], lights[0, 2])
    count, near, far = candidates(parts, origin, direction, 0.1, ids)
    light, t = 1.0, max(0.01 * size, near)
    for _ in range(48):
        if t > far:
            break
        x, y, z = origin[0] + t * direction[0], origin[1] + t * direction[1], origin[2] + t * direction[2]
        d, _ = distance(parts, profiles, ids, count, x, y, z)
        light = min(light, 0.5 + 6.0 * d / t)
        if light < 0.02:
            return 0.0
        t += max(abs(d), 0.012 * size)
    light = max(light, 0.0)
    return light * light * (3.0 - 2.0 * light)


@kernel
def _occlusion(parts, profiles, ids, point, normal, size):
    """Share of the room's light that reaches a point, from distances along its normal (ambient occlusion)."""
    count = 0
    for i in range(parts.shape[0]):
        dx, dy = point[0] - parts[i, at.BOUND], point[1] - parts[i, at.BOUND + 1]
        dz, reach = point[2] - parts[i, at.BOUND + 2], parts[i, at.BOUND_RADIUS] + 0.3 * size
        if dx * dx + dy * dy + dz * dz < reach * reach:
            ids[count] = i
            count += 1
    closed, weight = 0.0, 1.0
    for step in range(1, 6):
        h = size * 0.045 * step
        x, y, z = point[0] + h * normal[0], point[1] + h * normal[1], point[2] + h * normal[2]
        d, _ = distance(parts, profiles, ids, count, x, y, z)
        closed += weight * max(h - d, 0.0) / size
        weight *= 0.75
    return min(max(1.0 - 2.6 * closed, 0.08), 1.0)


@kernel
def _ray(to_object, intrinsics, u, v):
    """Unit direction, in the object frame, of the ray through a point of the photograph."""
    fx, fy, cx, cy = intrinsics
    a, b = (u - cx) / fx, (v - cy) / fy
    length = 1.0 / math.sqrt(a * a + b * b + 1.0)
    return (
        (to_object[0, 0] * a + to_object[0, 1] * b + to_object[0, 2]) * length,
        (to_object[1, 0] * a + to_object[1, 1] * b + to_object[1, 2]) * length,
        (to_object[2, 0] * a + to_object[2, 1] * b + to_object[2, 2]) * length,
    )


@kernel
def _look(scene, size, ids, count, other, point, direction, part, known):
    """Radiance of a surface point towards the eye; and its part, normal, shadow and occlusion, for the next ray.

    Shadow and occlusion change slowly: the rays of one pixel share those that are `known` while part and normal stay
    nearly the same.
    """
    parts, profiles, materials, decals, lights = scene
    x, y, z = point
    normal = normal_at(parts, profiles, ids, count, x, y, z, 4e-4 * size)
    nx, ny, nz = normal
    shadow, occlusion = known[4], known[5]
    if known[0] != part or known[1] * nx + known[2] * ny + known[3] * nz < 0.95:
        off = 4e-3 * size
        shadow = _shadow(parts, profiles, lights, other, x + off * nx, y + off * ny, z + off * nz, size)
        occlusion = _occlusion(parts, profiles, other, point, normal, size)
    color, roughness = surface_color(parts, materials, decals, part, x, y, z, nx, ny, nz)
    m = int(parts[part, at.MATERIAL])
    metallic, specular = materials[m, at.METALLIC], materials[m, at.SPECULAR]
    bump = bumped(materials, m, x, y, z, nx, ny, nz)
    eye = (-direction[0], -direction[1], -direction[2])
    out = shade(lights, color, roughness, metallic, specular, bump, eye, shadow, occlusion)
    return out, (float(part), nx, ny, nz, shadow, occlusion)


@kernel
def _pixel(scene, size, origin, to_object, intrinsics, column, row, samples, ids, other):
    """Linear RGB sums over the rays of one pixel that meet the object, and their number."""
    red, green, blue, hits = 0.0, 0.0, 0.0, 0
    # One march with the pixel's whole cone gives all of its rays a start close to the surface.
    middle = _ray(to_object, intrinsics, column + 0.5, row + 0.5)
    cone = 0.75 / min(intrinsics[0], intrinsics[1])
    count, near, far = candidates(scene[0], origin, middle, cone, ids)
    if count > 0:
        near = _free_distance(scene[0], scene[1], ids, count, origin, middle, near, far, cone)
    known = (-1.0, 0.0, 0.0, 0.0, 1.0, 1.0)
    for s in range(samples * samples if count > 0 and near < far else 0):
        u, v = column + (s % samples + 0.5) / samples, row + (s // samples + 0.5) / samples
        d = _ray(to_object, intrinsics, u, v)
        t, part = march(scene[0], scene[1], ids, count, origin, d, near, far, 1e-4 * size)
        if part < 0:
            continue
        point = (origin[0] + t * d[0], origin[1] + t * d[1], origin[2] + t * d[2])
        out, known = _look(scene, size, ids, count, other, point, d, part, known)
        red, green, blue, hits = red + min(out[0], 3.0), green + min(out[1], 3.0), blue + min(out[2], 3.0), hits + 1
    return red, green, blue, hits


@kernel
def _rows(scene, size, origin, to_object, intrinsics, first, last, samples, image, mask):
    """Fill rows first to last - 1 of one photograph."""
    ids = np.empty(scene[0].shape[0], np.int64)
    other = np.empty(scene[0].shape[0], np.int64)
    for row in range(first, last):
        for column in range(image.shape[1]):
            red, green, blue, hits = _pixel(
                scene, size, origin, to_object, intrinsics, column, row, samples, ids, other
            )
            mask[row, column] = hits / (samples * samples)
            if hits > 0:
                image[row, column, 0] = film(red / hits)
                image[row, column, 1] = film(green / hits)
                image[row, column, 2] = film(blue / hits)


def threads() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def photograph(
    tables: Tables, cameras: Cameras, samples: int = 3, progress: Callable[[int], None] | None = None
) -> tuple[Float[np.ndarray, "views height width 3"], Float[np.ndarray, "views height width"]]:
    """Photographs of the object: straight sRGB colours and coverage, 0 to 1.

    Args:
        samples: rays along each side of a pixel.
        progress: called with the number of photographs that are finished, after each.
    """
    shape = (len(cameras), cameras.height, cameras.width)
    images, masks = np.zeros((*shape, 3), np.float32), np.zeros(shape, np.float32)
    R = cameras.T_camera_world[:, :3, :3].double().cpu().numpy()
    centers = cameras.centers.double().cpu().numpy() / tables.scale + tables.center
    K = cameras.K.double().cpu().numpy()
    scene = (tables.parts, tables.profiles, tables.materials, tables.decals, tables.lights)

    def work(view: int, first: int) -> None:
        intrinsics = (K[view, 0, 0], K[view, 1, 1], K[view, 0, 2], K[view, 1, 2])
        last = min(first + ROWS, cameras.height)
        to_object = np.ascontiguousarray(R[view].T)
        origin = tuple(centers[view].tolist())
        _rows(scene, tables.size, origin, to_object, intrinsics, first, last, samples, images[view], masks[view])

    with ThreadPoolExecutor(threads()) as pool:
        for view in range(len(cameras)):
            list(pool.map(work, [view] * len(range(0, cameras.height, ROWS)), range(0, cameras.height, ROWS)))
            if progress is not None:
                progress(view + 1)
    return images, masks
