"""Photo files with their poses, before their pixels are decoded: orientation, intrinsics, and one shared focal length.

Sizes are (width, height) in pixels.
"""

from __future__ import annotations

import math
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
_PATCHES = (16, 14)
"""Patches of networks in pixels: of DUSt3R and its kin, which crop; of VGGT and its kin, which stretch."""
_STRETCHING_PATCH = 14
_FOCAL_NOISE = 0.02
"""Relative difference of the focal lengths along the two axes that a network may estimate by mistake."""
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


def posed_photo_file(
    photo: Path | PhotoFile, frame: Frame, confidence: float = 1.0, pose_lr_scale: float = 1.0, upright: bool = True
) -> PosedPhotoFile:
    """Orient a photo file as its pose means.

    Args:
        photo: its path, or its header if that is read already.
        upright: whether the pose means the upright photograph where the shape does not tell.

    Raises:
        PhotoError: the file cannot be read, or has another shape than the photograph that the pose was made for.
    """
    photo_file = read_photo_file(photo) if isinstance(photo, Path) else photo
    photo_file = replace(photo_file, upright=is_pose_upright(photo_file, frame, upright))
    return PosedPhotoFile(photo_file, frame, confidence, pose_lr_scale)


def is_pose_upright(photo_file: PhotoFile, frame: Frame, otherwise: bool = True) -> bool:
    """Whether the frame's camera belongs to the upright photograph, not to the raster as stored.

    Args:
        otherwise: the answer where both have the shape of the photograph that the pose was made for.

    Raises:
        PhotoError: neither has that shape.
    """
    upright, stored = fitting_rasters(photo_file, frame)
    if upright or stored:
        return otherwise if upright and stored else upright
    raise PhotoError(_shape_complaint(photo_file, frame))


def fitting_rasters(photo_file: PhotoFile, frame: Frame) -> tuple[bool, bool]:
    """Whether the upright photograph and the stored raster can be what the frame's intrinsics belong to, scaled.

    The closest fit counts: of equal size, else scaled and rounded to pixels, else rounded to the patches of a network.
    """
    upright, stored = photo_file.upright_size, photo_file.stored_size
    if frame.width is None or frame.height is None:
        return True, True
    made_for = frame.width, frame.height
    fits = upright == made_for, stored == made_for
    if not any(fits):
        fits = _is_scaled(upright, made_for), _is_scaled(stored, made_for)
    return fits if any(fits) else (_is_network_size(upright, frame), _is_network_size(stored, frame))


def _shape_complaint(photo_file: PhotoFile, frame: Frame) -> str:
    """Why a pose that was made for another shape cannot be used, and what to do."""
    (width, height), made_for = photo_file.size, (frame.width or 0, frame.height or 0)
    if _is_scaled((height, width), made_for):
        reason = (
            "it was rotated since the model was made: some programs apply the EXIF rotation and drop the tag. Use the "
            "photograph that the model was made from, or rotate this one back"
        )
    elif made_for[0] <= width and made_for[1] <= height:
        reason = (
            "the model was made on a crop or another version of the photograph, as networks crop what they look at: "
            "use the images that the model was made on, or have it made on whole photographs"
        )
    else:
        reason = "it was probably cropped since: use the original photograph"
    size = f"{width}x{height} pixels, but its pose was made for {made_for[0]}x{made_for[1]}"
    return f"{photo_file.path} is {size}; the shapes differ, so {reason}"


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
    scaled = [file for file in files if _made_for(file) != file.size]
    if scaled:
        names = listed([file.path.name for file in scaled])
        stretched = not all(_is_scaled(file.size, _made_for(file)) for file in scaled)
        announce(
            f"intrinsics of {len(scaled)} of {len(files)} photographs are scaled{', by axis' if stretched else ''}",
            f"the pose file was made for photographs of another size: {names}"
            + ("; its sides are rounded to a network's patches" if stretched else ""),
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
    sizes = {_made_for(file) for file in files}
    if len(sizes) != 1:
        return None
    width, height = sizes.pop()
    fx, fy, cx, cy = torch.tensor([file.frame.intrinsics for file in files], dtype=torch.float64).unbind(-1)
    # A network may have stretched the photographs a little; in their own pixels the two axes are compared.
    fy = fy * torch.tensor([file.size[1] / height / (file.size[0] / width) for file in files], dtype=torch.float64)
    points_differ = max(float(point.max() - point.min()) for point in (cx, cy)) > _SAME_POINT * width
    if points_differ or float(fx.max() / fx.min()) > MAX_FOCAL_RATIO or float((fx / fy - 1).abs().max()) > _SAME_POINT:
        return None
    return torch.stack([photo.K[0, 0] for photo in photos]).to(fx) / fx


def _made_for(file: PosedPhotoFile) -> tuple[int, int]:
    """Size that the frame's intrinsics belong to."""
    return file.frame.width or file.size[0], file.frame.height or file.size[1]


def _is_scaled(size: tuple[int, int], other: tuple[int, int], rounding: float = 1.0) -> bool:
    """Whether two sizes differ by one scale and by rounding, in pixels of the smaller one."""
    small, large = sorted((size, other))
    scales = [((side - rounding) / full, (side + rounding) / full) for side, full in zip(small, large, strict=True)]
    return max(low for low, _ in scales) <= min(high for _, high in scales)


def _is_network_size(size: tuple[int, int], frame: Frame) -> bool:
    """Whether the frame's size can be this size, scaled and then stretched to whole patches along each axis.

    Networks fit photographs to whole patches by stretching, which changes the ratio of the focal lengths, or by
    cropping, which does not. Those with patches of 14 pixels stretch, and the focal lengths that they find are noisy.
    """
    sides = frame.width or 0, frame.height or 0
    patch = next((patch for patch in _PATCHES if all(side % patch == 0 for side in sides)), None)
    if patch is None or sides[0] > size[0] or sides[1] > size[1] or not _is_scaled(size, sides, patch / 2):
        return False
    fx, fy, *_ = frame.intrinsics
    stretched = abs(math.log(fx * size[0] / sides[0]) - math.log(fy * size[1] / sides[1]))
    return stretched <= max(abs(math.log(fx / fy)), _FOCAL_NOISE if patch == _STRETCHING_PATCH else 0.0)
