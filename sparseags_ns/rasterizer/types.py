"""Inputs and outputs of the rasterizer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Gaussians:
    """N anisotropic Gaussians, activated: ready to render."""

    means: Float[Tensor, "gaussians 3"]
    """Centres in the world."""
    quats: Float[Tensor, "gaussians 4"]
    """Orientation (w, x, y, z), of any length."""
    scales: Float[Tensor, "gaussians 3"]
    """Standard deviations along the Gaussian's axes, in world units, positive."""
    opacities: Float[Tensor, " gaussians"]
    """0 to 1."""
    colors: Float[Tensor, "gaussians 3"] | Float[Tensor, "gaussians bases 3"]
    """RGB, or spherical-harmonics coefficients (real basis, as gsplat and the 3DGS paper order them)."""

    @property
    def center(self) -> Float[Tensor, " 3"]:
        """Mean of the means, weighted by opacity."""
        weights = self.opacities[:, None]
        return (self.means * weights).sum(0) / weights.sum().clamp_min(1e-9)

    @property
    def visible_center(self) -> Float[Tensor, " 3"]:
        """Mean of the means, weighted by opacity and cross-section: large opaque Gaussians count most."""
        weights = self.opacities * self.scales.square().sum(-1)
        return (self.means * weights[:, None]).sum(0) / weights.sum().clamp_min(1e-12)


@dataclass(frozen=True)
class Target:
    """One photo at the size at which camera poses are scored against it."""

    premultiplied: Float[Tensor, "height width 3"]
    """Colour times mask."""
    mask: Float[Tensor, "height width"]
    """Coverage of the object, 0 to 1."""
    valid: Float[Tensor, "height width"]
    """Weight of each pixel: 1 where the photo is known, 0 where it is not."""
    K: Float[Tensor, "3 3"] | Float[Tensor, "hypotheses 3 3"]
    """Intrinsics in pixels of this size, one for all poses or one for each."""

    def over(self, background: float | Float[Tensor, " 3"]) -> Float[Tensor, "height width 3"]:
        """The photo composited over a gray or a colour."""
        return self.premultiplied + (1 - self.mask)[..., None] * background

    @property
    def area(self) -> float:
        """Share of the valid pixels that the object covers."""
        return float((self.mask * self.valid).sum() / self.valid.sum().clamp_min(1))


@dataclass(frozen=True)
class Raster:
    """Images of all cameras of one call."""

    rgb: Float[Tensor, "views height width 3"]
    """Composited over the background."""
    alpha: Float[Tensor, "views height width"]
    depth: Float[Tensor, "views height width"] | None
    """Expected z in the camera frame (weighted mean over the splats of a pixel), 0 where alpha is 0."""
    info: dict[str, Any]
    """Fields that gsplat's strategies read: means2d, radii, width, height, n_cameras, gaussian_ids."""
