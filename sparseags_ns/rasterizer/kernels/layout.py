"""Layout of the kernels' flat arrays.

A tile is 8 x 32 pixels, cut into 16 groups of 8 x 2: a group is what one AVX-512 register holds, and a splat is
drawn group by group. Narrow tiles waste little beside a small splat. Tiles nest in gsplat's tiles of 16 x 16 (which
decide how far a splat may reach), two of ours side by side.

Numba turns loops into vector code only if all of a loop's data lies in one array at constant offsets, so a tile's
state is one flat array of rows of `PIXELS` numbers.
"""

from __future__ import annotations

from typing import Final

import numpy as np

TILE_WIDTH: Final = 8
TILE_HEIGHT: Final = 32
GROUP_HEIGHT: Final = 2
GROUP: Final = TILE_WIDTH * GROUP_HEIGHT
GROUPS: Final = TILE_HEIGHT // GROUP_HEIGHT
PIXELS: Final = GROUP * GROUPS

# Rows of a tile's state. Unsigned offsets: with signed ones numba adds code for negative indices.
ROW_X: Final = np.uint64(0 * PIXELS)
"""Column of the pixel in its tile, 0 to 7."""
ROW_Y: Final = np.uint64(1 * PIXELS)
"""Row of the pixel in its tile, 0 to 31."""
ROW_T: Final = np.uint64(2 * PIXELS)
"""Transmittance; its negative once the pixel is closed; -1 for pixels outside the image."""
ROW_RED: Final = np.uint64(3 * PIXELS)
"""Forward: sum of w red. Backward: v_red."""
ROW_GREEN: Final = np.uint64(4 * PIXELS)
ROW_BLUE: Final = np.uint64(5 * PIXELS)
ROW_Z: Final = np.uint64(6 * PIXELS)
"""Forward: sum of w z. Backward: the gradient of that sum. Used only with depth."""
ROW_REST: Final = np.uint64(7 * PIXELS)
"""Backward only: R, the remaining colour times the gradient; see `compositing_vjp`."""
STATE_ROWS: Final = 8

# Columns of a splat's record.
SPLAT_X: Final = 0
"""Centre, pixels."""
SPLAT_Y: Final = 1
SPLAT_A: Final = 2
"""u = a dx + b dy, w = c dy, with (dx, dy) from the pixel to the centre."""
SPLAT_B: Final = 3
SPLAT_C: Final = 4
SPLAT_LOG_OPACITY: Final = 5
"""log2 of the opacity."""
SPLAT_RED: Final = 6
SPLAT_GREEN: Final = 7
SPLAT_BLUE: Final = 8
SPLAT_Z: Final = 9
SPLAT_COLUMNS: Final = 10

# Columns of the gradient of one splat in one tile; P = alpha d loss / d alpha, sums over the tile's pixels.
GRAD_1: Final = 0
"""Sum of P."""
GRAD_U: Final = 1
GRAD_W: Final = 2
GRAD_UU: Final = 3
GRAD_UW: Final = 4
GRAD_WW: Final = 5
GRAD_RED: Final = 6
GRAD_GREEN: Final = 7
GRAD_BLUE: Final = 8
GRAD_Z: Final = 9
GRAD_ABS_X: Final = 10
"""Sum of |P d sigma / dx|, but for a factor; used only with absgrad."""
GRAD_ABS_Y: Final = 11
GRAD_COLUMNS: Final = 12
