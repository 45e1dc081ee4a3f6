"""From the folder of a scene to its `Views`.

Shapes of a folder: `cameras.json` with the photographs in `processed/` or `images/`; `transforms.json` with the
photographs where it says; a COLMAP model; nothing but photographs. Photographs are RGBA, or opaque with masks of the
same names in `masks/`, or opaque without: then masks are looked for in the photographs (`preprocess.mask_ways`).

Frames: `world`, as the pose file has it; bringing it to the world of the method is a step of its own
(`geometry.alignment`). Units: pixels of the pictures as returned.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from sparseags_ns.console import announce
from sparseags_ns.data.scene import PosedPhotograph, find_scene
from sparseags_ns.formats.frame import Frame
from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.preprocess.framing import belongs_upright, compose, reframe, require_one_size, working_size
from sparseags_ns.preprocess.masks import read_masked, require_masks
from sparseags_ns.preprocess.photographs import Header, listed, read_header, read_photograph
from sparseags_ns.preprocess.picture import Picture
from sparseags_ns.views import Views

MASKS_FOLDER = "masks"
LOWEST_RESOLUTION = 16

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
        Views by file name. Images, masks and valid regions are float32; cameras are float64 and in the file's own
        world, so that they lose nothing before they are normalised.

    Raises:
        ValueError: the input cannot be used (SceneError, PoseFileError, PhotographError).
    """
    if resolution < LOWEST_RESOLUTION:
        raise ValueError(f"resolution must be at least {LOWEST_RESOLUTION} pixels, is {resolution}")
    scene = Path(data).expanduser()
    rasters = [_raster(photograph) for photograph in find_scene(scene, poses, allow_missing)]
    paths, sizes = [raster.path for raster in rasters], [raster.size for raster in rasters]
    folder = None if masks == "none" else scene / MASKS_FOLDER
    if folder is not None:
        require_masks(paths, folder)
    _check_intrinsics(rasters)
    size, recentred = working_size(sizes, paths, resolution, masked=folder is not None)
    _announce_turns(rasters)
    _announce_framing(rasters, size, recentred)
    pictures = _pictures(rasters, folder, size, recentred)
    return _views(rasters, pictures, size)


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


def _pictures(rasters: Sequence[_Raster], folder: Path | None, size: tuple[int, int], recentred: bool) -> list[Picture]:
    """All pictures at their working size, read one after the other: the photographs may be large."""
    pictures, sources = [], Counter()
    for raster in rasters:
        picture, source = _read(raster, folder)
        pictures.append(reframe(picture, size, recentred))
        sources[source] += 1
    _announce_masks(sources, folder)
    return pictures


def _read(raster: _Raster, folder: Path | None) -> tuple[Picture, str]:
    """The picture of one photograph at its own size, and where its mask came from."""
    if folder is None:
        return compose(read_photograph(raster.path, upright=raster.upright), None, raster.frame), "none"
    pixels, mask = read_masked(raster.path, folder, upright=raster.upright)
    return compose(pixels, mask, raster.frame), "folder" if pixels.alpha is None else "alpha"


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
