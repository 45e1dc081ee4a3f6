"""Settings of a sample, and the levels of error of its initial poses."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from sparseags_ns.sample.families import Family

Level = Literal["exact", "dust3r", "raydiff", "outlier1", "outlier2"]
OutlierKind = Literal["any", "azimuth", "front_back", "up_down"]
MaskFault = Literal["exact", "eroded", "dilated", "holes", "mixed"]
Capture = Literal["around", "walk", "two_rings", "uneven", "clustered"]


class SampleError(ValueError):
    """A sample that cannot be made as asked."""


@dataclass(frozen=True)
class Noise:
    """Errors of the initial poses; standard deviations of normal distributions."""

    rotation_deg: float = 0.0
    """Rotation of a whole camera around the object, about each axis of the world."""
    tail_share: float = 0.0
    """Share of views that are rotated by `tail_deg` instead."""
    tail_deg: float = 0.0
    radial: float = 0.0
    """Logarithm of the distance from the object."""
    sideways: float = 0.0
    """Shift along each of the two directions across the line to the object, in shares of the distance."""
    orientation_deg: float = 0.0
    """Rotation of a camera on the spot, about each of its axes."""
    focal_scene: float = 0.0
    """Logarithm of the focal length, the same for all views."""
    focal_view: float = 0.0
    """Logarithm of the focal length, view by view."""
    outliers: int = 0
    """Number of views that are grossly wrong in addition."""


# Calibrated on the mean over many scenes: `dust3r` and `raydiff` start as accurate as these initialisers are on NAVI
# with 8 views (SparseAGS, Tables 1 and 3).
NOISE: dict[str, Noise] = {
    "exact": Noise(),
    "dust3r": Noise(2.0, 0.033, 15.0, 0.055, 0.028, 0.85, 0.05, 0.02),
    "raydiff": Noise(2.9, 0.23, 9.5, 0.081, 0.05, 1.73, 0.05, 0.02),
    "outlier1": Noise(0.7, 0.0, 0.0, 0.01, 0.003, 1.03, outliers=1),
    "outlier2": Noise(0.7, 0.0, 0.0, 0.01, 0.003, 1.03, outliers=2),
}


_OVERRIDES = {
    "rotation_noise_deg": "rotation_deg",
    "center_noise": "sideways",
    "radial_noise": "radial",
    "orientation_noise_deg": "orientation_deg",
    "focal_noise": "focal_scene",
    "focal_noise_view": "focal_view",
    "outliers": "outliers",
}
"""Options of a sample that replace a part of its level's noise."""


