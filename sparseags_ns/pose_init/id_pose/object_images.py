"""Objects cut out as Zero123 knows them, and cameras that look at them turned into those of the photographs.

The model was trained on objects in the middle of a square over white. A photograph's object may lie anywhere: the crop
around it counts as the picture of a camera that looks straight at it. The photograph's own camera has the same place
and is turned from there by the angle between its optical axis and the middle of the crop. How far away it stands
follows from its lens: the longer, the farther, for an object of the same apparent size.

Frames: `world`, of the object; `crop`, the camera that looks at it; `camera`, the photograph's. Units: pixels of the
photograph for K, distances of the model for radii.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.formats.frame import Frame, intrinsics_matrix
from sparseags_ns.geometry import se3
from sparseags_ns.geometry.cameras import orbit
from sparseags_ns.pose_init.base import PoseInitError
from sparseags_ns.preprocess.framing import compose, reframe
from sparseags_ns.preprocess.mask_ways import MASKS_FOLDER, MaskPlan, Source, plan_masks, read_found_mask
from sparseags_ns.preprocess.masks import read_masked
from sparseags_ns.preprocess.photographs import read_header, read_photograph
from sparseags_ns.preprocess.store import Store

# COLMAP's first guess of a focal length, in longer sides of the photograph.
_FOCAL_GUESS = 1.2
_READ_PER_SIDE = 4


@dataclass(frozen=True)
class ObjectPicture:
    """One photograph's object over white."""

    path: Path
    size: tuple[int, int]
    """(width, height) of the upright photograph."""
    image: Float[Tensor, "side side 3"]
    K: Float[Tensor, "3 3"]
    """A guess for the photograph: EXIF's focal length, or the usual one."""
    K_crop: Float[Tensor, "3 3"]
    """The same camera's in pixels of the crop."""

    @property
    def relative_focal(self) -> float:
        """Focal length, in sides of the crop, of a camera that looks at the object and sees it as large as the crop.

        Away from the optical axis a photograph is stretched: areas by 1 / cos^3 of the angle between them.
        """
        side = self.image.shape[1]
        cosine = float(middle_ray(self.K_crop, side)[2])
        return float(self.K_crop[0, 0]) / side / cosine**1.5


def read_objects(photographs: Sequence[Path], scene: Path, store: Store, side: int) -> list[ObjectPicture]:
    """Cut the objects out of the photographs.

    Args:
        scene: folder that may hold `masks/`.
        side: of the pictures, pixels.

    Raises:
        PoseInitError: there are no masks, and none can be found.
    """
    plan = plan_masks([Source(path, upright=True) for path in photographs], scene / MASKS_FOLDER, store, "auto")
    if plan.way == "none":
        raise PoseInitError(
            f"id-pose looks at objects, and nothing tells the object from the background in {scene}: cut it out (RGBA "
            f"photographs), put masks into {MASKS_FOLDER}/, or pip install 'sparseags_ns[rembg]'"
        )
    return [_read_object(path, plan, side) for path in photographs]


def photograph_camera(picture: ObjectPicture, pose: Float[Tensor, " 4"], mean_focal: float) -> Frame:
    """The photograph's camera, from the pose of a camera that looks at the object.

    Args:
        pose: azimuth, elevation, distance, roll, as of `id_pose_error.py`.
        mean_focal: of all pictures, in sides of their crops.
    """
    azimuth, elevation, radius, roll = pose.double()
    distance = radius * picture.relative_focal / mean_focal
    T_crop_world = orbit(azimuth, elevation, distance, roll_deg=roll)
    T_camera_crop = torch.eye(4, dtype=torch.float64)
    T_camera_crop[:3, :3] = turn_to(middle_ray(picture.K_crop, picture.image.shape[1]))
    width, height = picture.size
    return Frame(picture.path.stem, picture.path.name, T_camera_crop @ T_crop_world, picture.K, width, height)


def middle_ray(K_crop: Float[Tensor, "3 3"], side: int) -> Float[Tensor, " 3"]:
    """Unit vector from the camera through the middle of the crop."""
    middle = torch.tensor([side / 2, side / 2, 1.0], dtype=K_crop.dtype)
    return torch.nn.functional.normalize(torch.linalg.solve(K_crop, middle), dim=0)


def turn_to(ray: Float[Tensor, " 3"]) -> Float[Tensor, "3 3"]:
    """The rotation by the smallest angle that takes the optical axis to a ray in front of the camera."""
    axis = torch.zeros_like(ray)
    axis[2] = 1.0
    turn = torch.linalg.cross(axis, ray)
    sine = turn.norm()
    angle = torch.atan2(sine, ray[2])
    tangent = torch.cat([torch.zeros_like(turn), turn * (angle / sine if sine > 0 else 0.0)])
    return se3.exp(tangent)[:3, :3]


def _read_object(path: Path, plan: MaskPlan, side: int) -> ObjectPicture:
    header = read_header(path)
    width, height = header.upright
    focal = header.focal_px or _FOCAL_GUESS * max(width, height)
    K = intrinsics_matrix(focal, focal, width / 2, height / 2)
    frame = Frame(path.stem, path.name, torch.eye(4, dtype=torch.float64), K, width, height)
    most_px = max(_READ_PER_SIDE * side, 1024)
    assert plan.folder is not None, "photographs without masks are refused before"
    if plan.found:
        photograph = read_photograph(path, most_px=most_px)
        mask = read_found_mask(plan.folder, Source(path, upright=True), photograph.size)
    else:
        photograph, mask = read_masked(path, plan.folder, most_px=most_px)
    picture = reframe(compose(photograph, mask, frame), (side, side), recentred=True)
    cover = (picture.mask * picture.valid)[..., None]
    image = picture.rgb * cover + (1 - cover)
    return ObjectPicture(path, (width, height), image, K, picture.K)
