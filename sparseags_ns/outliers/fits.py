"""Short reconstructions as the outlier search sees them, and what they say about each view.

Who makes them is handed in (outliers/short_fits.py does it with the joint optimisation), so that detection and repair
can be tested with fakes.

Frame: `world`, normalised. Losses are those of outliers/search.py: squared error over the object's area.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from sparseags_ns.geometry import se3
from sparseags_ns.geometry.alignment import Similarity
from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.geometry.motion import drift, motion
from sparseags_ns.outliers.hypotheses import opaque_center
from sparseags_ns.outliers.photographs import photograph_of
from sparseags_ns.outliers.proxy import proxy
from sparseags_ns.outliers.search import pose_losses
from sparseags_ns.rasterizer.types import Gaussians
from sparseags_ns.views import Views

NO_LIMIT = 1_000_000
"""A proxy of so many Gaussians is the splat itself, without view-dependent colour and what is invisible."""
SLIDE_DEG = 12.0
"""Where the median view was turned by this, a reconstruction must explain the photographs twice as well."""


@dataclass(frozen=True)
class Fit:
    """A splat and the cameras that go with it."""

    gaussians: Gaussians
    cameras: Cameras
    """Of all views; those that took no part stand where they stood."""
    trusted: Bool[Tensor, " views"]
    """Views that took part."""

    def with_pose(self, view: int, T_camera_world: Float[Tensor, "4 4"]) -> Fit:
        """The same with one camera elsewhere."""
        poses = self.cameras.T_camera_world.clone()
        poses[view] = T_camera_world
        return replace(self, cameras=self.cameras.with_poses(poses))

    def with_trusted(self, trusted: Bool[Tensor, " views"]) -> Fit:
        """The same, but for the views that will take part from now on."""
        return replace(self, trusted=trusted)

    @property
    def distance(self) -> float:
        """Mean distance of the trusted cameras from the object."""
        center = opaque_center(self.gaussians)
        return float((se3.inverse(self.cameras.T_camera_world)[self.trusted, :3, 3] - center).norm(dim=-1).mean())


@dataclass(frozen=True)
class Continuation:
    """A few more steps from where a fit stands."""

    pixels: int
    """Photographs are compared at this size (longer side)."""
    steps: int
    pose_lr: float
    """At the start; it falls to a third."""


@runtime_checkable
class Fitter(Protocol):
    """Makes short reconstructions."""

    def from_scratch(self, cameras: Cameras, trusted: Bool[Tensor, " views"]) -> Fit:
        """Reconstruct coarsely from these cameras, with the trusted views only."""
        ...

    def continued(self, fit: Fit, continuation: Continuation) -> Fit:
        """Go on from a fit, with the views it trusts."""
        ...


def view_losses(fit: Fit, views: Views, pixels: int, mask_weight: float = 0.5) -> Float[Tensor, " views"]:
    """Loss of every view at its pose; infinite for views that show no object."""
    gaussians, placed = proxy(fit.gaussians, NO_LIMIT), replace(views, cameras=fit.cameras)
    losses = []
    for view in range(len(views)):
        photograph = photograph_of(placed, view, pixels)
        if photograph.area == 0:
            losses.append(fit.gaussians.means.new_tensor(torch.inf))
        else:
            pose = fit.cameras.T_camera_world[view : view + 1]
            losses.append(pose_losses(gaussians, photograph, pose, mask_weight)[0])
    return torch.stack(losses)


def median_turn_deg(fit: Fit, poses: Float[Tensor, "views 4 4"]) -> float:
    """By how many degrees the median trusted view was turned, from where a reconstruction began; drift aside."""
    started, arrived = poses[fit.trusted], fit.cameras.T_camera_world[fit.trusted]
    return float(motion(started, arrived, opaque_center(fit.gaussians)).turned_deg.quantile(0.5))


def start_cost(loss: float, turned_deg: float) -> float:
    """What the best of several reconstructions from the same poses is chosen by: the sum of its views' losses, and how
    far it turned the median view.

    A few poses may be grossly wrong, but an estimator that is any good is not wrong by much about most of them. With
    two wrong views of eight, a near-symmetric cup is explained best where all the others have slid around its axis, by
    13 degrees in the median, with a loss 0.73 times that of the start which left them in place. Where estimators are
    rough in earnest, the loss falls several times, and views are turned by 4 to 7 degrees in the median.
    """
    return loss * (1 + (turned_deg / SLIDE_DEG) ** 2)


def realigned(fit: Fit, poses: Float[Tensor, "views 4 4"]) -> Float[Tensor, "views 4 4"]:
    """Other poses of the same views moved as one into the fit's world, by the trusted views that agree about it."""
    return _into(fit, poses).apply_to_poses(poses)


def claimed(fit: Fit, poses: Float[Tensor, "views 4 4"], *views: int) -> Float[Tensor, "views 4 4"]:
    """Other poses of the same views, but some of them, one after the other, where the fit has them, moved into their
    world."""
    for view in views:
        into = _into(fit, poses).inverse()
        poses = poses.clone()
        poses[view] = into.apply_to_poses(fit.cameras.T_camera_world[view : view + 1])[0]
    return poses


def _into(fit: Fit, poses: Float[Tensor, "views 4 4"]) -> Similarity:
    own = fit.cameras.T_camera_world
    return drift(poses[fit.trusted], own[fit.trusted], opaque_center(fit.gaussians))
