"""Photographs of an object as the arrangement search sees them: small squares around the object, with exact intrinsics.

Every crop is of one side, filled by its object, so that 16 pixels show as much of it as they can. The world is scaled
to the object (radius OBJECT_RADIUS) rather than to the cameras' distance, since the fit's step sizes are lengths.

Frames: `world`, the object around the origin; `camera`, OpenCV axes, that of the photograph, since a crop moves the
principal point and nothing else; `facing`, a camera at the same place that looks at the middle of the crop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.pose_init.objects import middle_ray, rotation_to
from sparseags_ns.preprocess.photo import Photo, Window, crop, object_window

BORDER = 0.12
"""Share of the crop's side that the object's longer side leaves free."""
SIDE_PX = 128
"""Side of the crops that are kept; smaller sizes are averaged from them."""
OBJECT_RADIUS = 0.4
"""Half of the object's longer side, world units."""
_SIZE_TO_DISTANCE = 0.5
"""Exponent with which an object's apparent size tells the distance. For a ball it would be 1; but most objects look
smaller from some sides than from others."""


@dataclass(frozen=True)
class Pixels:
    """All crops at one size, as the kernels take them (float32, C-contiguous)."""

    rgb: Float[np.ndarray, "views side side 3"]
    """Multiplied by alpha."""
    alpha: Float[np.ndarray, "views side side"]
    valid: Float[np.ndarray, "views side side"]
    K: Float[np.ndarray, "views 4"]
    """fx, fy, cx, cy in pixels."""


@dataclass(frozen=True)
class Crops:
    """The objects of a set of photographs."""

    photos: tuple[Photo, ...]
    """Squares of SIDE_PX around the objects."""

    @staticmethod
    def of(photos: Sequence[Photo]) -> Crops:
        """Crop photographs around their objects.

        Raises:
            ValueError: a mask is empty.
        """
        windows = [object_window(photo.mask, BORDER) for photo in photos]
        if None in windows:
            raise ValueError(f"photograph {windows.index(None)} shows no object: its mask is empty")
        pairs = zip(photos, windows, strict=True)
        return Crops(tuple(crop(photo, window, SIDE_PX, SIDE_PX) for photo, window in pairs if window is not None))

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, views: Sequence[int]) -> Crops:
        """Some of the crops."""
        return Crops(tuple(self.photos[view] for view in views))

    @cached_property
    def K(self) -> Float[Tensor, "views 3 3"]:  # noqa: N802 - K is what the field calls it
        """Intrinsics in pixels of the crops."""
        return torch.stack([photo.K for photo in self.photos])

    @cached_property
    def R_camera_facing(self) -> Float[np.ndarray, "views 3 3"]:  # noqa: N802 - R_a_b names a rotation
        """Rotation of each camera against one that looks at the middle of its crop."""
        return torch.stack([rotation_to(middle_ray(K, SIDE_PX)) for K in self.K]).numpy()

    @cached_property
    def object_in_camera(self) -> Float[np.ndarray, "views 3"]:
        """Where the object's centre most likely lies in each camera, from the crop's place, size and covered area."""
        log_focal = (self.K[:, 0, 0].double() / SIDE_PX).log()
        log_area = torch.stack([photo.mask.mean() for photo in self.photos]).double().log()
        log_distance = _SIZE_TO_DISTANCE * (log_focal - 0.5 * log_area)
        distance = log_focal.mean().exp() * OBJECT_RADIUS / (0.5 * (1 - BORDER))
        distances = distance * (log_distance - log_distance.mean()).exp()
        rays = torch.stack([middle_ray(K, SIDE_PX).double() for K in self.K])
        return (distances[:, None] * rays).numpy()

    @cached_property
    def _sizes(self) -> dict[int, Pixels]:
        return {}

    def at(self, pixels: int) -> Pixels:
        """The crops at a smaller size."""
        if pixels not in self._sizes:
            self._sizes[pixels] = self._reduced(pixels)
        return self._sizes[pixels]

    def _reduced(self, pixels: int) -> Pixels:
        whole = Window(0.0, 0.0, SIDE_PX, SIDE_PX)
        small = [crop(photo, whole, pixels, pixels) for photo in self.photos]
        alpha = torch.stack([photo.mask * photo.valid for photo in small])
        rgb = torch.stack([photo.rgb for photo in small]) * alpha[..., None]
        valid = torch.stack([(photo.valid >= 1).float() for photo in small])
        K = torch.stack([photo.K for photo in small])[:, [0, 1, 0, 1], [0, 1, 2, 2]]
        return Pixels(*(np.ascontiguousarray(plane.numpy(), np.float32) for plane in (rgb, alpha, valid, K)))
