"""Scalar functions that are faster than those of numba: 2^x on a short range, and rounding to whole numbers."""

from __future__ import annotations

import numpy as np
from numba import types
from numba.extending import overload

from sparseags_ns.rasterizer.kernels.jit import jit

EXPONENT_MIN = -8.0
"""Smallest exponent of the compositing: below 2^-7.994 = 1/255 no splat counts."""


def _coefficients() -> list[np.float32]:
    """Polynomial in x = 8 y of degree 5 that interpolates 2^y on [-1, 0] in Chebyshev nodes, error 8e-8."""
    interpolant = np.polynomial.chebyshev.Chebyshev.interpolate(np.exp2, 5, domain=[-1.0, 0.0])
    powers = interpolant.convert(kind=np.polynomial.Polynomial).coef
    return [np.float32(c / 8.0**i) for i, c in enumerate(powers)]


_C0, _C1, _C2, _C3, _C4, _C5 = _coefficients()


def exp2_small(x: float) -> float:
    """2^x for x in [-8, 0]; vectorises; relative error below 2e-6 in float32, exact in float64.

    In float32, 2^x = (2^(x/8))^8, where the inner power is a polynomial of degree 5 and the outer one three squarings:
    eight multiplications in all, and no call that would keep the loop scalar.
    """
    return 2.0**x


@overload(exp2_small, inline="always")
def _exp2_small(x):
    if x == types.float32:

        def implementation(x):
            p = ((((_C5 * x + _C4) * x + _C3) * x + _C2) * x + _C1) * x + _C0
            p2 = p * p
            p4 = p2 * p2
            return p4 * p4

    else:

        def implementation(x):
            return 2.0**x

    return implementation


# numba's own floor and ceil call the C library, 10 ns each; these are a few instructions.


@jit
def whole_below(x):
    """Floor of a float that fits an integer."""
    whole = int(x)
    return whole - 1 if type(x)(whole) > x else whole


@jit
def whole_above(x):
    """Ceiling of a float that fits an integer."""
    whole = int(x)
    return whole + 1 if type(x)(whole) < x else whole
