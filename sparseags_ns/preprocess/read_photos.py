"""Reading the photos of a scene: pixels, masks and valid regions, brought to one working size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from sparseags_ns.console import announce, warn
from sparseags_ns.preprocess.framing import compose, has_valid_box, reframe
from sparseags_ns.preprocess.mask_plan import MASKS_FOLDER, MaskPlan, read_with_mask
from sparseags_ns.preprocess.masks import mask_complaints, read_valid
from sparseags_ns.preprocess.photo import Photo, box_coverage
from sparseags_ns.preprocess.photo_files import listed
from sparseags_ns.preprocess.posed_photo_files import PosedPhotoFile
from sparseags_ns.preprocess.straight_cuts import straight_cuts

VALID_FOLDER = "valid"

Plane = Float[Tensor, "height width"]


def read_photos(
    files: Sequence[PosedPhotoFile], scene: Path, masks: MaskPlan, size: tuple[int, int], recentred: bool, max_px: int
) -> list[Photo]:
    """All photos of a scene at the working size, read one after the other, since they may be large.

    A valid region is read from the scene's `valid/` if there is that folder. If nothing in the scene tells valid
    regions, they are guessed from straight cuts of given masks.

    Args:
        size: (width, height) of the photos in pixels.
        recentred: whether photos are cropped around their objects.
        max_px: photographs with a longer side are reduced on reading.

    Raises:
        PhotoError: a photograph, a mask or a valid region cannot be used.
    """
    folder = scene / VALID_FOLDER
    valid_folder = folder if folder.is_dir() else None
    # Computed masks keep away from the photograph's edge, so a straight end there means nothing.
    guess = valid_folder is None and masks.source == "given" and not any(has_valid_box(file.frame) for file in files)
    photos: list[Photo] = []
    mask_sources = Counter[str]()
    with_valid: list[str] = []
    with_cuts: list[str] = []
    for file in files:
        pixels, mask, mask_source = read_with_mask(file.photo_file, masks, max_px)
        mask_sources[mask_source] += 1
        valid = None
        if valid_folder is not None:
            valid = read_valid(file.photo_file, valid_folder, max_px=max_px)
            if valid is not None:
                with_valid.append(file.path.name)
        elif guess and mask is not None and (box := straight_cuts(mask)) is not None:
            valid = box_coverage(box, *mask.shape[::-1])
            with_cuts.append(file.path.name)
        _warn_of_mask(file.path, mask)
        photos.append(reframe(compose(pixels, mask, file.frame, valid), size, recentred))
    _announce_masks(mask_sources, masks)
    if with_valid:
        rest = "" if len(with_valid) == len(files) else "; the others are covered wholly"
        announce(
            f"valid regions: {VALID_FOLDER}/ for {len(with_valid)} of {len(files)} photographs",
            f"the scene has that folder{rest}",
        )
    if with_cuts:
        announce(
            f"cut by the photograph's edge: {listed(with_cuts)}",
            "their masks end in a straight line; what lies beyond it counts as unknown, not as background",
        )
    large = [file.path.name for file in files if max(file.size) > max_px]
    if large:
        announce(f"read at {max_px} pixels: {listed(large)}", "more would be averaged away at the working resolution")
    return photos


def _warn_of_mask(path: Path, mask: Plane | None) -> None:
    # An empty mask is an error, which `compose` raises.
    complaints = [] if mask is None or float(mask.max()) < 0.5 else mask_complaints(mask)
    if complaints:
        warn(f"the mask of {path.name} {' and '.join(complaints)}", "it may be wrong; look at it")


def _announce_masks(sources: Counter[str], masks: MaskPlan) -> None:
    if sources["alpha"]:
        unused = masks.folder is not None and masks.folder.is_dir() and not sources["folder"]
        why = f"it goes before {MASKS_FOLDER}/, which is not used" if unused else "they are cut out already"
        announce(f"masks: transparency of {sources['alpha']} photographs", why)
    if sources["folder"]:
        why = "they are opaque; white is what is left out" if masks.drop else "they are opaque"
        announce(f"masks: {MASKS_FOLDER}/ for {sources['folder']} photographs", why)
