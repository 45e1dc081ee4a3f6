"""Where the object's mask comes from: a photograph's own transparency, else a folder of masks.

A mask is coverage of the object, 0 to 1, of the size of its photograph.
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


def _remedy(path: Path, folder: Path) -> str:
    return (
        "Cut the object out with any background remover and save RGBA photographs, or put black and white images of "
        f"the same size (white = object) into {folder} under the same names ({path.stem}.png); or use whole "
        "photographs with the option masks = none"
    )
