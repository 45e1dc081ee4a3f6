"""The state that the whole project passes around: Gaussians, the cameras that see them, and which views are trusted.

Frame: `world`, normalised (origin where the optical axes meet, mean camera distance 1.85, +y up). Units of length are
those of that world.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from jaxtyping import Bool, Float
from torch import Tensor

from sparseags_ns.geometry import se3
from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.rasterizer.types import Gaussians


@dataclass(frozen=True)
class Reconstruction:
    """A splat with the cameras of all views, detached from the graph."""

    gaussians: Gaussians
    cameras: Cameras
    """One for each view; views that took no part in the optimisation keep the camera they had."""
    trusted: Bool[Tensor, " views"]
    """Views that took part in the optimisation."""

    @property
    def sh_degree(self) -> int:
        """Degree of the spherical harmonics that the Gaussians' colours hold; 0 for plain RGB."""
        colors = self.gaussians.colors
        return 0 if colors.ndim == 2 else math.isqrt(colors.shape[1]) - 1

    @property
    def camera_distance(self) -> float:
        """Mean distance of the trusted cameras from the object's visible centre."""
        centers = se3.inverse(self.cameras.T_camera_world)[self.trusted, :3, 3]
        return float((centers - self.gaussians.visible_center).norm(dim=-1).mean())

    def with_pose(self, view: int, T_camera_world: Float[Tensor, "4 4"]) -> Reconstruction:
        """A copy in which one camera has another pose."""
        poses = self.cameras.T_camera_world.clone()
        poses[view] = T_camera_world
        return replace(self, cameras=self.cameras.with_poses(poses))

    def with_trusted(self, trusted: Bool[Tensor, " views"]) -> Reconstruction:
        """A copy in which these views are trusted."""
        return replace(self, trusted=trusted)
