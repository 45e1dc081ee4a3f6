"""The splat as a .ply file for viewers, in the world of the exported cameras.

Values, their order and the Gaussians left out (not finite, or too faint to be drawn) are those of `ns-export
gaussian-splat`, with two differences: the header names the frame, and by default the colours have the 15 coefficients
up to degree 3 that many viewers insist on, filled up with zeros.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from jaxtyping import Bool
from torch import Tensor

from sparseags_ns.export.orientation import OrientedRun, warn_of_float32
from sparseags_ns.formats.ply import splat_columns, write_ply
from sparseags_ns.rasterizer.constants import ALPHA_MIN
from sparseags_ns.rasterizer.types import Gaussians

_FRAMES = {
    "world": "the run's world: +y up as the initial cameras had it, origin near the object",
    "given": "the world of the poses that the run began with",
    "y-up": "+y up by the refined cameras",
    "y-down": "+y down by the refined cameras",
    "z-up": "+z up by the refined cameras",
}


def write_splat(path: Path, oriented: OrientedRun, sh_degree: int = 3) -> int:
    """Write the splat; returns the number of Gaussians.

    Args:
        sh_degree: degree of the colours in the file; higher coefficients of the run are left out.
    """
    gaussians = oriented.gaussians
    drawn = drawable(gaussians)
    kept = replace(gaussians, **{name: value[drawn] for name, value in vars(gaussians).items()})
    bases = (sh_degree + 1) ** 2
    colors = kept.colors[:, :bases]
    padding = colors.new_zeros(len(colors), max(bases - colors.shape[1], 0), 3)
    means = oriented.from_world.apply_to_points(oriented.run.gaussians.means.double()[drawn])
    warn_of_float32(means, f"{path.name} holds float32, as all programs read splats")
    columns = splat_columns(kept.means, kept.quats, kept.scales, kept.opacities, torch.cat([colors, padding], dim=1))
    write_ply(path, columns, (oriented.comment, _FRAMES[oriented.orient]))
    return len(kept.means)


def drawable(gaussians: Gaussians) -> Bool[Tensor, " gaussians"]:
    """Gaussians that a rasterizer draws: finite, with an opacity of at least `ALPHA_MIN`."""
    finite = torch.stack([value[:, None].flatten(1).isfinite().all(1) for value in vars(gaussians).values()]).all(0)
    return finite & (gaussians.opacities >= ALPHA_MIN)
