"""Where the object's mask comes from: a photograph's own transparency, else a folder of masks; and its valid region.

A mask is coverage of the object, 0 to 1, of the size of its photograph. A valid region is coverage by the photograph:
0 on pixels that were added around it, where the object may go on although its mask is 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from sparseags_ns.formats.image_paths import PHOTO_ENDINGS
from sparseags_ns.preprocess.photographs import (
    Photograph,
    PhotographError,
    listed,
    read_header,
    read_mask,
    read_photograph,
)

_COLOURED = 0.1
_KNOWN = 0.5


def find_mask(photograph: Path, folder: Path) -> Path | None:
    """The mask that belongs to a photograph: `000.png` for `000.jpg`; COLMAP's `000.jpg.png` is found too."""
    for name in (photograph.stem, photograph.name):
        for suffix in PHOTO_ENDINGS:
            path = folder / f"{name}{suffix}"
            if path.is_file():
                return path
    return None


def require_masks(photographs: Sequence[Path], folder: Path) -> None:
    """Raise a PhotographError that names the photographs that have neither transparency nor a mask in the folder."""
    bare = [path for path in photographs if not read_header(path).has_alpha and find_mask(path, folder) is None]
    if bare:
        raise PhotographError(
            f"{len(bare)} of {len(photographs)} photographs in {bare[0].parent} have no mask: "
            f"{listed([path.name for path in bare])}. {_remedy(bare[0], folder)}"
        )


def read_masked(
    path: Path, folder: Path, *, upright: bool = True, most_px: int | None = None, drop: bool = False
) -> tuple[Photograph, Float[Tensor, "height width"]]:
    """A photograph and its mask, from its transparency if it has any, else from the folder.

    Args:
        most_px: as of `read_photograph`.
        drop: the folder's masks are white where the photograph shows what is to be left out (VGGSfM's convention).

    Raises:
        PhotographError: there is neither, or the mask in the folder has another size.
    """
    photograph = read_photograph(path, upright=upright, most_px=most_px)
    if photograph.alpha is not None:
        return photograph, photograph.alpha
    mask_path = find_mask(path, folder)
    if mask_path is None:
        raise PhotographError(f"{path} has no mask: it is opaque everywhere. {_remedy(path, folder)}")
    header, photo_header = read_header(mask_path), read_header(path)
    size, full_size = (header.upright, photo_header.upright) if upright else (header.stored, photo_header.stored)
    if size != full_size:
        raise PhotographError(
            f"{mask_path} is {size[0]}x{size[1]} pixels, but its photograph {path.name} is "
            f"{full_size[0]}x{full_size[1]}; a mask must have its photograph's size"
        )
    mask = read_mask(mask_path, upright=upright, most_px=most_px)
    return photograph, 1 - mask if drop else mask


def read_valid(
    path: Path, size: tuple[int, int], folder: Path, *, upright: bool = True, most_px: int | None = None
) -> Float[Tensor, "height width"] | None:
    """The valid region of a photograph from a folder of them, which are found as masks are; None if it has none.

    Args:
        size: (width, height) of the photograph, before it is reduced.
        most_px: as of `read_photograph`.

    Raises:
        PhotographError: it has another size, is in colour, or says that nothing of the photograph is valid.
    """
    valid_path = find_mask(path, folder)
    if valid_path is None:
        return None
    image = read_photograph(valid_path, upright=upright, most_px=most_px)
    full_size = image.full_size or image.size
    if full_size != size:
        raise PhotographError(
            f"{valid_path} is {full_size[0]}x{full_size[1]} pixels, but its photograph {path.name} is "
            f"{size[0]}x{size[1]}; a valid region must have its photograph's size"
        )
    if image.alpha is None and float((image.rgb.amax(-1) - image.rgb.amin(-1)).max()) > _COLOURED:
        raise PhotographError(
            f"{valid_path} is in colour, so it is no valid region: expected black and white (white = the photograph "
            f"covers this pixel). If {folder} holds something else, rename it"
        )
    valid = read_mask(valid_path, upright=upright, most_px=most_px)
    if float(valid.max()) < _KNOWN:
        raise PhotographError(
            f"{valid_path} is black everywhere, so nothing is known of {path.name}: draw it again (white = the "
            "photograph covers this pixel), or take the photograph out of the folder and out of the pose file"
        )
    return valid


def _remedy(path: Path, folder: Path) -> str:
    return (
        "Cut the object out with any background remover and save RGBA photographs, or put black and white images of "
        f"the same size (white = object) into {folder} under the same names ({path.stem}.png); or use whole "
        "photographs with the option masks = none"
    )
