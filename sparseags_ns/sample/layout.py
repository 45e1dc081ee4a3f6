"""What the sample's compiled kernels share: their compiler, and the columns of the tables that describe the object.

An object is built with `Model` (model.py) and packed into float64 tables: one row for each part, material, decal and
light. Kernels take plain arrays because numba compiles those fastest.

Frames: `object`, the frame in which a family builds (+y up, +z the object's front, its own unit of length); `part`,
the frame of one solid. The rows of a part's rotation are its axes in the object frame.
"""

from __future__ import annotations

from pathlib import Path

from sparseags_ns.numba_cache import compiler

# Fast math may reorder sums and contract products: the photographs' last bits depend on these flags. Without forced
# inlining, the process that compiles the kernels can round differently from the next ones, which load them: 2 of 129
# scenes differ in their last bits. Adding it would change all samples, and with them the benchmarks' baselines.
kernel = compiler(
    "sample-kernels", *sorted(Path(__file__).parent.glob("*.py")), nogil=True, fastmath=True, error_model="numpy"
)
"""Decorator that compiles a function to machine code that runs without the interpreter's lock."""

# Kinds of solids; lengths that each reads from SIZES on.
BOX = 0  # half x, half y, half z, edge radius
ELLIPSOID = 1  # radius x, y, z
CONE = 2  # round cone along +y from the origin: radius at 0, radius at the end, length
CYLINDER = 3  # along y, centred: bottom radius, top radius, half length, edge radius
RING = 4  # arc in the xy plane around the origin, centred on +y: major radius, minor radius, sin, cos of its half angle
PRISM = 5  # trapezoid in xy, extruded along z: half width below, above, half height, half depth, edge radius, shear x/y
LATHE = 6  # profile turned around y, centred: half height, edge radius, row of the profile table

# Columns of the table of parts.
KIND, CARVE, BLEND, GROUP, MATERIAL = 0, 1, 2, 3, 4
BOUND, BOUND_RADIUS = 5, 8  # bounding sphere in the object frame
ROTATION, ORIGIN, SIZES = 9, 18, 21
PART_COLUMNS = 28

# Columns of the table of materials. Colours are linear RGB.
PATTERN, MAPPING, FROM_OBJECT = 0, 1, 2
COLOR_A, COLOR_B, COLOR_C = 3, 6, 9
FREQ_U, FREQ_V, PARAM_A, PARAM_B, SEED = 12, 13, 14, 15, 16
ROUGHNESS, METALLIC, SPECULAR, BUMP, BUMP_FREQ, MOTTLE, MOTTLE_FREQ = 17, 18, 19, 20, 21, 22, 23
MATERIAL_COLUMNS = 24

# Ways to lay a pattern on a solid.
MAP_SOLID, MAP_CYLINDER, MAP_BOX = 0, 1, 2

# Patterns.
PLAIN, STRIPES, DOTS, WOOD, PATCHES, BRICKS, PANELS, CHECKS, SHINGLES, GLYPHS, CELLS, BANDS = range(12)

# Columns of the table of decals, small flat pictures pressed onto the parts of one group.
DECAL_KIND, DECAL_GROUP, DECAL_ROTATION, DECAL_ORIGIN = 0, 1, 2, 11
DECAL_HALF_U, DECAL_HALF_V, DECAL_DEPTH = 14, 15, 16
DECAL_A, DECAL_B, DECAL_C = 17, 20, 23
DECAL_P, DECAL_Q, DECAL_SEED, DECAL_ROUGHNESS = 26, 27, 28, 29
DECAL_COLUMNS = 30

# Kinds of decals.
PLATE, DISC, TEXT, WINDOW, STAR, GAUGE, GRILLE, DOOR, FLOWER = range(9)

# Columns of the table of lights: row 0 is the key light, the other rows are soft boxes.
LIGHT_DIRECTION, LIGHT_RADIANCE, LIGHT_HALF_COS = 0, 3, 6
LIGHT_COLUMNS = 7

PROFILE_POINTS, PROFILE_CHUNK = 49, 6
"""Radii stored for each lathe profile, equally spaced in height; pieces between them that make one chunk."""
PROFILE_COLUMNS = PROFILE_POINTS + (PROFILE_POINTS - 1) // PROFILE_CHUNK + 1
"""The radii, then for each chunk how far it strays from its chord, then the steepest slope (radius by height)."""
