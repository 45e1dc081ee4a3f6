"""Objects cut out of photographs, for initialisers that look at nothing else, and cameras that look straight at them.

A photograph's object may lie anywhere: the crop around it is treated as the image of a camera that looks straight at
it. The photograph's own camera has the same center and is rotated from there by the angle between its optical axis and
the ray through the middle of the crop. Its distance is proportional to its focal length, for an object of the same
apparent size.

Frames: `world`, of the object; `crop`, the camera that looks at it; `camera`, the photograph's. Units: pixels of the
photograph for K, distances of the model for radii.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.formats.frame import Frame, intrinsics_matrix
from sparseags_ns.geometry import se3
from sparseags_ns.geometry.cameras import orbit
from sparseags_ns.pose_init.base import FOCAL_GUESS, NoMasksError
from sparseags_ns.preprocess.framing import compose, reframe
from sparseags_ns.preprocess.mask_plan import MASKS_FOLDER, MaskPlan, Masks, plan_masks, read_with_mask
from sparseags_ns.preprocess.photo import Photo, Window, crop, object_window
from sparseags_ns.preprocess.photo_files import PhotoFile, read_photo_file
from sparseags_ns.preprocess.store import Store

_READ_PER_SIDE = 4
"""Huge photo files are reduced while they are read to this many sides of the crop, at least 1024 pixels."""


@dataclass(frozen=True)
class ObjectImage:
    """One photograph's object in the middle of a square."""

    path: Path
    size: tuple[int, int]
    """(width, height) of the upright photograph."""
    photo: Photo
    """The square, with the intrinsics of the photograph's camera in its pixels."""
    K: Float[Tensor, "3 3"]
    """Intrinsics of the photograph, with EXIF's focal length or a guess."""
    focal_known: bool
    """Whether EXIF told the focal length."""

    @property
    def image(self) -> Float[Tensor, "side side 3"]:
        """The object over white, as Zero123 was trained on objects."""
        cover = (self.photo.mask * self.photo.valid)[..., None]
        return self.photo.rgb * cover + (1 - cover)

    @property
    def relative_focal(self) -> float:
        """Focal length, in sides of the crop, of a camera that looks at the object and sees it as large as in the crop.

        At an angle a from the optical axis, a photograph stretches areas by 1 / cos^3 a, lengths by the root of that.
        """
        side = self.photo.size[0]
        cosine = float(middle_ray(self.photo.K, side)[2])
        return float(self.photo.K[0, 0]) / side / cosine**1.5


def read_objects(
    photographs: Sequence[Path],
    scene: Path,
    store: Store,
    side: int,
    *,
    reader: str,
    focal_guess: float = FOCAL_GUESS,
    masks: Masks = "auto",
    masks_drop: bool = False,
    largest: float | None = None,
) -> list[ObjectImage]:
    """Cut the objects out of the photographs of a scene that may hold `masks/`.

    Args:
        side: of the crops in pixels.
        largest: share of the crop's side that the largest object takes; all crops then cover one angle, so that an
            object seen from farther away is smaller. None crops each photograph to its own object.
        reader: name of the initialiser, for messages.
        focal_guess: focal length where EXIF does not tell, in units of the photograph's longer side.
        masks: where masks come from.
        masks_drop: whether the masks of `masks/` are white where photographs are to be left out.

    Raises:
        NoMasksError: there are no masks, and none can be estimated.
    """
    photo_files = [read_photo_file(path) for path in photographs]
    plan = plan_object_masks(photo_files, scene, store, reader=reader, masks=masks, masks_drop=masks_drop)
    whole = (_read_object(photo_file, plan, side, focal_guess) for photo_file in photo_files)
    if largest is None:  # one after the other, since photographs may be large
        return [replace(one, photo=reframe(one.photo, (side, side), recentred=True)) for one in whole]
    objects = list(whole)
    boxes = [_object_box(one.photo) for one in objects]
    angle = max(box.width / float(one.photo.K[0, 0]) for box, one in zip(boxes, objects, strict=True)) / largest
    return [
        replace(one, photo=crop(one.photo, _around(box, angle * float(one.photo.K[0, 0])), side, side))
        for box, one in zip(boxes, objects, strict=True)
    ]


