"""A sample's object as a family builds it: solids, materials and decals, packed into tables for the kernels.

Frames: `object` (+y up, +z front, any unit of length); `part`, the frame of one solid. `world` has the axes of the
object frame, p_world = (p_object - center) * scale, so that the object fits the sphere of radius 0.5 around the origin.
Colours are given by name (palettes.py) and stored as linear RGB.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.interpolate import PchipInterpolator, make_interp_spline

from sparseags_ns.sample import layout as at
from sparseags_ns.sample.palettes import Palette, draw_palette, linear

Vec = Sequence[float] | np.ndarray
Pair = tuple[float, float]
Names = str | Sequence[str]
"""Names of colours, as in "main pale #d04a35"."""
X, Y, Z, BACK = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (0.0, 0.0, -1.0)
SIDES = (-1.0, 1.0)
_ORIGIN = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Tables:
    """The object for the kernels; columns as layout.py names them."""

    parts: Float[np.ndarray, "parts part_columns"]
    profiles: Float[np.ndarray, "profiles profile_columns"]
    materials: Float[np.ndarray, "materials material_columns"]
    decals: Float[np.ndarray, "decals decal_columns"]
    lights: Float[np.ndarray, "lights light_columns"]
    center: Float[np.ndarray, " 3"]
    """Object frame."""
    scale: float
    """World units in one object unit."""

    @property
    def size(self) -> float:
        """Radius of the object, in its own units."""
        return 0.5 / self.scale


def rotation(turn_deg: Vec) -> Float[np.ndarray, "3 3"]:
    """R_object_part: a rotation about x, then y, then z of the object frame, in degrees."""
    out = np.eye(3)
    for axis, angle in enumerate(np.radians(np.asarray(turn_deg, float))):
        c, s = np.cos(angle), np.sin(angle)
        i, j = (axis + 1) % 3, (axis + 2) % 3
        R = np.eye(3)
        R[i, i], R[i, j], R[j, i], R[j, j] = c, -s, s, c
        out = R @ out
    return out


def along(direction: Vec, hint: Vec = Z) -> Float[np.ndarray, "3 3"]:
    """R_object_part whose y axis is the direction and whose z axis is as near as it can be to the hint."""
    y = np.asarray(direction, float) / np.linalg.norm(direction)
    x = np.cross(y, hint)
    if np.linalg.norm(x) < 1e-3:
        x = np.cross(y, (1.0, 0.3, 0.0))
    x /= np.linalg.norm(x)
    return np.stack([x, y, np.cross(x, y)], 1)


def heading(angle: float) -> tuple[Float[np.ndarray, " 3"], Float[np.ndarray, " 3"]]:
    """Horizontal unit vectors ahead and to the right of an azimuth: 0 looks to +z, pi / 2 to +x."""
    s, c = np.sin(angle), np.cos(angle)
    return np.array([s, 0, c]), np.array([c, 0, -s])


class Model:
    """Collects solids, materials and decals. Solids of one group can be blended and carved, and share decals.

    Families draw every number from `rng`; another order of their calls would be another object of the same seed.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.palette = Palette(*["#000000"] * 5)
        self.group = 0
        self._parts: list[np.ndarray] = []
        self._profiles: list[np.ndarray] = []
        self._materials: list[np.ndarray] = []
        self._decals: list[np.ndarray] = []

    def draw_palette(self) -> Palette:
        """Draw the colours that the names in `material` and `decal` stand for."""
        self.palette = draw_palette(self.rng)
        return self.palette

    def new_group(self) -> Model:
        """Start the next group, to which solids and decals belong until the next call; returns the model."""
        self.group += 1
        return self

    def material(
        self,
        colors: Names,
        pattern: int = at.PLAIN,
        freq: float | Pair = 1.0,
        params: Pair = (0.5, 0.0),
        mapping: int = at.MAP_SOLID,
        in_object: bool = False,
        gloss: float = 0.5,
        metallic: float = 0.0,
        bump: Pair = (0.0, 1.0),
        mottle: Pair = (0.05, 4.0),
    ) -> int:
        """A material; returns its number.

        Args:
            colors: up to three, the pattern's A, B and C.
            freq: cells of the pattern in a unit of length along u, v; around a cylinder, u counts cells in the turn.
            params: the pattern's numbers a and b, explained at its branch in patterns.py.
            in_object: the pattern runs through all parts (object frame) rather than with each part.
            gloss: 0 matt, 1 mirror-like.
            bump: height of a fine relief, and its frequency.
            mottle: uneven brightness, and its frequency.
        """
        row = np.zeros(at.MATERIAL_COLUMNS)
        row[at.PATTERN], row[at.MAPPING], row[at.FROM_OBJECT] = pattern, mapping, in_object
        self._paint(row, (at.COLOR_A, at.COLOR_B, at.COLOR_C), colors)
        row[at.FREQ_U], row[at.FREQ_V] = freq if isinstance(freq, tuple) else (freq, freq)
        row[at.PARAM_A], row[at.PARAM_B] = params
        row[at.SEED] = self.rng.integers(1, 10_000)
        row[at.ROUGHNESS], row[at.METALLIC], row[at.SPECULAR] = 0.9 - 0.75 * gloss, metallic, 0.03 + 0.03 * gloss
        row[at.BUMP], row[at.BUMP_FREQ] = bump
        row[at.MOTTLE], row[at.MOTTLE_FREQ] = mottle
        self._materials.append(row)
        return len(self._materials) - 1

    def one_of(self, *looks: dict[str, Any], **common: Any) -> int:
        """A material of one of the looks (arguments of `material`), drawn by the seed."""
        return self.material(**common | looks[self.rng.integers(len(looks))])

    def _paint(self, row: np.ndarray, columns: Sequence[int], colors: Names) -> None:
        """Write up to three colours into a row; missing ones are black."""
        for column, color in zip(columns, self.palette.colors(colors), strict=False):
            row[column : column + 3] = linear(color)

    def decal(
        self,
        kind: int,
        origin: Vec,
        normal: Vec,
        half: float | Pair,
        colors: Names,
        params: Pair = (0.1, 0.1),
        up: Vec = Y,
        depth: float = 0.1,
        gloss: float = 0.6,
    ) -> None:
        """Press a small picture onto the current group, where the surface lies within `depth` of its plane.

        Args:
            half: half width and half height.
            params: the picture's numbers p and q, explained at its branch in decals.py.
        """
        w = np.asarray(normal, float) / np.linalg.norm(normal)
        u = np.cross(up, w)
        if np.linalg.norm(u) < 1e-3:
            u = np.cross(BACK, w)
        u /= np.linalg.norm(u)
        row = np.zeros(at.DECAL_COLUMNS)
        row[at.DECAL_KIND], row[at.DECAL_GROUP] = kind, self.group
        row[at.DECAL_ROTATION : at.DECAL_ROTATION + 9] = np.stack([u, np.cross(w, u), w]).ravel()
        row[at.DECAL_ORIGIN : at.DECAL_ORIGIN + 3] = origin
        row[at.DECAL_HALF_U], row[at.DECAL_HALF_V] = half if isinstance(half, tuple) else (half, half)
        row[at.DECAL_DEPTH] = depth
        self._paint(row, (at.DECAL_A, at.DECAL_B, at.DECAL_C), colors)
        row[at.DECAL_P], row[at.DECAL_Q] = params
        row[at.DECAL_SEED], row[at.DECAL_ROUGHNESS] = self.rng.integers(1, 10_000), 0.9 - 0.75 * gloss
        self._decals.append(row)

    def part(
        self,
        kind: int,
        sizes: Vec,
        material: int,
        origin: Vec,
        bound: float,
        middle: Vec = _ORIGIN,
        turn: Vec | None = None,
        R: Float[np.ndarray, "3 3"] | None = None,
        blend: float = 0.0,
        carve: bool = False,
    ) -> None:
        """Add a solid.

        Args:
            bound: radius of a sphere around the solid.
            middle: centre of that sphere, in the part's frame.
            turn: the part's rotation in degrees about x, then y, then z of the object frame.
            R: the part's rotation, R_object_part, in place of `turn`.
            blend: reach of a smooth join with the parts of its group that came before; 0 for a sharp one.
            carve: take the solid away from the parts of its group that came before.
        """
        R = rotation(turn or _ORIGIN) if R is None else R
        row = np.zeros(at.PART_COLUMNS)
        row[at.KIND], row[at.CARVE], row[at.BLEND] = kind, carve, blend
        row[at.GROUP], row[at.MATERIAL] = self.group, material
        row[at.BOUND : at.BOUND + 3] = np.asarray(origin) + R @ np.asarray(middle)
        row[at.BOUND_RADIUS] = bound * 1.001
        row[at.ROTATION : at.ROTATION + 9] = R.T.ravel()
        row[at.ORIGIN : at.ORIGIN + 3] = origin
        row[at.SIZES : at.SIZES + len(sizes)] = sizes
        self._parts.append(row)

    # The solids below pass `placed` (turn or R, blend, carve, and a tighter bound if there is one) on to `part`.

    def box(self, half: Vec, origin: Vec, material: int, edge: float = 0.02, **placed: Any) -> None:
        """A box with rounded edges."""
        sizes, bound = [*half, min(edge, 0.999 * min(half))], float(np.linalg.norm(half))
        self.part(at.BOX, sizes, material, origin, **{"bound": bound, **placed})

    def ball(self, radii: float | Vec, origin: Vec, material: int, **placed: Any) -> None:
        """A ball, or an ellipsoid with three radii."""
        sizes = [radii] * 3 if isinstance(radii, (int, float)) else list(radii)
        self.part(at.ELLIPSOID, sizes, material, origin, **{"bound": max(sizes), **placed})

    def limb(self, start: Vec, end: Vec, radii: float | Pair, material: int, **placed: Any) -> None:
        """A round cone from one ball to another."""
        first, last = radii if isinstance(radii, tuple) else (radii, radii)
        way = np.asarray(end, float) - np.asarray(start, float)
        length = max(float(np.linalg.norm(way)), abs(first - last) * 1.02 + 1e-4)
        bound, middle = 0.5 * length + max(first, last), (0.0, 0.5 * length, 0.0)
        self.part(at.CONE, [first, last, length], material, start, bound, middle, R=along(way), **placed)

    def tube(
        self, points: Sequence[Vec], radii: float | Vec, material: int, pieces: int = 14, **placed: Any
    ) -> Float[np.ndarray, "knots 3"]:
        """A bent tube through the points, its radius given at each; returns its knots."""
        knots, where = np.linspace(0.0, 1.0, len(points)), np.linspace(0.0, 1.0, pieces + 1)
        curve = make_interp_spline(knots, np.asarray(points, float), k=min(len(points) - 1, 3))(where)
        radii = [radii] * len(points) if isinstance(radii, float) else radii
        thickness = PchipInterpolator(knots, radii)(where)
        for i in range(pieces):
            # Pieces that blended with each other would bulge at every knot: only the two ends join smoothly.
            joined = placed if i in (0, pieces - 1) else {**placed, "blend": 0.0}
            self.limb(curve[i], curve[i + 1], (float(thickness[i]), float(thickness[i + 1])), material, **joined)
        return curve

    def rod(self, start: Vec, end: Vec, radius: float | Pair, material: int, edge: float = 0.01, **placed: Any) -> None:
        """A cylinder (or cone with a flat end) from one point to another."""
        below, above = radius if isinstance(radius, tuple) else (radius, radius)
        start, end = np.asarray(start, float), np.asarray(end, float)
        half = 0.5 * float(np.linalg.norm(end - start))
        sizes = [below, above, half, min(edge, 0.9 * half, 0.9 * min(below, above))]
        bound, R = float(np.hypot(half, max(below, above))), along(end - start)
        self.part(at.CYLINDER, sizes, material, 0.5 * (start + end), bound, R=R, **placed)

    def disc(self, origin: Vec, axis: Vec, radius: float, thickness: float, material: int, **placed: Any) -> None:
        """A flat cylinder around a point."""
        way = np.asarray(axis, float) / np.linalg.norm(axis) * 0.5 * thickness
        self.rod(np.asarray(origin) - way, np.asarray(origin) + way, radius, material, 0.3 * thickness, **placed)

    def ring(self, origin: Vec, radii: Pair, material: int, arc_deg: float = 360.0, **placed: Any) -> None:
        """A ring (major, minor radius) in the xy plane of the part, or the arc of it around +y."""
        half = np.radians(min(arc_deg, 360.0)) / 2.0
        sizes = [*radii, float(np.sin(half)), float(np.cos(half))]
        self.part(at.RING, sizes, material, origin, sum(radii), **placed)

    def prism(
        self, half: Vec, origin: Vec, material: int, edge: float = 0.02, shear: float = 0.0, **placed: Any
    ) -> None:
        """A trapezoid in xy, extruded along z: half width below, half width above, half height, half depth."""
        below, above, height, depth = half
        above = max(above, 1.02 * edge)
        edge = min(edge, 0.9 * min(height, depth, below, above))
        bound = float(np.linalg.norm([max(below, above) + abs(shear) * height, height, depth]))
        self.part(at.PRISM, [below, above, height, depth, edge, shear], material, origin, bound, **placed)

    def lathe(
        self, half: float, heights: Vec, radii: Vec, origin: Vec, material: int, edge: float = 0.01, **placed: Any
    ) -> None:
        """A solid turned around y, of a half height; the profile is monotone between heights from -1 to 1."""
        where = np.linspace(-1.0, 1.0, at.PROFILE_POINTS)
        curve = np.maximum(PchipInterpolator(heights, radii)(where), 1e-3)
        starts = range(0, at.PROFILE_POINTS - 1, at.PROFILE_CHUNK)
        chunks = np.stack([curve[i : i + at.PROFILE_CHUNK + 1] for i in starts])
        chords = chunks[:, :1] + (chunks[:, -1:] - chunks[:, :1]) * np.linspace(0.0, 1.0, at.PROFILE_CHUNK + 1)
        # The spline through the stored radii can be a little steeper than the straight pieces between them.
        steepest = 1.1 * np.abs(np.diff(curve)).max() * (at.PROFILE_POINTS - 1) / (2.0 * half)
        self._profiles.append(np.concatenate([curve, np.abs(chunks - chords).max(1) + 1e-5, [steepest]]))
        sizes, bound = [half, edge, len(self._profiles) - 1.0], float(np.hypot(half, max(radii) * 1.02))
        self.part(at.LATHE, sizes, material, origin, **{"bound": bound, **placed})

    def tables(self, lights: Float[np.ndarray, "lights light_columns"]) -> Tables:
        """The tables, with parts in the order of their groups; not yet centred and scaled."""
        return Tables(
            parts=np.stack(sorted(self._parts, key=lambda row: row[at.GROUP])),
            profiles=np.stack(self._profiles or [np.zeros(at.PROFILE_COLUMNS)]),
            materials=np.stack(self._materials),
            decals=np.stack(self._decals) if self._decals else np.zeros((0, at.DECAL_COLUMNS)),
            lights=lights,
            center=np.zeros(3),
            scale=1.0,
        )
