"""Reading the pixels of a scene: photographs, masks and valid regions, brought to one working size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from sparseags_ns.console import announce, warn
from sparseags_ns.preprocess.framing import compose, has_valid_box, reframe
from sparseags_ns.preprocess.mask_checks import mask_complaints
from sparseags_ns.preprocess.mask_ways import MASKS_FOLDER, MaskPlan, Source, read_found_mask
from sparseags_ns.preprocess.masks import read_masked, read_valid
from sparseags_ns.preprocess.photographs import Photograph, listed, read_photograph
from sparseags_ns.preprocess.picture import Picture
from sparseags_ns.preprocess.rasters import Raster
from sparseags_ns.preprocess.recentre import box_coverage
from sparseags_ns.preprocess.straight_cuts import straight_cuts

VALID_FOLDER = "valid"

Plane = Float[Tensor, "height width"]


@dataclass(frozen=True)
class Planes:
    """Where masks and valid regions come from, and how large photographs may be."""

    masks: MaskPlan
    drop: bool
    """Whether the masks of a folder are white where the photograph is to be left out."""
    valid: Path | None
    """None where there is no such folder."""
    guess: bool
    """Whether valid regions are guessed, since nothing in the scene says anything of them."""
    most_px: int
    """Longer photographs are reduced while they are read."""

    @staticmethod
    def of(scene: Path, rasters: Sequence[Raster], masks: MaskPlan, drop: bool, most_px: int) -> Planes:
        """Look for what the scene's folder holds."""
        folder = scene / VALID_FOLDER
        valid = folder if folder.is_dir() else None
        # Masks that we drew ourselves keep away from the edge: that they are cut there says nothing.
        guess = valid is None and masks.way == "given" and not any(has_valid_box(raster.frame) for raster in rasters)
        return Planes(masks, drop, valid, guess, most_px)


def read_pictures(rasters: Sequence[Raster], planes: Planes, size: tuple[int, int], recentred: bool) -> list[Picture]:
    """All pictures at their working size, read one after the other: the photographs may be large."""
    pictures: list[Picture] = []
    masks, regions = Counter[str](), dict[str, list[str]](folder=[], guess=[])
    for raster in rasters:
        pixels, mask, source = _read(raster, planes)
        valid, origin = _valid(raster, mask, planes)
        _warn_of_mask(raster, mask)
        pictures.append(reframe(compose(pixels, mask, raster.frame, valid), size, recentred))
        masks[source] += 1
        if origin is not None:
            regions[origin].append(raster.path.name)
    _announce_masks(masks, planes)
    _announce_valid(regions, len(rasters))
    _announce_reduction(rasters, planes.most_px)
    return pictures


def _read(raster: Raster, planes: Planes) -> tuple[Photograph, Plane | None, str]:
    """One photograph, its mask, and where that came from."""
    folder, upright, most_px = planes.masks.folder, raster.upright, planes.most_px
    if planes.masks.found or folder is None:
        pixels = read_photograph(raster.path, upright=upright, most_px=most_px)
        if folder is None:
            return pixels, None, "none"
        return pixels, read_found_mask(folder, Source(raster.path, upright), pixels.size), "found"
    pixels, mask = read_masked(raster.path, folder, upright=upright, most_px=most_px, drop=planes.drop)
    return pixels, mask, "folder" if pixels.alpha is None else "alpha"


def _valid(raster: Raster, mask: Plane | None, planes: Planes) -> tuple[Plane | None, str | None]:
    """The valid region of one photograph and where it came from; None where nothing is said of it."""
    if planes.valid is not None:
        valid = read_valid(raster.path, raster.size, planes.valid, upright=raster.upright, most_px=planes.most_px)
        return valid, None if valid is None else "folder"
    box = straight_cuts(mask) if planes.guess and mask is not None else None
    return (None, None) if box is None or mask is None else (box_coverage(box, *mask.shape[::-1]), "guess")


def _warn_of_mask(raster: Raster, mask: Plane | None) -> None:
    # An empty mask is an error, of which compose tells.
    complaints = [] if mask is None or float(mask.max()) < 0.5 else mask_complaints(mask)
    if complaints:
        warn(f"the mask of {raster.path.name} {' and '.join(complaints)}", "it may be wrong; look at it")


def _announce_masks(sources: Counter[str], planes: Planes) -> None:
    folder = planes.masks.folder
    if sources["alpha"]:
        unused = folder is not None and folder.is_dir() and not sources["folder"]
        why = f"it goes before {MASKS_FOLDER}/, which is not used" if unused else "they are cut out already"
        announce(f"masks: transparency of {sources['alpha']} photographs", why)
    if sources["folder"]:
        why = "they are opaque; white is what is left out" if planes.drop else "they are opaque"
        announce(f"masks: {MASKS_FOLDER}/ for {sources['folder']} photographs", why)


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


def _announce_reduction(rasters: Sequence[Raster], most_px: int) -> None:
    large = [raster.path.name for raster in rasters if max(raster.size) > most_px]
    if large:
        announce(f"read at {most_px} pixels: {listed(large)}", "more would be averaged away at the working resolution")
