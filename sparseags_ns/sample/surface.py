"""Points on the true surface of the sample's object, evenly by area, and its fit into the unit sphere.

Frame: `world` (model.py). Random straight lines meet a surface in proportion to its area (Cauchy and Crofton's
formula), so all crossings of lines drawn evenly through the bounding sphere are an even sample.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int

from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.sample import layout as at
from sparseags_ns.sample.caster import candidates, march, normal_at, threads
from sparseags_ns.sample.layout import kernel
from sparseags_ns.sample.model import Tables
from sparseags_ns.sample.sdf import distance

LINES = 4096  # lines drawn at a time
RADIUS = 0.5  # of the sphere that every object fits


@kernel
def _crossings(parts, profiles, size, origins, directions, out, out_normals):
    """Write all points where the lines enter or leave the object, and the normals there; returns their number."""
    ids, found = np.empty(parts.shape[0], np.int64), 0
    for line in range(origins.shape[0]):
        o = (origins[line, 0], origins[line, 1], origins[line, 2])
        d = (directions[line, 0], directions[line, 1], directions[line, 2])
        count, t, far = candidates(parts, o, d, 0.0, ids)
        before, step = 1.0, 0.0
        while count > 0 and t < far and found < out.shape[0]:
            x, y, z = o[0] + t * d[0], o[1] + t * d[1], o[2] + t * d[2]
            here, _ = distance(parts, profiles, ids, count, x, y, z)
            # A change of sign is a crossing: halve the step until the point is found.
            if (here < 0.0) != (before < 0.0):
                low, high = t - step, t
                for _ in range(30):
                    middle = 0.5 * (low + high)
                    x, y, z = o[0] + middle * d[0], o[1] + middle * d[1], o[2] + middle * d[2]
                    value, _ = distance(parts, profiles, ids, count, x, y, z)
                    if (value < 0.0) == (before < 0.0):
                        low = middle
                    else:
                        high = middle
                out[found, 0], out[found, 1], out[found, 2] = x, y, z
                nx, ny, nz = normal_at(parts, profiles, ids, count, x, y, z, 4e-4 * size)
                out_normals[found, 0], out_normals[found, 1], out_normals[found, 2] = nx, ny, nz
                found += 1
            before = here
            step = max(0.7 * abs(here), 2e-3 * size)
            t += step
    return found


def _lines(count: int, rng: np.random.Generator) -> tuple[Float[np.ndarray, "lines 3"], Float[np.ndarray, "lines 3"]]:
    """Lines drawn evenly among all that meet the unit ball: points outside it, and unit directions."""
    directions = rng.normal(size=(count, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    across = np.cross(directions, np.roll(directions, 1, axis=1) + (0.1, 0.2, 0.3))
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    angle, radius = rng.uniform(0, 2 * np.pi, (count, 1)), np.sqrt(rng.uniform(0, 1, (count, 1)))
    other = np.cross(directions, across)
    return radius * (np.cos(angle) * across + np.sin(angle) * other) - 1.2 * directions, directions


def surface(
    tables: Tables, count: int, rng: np.random.Generator
) -> tuple[Float[np.ndarray, "points 3"], Float[np.ndarray, "points 3"]]:
    """Points spread evenly over the whole surface, hidden parts too, and the outward unit normals there."""
    points, normals, total = [], [], 0
    while total < count:
        origins, directions = _lines(LINES, rng)
        out, out_normals = np.empty((LINES * 16, 3)), np.empty((LINES * 16, 3))
        size = 1.02 * tables.size
        found = _crossings(
            tables.parts, tables.profiles, size, origins * size + tables.center, directions, out, out_normals
        )
        if found == 0:
            raise ValueError("the sample's object is empty: no line meets its surface")
        points.append((out[:found] - tables.center) * tables.scale)
        normals.append(out_normals[:found])
        total += found
    chosen = rng.permutation(total)[:count]
    return np.concatenate(points)[chosen], np.concatenate(normals)[chosen]


@kernel
def _count_views(parts, profiles, size, points, normals, centers, counts):
    """Add to each point's count the number of centres from which the object itself does not hide it."""
    ids = np.empty(parts.shape[0], np.int64)
    for i in range(points.shape[0]):
        off = 2e-3 * size
        o = (points[i, 0] + off * normals[i, 0], points[i, 1] + off * normals[i, 1], points[i, 2] + off * normals[i, 2])
        for view in range(centers.shape[0]):
            dx, dy, dz = centers[view, 0] - o[0], centers[view, 1] - o[1], centers[view, 2] - o[2]
            if dx * normals[i, 0] + dy * normals[i, 1] + dz * normals[i, 2] <= 0.0:
                continue
            length = math.sqrt(dx * dx + dy * dy + dz * dz)
            d = (dx / length, dy / length, dz / length)
            count, near, far = candidates(parts, o, d, 0.0, ids)
            t, _ = march(parts, profiles, ids, count, o, d, near, min(far, length), 1e-4 * size)
            counts[i] += 1 if t < 0.0 else 0


def seen_by(
    tables: Tables, points: Float[np.ndarray, "points 3"], normals: Float[np.ndarray, "points 3"], cameras: Cameras
) -> Int[np.ndarray, " points"]:
    """How many of the cameras each surface point is visible to, whether or not it lies inside their photographs."""
    centers = cameras.centers.double().cpu().numpy() / tables.scale + tables.center
    where = points / tables.scale + tables.center
    counts = np.zeros(len(points), np.int64)

    def work(part: slice) -> None:
        _count_views(tables.parts, tables.profiles, tables.size, where[part], normals[part], centers, counts[part])

    slices = [slice(i, i + 1024) for i in range(0, len(points), 1024)]
    with ThreadPoolExecutor(threads()) as pool:
        list(pool.map(work, slices))
    return counts


def _enclosing_ball(points: Float[np.ndarray, "points 3"]) -> tuple[Float[np.ndarray, " 3"], float]:
    """Centre and radius of nearly the smallest ball around the points (Badoiu and Clarkson 2003)."""
    # Each step moves the centre towards the farthest point, by ever smaller shares of the way.
    center = 0.5 * (points.min(0) + points.max(0))
    for step in range(1, 400):
        away = points - center
        center = center + away[np.argmax((away**2).sum(1))] / (step + 1)
    return center, float(np.sqrt(((points - center) ** 2).sum(1).max()))


def fitted(tables: Tables) -> Tables:
    """The tables with the centre and scale that put the object into the sphere of radius 0.5 around the origin."""
    bounds = tables.parts[tables.parts[:, at.CARVE] == 0, at.BOUND : at.BOUND_RADIUS + 1]
    center = 0.5 * ((bounds[:, :3] - bounds[:, 3:]).min(0) + (bounds[:, :3] + bounds[:, 3:]).max(0))
    reach = float((np.linalg.norm(bounds[:, :3] - center, axis=1) + bounds[:, 3]).max())
    rough = replace(tables, center=center, scale=RADIUS / reach)
    points, _ = surface(rough, 20000, np.random.default_rng(0))
    ball, radius = _enclosing_ball(points / rough.scale + center)
    return replace(tables, center=ball, scale=RADIUS / (1.01 * radius))
