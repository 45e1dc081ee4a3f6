"""A stand-in with few Gaussians for a splat that is to be rendered thousands of times at a small size.

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
    """RGB without view dependence, not clamped from above."""
    colors = gaussians.colors
    return colors if colors.ndim == 2 else (colors[:, 0] * SH_C0 + 0.5).clamp_min(0)


def proxy(gaussians: Gaussians, count: int | None = None, min_opacity: float = 0.05) -> Gaussians:
    """At most `count` Gaussians, without view dependence, that look like the splat from afar.

    Faint Gaussians are left out; where too many remain, all that share a cell of a cubic grid are merged into one. It
    has the mean and covariance of its parts, each weighted by opacity times area, and an opacity with which it shows as
    much as they did.

    Args:
        gaussians: the splat.
        count: at least 8; None merges nothing.
        min_opacity: fainter Gaussians are left out, unless all are fainter.
    """
    if count is not None and count < 8:
        raise ValueError(f"proxy: count {count} is less than 8")
    visible = gaussians.opacities >= min_opacity
    visible = visible if visible.any() else torch.ones_like(visible)
    colors = base_colors(gaussians)[visible]
    means, quats, scales, opacities = (
        getattr(gaussians, name)[visible] for name in ("means", "quats", "scales", "opacities")
    )
    kept = Gaussians(means.detach(), quats.detach(), scales.detach(), opacities.detach(), colors.detach())
    return kept if count is None or len(means) <= count else _merged(kept, _cells(kept.means, count))


def _cells(means: Float[Tensor, "gaussians 3"], count: int) -> Int[Tensor, " gaussians"]:
    """Number of each Gaussian's cell, in the finest cubic grid of which at most `count` cells are occupied.

    The side of the cells is found by bisection of its logarithm; at the coarsest side one cell holds everything.
    """
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
    """One Gaussian for each cell."""
    number = int(cells.max()) + 1
    shown = parts.opacities * _area(parts.scales)
    total = parts.means.new_zeros(number).index_add(0, cells, shown).clamp_min(1e-20)

    def mean(values: Tensor) -> Tensor:
        weighted = values * (shown / total[cells]).reshape(-1, *[1] * (values.ndim - 1))
        return values.new_zeros(number, *values.shape[1:]).index_add(0, cells, weighted)

    means = mean(parts.means)
    axes = se3.rotations_from_quats(parts.quats) * parts.scales[:, None, :]
    offsets = parts.means - means[cells]
    # Law of total covariance: the mean covariance of the parts plus the covariance of their means.
    covariances = mean(axes @ axes.mT + offsets[:, :, None] * offsets[:, None, :])
    variances, rotations = torch.linalg.eigh(covariances)
    rotations = rotations * torch.linalg.det(rotations).sign()[:, None, None]  # Eigenvectors may be a reflection.
    scales = variances.clamp_min(1e-12).sqrt()
    opacities = (total / _area(scales)).clamp(max=0.99)
    return Gaussians(means, se3.quats_from_rotations(rotations), scales, opacities, mean(parts.colors))


def _area(scales: Float[Tensor, "gaussians 3"]) -> Float[Tensor, " gaussians"]:
    """Projected area of each Gaussian, averaged over all directions, up to a constant factor."""
    x, y, z = scales.unbind(-1)
    return (x * y + y * z + z * x) / 3
