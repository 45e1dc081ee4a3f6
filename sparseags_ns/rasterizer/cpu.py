"""The CPU back end. For now the torch twin; the numba kernel replaces it in the next commits."""

from __future__ import annotations

from sparseags_ns.rasterizer.reference import rasterize_reference as rasterize_cpu

__all__ = ["rasterize_cpu"]
