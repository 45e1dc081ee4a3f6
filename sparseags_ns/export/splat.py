"""The splat as a .ply file that viewers open, in the world of the exported cameras: no transform is hidden anywhere.

What ns-export gaussian-splat writes, in the same order and with the same Gaussians left out (not finite, or too faint
to be drawn), with two differences: the header says which frame it is in, and the colours have the 15 coefficients of
degree 3 that many viewers insist on (those that the run does not have are zero).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from jaxtyping import Bool
from torch import Tensor

from sparseags_ns.export.orientation import OrientedRun
from sparseags_ns.formats.ply import splat_columns, write_ply
from sparseags_ns.rasterizer.constants import ALPHA_MIN
from sparseags_ns.rasterizer.types import Gaussians

FRAMES = {
    "world": "the run's world: +y up as the initial cameras had it, origin near the object",
    "given": "the world of the poses that the run began with",
    "y-up": "+y up by the refined cameras",
    "y-down": "+y down by the refined cameras",
    "z-up": "+z up by the refined cameras",
}


def write_splat(path: Path, oriented: OrientedRun, sh_degree: int = 3) -> int:
    """Write the splat; returns the number of Gaussians.

    Args:
        sh_degree: of the colours in the file; the run's own where lower cuts off what it has.
    """
    drawn = drawable(oriented.gaussians)
    kept = replace(oriented.gaussians, **{name: value[drawn] for name, value in vars(oriented.gaussians).items()})
    bases = (sh_degree + 1) ** 2
    colors = kept.colors[:, :bases]
    padding = colors.new_zeros(len(colors), max(bases - colors.shape[1], 0), 3)
    columns = splat_columns(kept.means, kept.quats, kept.scales, kept.opacities, torch.cat([colors, padding], dim=1))
    comments = (f"sparseags export, frame {oriented.orient}", FRAMES[oriented.orient])
    write_ply(path, columns, comments)
    return len(kept.means)


def drawable(gaussians: Gaussians) -> Bool[Tensor, " gaussians"]:
    """Gaussians that a rasterizer draws: finite, and not fainter than the least alpha that counts."""
    finite = torch.stack([value.flatten(1).isfinite().all(1) for value in map(_rows, vars(gaussians).values())]).all(0)
    return finite & (gaussians.opacities >= ALPHA_MIN)


def _rows(values: Tensor) -> Tensor:
    return values[:, None] if values.ndim == 1 else values
