"""Which masks the photographs of a scene get: the first way that applies, or the one that was asked for.

`auto` tries, in this order: the photographs' own transparency or the scene's folder of masks; rembg, where the package
and one of its models are on the machine; colours, where the backgrounds are plain; none at all, for whole scenes. All
photographs of a scene go the same way. Masks that had to be found are kept in the scene's store and then read like any
other folder of masks; they may be smaller than their photographs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from sparseags_ns.console import announce
from sparseags_ns.preprocess import background, rembg_masks
from sparseags_ns.preprocess.mask_checks import mask_complaints
from sparseags_ns.preprocess.mask_sheet import mask_cell, mask_sheet
from sparseags_ns.preprocess.masks import find_mask, require_masks
from sparseags_ns.preprocess.photographs import PhotographError, has_transparency, read_mask, read_photograph
from sparseags_ns.preprocess.recentre import object_window
from sparseags_ns.preprocess.store import Store, fingerprint
from sparseags_ns.storage import replacing, write_bytes

MASKS_FOLDER = "masks"
SHEET = "masks.png"

Masks = Literal["auto", "none", "given", "rembg", "background"]
"""`given`: transparency or the `masks/` folder; `none`: the whole photograph is the object."""

_READ_PX = 1024
_VERSION = "2"


@dataclass(frozen=True)
class MaskPlan:
    """Where the masks of all photographs of a scene come from."""

    way: Literal["none", "given", "rembg", "background"]
    folder: Path | None = None
    """None for whole photographs."""

    @property
    def found(self) -> bool:
        """Whether the masks were found by us, so that they may be smaller than their photographs."""
        return self.way in ("rembg", "background")


@dataclass(frozen=True)
class Source:
    """A photograph whose mask is wanted."""

    path: Path
    upright: bool
    """Whether the turn that its EXIF tag asks for is applied."""


def plan_masks(sources: Sequence[Source], scene_masks: Path, store: Store, asked: Masks) -> MaskPlan:
    """Choose the way, and go it as far as it means work; the choice is said in one line.

    Raises:
        PhotographError: some photographs have masks and others have none, or what was asked for is not possible.
        StoreError: masks had to be found and cannot be kept.
    """
    paths = [source.path for source in sources]
    if asked == "none":
        announce("masks: none", "asked for; the whole photograph counts as the object")
        return MaskPlan("none")
    if asked == "given" or (asked == "auto" and any(_is_given(path, scene_masks) for path in paths)):
        require_masks(paths, scene_masks)
        return MaskPlan("given", scene_masks)
    if asked == "rembg" or (asked == "auto" and rembg_masks.missing() is None):
        return _by_rembg(sources, store)
    return _by_colours(sources, store, insist=asked == "background")


def read_found_mask(folder: Path, source: Source, size: tuple[int, int]) -> Float[Tensor, "height width"]:
    """A mask that we found ourselves, at the size of its photograph."""
    mask = read_mask(folder / f"{source.path.stem}.png")
    resized = torch.nn.functional.interpolate(mask[None, None], size=(size[1], size[0]), mode="bilinear")
    return resized[0, 0]


def _is_given(path: Path, scene_masks: Path) -> bool:
    return find_mask(path, scene_masks) is not None or has_transparency(path)


def _by_rembg(sources: Sequence[Source], store: Store) -> MaskPlan:
    """Masks of the background remover; kept one by one, so that an interrupted run goes on where it stopped."""
    why_not = rembg_masks.missing()
    if why_not is not None:
        raise PhotographError(f"no masks from rembg: {why_not}")
    name = rembg_masks.model()
    folder = store.folder / f"masks-{_key('rembg', name, sources)}"
    missing = [source for source in sources if not (folder / f"{source.path.stem}.png").is_file()]
    if missing:
        session = rembg_masks.session(name)
        for source in missing:
            mask = rembg_masks.cut_out(session, _pixels(source, _READ_PX))
            _save_mask(store.new_file(f"{folder.name}/{source.path.stem}.png"), mask)
    _finish(sources, folder, store)
    announce(f"masks: rembg with {name}", f"the photographs are opaque; kept in {folder}")
    return MaskPlan("rembg", folder)


def _by_colours(sources: Sequence[Source], store: Store, insist: bool) -> MaskPlan:
    """Masks by the colours of object and background, or none where the backgrounds are not plain."""
    folder = store.folder / f"masks-{_key('background', '', sources)}"
    if not all((folder / f"{source.path.stem}.png").is_file() for source in sources):
        small = [_pixels(source, background.WORK_PX) for source in sources]
        cut = background.cut_out(small)
        why_not = _unusable(cut)
        if why_not is not None and not insist:
            announce("masks: none", f"the photographs are opaque, and {why_not}; the whole photograph counts")
            return MaskPlan("none")
        for source, mask in zip(sources, cut.masks, strict=True):
            if (folder / f"{source.path.stem}.png").is_file():
                continue
            outlined = background.outlined(_pixels(source, _READ_PX), mask)
            _save_mask(store.new_file(f"{folder.name}/{source.path.stem}.png"), outlined.astype(np.float32))
    _finish(sources, folder, store)
    announce("masks: cut out by colours", f"the photographs are opaque, their backgrounds plain; kept in {folder}")
    return MaskPlan("background", folder)


def _unusable(cut: background.CutOuts) -> str | None:
    """Why masks by colours are better not used, None if they look right."""
    if cut.clutter > background.PLAIN:
        return f"their backgrounds are not plain (clutter {cut.clutter:.2f}, plain up to {background.PLAIN})"
    # What is cut out never reaches the border itself, which counts as background.
    masks = [torch.from_numpy(background.inner_part(mask)).float() for mask in cut.masks]
    bad = sum(bool(mask_complaints(mask)) or object_window(mask) is None for mask in masks)
    return f"colours cut out only {len(masks) - bad} of {len(masks)} well" if 2 * bad > len(masks) else None


def _finish(sources: Sequence[Source], folder: Path, store: Store) -> None:
    """Draw the sheet of the masks unless it is there already; the store's own shows the masks that were used last."""
    sheet = folder / SHEET
    if not sheet.is_file():
        _save(store.new_file(f"{folder.name}/{SHEET}"), _sheet(sources, folder))
    shown, drawn = store.folder / SHEET, sheet.read_bytes()
    if not shown.is_file() or shown.read_bytes() != drawn:
        write_bytes(store.new_file(SHEET), drawn)


def _sheet(sources: Sequence[Source], folder: Path) -> Image.Image:
    """The photographs with what their masks leave out darkened."""
    cells = []
    for source in sources:
        photograph = read_photograph(source.path, upright=source.upright, most_px=_READ_PX)
        mask = read_found_mask(folder, source, photograph.size)
        cells.append(mask_cell(source.path.stem, photograph.rgb, mask, bool(mask_complaints(mask))))
    return mask_sheet(cells)


def _key(way: str, model: str, sources: Sequence[Source]) -> str:
    turns = " ".join(f"{source.path.stem}:{int(source.upright)}" for source in sources)
    return fingerprint("masks", _VERSION, way, model, turns, *(source.path for source in sources))


def _pixels(source: Source, most_px: int) -> background.Pixels:
    rgb = read_photograph(source.path, upright=source.upright, most_px=most_px).rgb
    return (rgb.numpy() * 255).round().astype(np.uint8)


def _save_mask(path: Path, mask: Float[np.ndarray, "height width"]) -> None:
    _save(path, Image.fromarray((mask.clip(0, 1) * 255).round().astype(np.uint8)))


def _save(path: Path, image: Image.Image) -> None:
    with replacing(path) as temporary:
        image.save(temporary, format="PNG")
