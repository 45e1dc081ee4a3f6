"""2^x on [-8, 0], the only exponential the compositing needs.

Below -8 no splat counts: alpha is under 1/255 there (2^-7.994).
"""

from __future__ import annotations

import numpy as np
from numba import types
from numba.extending import overload

EXPONENT_MIN = -8.0


def _coefficients() -> list[np.float32]:
    """Interpolate 2^y on [-1, 0] by degree 5 in Chebyshev nodes, error 8e-8, as a polynomial in x = 8 y."""
    interpolant = np.polynomial.chebyshev.Chebyshev.interpolate(np.exp2, 5, domain=[-1.0, 0.0])
    powers = interpolant.convert(kind=np.polynomial.Polynomial).coef
    return [np.float32(c / 8.0**i) for i, c in enumerate(powers)]


_C0, _C1, _C2, _C3, _C4, _C5 = _coefficients()


def exp2_small(x: float) -> float:
    """2^x for x in [-8, 0]; vectorises; relative error below 2e-6 in float32, exact in float64.

    In float32, 2^x = (2^(x/8))^8, where the inner power is a polynomial of degree 5.
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
