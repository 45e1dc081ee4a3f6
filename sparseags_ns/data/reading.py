"""From the folder of a scene to its `Views`.

Shapes of a folder: `cameras.json` with the photographs in `processed/` or `images/`; `transforms.json` with the
photographs where it says. Photographs are RGBA, or opaque with masks of the same names in `masks/`.

Frames: `world`, as the pose file has it; bringing it to the world of the method is a step of its own
(`geometry.alignment`). Units: pixels of the pictures as returned.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch

from sparseags_ns.console import announce
from sparseags_ns.data.scene import PosedPhotograph, find_scene
from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.preprocess.framing import belongs_upright, compose, reframe, require_one_size, working_size
from sparseags_ns.preprocess.masks import read_masked, require_masks
from sparseags_ns.preprocess.photographs import Header, listed, read_header, read_photograph
from sparseags_ns.preprocess.picture import Picture
from sparseags_ns.views import Views

MASKS_FOLDER = "masks"

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
        ValueError: the input cannot be used (SceneError, PoseFileError, PhotographError); it says what, where, and what
            to do.
    """
    if resolution < 16:
        raise ValueError(f"resolution must be at least 16 pixels, is {resolution}")
    posed = find_scene(Path(data), poses, allow_missing)
    headers = [read_header(photograph.path) for photograph in posed]
    upright = [belongs_upright(p.path, header, p.frame) for p, header in zip(posed, headers, strict=True)]
    sizes = [header.upright if up else header.stored for header, up in zip(headers, upright, strict=True)]
    folder = None if masks == "none" else Path(data).expanduser() / MASKS_FOLDER
    paths = [photograph.path for photograph in posed]
    if folder is not None:
        require_masks(paths, folder)
    _check_intrinsics(posed, sizes)
    size, recentred = working_size(sizes, paths, resolution, masked=folder is not None)
    _announce_turns(paths, headers, upright)
    _announce_framing(sizes, size, recentred)
    pictures, sources = [], Counter()
    for photograph, up in zip(posed, upright, strict=True):
        picture, source = _read(photograph, folder, up)
        pictures.append(reframe(picture, size, recentred))
        sources[source] += 1
    _announce_masks(sources, folder)
    return _views(posed, pictures, size)


def _read(photograph: PosedPhotograph, folder: Path | None, upright: bool) -> tuple[Picture, str]:
    """The picture of one photograph at its own size, and where its mask came from."""
    if folder is None:
        return compose(read_photograph(photograph.path, upright=upright), None, photograph.frame), "none"
    pixels, mask = read_masked(photograph.path, folder, upright=upright)
    return compose(pixels, mask, photograph.frame), "folder" if pixels.alpha is None else "alpha"


def _views(posed: Sequence[PosedPhotograph], pictures: Sequence[Picture], size: tuple[int, int]) -> Views:
    """All pictures and cameras in one batch."""
    return Views(
        names=tuple(photograph.name for photograph in posed),
        paths=tuple(photograph.path for photograph in posed),
        images=torch.stack([picture.rgb for picture in pictures]),
        masks=torch.stack([picture.mask for picture in pictures]),
        valid=torch.stack([picture.valid for picture in pictures]),
        cameras=Cameras(
            T_camera_world=torch.stack([photograph.frame.T_camera_world for photograph in posed]),
            K=torch.stack([picture.K for picture in pictures]),
            width=size[0],
            height=size[1],
        ),
        trusted=torch.tensor([photograph.frame.trusted for photograph in posed]),
    )


def _check_intrinsics(posed: Sequence[PosedPhotograph], sizes: Sequence[tuple[int, int]]) -> None:
    """Make sure which pixels the intrinsics count, and say so where it is not plain."""
    sizeless = [index for index, photograph in enumerate(posed) if photograph.frame.width is None]
    if sizeless:
        require_one_size(
            [sizes[index] for index in sizeless],
            [posed[index].path for index in sizeless],
            "The pose file does not say the sizes that its intrinsics belong to, so all photographs must have one "
            "size: give the originals, or add the sizes to the pose file ('w' and 'h' in transforms.json, "
            "'image_size_crop' in cameras.json)",
        )
    scaled = [p.name for p, size in zip(posed, sizes, strict=True) if (p.frame.width or size[0]) != size[0]]
    if scaled:
        announce(
            f"intrinsics of {len(scaled)} of {len(posed)} photographs are scaled",
            f"the pose file was made for photographs of another size: {listed(scaled)}",
        )


def _announce_turns(paths: Sequence[Path], headers: Sequence[Header], upright: Sequence[bool]) -> None:
    turned = [path.name for path, header in zip(paths, headers, strict=True) if header.turned]
    kept = [path.name for path, up in zip(paths, upright, strict=True) if not up]
    if kept:
        announce(f"EXIF rotation not applied: {listed(kept)}", "the pose file was made for the stored rasters")
    applied = [name for name in turned if name not in kept]
    if applied:
        announce(f"EXIF rotation applied: {listed(applied)}", "the tag asks for it, and the pose file does not object")


def _announce_framing(sizes: Sequence[tuple[int, int]], size: tuple[int, int], recentred: bool) -> None:
    given = ", ".join(f"{width}x{height}" for width, height in sorted(set(sizes)))
    working = f"{size[0]}x{size[1]}"
    if recentred:
        announce(f"photographs are recentred on their masks at {working}", f"they are {given}")
    elif set(sizes) == {size}:
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
