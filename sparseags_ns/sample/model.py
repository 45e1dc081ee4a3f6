"""The sample's object as a family draws it: parts, materials and decals, and their flat tables for the kernels.

Frames: `object` (+y up, +z front, any unit of length); `part`, each solid's own. `world`: the object turned by nothing,
p_world = (p_object - center) * scale, so that it fits the sphere of radius 0.5 around the origin. Colours are given as
sRGB hex strings and stored as linear RGB.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.interpolate import PchipInterpolator

from sparseags_ns.sample import layout as at

Vector = Sequence[float] | np.ndarray
Color = str


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


def linear(color: Color) -> Float[np.ndarray, " 3"]:
    """Linear RGB of an sRGB hex string such as "#d04a35"."""
    srgb = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255.0
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def rotation(turn_deg: Vector) -> Float[np.ndarray, "3 3"]:
    """R_object_part: turned about x, then y, then z of the object frame, in degrees."""
    out = np.eye(3)
    for axis, angle in enumerate(np.radians(np.asarray(turn_deg, float))):
        c, s = np.cos(angle), np.sin(angle)
        i, j = (axis + 1) % 3, (axis + 2) % 3
        R = np.eye(3)
        R[i, i], R[i, j], R[j, i], R[j, j] = c, -s, s, c
        out = R @ out
    return out


def along(direction: Vector, hint: Vector = (0.0, 0.0, 1.0)) -> Float[np.ndarray, "3 3"]:
    """R_object_part whose y axis is the direction and whose z axis is as near as it can be to the hint."""
    y = np.asarray(direction, float) / np.linalg.norm(direction)
    x = np.cross(y, hint)
    if np.linalg.norm(x) < 1e-3:
        x = np.cross(y, (1.0, 0.3, 0.0))
    x /= np.linalg.norm(x)
    return np.stack([x, y, np.cross(x, y)], 1)


class Model:
    """Collects parts, materials and decals. Parts of one group can be blended and carved, and share decals."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.group = 0
        self._parts: list[np.ndarray] = []
        self._profiles: list[np.ndarray] = []
        self._materials: list[np.ndarray] = []
        self._decals: list[np.ndarray] = []

    def new_group(self) -> int:
        """Start the next group: parts and decals belong to it until the next call."""
        self.group += 1
        return self.group

    def material(
        self,
        a: Color,
        b: Color = "#000000",
        c: Color = "#000000",
        pattern: int = at.PLAIN,
        mapping: int = at.MAP_SOLID,
        freq: float | tuple[float, float] = 1.0,
        params: tuple[float, float] = (0.5, 0.0),
        in_object: bool = False,
        gloss: float = 0.5,
        metallic: float = 0.0,
        bump: tuple[float, float] = (0.0, 1.0),
        mottle: tuple[float, float] = (0.05, 4.0),
    ) -> int:
        """A material; returns its number.

        Args:
            freq: cells of the pattern in a unit of length along u, v; around a cylinder, u counts cells in the turn.
            params: what the pattern's branch in patterns.py says.
            in_object: the pattern runs through all parts (object frame) rather than with each part.
            gloss: 0 matt, 1 mirror-like.
            bump: height of a fine relief, and its frequency.
            mottle: uneven brightness, and its frequency.
        """
        row = np.zeros(at.MATERIAL_COLUMNS)
        row[at.PATTERN], row[at.MAPPING], row[at.FROM_OBJECT] = pattern, mapping, in_object
        for column, color in ((at.COLOR_A, a), (at.COLOR_B, b), (at.COLOR_C, c)):
            row[column : column + 3] = linear(color)
        row[at.FREQ_U], row[at.FREQ_V] = freq if isinstance(freq, tuple) else (freq, freq)
        row[at.PARAM_A], row[at.PARAM_B] = params
        row[at.SEED] = self.rng.integers(1, 10_000)
        row[at.ROUGHNESS], row[at.METALLIC], row[at.SPECULAR] = 0.9 - 0.75 * gloss, metallic, 0.03 + 0.03 * gloss
        row[at.BUMP], row[at.BUMP_FREQ] = bump
        row[at.MOTTLE], row[at.MOTTLE_FREQ] = mottle
        self._materials.append(row)
        return len(self._materials) - 1

    def profile(self, half_height: float, heights: Vector, radii: Vector) -> int:
        """A lathe profile through the given points, monotone between them; heights rise from -1 to 1 (half heights)."""
        where = np.linspace(-1.0, 1.0, at.PROFILE_POINTS)
        curve = np.maximum(PchipInterpolator(heights, radii)(where), 1e-3)
        starts = range(0, at.PROFILE_POINTS - 1, at.PROFILE_CHUNK)
        chunks = np.stack([curve[i : i + at.PROFILE_CHUNK + 1] for i in starts])
        chords = chunks[:, :1] + (chunks[:, -1:] - chunks[:, :1]) * np.linspace(0.0, 1.0, at.PROFILE_CHUNK + 1)
        # The spline through the stored radii can be a little steeper than the straight pieces between them.
        steepest = 1.1 * np.abs(np.diff(curve)).max() * (at.PROFILE_POINTS - 1) / (2.0 * half_height)
        self._profiles.append(np.concatenate([curve, np.abs(chunks - chords).max(1) + 1e-5, [steepest]]))
        return len(self._profiles) - 1

    def part(
        self,
        kind: int,
        sizes: Vector,
        material: int,
        origin: Vector,
        R_object_part: Float[np.ndarray, "3 3"],
        bound: tuple[Vector, float],
        blend: float = 0.0,
        carve: bool = False,
    ) -> None:
        """Add a solid.

        Args:
            bound: centre (in the part's frame) and radius of a sphere around it.
            blend: reach of a smooth join with the parts of its group that came before; 0 for a sharp one.
            carve: take the solid away from the parts of its group that came before.
        """
        row = np.zeros(at.PART_COLUMNS)
        row[at.KIND], row[at.CARVE], row[at.BLEND] = kind, carve, blend
        row[at.GROUP], row[at.MATERIAL] = self.group, material
        row[at.BOUND : at.BOUND + 3] = np.asarray(origin) + R_object_part @ np.asarray(bound[0])
        row[at.BOUND_RADIUS] = bound[1] * 1.001
        row[at.ROTATION : at.ROTATION + 9] = R_object_part.T.ravel()
        row[at.ORIGIN : at.ORIGIN + 3] = origin
        row[at.SIZES : at.SIZES + len(sizes)] = sizes
        self._parts.append(row)

    def decal(
        self,
        kind: int,
        origin: Vector,
        normal: Vector,
        half: tuple[float, float],
        colors: Sequence[Color],
        params: tuple[float, float] = (0.1, 0.1),
        up: Vector = (0.0, 1.0, 0.0),
        depth: float = 0.1,
        gloss: float = 0.6,
    ) -> None:
        """Press a small picture onto the current group, where the surface lies within `depth` of its plane."""
        w = np.asarray(normal, float) / np.linalg.norm(normal)
        u = np.cross(up, w)
        if np.linalg.norm(u) < 1e-3:
            u = np.cross((0.0, 0.0, -1.0), w)
        u /= np.linalg.norm(u)
        row = np.zeros(at.DECAL_COLUMNS)
        row[at.DECAL_KIND], row[at.DECAL_GROUP] = kind, self.group
        row[at.DECAL_ROTATION : at.DECAL_ROTATION + 9] = np.stack([u, np.cross(w, u), w]).ravel()
        row[at.DECAL_ORIGIN : at.DECAL_ORIGIN + 3] = origin
        row[at.DECAL_HALF_U], row[at.DECAL_HALF_V], row[at.DECAL_DEPTH] = *half, depth
        for column, color in zip((at.DECAL_A, at.DECAL_B, at.DECAL_C), [*colors, *["#000000"] * 2], strict=False):
            row[column : column + 3] = linear(color)
        row[at.DECAL_P], row[at.DECAL_Q] = params
        row[at.DECAL_SEED], row[at.DECAL_ROUGHNESS] = self.rng.integers(1, 10_000), 0.9 - 0.75 * gloss
        self._decals.append(row)

    def tables(
        self,
        lights: Float[np.ndarray, "lights light_columns"],
        center: Float[np.ndarray, " 3"] | None = None,
        scale: float = 1.0,
    ) -> Tables:
        """The flat tables, parts in the order of their groups."""
        parts = sorted(self._parts, key=lambda row: row[at.GROUP])
        return Tables(
            parts=np.stack(parts),
            profiles=np.stack(self._profiles or [np.zeros(at.PROFILE_COLUMNS)]),
            materials=np.stack(self._materials),
            decals=np.stack(self._decals) if self._decals else np.zeros((0, at.DECAL_COLUMNS)),
            lights=lights,
            center=np.zeros(3) if center is None else center,
            scale=scale,
        )
