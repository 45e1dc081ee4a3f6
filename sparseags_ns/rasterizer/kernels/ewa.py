"""The algebra of the projection of one Gaussian, shared by values and gradients; inlined into vector loops.

Vectors are tuples of three numbers; a covariance is a tuple of six: xx, xy, xz, yy, yz, zz. Tuples, not arrays, because
LLVM keeps them in registers. a and b are the rows of J W, with W the camera's rotation and J the derivative of the
pinhole projection.
"""

from __future__ import annotations

from sparseags_ns.rasterizer.constants import FRUSTUM_MARGIN
from sparseags_ns.rasterizer.kernels.jit import jit


@jit
def pose_rows(T):
    """The three rows of the rotation of a pose, and its translation."""
    r0, r1, r2 = (T[0, 0], T[0, 1], T[0, 2]), (T[1, 0], T[1, 1], T[1, 2]), (T[2, 0], T[2, 1], T[2, 2])
    return r0, r1, r2, (T[0, 3], T[1, 3], T[2, 3])


@jit
def image_margins(width, height, like):
    """(left, right, top, bottom) of the image with its margin, in pixels, in the float type of `like`."""
    F = type(like)
    low, high = -FRUSTUM_MARGIN, 1 + FRUSTUM_MARGIN
    return F(low * width), F(high * width), F(low * height), F(high * height)


@jit
def clamp(value, low, high):
    """The value, limited to [low, high]."""
    return min(max(value, low), high)


@jit
def dot(a, b):
    """Scalar product."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@jit
def combine(s, a, t, b):
    """s a + t b."""
    return s * a[0] + t * b[0], s * a[1] + t * b[1], s * a[2] + t * b[2]


@jit
def apply(S, a):
    """A symmetric matrix times a vector."""
    return (
        S[0] * a[0] + S[1] * a[1] + S[2] * a[2],
        S[1] * a[0] + S[3] * a[1] + S[4] * a[2],
        S[2] * a[0] + S[4] * a[1] + S[5] * a[2],
    )


@jit
def covariance_gradient(conic, v_conic):
    """d loss / d Sigma_2d as (g00, g01, g11), from the gradient of the conic (A, B, C).

    The conic is the inverse Q = Sigma_2d^-1, so dQ = -Q dSigma Q and the gradient is -Q V Q. V holds half of B's
    gradient in each of its two off-diagonal entries, since B is both of Q's.
    """
    A, B, C = conic
    vA, vB, vC = v_conic[0], type(A)(0.5) * v_conic[1], v_conic[2]
    m00, m01, m10, m11 = A * vA + B * vB, A * vB + B * vC, B * vA + C * vB, B * vB + C * vC
    return -(m00 * A + m01 * B), -(m00 * B + m01 * C), -(m10 * B + m11 * C)


@jit
def spread(G, a, b):
    """Gradient of the world covariance, M^T G M with a and b the rows of M, for Sigma_2d = M Sigma M^T + EPS_2D I.

    Each off-diagonal entry is stored once but occurs twice in Sigma: its gradient is the sum of both.
    """
    g00, g01, g11 = G
    ga, gb = combine(g00, a, g01, b), combine(g01, a, g11, b)
    return (
        ga[0] * a[0] + gb[0] * b[0],
        ga[0] * a[1] + gb[0] * b[1] + ga[1] * a[0] + gb[1] * b[0],
        ga[0] * a[2] + gb[0] * b[2] + ga[2] * a[0] + gb[2] * b[0],
        ga[1] * a[1] + gb[1] * b[1],
        ga[1] * a[2] + gb[1] * b[2] + ga[2] * a[1] + gb[2] * b[1],
        ga[2] * a[2] + gb[2] * b[2],
    )
