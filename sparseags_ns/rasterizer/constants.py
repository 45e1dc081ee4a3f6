"""Constants shared by all back ends: the definition of the render (gsplat 1.4.0, classic mode), harmonics and SSIM."""

from __future__ import annotations

from typing import Final

EPS_2D: Final = 0.03
"""Added to both diagonal entries of a projected covariance, in square pixels, so that every splat can be inverted.

3D Gaussian splatting adds 0.3. That widens each splat by the same number of pixels whether it is near or far, which
looks like weaker perspective: refined focal lengths came out short by 2 to 6 percent, the more the coarser the
photographs (docs/method.md). A tenth of it leaves a tenth of that."""
RADIUS_SIGMAS: Final = 3.0
"""A splat is listed for the tiles within this many standard deviations of its centre."""
GSPLAT_TILE: Final = 16
"""Side, in pixels, of the tiles to which that radius is rounded outwards."""
ALPHA_MIN: Final = 1.0 / 255.0
"""A splat does not count in pixels where its alpha is below this."""
ALPHA_MAX: Final = 0.999
"""Alpha of one splat in one pixel is clamped to this."""
TRANSMITTANCE_MIN: Final = 1e-4
"""The splat that would bring a pixel's transmittance to this or below closes the pixel and does not count."""
FRUSTUM_MARGIN: Final = 0.15
"""The projection's derivative is taken at most this fraction of the image's size outside the image."""
NEAR: Final = 0.01
"""Nearest z that is drawn, in world units."""
FAR: Final = 1e10
"""Farthest z that is drawn, in world units."""
SH_DEGREE_MAX: Final = 3
"""Highest degree of spherical harmonics (16 coefficients)."""
SH_C0: Final = 0.28209479177387814
"""The constant spherical harmonic, 1 / (2 sqrt(pi)): RGB = 0.5 + SH_C0 * coefficient."""
SH_C1: Final = 0.4886025119029199
"""Factor of degree 1, sqrt(3 / (4 pi))."""
SH_C2: Final = (1.0925484305920792, 0.31539156525252005, 0.5462742152960396)
"""Factors of degree 2: sqrt(15 / (4 pi)), sqrt(5 / (16 pi)), sqrt(15 / (16 pi))."""
SH_C3: Final = (0.5900435899266435, 2.890611442640554, 0.4570457994644658, 0.3731763325901154, 1.445305721320277)
"""Factors of degree 3: sqrt(35 / (32 pi)), sqrt(105 / (4 pi)), sqrt(21 / (32 pi)), sqrt(7 / (16 pi)),
sqrt(105 / (16 pi))."""
SSIM_WINDOW: Final = 11
"""Side of the SSIM window in pixels (Wang et al. 2004), odd."""
SSIM_SIGMA: Final = 1.5
"""Standard deviation of its Gaussian weights, in pixels."""
SSIM_C1: Final = 0.01**2
"""SSIM's first constant, for colours from 0 to 1."""
SSIM_C2: Final = 0.03**2
"""SSIM's second constant, for colours from 0 to 1."""
