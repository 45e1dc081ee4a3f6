"""From the folder of a scene to its `Views`.

Shapes of a folder: `cameras.json` with the photographs in `processed/` or `images/`; `transforms.json` with the
photographs where it says. Photographs are RGBA, or opaque with masks of the same names in `masks/`. Where photographs
were padded, images of the same names in `valid/` say which pixels they cover (white), or boxes in the pose file do.

Frames: `world`, as the pose file has it; bringing it to the world of the method is a step of its own
(`geometry.alignment`). Units: pixels of the pictures as returned.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.console import announce
from sparseags_ns.data.scene import PosedPhotograph, find_scene
from sparseags_ns.formats.frame import Frame
from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.preprocess.framing import (
    belongs_upright,
    compose,
    has_valid_box,
    reframe,
    require_one_size,
    working_size,
)
from sparseags_ns.preprocess.masks import read_masked, read_valid, require_masks
from sparseags_ns.preprocess.photographs import Header, Photograph, listed, read_header, read_photograph
from sparseags_ns.preprocess.picture import Picture
from sparseags_ns.preprocess.recentre import box_coverage
from sparseags_ns.preprocess.straight_cuts import straight_cuts
from sparseags_ns.views import Views

MASKS_FOLDER = "masks"
VALID_FOLDER = "valid"
LOWEST_RESOLUTION = 16

Plane = Float[Tensor, "height width"]

Masks = Literal["auto", "none"]
"""`auto`: transparency, else the `masks/` folder; `none`: the whole photograph is the object."""


def read_views(
    data: Path,
    *,
    poses: Path | None = None,
    resolution: int = 256,
    masks: Masks = "auto",
    allow_missing: bool = False,
) -> Views:
    """Read the photographs, masks and initial cameras of a scene. Nothing is written.

    Args:
        data: the scene's folder.
        poses: a cameras.json or transforms.json to take the initial cameras from, relative to the working folder or
            else to the scene; None looks for one in the scene's folder.
        resolution: side of the pictures in pixels; longer side of whole photographs.
        masks: where the objects' masks come from.
        allow_missing: leave out photographs that have no pose instead of refusing the scene.

    Returns:
        Views by file name. Images, masks and valid regions are float32; cameras and points are float64 and in the
        file's own world, so that they lose nothing before they are normalised.

    Raises:
        ValueError: the input cannot be used (SceneError, PoseFileError, PhotographError).
    """
    if resolution < LOWEST_RESOLUTION:
        raise ValueError(f"resolution must be at least {LOWEST_RESOLUTION} pixels, is {resolution}")
    scene = Path(data).expanduser()
    posed = find_scene(scene, poses, allow_missing)
    rasters = [_raster(photograph) for photograph in posed.photographs]
    paths, sizes = [raster.path for raster in rasters], [raster.size for raster in rasters]
    folder = None if masks == "none" else scene / MASKS_FOLDER
    if folder is not None:
        require_masks(paths, folder)
    _check_intrinsics(rasters)
    size, recentred = working_size(sizes, paths, resolution, masked=folder is not None)
    _announce_framing(rasters, size, recentred)
    pictures = _pictures(rasters, _Planes.of(scene, rasters, folder), size, recentred)
    return replace(_views(rasters, pictures, size), points=posed.points)


@dataclass(frozen=True)
class _Raster:
    """A photograph whose pixels are not read yet."""

    path: Path
    frame: Frame
    header: Header
    upright: bool
    """Whether the EXIF rotation is applied."""

    @property
    def size(self) -> tuple[int, int]:
        return self.header.upright if self.upright else self.header.stored


def _raster(photograph: PosedPhotograph) -> _Raster:
    header = read_header(photograph.path)
    upright = belongs_upright(photograph.path, header, photograph.frame)
    return _Raster(photograph.path, photograph.frame, header, upright)


@dataclass(frozen=True)
class _Planes:
    """Where masks and valid regions come from."""

    masks: Path | None
    """None: the whole photograph is the object."""
    valid: Path | None
    """None where there is no such folder."""
    guess: bool
    """Whether valid regions are guessed, since nothing in the scene says anything of them."""

    @staticmethod
    def of(scene: Path, rasters: Sequence[_Raster], masks: Path | None) -> _Planes:
        folder = scene / VALID_FOLDER
        valid = folder if folder.is_dir() else None
        return _Planes(masks, valid, valid is None and not any(has_valid_box(raster.frame) for raster in rasters))


def _pictures(rasters: Sequence[_Raster], planes: _Planes, size: tuple[int, int], recentred: bool) -> list[Picture]:
    """All pictures at their working size, read one after the other: the photographs may be large."""
    pictures: list[Picture] = []
    masks, regions = Counter[str](), dict[str, list[str]](folder=[], guess=[])
    for raster in rasters:
        pixels, mask, source = _read(raster, planes.masks)
        valid, origin = _valid(raster, mask, planes)
        pictures.append(reframe(compose(pixels, mask, raster.frame, valid), size, recentred))
        masks[source] += 1
        if origin is not None:
            regions[origin].append(raster.path.name)
    _announce_masks(masks, planes.masks)
    _announce_valid(regions, len(rasters))
    return pictures


def _read(raster: _Raster, folder: Path | None) -> tuple[Photograph, Plane | None, str]:
    """One photograph, its mask, and where that came from."""
    if folder is None:
        return read_photograph(raster.path, upright=raster.upright), None, "none"
    pixels, mask = read_masked(raster.path, folder, upright=raster.upright)
    return pixels, mask, "folder" if pixels.alpha is None else "alpha"


def _valid(raster: _Raster, mask: Plane | None, planes: _Planes) -> tuple[Plane | None, str | None]:
    """The valid region of one photograph and where it came from; None where nothing is said of it."""
    if planes.valid is not None:
        valid = read_valid(raster.path, raster.size, planes.valid, upright=raster.upright)
        return valid, None if valid is None else "folder"
    box = straight_cuts(mask) if planes.guess and mask is not None else None
    return (None, None) if box is None else (box_coverage(box, *raster.size), "guess")


def _views(rasters: Sequence[_Raster], pictures: Sequence[Picture], size: tuple[int, int]) -> Views:
    """All pictures and cameras in one batch."""
    return Views(
        names=tuple(raster.path.stem for raster in rasters),
        paths=tuple(raster.path for raster in rasters),
        images=torch.stack([picture.rgb for picture in pictures]),
        masks=torch.stack([picture.mask for picture in pictures]),
        valid=torch.stack([picture.valid for picture in pictures]),
        cameras=Cameras(
            T_camera_world=torch.stack([raster.frame.T_camera_world for raster in rasters]),
            K=torch.stack([picture.K for picture in pictures]),
            width=size[0],
            height=size[1],
        ),
        trusted=torch.tensor([raster.frame.trusted for raster in rasters]),
    )


def _check_intrinsics(rasters: Sequence[_Raster]) -> None:
    """Make sure which pixels the intrinsics count, and say so where it is not plain."""
    sizeless = [raster for raster in rasters if raster.frame.width is None or raster.frame.height is None]
    if sizeless:
        require_one_size(
            [raster.size for raster in sizeless],
            [raster.path for raster in sizeless],
            "The pose file does not say the sizes that its intrinsics belong to, so all photographs must have one "
            "size: give the originals, or add the sizes to the pose file ('w' and 'h' in transforms.json, "
            "'image_size_crop' in cameras.json)",
        )
    scaled = [raster.path.name for raster in rasters if (raster.frame.width or raster.size[0]) != raster.size[0]]
    if scaled:
        announce(
            f"intrinsics of {len(scaled)} of {len(rasters)} photographs are scaled",
            f"the pose file was made for photographs of another size: {listed(scaled)}",
        )


def _announce_turns(rasters: Sequence[_Raster]) -> None:
    kept = [raster.path.name for raster in rasters if not raster.upright]
    applied = [raster.path.name for raster in rasters if raster.upright and raster.header.turned]
    if kept:
        announce(f"EXIF rotation not applied: {listed(kept)}", "the pose file was made for the stored rasters")
    if applied:
        announce(f"EXIF rotation applied: {listed(applied)}", "the photographs ask for it")


def _announce_framing(rasters: Sequence[_Raster], size: tuple[int, int], recentred: bool) -> None:
    _announce_turns(rasters)
    sizes = {raster.size for raster in rasters}
    given = ", ".join(f"{width}x{height}" for width, height in sorted(sizes))
    working = f"{size[0]}x{size[1]}"
    if not all(raster.frame.distortion.is_none for raster in rasters):
        announce("photographs are straightened", "the pose file gives a distortion of the lens")
    if recentred:
        announce(f"photographs are recentred on their masks at {working}", f"they are {given}")
    elif sizes == {size}:
        announce("photographs are used as they are", f"all are {working}, the working resolution")
    else:
        announce(f"whole photographs are scaled to {working}", f"they are {given}, and no masks are used")


def _announce_masks(sources: Counter[str], folder: Path | None) -> None:
    if sources["none"]:
        announce("masks: none", "asked for; the whole photograph counts as the object")
    if sources["alpha"]:
        unused = folder is not None and folder.is_dir() and not sources["folder"]
        why = f"it goes before {MASKS_FOLDER}/, which is not used" if unused else "they are cut out already"
        announce(f"masks: transparency of {sources['alpha']} photographs", why)
    if sources["folder"]:
        announce(f"masks: {MASKS_FOLDER}/ for {sources['folder']} photographs", "they are opaque")


def _announce_valid(regions: dict[str, list[str]], count: int) -> None:
    if regions["folder"]:
        rest = "" if len(regions["folder"]) == count else "; the others are covered wholly"
        announce(
            f"valid regions: {VALID_FOLDER}/ for {len(regions['folder'])} of {count} photographs",
            f"the scene has that folder{rest}",
        )
    if regions["guess"]:
        announce(
            f"cut by the photograph's edge: {listed(regions['guess'])}",
            "their masks end in a straight line; what lies beyond it counts as unknown, not as background",
        )
