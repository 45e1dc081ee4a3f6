"""Stable sort by depth: a radix sort with digits of 12 bits, from the lowest digit up.

Positive IEEE floats are in the same order as their bit patterns read as integers. The smallest pattern is subtracted,
so that only as many digits are sorted as the depths' range needs: two for a compact object.
"""

from __future__ import annotations

import numpy as np
from numba import types
from numba.extending import overload

from sparseags_ns.rasterizer.kernels.jit import jit

_DIGIT_BITS = 12
_BUCKETS = 1 << _DIGIT_BITS
_U = np.uint64


def sortable_bits(depths):
    """Bit patterns of positive floats, integers in the same order."""
    return depths.view(np.uint32).astype(np.uint64)


@overload(sortable_bits)
def _sortable_bits(depths):
    if depths.dtype == types.float32:
        return lambda depths: depths.view(np.uint32).astype(np.uint64)
    return lambda depths: depths.view(np.uint64).copy()


@jit
def depth_order(depths):
    """Indices that sort positive depths, nearest first; equal depths keep their order."""
    count = depths.shape[0]
    order = np.arange(count).astype(np.int32)
    if count < 2:
        return order
    keys = sortable_bits(depths)
    keys -= keys.min()
    span = keys.max()
    keys_out, order_out = np.empty_like(keys), np.empty_like(order)
    shift = 0
    while span >> _U(shift) > _U(0):
        _sort_by_digit(keys, order, shift, keys_out, order_out)
        keys, keys_out = keys_out, keys
        order, order_out = order_out, order
        shift += _DIGIT_BITS
    return order


@jit
def _sort_by_digit(keys, order, shift, keys_out, order_out):
    """One pass of the radix sort: a stable counting sort by the digit at `shift`.

    The count of digit d is kept at d + 1, so that the running sum gives where each digit starts.
    """
    starts = np.zeros(_BUCKETS + 1, np.int64)
    mask = _U(_BUCKETS - 1)
    for i in range(keys.shape[0]):
        starts[((keys[i] >> _U(shift)) & mask) + _U(1)] += 1
    for digit in range(_BUCKETS):
        starts[digit + 1] += starts[digit]
    for i in range(keys.shape[0]):
        digit = (keys[i] >> _U(shift)) & mask
        to = starts[digit]
        starts[digit] = to + 1
        keys_out[to], order_out[to] = keys[i], order[i]
