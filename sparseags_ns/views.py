"""`Views`: the photos of one scene with masks, cameras, trust and points, the input of the optimisation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from sparseags_ns.geometry.alignment import Similarity, normalizing_similarity
from sparseags_ns.geometry.cameras import Cameras


@dataclass(frozen=True)
class PointCloud:
    """Points of the scene found by a pose initialiser; Gaussians may be seeded there."""

    positions: Float[Tensor, "points 3"]
    """Positions in the world of the cameras that the points came with."""
    colors: Float[Tensor, "points 3"]
    """sRGB, 0 to 1."""
    confidence: Float[Tensor, " points"]
    """Not negative; only ratios matter."""

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, index: Tensor) -> PointCloud:
        """A subset of the points."""
        return PointCloud(self.positions[index], self.colors[index], self.confidence[index])

    def to(self, *args: Any, **kwargs: Any) -> PointCloud:
        """Move or cast everything."""
        planes = (self.positions, self.colors, self.confidence)
        return PointCloud(*(plane.to(*args, **kwargs) for plane in planes))


@dataclass(frozen=True)
class Views:
    """N photos of one size with their masks and cameras; a *view* is one entry.

    Colours are straight (not multiplied by alpha), sRGB, 0 to 1.
    """

    names: tuple[str, ...]
    """Unique; the photo's file name without its ending, with its folders where file names repeat (`left/000`)."""
    paths: tuple[Path, ...]
    """Photo files."""
    images: Float[Tensor, "views height width 3"]
    masks: Float[Tensor, "views height width"]
    """Coverage of the object, 0 to 1."""
    valid: Float[Tensor, "views height width"]
    """1 where the photo covers the pixel; 0 where a crop extends past its edge and the content is unknown."""
    cameras: Cameras
    trusted: Bool[Tensor, " views"]
    """Views whose pose takes part in the optimisation."""
    points: PointCloud | None = None
    """Points in the world of the cameras; None if there are none. They may include the background."""
    unposed: tuple[int, ...] = ()
    """Views that came without a pose. Their cameras are placeholders, and none of them is trusted at first."""
    pose_lr_scale: Float[Tensor, " views"] | None = None
    """Factor of the pose learning rate of each view: 1 for full refinement, 0 for a fixed camera, whose pose was fitted
    to many points with an error far below a working pixel. None: 1 for all."""
    jointly_fitted: bool = False
    """Whether a joint fit of Gaussians and cameras chose the given cameras."""
    focal_scale: Float[Tensor, " views"] | None = None
    """Focal length of each view relative to that of the photo it was cropped from, if all photos can share
    their intrinsics; None if not, or if unknown."""

    def __len__(self) -> int:
        return len(self.names)

    @property
    def posed(self) -> Bool[Tensor, " views"]:
        """Mask of the views that came with a pose, right or wrong."""
        known = torch.ones_like(self.trusted)
        known[list(self.unposed)] = False
        return known

    @property
    def shows_object(self) -> Bool[Tensor, " views"]:
        """Mask of the views whose photograph shows anything of the object."""
        return self.masks.flatten(1).amax(1) > 0.5

    @property
    def is_cut_out(self) -> Bool[Tensor, " views"]:
        """Mask of the views whose mask leaves out anything that the photograph shows; else all of it is the object."""
        return ((self.masks < 0.5) & (self.valid > 0.5)).flatten(1).any(1)

    @property
    def fixed(self) -> Bool[Tensor, " views"]:
        """Mask of the views whose camera is not refined."""
        return torch.zeros_like(self.trusted) if self.pose_lr_scale is None else self.pose_lr_scale <= 0

    def to(self, *args: Any, **kwargs: Any) -> Views:
        """Move or cast all floating-point tensors, as `Tensor.to`; `trusted` is only moved."""
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

    def normalized(self) -> Views:
        """A float32 copy in the normalised world: origin where the optical axes meet, mean camera distance 1.85, +y up.

        Raises:
            AlignmentError: the posed cameras do not determine that world, for example because all look the same way.
        """
        return self.moved(normalizing_similarity(self.cameras.T_camera_world[self.posed])).to(torch.float32)

    def moved(self, similarity: Similarity) -> Views:
        """The views with cameras and points mapped to another world."""
        cameras = self.cameras.with_poses(similarity.apply_to_poses(self.cameras.T_camera_world))
        if self.points is None:
            return replace(self, cameras=cameras)
        positions = similarity.apply_to_points(self.points.positions)
        return replace(self, cameras=cameras, points=replace(self.points, positions=positions))
