"""The algebra of the projection of one Gaussian, shared by values and gradients; inlined into vector loops.

World covariances and symmetric matrices are six numbers: xx, xy, xz, yy, yz, zz. a and b are the rows of J W, with W
the camera's rotation and J the derivative of the pinhole projection.
"""

from __future__ import annotations

from sparseags_ns.rasterizer.constants import FRUSTUM_MARGIN
from sparseags_ns.rasterizer.kernels.jit import jit


@jit
def image_margins(width, height, like):
    """Left, right, top and bottom of the image with a margin, in pixels, in the float type of `like`."""
    F = type(like)
    low, high = -FRUSTUM_MARGIN, 1 + FRUSTUM_MARGIN
    return F(low * width), F(high * width), F(low * height), F(high * height)


@jit
def clamp(value, low, high):
    """The value, or the nearer of the bounds that it exceeds."""
    return min(max(value, low), high)


@jit
def row_of_map(j_axis, j_depth, axis0, axis1, axis2, depth0, depth1, depth2):
    """One row of J W, of which J has two entries: along its image axis and along the depth."""
    return (
        j_axis * axis0 + j_depth * depth0,
        j_axis * axis1 + j_depth * depth1,
        j_axis * axis2 + j_depth * depth2,
    )


@jit
def times_symmetric(xx, xy, xz, yy, yz, zz, a0, a1, a2):
    """A symmetric matrix times a vector."""
    return xx * a0 + xy * a1 + xz * a2, xy * a0 + yy * a1 + yz * a2, xz * a0 + yz * a1 + zz * a2


@jit
def dot(a0, a1, a2, b0, b1, b2):
    """Scalar product."""
    return a0 * b0 + a1 * b1 + a2 * b2


@jit
def covariance_gradient(A, B, C, vA, vB, vC):
    """d loss / d Sigma_2d = -conic V conic, as (g00, g01, g11), from the gradient of the conic (A, B, C)."""
    half = type(A)(0.5) * vB
    m00, m01, m10, m11 = A * vA + B * half, A * half + B * vC, B * vA + C * half, B * half + C * vC
    return -(m00 * A + m01 * B), -(m00 * B + m01 * C), -(m10 * B + m11 * C)
