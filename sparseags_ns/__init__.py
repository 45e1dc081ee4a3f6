"""SparseAGS for nerfstudio: Gaussian splats and cameras from a handful of unposed photographs.

The names below are the library's public surface. Each is imported when it is first used, so that `import sparseags_ns`
costs nothing; none of them needs nerfstudio.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sparseags_ns.geometry.cameras import Cameras
    from sparseags_ns.optimization.reconstruct import reconstruct
    from sparseags_ns.pose_init.estimation import estimate_poses
    from sparseags_ns.pose_search.search import search_pose
    from sparseags_ns.rasterizer import rasterize
    from sparseags_ns.rasterizer.types import Gaussians
    from sparseags_ns.runs.opening import open_run
    from sparseags_ns.scene.reading import read_scene
    from sparseags_ns.views import Views

__version__ = "0.2.0"

__all__ = [
    "Cameras",
    "Gaussians",
    "Views",
    "estimate_poses",
    "open_run",
    "rasterize",
    "read_scene",
    "reconstruct",
    "search_pose",
]

_MODULES = {
    "Cameras": "geometry.cameras",
    "Gaussians": "rasterizer.types",
    "Views": "views",
    "estimate_poses": "pose_init.estimation",
    "open_run": "runs.opening",
    "rasterize": "rasterizer",
    "read_scene": "scene.reading",
    "reconstruct": "optimization.reconstruct",
    "search_pose": "pose_search.search",
}
"""Where each public name is defined."""


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
