"""Photo files with their poses, before their pixels are decoded: orientation, intrinsics, and one shared focal length.

Sizes are (width, height) in pixels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.console import announce, warn
from sparseags_ns.formats.frame import Frame
from sparseags_ns.preprocess.photo import Photo
from sparseags_ns.preprocess.photo_files import PhotoError, PhotoFile, listed, read_photo_file

MAX_FOCAL_RATIO = 1.25
"""Largest over smallest estimated focal length up to which the difference may be noise; zooming changes it more."""
_SAME_POINT = 1e-3
"""Principal points are the same if they differ by less than this share of the photograph's width."""


@dataclass(frozen=True)
class PosedPhotoFile:
    """A photo file with its camera from a pose file or an initialiser."""

    photo_file: PhotoFile
    frame: Frame
    confidence: float = 1.0
    """Confidence in the pose: 1 if it was given, 0 for a photograph without a pose."""
    pose_lr_scale: float = 1.0
    """Factor on the camera's learning rate in refinement, as in `Views`."""

    @property
    def path(self) -> Path:
        """Path of the file."""
        return self.photo_file.path

    @property
    def size(self) -> tuple[int, int]:
        """Size of the photograph in the orientation that the pose means."""
        return self.photo_file.size


def posed_photo_file(path: Path, frame: Frame, confidence: float = 1.0, pose_lr_scale: float = 1.0) -> PosedPhotoFile:
    """Read the header of a photo file and orient it as its pose means.

    Raises:
        PhotoError: the file cannot be read, or has another shape than the photograph that the pose was made for.
    """
    photo_file = read_photo_file(path)
    photo_file = replace(photo_file, upright=is_pose_upright(photo_file, frame))
    return PosedPhotoFile(photo_file, frame, confidence, pose_lr_scale)


def is_pose_upright(photo_file: PhotoFile, frame: Frame) -> bool:
    """Whether the frame's intrinsics belong to the upright photograph, not to the raster as stored.

    Programs that ignore the EXIF tag write intrinsics of the stored raster; only the size can tell.

    Raises:
        PhotoError: neither has the shape of the photograph that the pose was made for.
    """
    if _same_shape(photo_file.upright_size, frame):
        return True
    if _same_shape(photo_file.stored_size, frame):
        return False
    width, height = photo_file.upright_size
    raise PhotoError(
        f"{photo_file.path} is {width}x{height} pixels, but its pose was made for {frame.width}x{frame.height}; the "
        "shapes differ, so it was probably cropped since: use the original photograph"
    )


def check_intrinsics(files: Sequence[PosedPhotoFile]) -> None:
    """Make sure that the size that each frame's intrinsics belong to is known; announce those that are scaled.

    Raises:
        PhotoError: frames without a size belong to photographs of different sizes.
    """
    sizeless = [file for file in files if file.frame.width is None or file.frame.height is None]
    if sizeless:
        require_one_size(
            [file.size for file in sizeless],
            [file.path for file in sizeless],
            "The pose file does not say the sizes that its intrinsics belong to, so all photographs must have one "
            "size: give the originals, or add the sizes to the pose file ('w' and 'h' in transforms.json, "
            "'image_size_crop' in cameras.json)",
        )
    scaled = [file.path.name for file in files if (file.frame.width or file.size[0]) != file.size[0]]
    if scaled:
        announce(
            f"intrinsics of {len(scaled)} of {len(files)} photographs are scaled",
            f"the pose file was made for photographs of another size: {listed(scaled)}",
        )


def require_one_size(sizes: Sequence[tuple[int, int]], paths: Sequence[Path], remedy: str) -> None:
    """Raise a PhotoError that names the photographs that differ from the most common size."""
    (width, height), _ = Counter(sizes).most_common(1)[0]
    odd = [f"{p.name} ({w}x{h})" for p, (w, h) in zip(paths, sizes, strict=True) if (w, h) != (width, height)]
    if odd:
        raise PhotoError(
            f"the photographs in {paths[0].parent} differ in size: most are {width}x{height}, but not "
            f"{', '.join(odd)}. {remedy}"
        )


def announce_framing(files: Sequence[PosedPhotoFile], size: tuple[int, int], recentred: bool) -> None:
    """Announce which EXIF rotations are applied, and how photographs of any sizes are brought to the working size."""
    stored = [file.path.name for file in files if not file.photo_file.upright]
    rotated = [file.path.name for file in files if file.photo_file.upright and file.photo_file.has_rotation]
    if stored:
        announce(f"EXIF rotation not applied: {listed(stored)}", "the pose file was made for the stored rasters")
    if rotated:
        announce(f"EXIF rotation applied: {listed(rotated)}", "the photographs ask for it")
    sizes = {file.size for file in files}
    given = ", ".join(f"{width}x{height}" for width, height in sorted(sizes))
    working = f"{size[0]}x{size[1]}"
    if not all(file.frame.distortion.is_none for file in files):
        announce("photographs are straightened", "the pose file gives a distortion of the lens")
    if recentred:
        announce(f"photographs are recentred on their masks at {working}", f"they are {given}")
    elif sizes == {size}:
        announce("photographs are used as they are", f"all are {working}, the working resolution")
    else:
        announce(f"whole photographs are scaled to {working}", f"they are {given}, and no masks are used")


def announce_colours(files: Sequence[PosedPhotoFile]) -> None:
    """Announce which photographs are converted to sRGB; warn of those whose colours cannot be told."""
    named = [(file.path.name, file.photo_file.colours) for file in files if file.photo_file.colours is not None]
    for name, problem in dict.fromkeys((colours.name, colours.problem) for _, colours in named):
        names = listed([photo for photo, colours in named if (colours.name, colours.problem) == (name, problem)])
        if problem is None:
            announce(f"colours converted to sRGB: {names}", f"their profile is {name}")
        else:
            warn(f"colours are taken for sRGB: {names}", f"{name}: {problem}; save them as sRGB to be sure")


def shared_focal_scales(files: Sequence[PosedPhotoFile], photos: Sequence[Photo]) -> Float[Tensor, " views"] | None:
    """Focal length of each photo over that of its file, if one camera can have taken all photographs without zooming.

    A pose initialiser estimates the focal length of each photograph by itself; those of one camera differ by noise
    only. Uncropped photographs of one camera have one size and one principal point; None where they differ.
    """
    sizes = {(file.frame.width or file.size[0], file.frame.height or file.size[1]) for file in files}
    if len(sizes) != 1:
        return None
    width = sizes.pop()[0]
    fx, fy, cx, cy = torch.tensor([file.frame.intrinsics for file in files], dtype=torch.float64).unbind(-1)
    points_differ = max(float(point.max() - point.min()) for point in (cx, cy)) > _SAME_POINT * width
    if points_differ or float(fx.max() / fx.min()) > MAX_FOCAL_RATIO or float((fx / fy - 1).abs().max()) > _SAME_POINT:
        return None
    return torch.stack([photo.K[0, 0] for photo in photos]).to(fx) / fx


def _same_shape(size: tuple[int, int], frame: Frame) -> bool:
    """Whether this size can be that of the frame after scaling, up to rounding by a pixel."""
    if frame.width is None or frame.height is None:
        return True
    width, height = size
    by_width, by_height = width / frame.width, height / frame.height
    return abs(by_width * frame.height - height) <= 1 or abs(by_height * frame.width - width) <= 1