@dataclass(frozen=True)
class SampleConfig:
    """One sample scene. The same settings give the same photographs and poses."""

    seed: int = 0
    """Chooses the object, the viewpoints and the pose errors. Any number gives another sample."""
    num_views: int = 8
    """Photographs to reconstruct from, 3 to 32."""
    num_test_views: int = 16
    """Photographs held out to judge novel views."""
    size: int = 256
    """Side of the photographs in pixels."""
    family: Family = "any"
    """Kind of object; `thin` and `near_symmetric` (only texture tells the sides apart) are hard, not part of `any`."""
    level: Level = "dust3r"
    """Errors of the initial poses: like those of an initialiser, or nearly none but for one or two outliers."""
    rotation_noise_deg: float | None = None
    """Rotation of each camera around the object, about each axis; the level's with its rare larger ones if left out."""
    center_noise: float | None = None
    """Shift of each camera to its sides, in shares of its distance; the level's if left out."""
    radial_noise: float | None = None
    """Relative error of each camera's distance; the level's if left out."""
    orientation_noise_deg: float | None = None
    """Rotation of each camera on the spot, about each axis; the level's if left out."""
    focal_noise: float | None = None
    """Relative error of the focal length that all views share; the level's if left out."""
    focal_noise_view: float | None = None
    """Relative error of each view's focal length; the level's if left out."""
    outliers: int | None = None
    """Views whose pose is grossly wrong; the level's number if left out."""
    outlier_kind: OutlierKind = "any"
    """Rotated by 60 to 180 degrees around the upright axis, by about 180, upside down on the far side, or any."""
    arc_deg: float = 360.0
    """Arc in degrees that all views come from, held-out views too. A walk leads from one end of it to the other;
    `clustered` photographs come from two sides whatever the arc."""
    capture: Capture = "around"
    """How the photographs were taken. `around`: in random order, evenly spread in azimuth, elevations of -5 to 45;
    `walk`: on a walk around the object, either way, at nearly one height, files in the order of the walk;
    `two_rings`: on a low walk (0 to 15 degrees), then a high one (35 to 50), half of them each;
    `uneven`: on a walk whose steps differ by up to a factor of 3;
    `clustered`: half of them within 40 degrees of azimuth, the others opposite within 60, elevations of 0 to 60."""
    shuffled: bool = False
    """Put the photographs into random order."""
    turned: int = 0
    """Photographs taken with the camera rolled by 90 degrees, either way; chosen at random."""
    aliens: int = 0
    """Photographs that show another object of the family, as if mixed in by mistake: fewer than half, at random."""
    bare: bool = False
    """Give photographs alone, without initial poses or a focal length; options for errors of poses have no effect."""
    cut: float = 0.0
    """Share of the object's width or height that lies beyond one edge of each photograph, 0 to 0.6."""
    cut_style: Literal["aim", "pad"] = "aim"
    """The camera is aimed past the object, or the photograph is padded with unknown pixels, as by a recentring crop."""
    mask: MaskFault = "exact"
    """Fault of the masks; `mixed` draws one for each view. Dilated masks show some background."""
    mask_px: float = 3.0
    """By how much masks are eroded or dilated, in pixels of a 256 px photograph."""
    samples: int = 3
    """Rays along each side of a pixel."""
    surface_points: int = 20000
    """Points on the object's true surface."""

    def __post_init__(self) -> None:
        limits: tuple[tuple[str, float, float], ...] = (
            ("seed", 0, 2**31 - 1),
            ("num_views", 3, 32),
            ("num_test_views", 0, 256),
            ("size", 16, 2048),
            ("arc_deg", 5, 360),
            ("turned", 0, self.num_views),
            ("aliens", 0, (self.num_views - 1) // 2),
            ("cut", 0, 0.6),
            ("mask_px", 0, 32),
            ("samples", 1, 8),
            ("surface_points", 1000, 1_000_000),
        )
        for name, low, high in limits:
            if not low <= getattr(self, name) <= high:
                raise SampleError(f"{name} must lie between {low:g} and {high:g}, is {getattr(self, name)}")
        for name in _OVERRIDES:
            value = getattr(self, name)
            if name != "outliers" and value is not None and not 0 <= value < 180:
                raise SampleError(f"{name} must be zero or more, is {value}")
        if not 0 <= self.noise.outliers <= self.num_views - 2:
            raise SampleError(
                f"{self.noise.outliers} outliers among {self.num_views} views: at least 2 views must stay right"
            )

    @property
    def noise(self) -> Noise:
        """The level's errors with the overrides."""
        given = {field: getattr(self, option) for option, field in _OVERRIDES.items()}
        changes = {field: value for field, value in given.items() if value is not None}
        if "rotation_deg" in changes:
            changes["tail_share"] = 0.0
        return replace(NOISE[self.level], **changes)


Hard = Literal["arc", "cut", "thin", "near_symmetric", "masks"]
HARD: dict[str, dict[str, Any]] = {
    "arc": {"arc_deg": 120.0},
    "cut": {"cut": 0.25, "cut_style": "pad"},
    "thin": {"family": "thin"},
    "near_symmetric": {"family": "near_symmetric"},
    "masks": {"mask": "mixed"},
}
"""Settings of the benchmarks' hard samples, beside seed and level."""


def hard_sample(kind: Hard, seed: int, **others: Any) -> SampleConfig:
    """The settings of one hard sample."""
    return SampleConfig(seed=seed, **{**HARD[kind], **others})
