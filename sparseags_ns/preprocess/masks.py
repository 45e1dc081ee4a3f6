"""Masks and valid regions from files, and what is suspicious about a mask.

A mask is coverage of the object, 0 to 1, of the size of its photograph. A valid region is coverage by the photograph:
0 on pixels that were padded around it, where the object may continue although its mask is 0.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float
from scipy.ndimage import label
from torch import Tensor

from sparseags_ns.console import announce
from sparseags_ns.formats.companions import companions, same_photograph
from sparseags_ns.formats.frame import file_labels, path_ends, photo_like, photo_stem
from sparseags_ns.preprocess.photo_files import (
    PhotoError,
    PhotoFile,
    Pixels,
    list_photo_files,
    listed,
    read_mask,
    read_photo_file,
    read_pixels,
)

Plane = Float[Tensor, "height width"]

_MAX_GREY_SPREAD = 0.1
"""Largest difference between a pixel's channels in an image that counts as black and white."""
_IS_OBJECT, _IS_KNOWN = 0.5, 0.5
_MIN_TOUCHED = 0.02
"""Share of an edge from which a mask touches it."""
_MIN_TOUCHED_EDGES = 3
_MIN_AREA, _MAX_AREA = 0.02, 0.9
_MIN_LARGEST_PIECE = 0.8


MaskOrigin = Literal["pose file", "folder", "beside"]
"""Who says that a file is a photograph's mask: the pose file, its place in the folder of masks, or its name beside the
photograph."""


@dataclass(frozen=True)
class MaskFile:
    """The file of a photograph's mask."""

    path: Path
    """Need not exist if a pose file names it."""
    origin: MaskOrigin
    is_inverted: bool = False
    """Whether it is white where the photograph is to be left out."""


def find_mask(photo_file: Path, folder: Path) -> Path | None:
    """The mask of a photograph in a folder that holds masks as another folder holds photographs; None without one.

    For `images/left/000.jpg` that is `left/000.png` or, where there is no such file, `000.png`; COLMAP's `000.jpg.png`,
    `000_mask.png`, and other endings and cases count, too.
    """
    for end in path_ends(photo_file):
        place = folder / end
        png = place.with_name(f"{photo_stem(place.name)}.png")
        found = png if png.is_file() else photo_like(place) or photo_like(place.with_name(f"{place.name}.png"))
        if found is None and place.parent.is_dir():
            found = next((path for path in list_photo_files(place.parent) if same_photograph(path, photo_file)), None)
        if found is not None:
            return found
    return None


def mask_file(photo_file: PhotoFile, folder: Path) -> MaskFile | None:
    """The mask of a photograph: what the pose file names, else in the folder of masks, else beside the photograph."""
    if photo_file.mask is not None:
        return MaskFile(photo_file.mask.path, "pose file", photo_file.mask.is_inverted)
    found = find_mask(photo_file.path, folder)
    if found is not None:
        return MaskFile(found, "folder")
    beside = companions(list_photo_files(photo_file.path.parent))
    masks = (MaskFile(c.path, "beside", c.is_inverted) for c in beside if c.is_mask and c.photograph == photo_file.path)
    return next(masks, None)


def require_masks(photo_files: Sequence[PhotoFile], folder: Path) -> None:
    """Check that each photograph has transparency or a mask of its own.

    Raises:
        PhotoError: some have neither, a mask that the pose file names is not there, or one is that of two photographs.
    """
    found = {file.path: mask_file(file, folder) for file in photo_files}
    named = [file.mask.key for file in photo_files if file.mask is not None]
    keys = ", ".join(f"'{key}'" for key in dict.fromkeys(named))
    absent = [f"{mask.path} for {path.name}" for path, mask in found.items() if mask and not os.path.isfile(mask.path)]
    if absent:
        raise PhotoError(
            f"the pose file names masks that are not there: {listed(absent)}. Put them there, take their entries "
            f"({keys}) out of the file, or choose other masks with the option masks"
        )
    labels = dict(zip(found, file_labels(list(found)), strict=True))
    bare = [file.path for file in photo_files if not file.has_alpha and found[file.path] is None]
    if bare and named:
        raise PhotoError(
            f"the pose file names masks ({keys}) for {len(named)} of {len(photo_files)} photographs, and none for "
            f"{listed([labels[path] for path in bare])}. Add {keys} to these frames, put their masks into {folder}, or "
            "choose other masks for all with the option masks"
        )
    if bare:
        raise PhotoError(
            f"{len(bare)} of {len(photo_files)} photographs in {bare[0].parent} have no mask: "
            f"{listed([labels[path] for path in bare])}. {_remedy(bare[0], folder)}"
        )
    owners: dict[Path, list[Path]] = {}
    for path, mask in found.items():
        if mask is not None:
            owners.setdefault(mask.path, []).append(path)
    for mask, paths in owners.items():
        if len(paths) == 1:
            continue
        if any(mask_of.origin != "pose file" for path in paths if (mask_of := found[path])):
            raise PhotoError(
                f"{mask} would be the mask of both {paths[0]} and {paths[1]}: give each photograph its own, in folders "
                f"of masks named as theirs ({folder / paths[0].parent.name}, {folder / paths[1].parent.name})"
            )
        announce(f"one mask for {len(paths)} of {len(found)} photographs: {mask}", "the pose file names it for each")


