"""Poses of the same views in the worlds of different reconstructions.

Every reconstruction drifts a little from the world that it was started in. Poses are carried from one world to another
by the similarity on which the consistent trusted views agree (geometry/motion.py), so outliers do not shift it.

Frames: `given` poses in a world of their own; `fit`, the world of a reconstruction. Poses are `T_camera_world`.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from sparseags_ns.geometry.alignment import Similarity
from sparseags_ns.geometry.motion import drift, motion
from sparseags_ns.optimization.reconstruct import Reconstruction


def align_poses(given: Float[Tensor, "views 4 4"], fit: Reconstruction) -> Float[Tensor, "views 4 4"]:
    """The given poses of all views, mapped into the world of the fit."""
    return _drift(given, fit).apply_to_poses(given)


def adopt_poses(given: Float[Tensor, "views 4 4"], fit: Reconstruction, *views: int) -> Float[Tensor, "views 4 4"]:
    """The given poses with those of some views replaced by the fit's, which are mapped into the given world.

    Views are replaced one after the other: each replaced pose takes part in the alignment of the next.
    """
    for view in views:
        into_given = _drift(given, fit).inverse()
        given = given.clone()
        given[view] = into_given.apply_to_poses(fit.cameras.T_camera_world[view : view + 1])[0]
    return given


def rotation_against(given: Float[Tensor, "views 4 4"], fit: Reconstruction) -> Float[Tensor, " views"]:
    """Rotation of each camera of the fit against its given pose, degrees, drift aside."""
    return motion(given, fit.cameras.T_camera_world, fit.gaussians.visible_center).rotation_deg.to(given)


def median_rotation_deg(given: Float[Tensor, "views 4 4"], fit: Reconstruction) -> float:
    """Rotation of the median trusted view against its given pose, degrees, drift aside."""
    started, arrived = given[fit.trusted], fit.cameras.T_camera_world[fit.trusted]
    return float(motion(started, arrived, fit.gaussians.visible_center).rotation_deg.quantile(0.5))


def _drift(given: Float[Tensor, "views 4 4"], fit: Reconstruction) -> Similarity:
    own = fit.cameras.T_camera_world
    return drift(given[fit.trusted], own[fit.trusted], fit.gaussians.visible_center)
