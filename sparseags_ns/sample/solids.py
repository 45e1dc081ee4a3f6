"""The solids that the families build from: boxes, limbs, tubes, rings, turned profiles, each added to a Model.

Frames: `object` and `part` as in model.py; `turn` is in degrees about x, then y, then z.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.interpolate import PchipInterpolator, make_interp_spline

from sparseags_ns.sample import layout as at
from sparseags_ns.sample.model import Model, Vector, along, rotation

CENTER = (0.0, 0.0, 0.0)
LEVEL = (0.0, 0.0, 0.0)


def box(
    model: Model, half: Vector, origin: Vector, material: int, edge: float = 0.02, turn: Vector = LEVEL, **join: Any
) -> None:
    """A box with rounded edges."""
    edge = min(edge, 0.999 * min(half))
    bound = float(np.linalg.norm(half))
    model.part(at.BOX, [*half, edge], material, origin, rotation(turn), (CENTER, bound), **join)


def ball(model: Model, radii: float | Vector, origin: Vector, material: int, turn: Vector = LEVEL, **join: Any) -> None:
    """A ball, or an ellipsoid with three radii."""
    sizes = [radii] * 3 if isinstance(radii, (int, float)) else list(radii)
    model.part(at.ELLIPSOID, sizes, material, origin, rotation(turn), (CENTER, max(sizes)), **join)


def limb(model: Model, start: Vector, end: Vector, radii: tuple[float, float], material: int, **join: Any) -> None:
    """A round cone from one ball to another."""
    way = np.asarray(end, float) - np.asarray(start, float)
    length = max(float(np.linalg.norm(way)), abs(radii[0] - radii[1]) * 1.02 + 1e-4)
    bound = ((0.0, 0.5 * length, 0.0), 0.5 * length + max(radii))
    model.part(at.CONE, [*radii, length], material, start, along(way), bound, **join)


def tube(
    model: Model, points: Sequence[Vector], radii: Vector, material: int, pieces: int = 14, **join: Any
) -> Float[np.ndarray, "knots 3"]:
    """A bent tube through the points, its radius given at each; returns its knots."""
    knots = np.linspace(0.0, 1.0, len(points))
    where = np.linspace(0.0, 1.0, pieces + 1)
    curve = make_interp_spline(knots, np.asarray(points, float), k=min(len(points) - 1, 3))(where)
    thickness = PchipInterpolator(knots, radii)(where)
    for i in range(pieces):
        # Pieces that blended with each other would bulge at every knot: only the two ends join smoothly.
        joined = join if i in (0, pieces - 1) else {**join, "blend": 0.0}
        limb(model, curve[i], curve[i + 1], (float(thickness[i]), float(thickness[i + 1])), material, **joined)
    return curve


def rod(
    model: Model,
    start: Vector,
    end: Vector,
    radius: float | tuple[float, float],
    material: int,
    edge: float = 0.01,
    **join: Any,
) -> None:
    """A cylinder (or cone with a flat end) from one point to another."""
    below, above = radius if isinstance(radius, tuple) else (radius, radius)
    start, end = np.asarray(start, float), np.asarray(end, float)
    half = 0.5 * float(np.linalg.norm(end - start))
    edge = min(edge, 0.9 * half, 0.9 * min(below, above))
    bound = (CENTER, float(np.hypot(half, max(below, above))))
    model.part(
        at.CYLINDER, [below, above, half, edge], material, 0.5 * (start + end), along(end - start), bound, **join
    )


def disc(
    model: Model, origin: Vector, axis: Vector, radius: float, thickness: float, material: int, **join: Any
) -> None:
    """A flat cylinder around a point."""
    way = np.asarray(axis, float) / np.linalg.norm(axis) * 0.5 * thickness
    rod(model, np.asarray(origin) - way, np.asarray(origin) + way, radius, material, edge=0.3 * thickness, **join)


def ring(
    model: Model,
    origin: Vector,
    radii: tuple[float, float],
    material: int,
    arc_deg: float = 360.0,
    turn: Vector = LEVEL,
    **join: Any,
) -> None:
    """A ring (major, minor radius) in the xy plane of the part, or the arc of it around +y."""
    half = np.radians(min(arc_deg, 360.0)) / 2.0
    sizes = [*radii, float(np.sin(half)), float(np.cos(half))]
    model.part(at.RING, sizes, material, origin, rotation(turn), (CENTER, sum(radii)), **join)


def prism(
    model: Model,
    half: tuple[float, float, float, float],
    origin: Vector,
    material: int,
    edge: float = 0.02,
    shear: float = 0.0,
    turn: Vector = LEVEL,
    **join: Any,
) -> None:
    """A trapezoid in xy, extruded along z: half width below, half width above, half height, half depth."""
    below, above, height, depth = half
    above = max(above, 1.02 * edge)
    edge = min(edge, 0.9 * min(height, depth, below, above))
    bound = float(np.linalg.norm([max(below, above) + abs(shear) * height, height, depth]))
    sizes = [below, above, height, depth, edge, shear]
    model.part(at.PRISM, sizes, material, origin, rotation(turn), (CENTER, bound), **join)


def lathe(
    model: Model,
    half_height: float,
    heights: Vector,
    radii: Vector,
    origin: Vector,
    material: int,
    edge: float = 0.01,
    turn: Vector = LEVEL,
    **join: Any,
) -> None:
    """A turned solid around y; heights from -1 to 1 (of the half height), radii in units of length."""
    row = model.profile(half_height, heights, radii)
    bound = float(np.hypot(half_height, max(radii) * 1.02))
    sizes = [half_height, edge, float(row)]
    model.part(at.LATHE, sizes, material, origin, rotation(turn), (CENTER, bound), **join)