def read_masked(
    photo_file: PhotoFile, folder: Path, *, max_px: int | None = None, drop: bool = False
) -> tuple[Pixels, Plane, MaskOrigin | Literal["alpha"]]:
    """A photograph, its mask, and where that comes from.

    Transparency goes before the folder of masks; it narrows a mask that the pose file names or that lies beside the
    photograph.

    Args:
        max_px: see `read_pixels`.
        drop: whether masks are white where the photograph is to be left out (VGGSfM's convention).

    Raises:
        PhotoError: there is no mask, or it has another size.
    """
    upright = photo_file.upright
    pixels = read_pixels(photo_file.path, upright=upright, max_px=max_px)
    found = mask_file(photo_file, folder)
    if pixels.alpha is not None and (found is None or found.origin == "folder"):
        return pixels, pixels.alpha, "alpha"
    if found is None:
        raise PhotoError(f"{photo_file.path} has no mask: it is opaque everywhere. {_remedy(photo_file.path, folder)}")
    header = read_photo_file(found.path)
    size = header.upright_size if upright else header.stored_size
    if size != photo_file.size:
        raise PhotoError(
            f"{found.path} is {size[0]}x{size[1]} pixels, but its photograph {photo_file.path.name} is "
            f"{photo_file.size[0]}x{photo_file.size[1]}; a mask must have its photograph's size"
        )
    mask = read_mask(found.path, upright=upright, max_px=max_px)
    mask = 1 - mask if drop != found.is_inverted else mask
    return pixels, mask if pixels.alpha is None else mask.minimum(pixels.alpha), found.origin


def read_valid(photo_file: PhotoFile, folder: Path, *, max_px: int | None = None) -> Plane | None:
    """The valid region of a photograph from a folder, found like a mask; None if there is none.

    Args:
        max_px: see `read_pixels`.

    Raises:
        PhotoError: the region has another size than the photograph, is in colour, or is black everywhere.
    """
    path = find_mask(photo_file.path, folder)
    if path is None:
        return None
    name, size = photo_file.path.name, photo_file.size
    image = read_pixels(path, upright=photo_file.upright, max_px=max_px)
    if image.full_size != size:
        raise PhotoError(
            f"{path} is {image.full_size[0]}x{image.full_size[1]} pixels, but its photograph {name} is "
            f"{size[0]}x{size[1]}; a valid region must have its photograph's size"
        )
    if image.alpha is None and float((image.rgb.amax(-1) - image.rgb.amin(-1)).max()) > _MAX_GREY_SPREAD:
        raise PhotoError(
            f"{path} is in colour, so it is no valid region: expected black and white (white = the photograph "
            f"covers this pixel). If {folder} holds something else, rename it"
        )
    valid = read_mask(path, upright=photo_file.upright, max_px=max_px)
    if float(valid.max()) < _IS_KNOWN:
        raise PhotoError(
            f"{path} is black everywhere, so nothing is known of {name}: draw it again (white = the photograph covers "
            "this pixel), or take the photograph out of the folder and out of the pose file"
        )
    return valid


def mask_complaints(mask: Plane) -> list[str]:
    """What is suspicious about a mask, in words; empty for a mask that looks like an object's."""
    inside = mask.detach().cpu().numpy() >= _IS_OBJECT
    area, found = float(inside.mean()), []
    edges = {"top": inside[0], "bottom": inside[-1], "left": inside[:, 0], "right": inside[:, -1]}
    touched = [name for name, edge in edges.items() if edge.mean() > _MIN_TOUCHED]
    if len(touched) >= _MIN_TOUCHED_EDGES:
        found.append(f"touches the photograph's edge at the {', '.join(touched[:-1])} and {touched[-1]}")
    if area < _MIN_AREA:
        found.append(f"covers only {area:.1%} of the photograph")
    elif area > _MAX_AREA:
        found.append(f"covers {area:.0%} of the photograph")
    if area > 0:
        labels, count = label(inside)  # pyright: ignore[reportGeneralTypeIssues]
        largest = np.bincount(labels.ravel())[1:].max() / inside.sum()
        if largest < _MIN_LARGEST_PIECE:
            found.append(f"falls apart into {count} pieces, the largest {largest:.0%} of it")
    return found


def _remedy(path: Path, folder: Path) -> str:
    return (
        "Cut the object out with any background remover and save RGBA photographs, or put black and white images of "
        f"the same size (white = object) into {folder} under the same names ({path.stem}.png); or use whole "
        "photographs with the option masks = none"
    )
