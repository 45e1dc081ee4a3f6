"""Rounding to whole numbers in a few instructions; numba's own floor and ceil call the C library, 10 ns each."""

from __future__ import annotations

from sparseags_ns.rasterizer.kernels.jit import jit


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
