"""The light of one sample and where its object stands: drawn by seed, then fitted to the sphere of radius 0.5.

Frames: `object` and `world` as in model.py.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from sparseags_ns.sample import layout as at
from sparseags_ns.sample.light import DIRECTION, HALF_COS, LIGHT_COLUMNS, RADIANCE
from sparseags_ns.sample.model import Tables
from sparseags_ns.sample.surface import surface

RADIUS = 0.5


def _direction(azimuth_deg: float, elevation_deg: float) -> Float[np.ndarray, " 3"]:
    a, e = np.radians(azimuth_deg), np.radians(elevation_deg)
    return np.array([np.cos(e) * np.sin(a), np.sin(e), np.cos(e) * np.cos(a)])


def draw_lights(rng: np.random.Generator) -> Float[np.ndarray, "lights light_columns"]:
    """A key light from above the front, a large soft box on each side of it, slightly warm or cool."""
    lights = np.zeros((3, LIGHT_COLUMNS))
    azimuth = rng.uniform(-60.0, 60.0)
    warmth = rng.uniform(-0.06, 0.1)
    tint = np.array([1.0 + warmth, 1.0, 1.0 - warmth])
    angles = [
        (azimuth, rng.uniform(40, 60)),
        (azimuth - rng.uniform(80, 120), 35.0),
        (azimuth + rng.uniform(110, 160), 25.0),
    ]
    strengths = [rng.uniform(0.72, 0.85), rng.uniform(1.8, 2.4), rng.uniform(1.2, 1.7)]
    for row, ((a, e), strength) in enumerate(zip(angles, strengths, strict=True)):
        lights[row, DIRECTION : DIRECTION + 3] = _direction(a, e)
        lights[row, RADIANCE : RADIANCE + 3] = strength * (tint if row == 0 else 2.0 - tint)
        lights[row, HALF_COS] = np.cos(np.radians(rng.uniform(16, 24)))
    return lights


def enclosing_ball(points: Float[np.ndarray, "points 3"]) -> tuple[Float[np.ndarray, " 3"], float]:
    """Centre and radius of nearly the smallest ball around the points (Badoiu and Clarkson 2003)."""
    center = 0.5 * (points.min(0) + points.max(0))
    for step in range(1, 400):
        away = points - center
        center = center + away[np.argmax((away**2).sum(1))] / (step + 1)
    return center, float(np.sqrt(((points - center) ** 2).sum(1).max()))


def fitted(tables: Tables) -> Tables:
    """The same object with the centre and scale that put it into the sphere of radius 0.5 around the origin."""
    bounds = tables.parts[tables.parts[:, at.CARVE] == 0, at.BOUND : at.BOUND_RADIUS + 1]
    center = 0.5 * ((bounds[:, :3] - bounds[:, 3:]).min(0) + (bounds[:, :3] + bounds[:, 3:]).max(0))
    reach = float((np.linalg.norm(bounds[:, :3] - center, axis=1) + bounds[:, 3]).max())
    rough = replace(tables, center=center, scale=RADIUS / reach)
    points, _ = surface(rough, 20000, np.random.default_rng(0))
    ball, radius = enclosing_ball(points / rough.scale + center)
    return replace(tables, center=ball, scale=RADIUS / (1.01 * radius))
