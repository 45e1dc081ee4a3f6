"""Short reconstructions as the outlier search sees them, and what they say about each view.

Who makes them is handed in (optimization/short_fits.py does it with the joint optimisation), so that detection and repair
can be tested with fakes.

Frame: `world`, normalised. Losses are those of pose_search/search.py: squared error over the object's area.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from sparseags_ns.geometry.alignment import Similarity
from sparseags_ns.geometry.motion import drift, motion
from sparseags_ns.optimization.reconstruct import Reconstruction

SLIDE_DEG = 12.0
"""Where the median view was turned by this, a reconstruction must explain the photographs twice as well."""


def median_rotation_deg(fit: Reconstruction, poses: Float[Tensor, "views 4 4"]) -> float:
    """By how many degrees the median trusted view was turned, from where a reconstruction began; drift aside."""
    started, arrived = poses[fit.trusted], fit.cameras.T_camera_world[fit.trusted]
    return float(motion(started, arrived, fit.gaussians.visible_center).rotation_deg.quantile(0.5))


def start_cost(loss: float, rotation_deg: float) -> float:
    """What the best of several reconstructions from the same poses is chosen by: the sum of its views' losses, and how
    far it turned the median view.

    A few poses may be grossly wrong, but an estimator that is any good is not wrong by much about most of them. With
    two wrong views of eight, a near-symmetric cup is explained best where all the others have slid around its axis, by
    13 degrees in the median, with a loss 0.73 times that of the start which left them in place. Where estimators are
    rough in earnest, the loss falls several times, and views are turned by 4 to 7 degrees in the median.
    """
    return loss * (1 + (rotation_deg / SLIDE_DEG) ** 2)


def realigned(fit: Reconstruction, poses: Float[Tensor, "views 4 4"]) -> Float[Tensor, "views 4 4"]:
    """Other poses of the same views moved as one into the fit's world, by the trusted views that agree about it."""
    return _into(fit, poses).apply_to_poses(poses)


def claimed(fit: Reconstruction, poses: Float[Tensor, "views 4 4"], *views: int) -> Float[Tensor, "views 4 4"]:
    """Other poses of the same views, but some of them, one after the other, where the fit has them, moved into their
    world."""
    for view in views:
        into = _into(fit, poses).inverse()
        poses = poses.clone()
        poses[view] = into.apply_to_poses(fit.cameras.T_camera_world[view : view + 1])[0]
    return poses


def _into(fit: Reconstruction, poses: Float[Tensor, "views 4 4"]) -> Similarity:
    own = fit.cameras.T_camera_world
    return drift(poses[fit.trusted], own[fit.trusted], fit.gaussians.visible_center)