def plan_object_masks(
    photo_files: Sequence[PhotoFile], scene: Path, store: Store, *, reader: str, masks: Masks, masks_drop: bool
) -> MaskPlan:
    """Where the masks come from that tell the object from the background; see `read_objects`.

    Raises:
        NoMasksError: there are no masks, and none can be estimated.
        PhotoError: some photographs have masks and others have none, or what was asked for is not possible.
    """
    plan = plan_masks(photo_files, scene / MASKS_FOLDER, store, masks, masks_drop)
    if plan.source == "none":
        raise NoMasksError(
            f"{reader} looks at objects, and nothing tells the object from the background in {scene}: cut it out (RGBA "
            f"photographs), put masks into {MASKS_FOLDER}/, or pip install 'sparseags_ns[rembg]'"
        )
    return plan


def photograph_camera(crop: ObjectImage, pose: Float[Tensor, " 4"], mean_focal: float) -> Frame:
    """The photograph's camera, from the pose (as in `noise_error.py`) of a camera that looks at the object.

    `mean_focal` is the mean `relative_focal` of all photographs.
    """
    azimuth, elevation, radius, roll = pose.double()
    T_crop_world = orbit(azimuth, elevation, radius * crop.relative_focal / mean_focal, roll_deg=roll)
    T_camera_crop = torch.eye(4, dtype=torch.float64)
    T_camera_crop[:3, :3] = rotation_to(middle_ray(crop.photo.K, crop.photo.size[0]))
    return Frame(crop.path.stem, crop.path.name, T_camera_crop @ T_crop_world, crop.K, *crop.size)


def middle_ray(K_crop: Float[Tensor, "3 3"], side: int) -> Float[Tensor, " 3"]:
    """Unit vector from the camera through the middle of the crop."""
    middle = torch.tensor([side / 2, side / 2, 1.0], dtype=K_crop.dtype)
    return torch.nn.functional.normalize(torch.linalg.solve(K_crop, middle), dim=0)


def rotation_to(ray: Float[Tensor, " 3"]) -> Float[Tensor, "3 3"]:
    """Rotation by the smallest angle that takes the optical axis to a unit ray in front of the camera."""
    optical_axis = ray.new_tensor([0.0, 0.0, 1.0])
    # The cross product points along the axis of rotation; its length is the sine of the angle.
    cross = torch.linalg.cross(optical_axis, ray)
    sine = cross.norm()
    angle = torch.atan2(sine, ray[2])
    return se3.exp(torch.cat([torch.zeros_like(cross), cross * (angle / sine if sine > 0 else 0.0)]))[:3, :3]


def _object_box(photo: Photo) -> Window:
    """The smallest square in the middle of which the object lies."""
    window = object_window(photo.mask, border=0.0)
    assert window is not None, "compose refuses empty masks"
    return window


def _around(box: Window, side: float) -> Window:
    """A square of this side with the same middle."""
    return Window(box.left + (box.width - side) / 2, box.top + (box.height - side) / 2, side, side)


def _read_object(photo_file: PhotoFile, plan: MaskPlan, side: int, focal_guess: float) -> ObjectImage:
    """The whole photograph, not yet cropped."""
    path, (width, height) = photo_file.path, photo_file.size
    focal = photo_file.focal_px or focal_guess * max(width, height)
    K = intrinsics_matrix(focal, focal, width / 2, height / 2)
    frame = Frame(path.stem, path.name, torch.eye(4, dtype=torch.float64), K, width, height)
    pixels, mask, _ = read_with_mask(photo_file, plan, max(_READ_PER_SIDE * side, 1024))
    return ObjectImage(path, (width, height), compose(pixels, mask, frame), K, photo_file.focal_px is not None)
