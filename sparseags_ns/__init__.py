"""SparseAGS for nerfstudio: Gaussian splats and cameras from a handful of unposed photographs."""

__version__ = "0.1.0"
