"""The photographs of one scene, with masks, cameras, trust and points: what pose init hands to the optimisation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from sparseags_ns.geometry.alignment import Similarity
from sparseags_ns.geometry.cameras import Cameras


@dataclass(frozen=True)
class PointCloud:
    """Points of the scene that a pose initialiser found on its way; Gaussians may start there."""

    positions: Float[Tensor, "points 3"]
    """In the world of the cameras they came with."""
    colors: Float[Tensor, "points 3"]
    """sRGB, 0 to 1."""
    confidence: Float[Tensor, " points"]
    """Above or equal to 0; only proportions count."""

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, index: Tensor) -> PointCloud:
        """Some of the points."""
        return PointCloud(self.positions[index], self.colors[index], self.confidence[index])

    def to(self, *args: Any, **kwargs: Any) -> PointCloud:
        """Move or cast everything."""
        planes = (self.positions, self.colors, self.confidence)
        return PointCloud(*(plane.to(*args, **kwargs) for plane in planes))


@dataclass(frozen=True)
class Views:
    """N photographs of one size, and all that is known of them.

    Colours are straight (not multiplied by alpha), sRGB, 0 to 1.
    """

    names: tuple[str, ...]
    """Unique; the photograph's file name without its ending."""
    paths: tuple[Path, ...]
    """Where each photograph was read from."""
    images: Float[Tensor, "views height width 3"]
    masks: Float[Tensor, "views height width"]
    """Coverage of the object, 0 to 1."""
    valid: Float[Tensor, "views height width"]
    """1 where the photograph covers the pixel; 0 where a crop reached past its edge and nothing is known."""
    cameras: Cameras
    trusted: Bool[Tensor, " views"]
    """Views whose pose takes part in the optimisation."""
    points: PointCloud | None = None
    """In the world of the cameras; None where nobody found any. They may show more than the object."""
    unposed: tuple[int, ...] = ()
    """Views that nobody knew a pose for: their cameras only stand in for one. None of them is trusted at first."""
    pose_lr_scale: Float[Tensor, " views"] | None = None
    """How far refinement may move each camera: 1 freely, 0 not at all, since its pose was fitted to many points with an
    error far below a working pixel. None: all freely."""
    focal_scale: Float[Tensor, " views"] | None = None
    """Focal length of each view over that of the photograph it was cropped from, if one lens setting can have taken all
    photographs; None if not, or if nobody knows."""

    def __len__(self) -> int:
        return len(self.names)

    @property
    def posed(self) -> Bool[Tensor, " views"]:
        """Views that came with a pose, right or wrong."""
        known = torch.ones_like(self.trusted)
        known[list(self.unposed)] = False
        return known

    @property
    def fixed(self) -> Bool[Tensor, " views"]:
        """Views whose camera stays where it is."""
        return torch.zeros_like(self.trusted) if self.pose_lr_scale is None else self.pose_lr_scale <= 0

    def to(self, *args: Any, **kwargs: Any) -> Views:
        """Move or cast everything of floating point; `trusted` only moves (it stays boolean)."""
        images = self.images.to(*args, **kwargs)
        return replace(
            self,
            images=images,
            masks=self.masks.to(*args, **kwargs),
            valid=self.valid.to(*args, **kwargs),
            cameras=self.cameras.to(*args, **kwargs),
            trusted=self.trusted.to(images.device),
            points=None if self.points is None else self.points.to(*args, **kwargs),
            pose_lr_scale=None if self.pose_lr_scale is None else self.pose_lr_scale.to(*args, **kwargs),
            focal_scale=None if self.focal_scale is None else self.focal_scale.to(*args, **kwargs),
        )

    def moved(self, similarity: Similarity) -> Views:
        """The same views, their cameras and points carried into another world."""
        cameras = self.cameras.with_poses(similarity.apply_to_poses(self.cameras.T_camera_world))
        if self.points is None:
            return replace(self, cameras=cameras)
        positions = similarity.apply_to_points(self.points.positions)
        return replace(self, cameras=cameras, points=replace(self.points, positions=positions))
