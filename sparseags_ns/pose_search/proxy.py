"""A stand-in with few Gaussians for a splat that is to be rendered thousands of times, small.

Frame: `world`. Units: world units.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sparseags_ns.geometry import se3
from sparseags_ns.rasterizer.constants import SH_C0
from sparseags_ns.rasterizer.types import Gaussians


def base_colors(gaussians: Gaussians) -> Float[Tensor, "gaussians 3"]:
    """RGB without view dependence."""
    colors = gaussians.colors
    return colors if colors.ndim == 2 else (colors[:, 0] * SH_C0 + 0.5).clamp_min(0)


def proxy(gaussians: Gaussians, count: int, min_opacity: float = 0.05) -> Gaussians:
    """At most `count` Gaussians that look alike from afar: faint ones go, the others are merged cell by cell.

    A merged Gaussian has the mean and covariance of its parts (each weighted by what it shows: opacity times area), and
    an opacity that shows as much as they did.

    Args:
        count: at least 8.
        min_opacity: fainter Gaussians are left out, unless all are faint.
    """
    if count < 8:
        raise ValueError(f"proxy: count {count} is less than 8")
    visible = gaussians.opacities >= min_opacity
    visible = visible if visible.any() else torch.ones_like(visible)
    colors = base_colors(gaussians)[visible]
    means, quats, scales, opacities = (
        getattr(gaussians, name)[visible] for name in ("means", "quats", "scales", "opacities")
    )
    kept = Gaussians(means.detach(), quats.detach(), scales.detach(), opacities.detach(), colors.detach())
    return kept if len(means) <= count else _merged(kept, _cells(kept.means, count))


def _cells(means: Float[Tensor, "gaussians 3"], count: int) -> Int[Tensor, " gaussians"]:
    """Number of each Gaussian's cell, in the finest cubic grid of which at most `count` cells are occupied."""
    low = means.amin(0)
    finest, coarsest = 1e-4 * (means.amax(0) - low).amax().clamp_min(1e-9), 1.01 * (means.amax(0) - low).amax()
    cells = torch.zeros(len(means), dtype=torch.long, device=means.device)
    for _ in range(20):
        side = (finest * coarsest).sqrt()
        _, tried = torch.unique(((means - low) / side).floor().long(), dim=0, return_inverse=True)
        if int(tried.max()) < count:
            cells, coarsest = tried, side
        else:
            finest = side
    return cells


def _merged(parts: Gaussians, cells: Int[Tensor, " gaussians"]) -> Gaussians:
    number = int(cells.max()) + 1
    shown = parts.opacities * _area(parts.scales)
    total = parts.means.new_zeros(number).index_add(0, cells, shown).clamp_min(1e-20)

    def mean(values: Tensor) -> Tensor:
        weighted = values * (shown / total[cells]).reshape(-1, *[1] * (values.ndim - 1))
        return values.new_zeros(number, *values.shape[1:]).index_add(0, cells, weighted)

    means = mean(parts.means)
    axes = se3.rotations_from_quats(parts.quats) * parts.scales[:, None, :]
    offsets = parts.means - means[cells]
    covariances = mean(axes @ axes.mT + offsets[:, :, None] * offsets[:, None, :])
    variances, turns = torch.linalg.eigh(covariances)
    turns = turns * torch.linalg.det(turns).sign()[:, None, None]
    scales = variances.clamp_min(1e-12).sqrt()
    opacities = (total / _area(scales)).clamp(max=0.99)
    return Gaussians(means, se3.quats_from_rotations(turns), scales, opacities, mean(parts.colors))


def _area(scales: Float[Tensor, "gaussians 3"]) -> Float[Tensor, " gaussians"]:
    """What a Gaussian covers, averaged over directions, but for a constant."""
    x, y, z = scales.unbind(-1)
    return (x * y + y * z + z * x) / 3
