"""Masks and valid regions from files, and what is suspicious about a mask.

A mask is coverage of the object, 0 to 1, of the size of its photograph. A valid region is coverage by the photograph:
0 on pixels that were padded around it, where the object may continue although its mask is 0.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float
from scipy.ndimage import label
from torch import Tensor

from sparseags_ns.console import announce
from sparseags_ns.formats.companions import companions, mask_of, masks_by_words
from sparseags_ns.formats.frame import file_labels, path_ends, photo_like, photo_stem, photos_by_stem
from sparseags_ns.preprocess.mask_orientation import by_size
from sparseags_ns.preprocess.photo_files import (
    PhotoError,
    PhotoFile,
    Pixels,
    listed,
    read_mask,
    read_photo_file,
    read_pixels,
    turned,
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
    upright: bool | None = None
    """Whether it shows the upright photograph; None for what its size tells, else the photograph as it is read."""


class Listings:
    """Folders in which masks are looked for; each is listed once, however many photographs there are."""

    def __init__(self) -> None:
        self.by_stem = cache(photos_by_stem)
        self.by_words = cache(self._by_words)
        self.beside = cache(self._beside)

    def _files(self, folder: Path) -> list[Path]:
        return sorted(path for files in self.by_stem(folder).values() for path in files if path.is_file())

    def _by_words(self, folder: Path) -> dict[tuple[str, ...], Path]:
        return masks_by_words(self._files(folder)) if folder.is_dir() else {}

    def _beside(self, folder: Path) -> dict[Path, MaskFile]:
        """Masks among the photographs of a folder, by what they are named after, without its ending."""
        masks: dict[Path, MaskFile] = {}
        for found in companions(self._files(folder)):
            if found.is_mask:
                masks.setdefault(found.photograph.with_suffix(""), MaskFile(found.path, "beside", found.is_inverted))
        return masks


def find_mask(photo_file: Path, folder: Path, listings: Listings | None = None) -> Path | None:
    """The mask of a photograph in a folder that holds masks as another folder holds photographs; None without one.

    For `images/left/000.jpg` that is `left/000.png` or, where there is no such file, `000.png`; COLMAP's `000.jpg.png`,
    `000_mask.png`, and other endings and cases count, too.
    """
    listings = listings or Listings()
    for end in path_ends(photo_file):
        place = folder / end
        png = place.with_name(f"{photo_stem(place.name)}.png")
        double = place.with_name(f"{place.name}.png")
        found = png if png.is_file() else photo_like(place, listings.by_stem) or photo_like(double, listings.by_stem)
        found = found or mask_of(photo_file, listings.by_words(place.parent))
        if found is not None:
            return found
    return None


def mask_files(photo_files: Sequence[PhotoFile], folder: Path) -> dict[Path, MaskFile]:
    """Masks by photograph: what the pose file names, else in the folder of masks, else beside the photograph.

    Raises:
        PhotoError: the folder of masks may not be read.
    """
    if folder.is_dir() and not os.access(folder, os.R_OK | os.X_OK):
        raise PhotoError(f"cannot list {folder}: permission denied; make the folder readable")
    listings, found = Listings(), {}
    for file in photo_files:
        if file.mask is not None:
            found[file.path] = MaskFile(file.mask.path, "pose file", file.mask.is_inverted)
        elif (mask := find_mask(file.path, folder, listings)) is not None:
            found[file.path] = MaskFile(mask, "folder")
        elif (beside := listings.beside(file.path.parent).get(file.path.with_suffix(""))) is not None:
            found[file.path] = beside
    return found


def require_masks(photo_files: Sequence[PhotoFile], masks: Mapping[Path, MaskFile], folder: Path) -> None:
    """Check that each photograph has transparency or a mask of its own, among `masks`, of which some are in a folder.

    Raises:
        PhotoError: some have neither, a mask that the pose file names is not there, or one is that of two photographs.
    """
    found = {file.path: masks.get(file.path) for file in photo_files}
    named = [file.mask.key for file in photo_files if file.mask is not None]
    pose_file = next((file.mask.pose_file for file in photo_files if file.mask is not None), None)
    keys = ", ".join(f"'{key}'" for key in dict.fromkeys(named))
    absent = [f"{mask.path} for {path.name}" for path, mask in found.items() if mask and not os.path.isfile(mask.path)]
    if absent:
        raise PhotoError(
            f"{pose_file} names masks that are not there: {listed(absent)}. Put them there, take their entries "
            f"({keys}) out of the file, or choose other masks with the option masks"
        )
    labels = dict(zip(found, file_labels(list(found)), strict=True))
    bare = [file.path for file in photo_files if not file.has_alpha and found[file.path] is None]
    if bare and named:
        raise PhotoError(
            f"{pose_file} names masks ({keys}) for {len(named)} of {len(photo_files)} photographs, and none for "
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
        if any(one.origin != "pose file" for path in paths if (one := found[path])):
            raise PhotoError(
                f"{mask} would be the mask of both {paths[0]} and {paths[1]}: give each photograph its own, in folders "
                f"of masks named as theirs ({folder / paths[0].parent.name}, {folder / paths[1].parent.name})"
            )
        announce(f"one mask for {len(paths)} of {len(found)} photographs: {mask}", "the pose file names it for each")


def read_masked(
    photo_file: PhotoFile,
    folder: Path,
    *,
    max_px: int | None = None,
    drop: bool = False,
    masks: Mapping[Path, MaskFile] | None = None,
) -> tuple[Pixels, Plane, MaskOrigin | Literal["alpha"]]:
    """A photograph, its mask, and where that comes from.

    Transparency goes before the folder of masks; it narrows a mask that the pose file names or that lies beside the
    photograph.

    Args:
        max_px: see `read_pixels`.
        drop: whether masks are white where the photograph is to be left out (VGGSfM's convention).
        masks: the masks of all photographs; None looks for this one.

    Raises:
        PhotoError: there is no mask, or it has another size.
    """
    pixels = read_pixels(photo_file.path, upright=photo_file.upright, max_px=max_px)
    found = (mask_files([photo_file], folder) if masks is None else masks).get(photo_file.path)
    if pixels.alpha is not None and (found is None or found.origin == "folder"):
        return pixels, pixels.alpha, "alpha"
    if found is None:
        raise PhotoError(f"{photo_file.path} has no mask: it is opaque everywhere. {_remedy(photo_file.path, folder)}")
    mask = _read_for(photo_file, found.path, found.upright, max_px, "mask")
    mask = 1 - mask if drop != found.is_inverted else mask
    return pixels, mask if pixels.alpha is None else mask.minimum(pixels.alpha), found.origin


def _read_for(photo_file: PhotoFile, path: Path, upright: bool | None, max_px: int | None, what: str) -> Plane:
    """A mask, in the orientation in which its photograph is read.

    Args:
        upright: whether it shows the upright photograph; None for what its size tells, else the photograph as read.
    """
    try:
        header, as_read = read_photo_file(path), photo_file.upright
    except PhotoError as error:
        if photo_file.mask is None or photo_file.mask.path != path:
            raise
        named = f"{photo_file.mask.pose_file} names it as the mask of {photo_file.path.name}"
        raise PhotoError(f"{error} ({named})") from error
    size = header.upright_size if as_read else header.stored_size
    upright = by_size(photo_file, header) if upright is None else upright
    if upright is None and size != photo_file.size:
        raise PhotoError(
            f"{path} is {size[0]}x{size[1]} pixels, but its photograph {photo_file.path.name} is "
            f"{photo_file.size[0]}x{photo_file.size[1]}; a {what} must have its photograph's size"
        )
    mask = read_mask(path, upright=as_read, max_px=max_px)
    return mask if upright in (None, as_read) else turned(mask, photo_file.orientation, back=not as_read)


def read_valid(
    photo_file: PhotoFile, folder: Path, *, max_px: int | None = None, listings: Listings | None = None
) -> Plane | None:
    """The valid region of a photograph from a folder, found like a mask; None if there is none.

    Args:
        max_px: see `read_pixels`.
        listings: of folders, to list none twice.

    Raises:
        PhotoError: the region has another size than the photograph, is in colour, or is black everywhere.
    """
    path = find_mask(photo_file.path, folder, listings)
    if path is None:
        return None
    valid = _read_for(photo_file, path, None, max_px, "valid region")
    image = read_pixels(path, max_px=max_px)
    if image.alpha is None and float((image.rgb.amax(-1) - image.rgb.amin(-1)).max()) > _MAX_GREY_SPREAD:
        raise PhotoError(
            f"{path} is in colour, so it is no valid region: expected black and white (white = the photograph "
            f"covers this pixel). If {folder} holds something else, rename it"
        )
    if float(valid.max()) < _IS_KNOWN:
        raise PhotoError(
            f"{path} is black everywhere, so nothing is known of {photo_file.path.name}: draw it again (white = the "
            "photograph covers this pixel), or take the photograph out of the folder and out of the pose file"
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
