"""Thresholds of the pose search and of the leave-one-out test, each with the source of its value.

"Authors" are those of SparseAGS; their values are those of the released code. Units: degrees where a name ends in
`_deg`; pixels where one ends in `_px`; step sizes in radians and world units.
"""

from __future__ import annotations

from dataclasses import dataclass

ELSEWHERE_DEG = 15.0
"""Poses rotated by more than this against a view's own are other poses: joint refinement does not carry a camera so
far. Ours."""


@dataclass(frozen=True)
class SearchSettings:
    """Thoroughness of a pose search."""

    spacing_deg: float = 18.0
    """Angle between neighbouring hypotheses, in azimuth, elevation and roll (authors: 15, without roll)."""
    max_roll_deg: float = 180.0
    """Largest roll of a hypothesis; 180 includes upside-down cameras (authors: 0)."""
    coarse_px: int = 32
    """Longer side of the photograph when all hypotheses are scored and the shortlist is refined."""
    fine_px: int = 64
    """Longer side of the photograph when the finalists are refined and ranked."""
    proxy_gaussians: int = 600
    """Largest number of Gaussians of the proxy at `coarse_px`."""
    fine_gaussians: int = 2500
    """Largest number of Gaussians of the proxy at `fine_px`."""
    shortlist: int = 40
    """Number of hypotheses that are refined (authors: all 5,000)."""
    min_apart_deg: float = 20.0
    """Least rotation between two poses of the shortlist."""
    finalists: int = 10
    """Number of poses that are refined again at `fine_px`."""
    finalists_apart_deg: float = 8.0
    """Least rotation between two finalists."""
    coarse_steps: int = 50
    """Gradient steps of the shortlist (authors: 128, 256, 256)."""
    fine_steps: int = 40
    """Gradient steps of the finalists; 0 makes it a quick search."""
    coarse_lr: float = 2e-2
    """First step size of the shortlist (authors: 5e-3)."""
    fine_lr: float = 8e-3
    """First step size of the finalists (authors: 1e-3)."""
    lr_decay: float = 0.15
    """Factor by which a step size has fallen after the last step."""
    mask_weight: float = 0.5
    """Weight of the squared error of alpha relative to that of the colour."""


THOROUGH_SEARCH = SearchSettings()
"""The search of a suspect or of a view without a pose: a second on two cores."""
QUICK_SEARCH = SearchSettings(
    spacing_deg=24.0, shortlist=24, coarse_steps=40, fine_px=32, fine_gaussians=600, fine_steps=0, finalists=12
)
"""A search that takes half as long, for views that are not suspected yet. Ours."""
