"""Where the masks of a scene's photographs come from, and computing them where there are none.

`auto` takes the first source that applies: given masks, that is, the photographs' own transparency, files that the pose
file names, the scene's folder of masks, or files beside the photographs that are named as masks; rembg, if the package
and one of its models are on the machine; colours, if the backgrounds are plain; none, for whole scenes. All photographs
of a scene have the same source. Computed masks are kept in the scene's store and may be smaller than their photographs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from sparseags_ns.console import announce, warn
from sparseags_ns.formats.companions import is_mask_folder
from sparseags_ns.formats.frame import PHOTO_ENDINGS, file_labels, photo_names
from sparseags_ns.preprocess import background, rembg_masks
from sparseags_ns.preprocess.mask_orientation import by_colours, by_size
from sparseags_ns.preprocess.mask_sheet import mask_cell, mask_sheet
from sparseags_ns.preprocess.masks import (
    MaskFile,
    MaskOrigin,
    find_mask,
    mask_complaints,
    mask_files,
    read_masked,
    require_masks,
)
from sparseags_ns.preprocess.photo import object_window
from sparseags_ns.preprocess.photo_files import (
    PhotoError,
    PhotoFile,
    Pixels,
    has_transparency,
    listed,
    read_mask,
    read_photo_file,
    read_pixels,
)
from sparseags_ns.preprocess.store import Store, fingerprint
from sparseags_ns.storage import replacing, write_bytes

MASKS_FOLDER = "masks"
SHEET = "masks.png"

Masks = Literal["auto", "none", "given", "rembg", "background"]
"""`given`: transparency, the `masks/` folder, masks that a pose file names or that lie beside the photographs;
`background`: by colours; `none`: whole photographs are the object."""

_READ_PX = 1024
"""Longer side of the photographs that masks are computed for."""
_MIN_PIECE = 0.02
"""Smaller pieces of a photograph do not suggest an object."""
_VERSION = "2"
"""Part of the masks' fingerprint, to be changed with the algorithm."""


@dataclass(frozen=True)
class MaskPlan:
    """Where the masks of all photographs of a scene come from."""

    source: Literal["none", "given", "rembg", "background"]
    folder: Path | None = None
    """None for whole photographs."""
    drop: bool = False
    """Whether given masks of the folder are white where the photograph is to be left out."""
    files: Mapping[Path, MaskFile] | None = field(default=None, compare=False)
    """Given masks by photograph; None looks for each when it is read."""

    @property
    def computed(self) -> bool:
        """Whether the masks were computed here, so that they may be smaller than their photographs."""
        return self.source in ("rembg", "background")


def plan_masks(
    photo_files: Sequence[PhotoFile], scene_masks: Path, store: Store, asked: Masks, drop: bool = False
) -> MaskPlan:
    """Choose the source of the masks, announce it, and compute the masks where the source asks for it.

    Args:
        scene_masks: folder of given masks, which need not exist.
        store: where computed masks are kept.
        drop: see `MaskPlan`.

    Raises:
        PhotoError: some photographs have masks and others have none, or what was asked for is not possible.
        StoreError: computed masks cannot be written.
    """
    if asked == "none":
        announce("masks: none", "asked for; the whole photograph counts as the object")
        return MaskPlan("none")
    given = mask_files(photo_files, scene_masks) if asked in ("auto", "given") else {}
    if asked == "given" or given or (asked == "auto" and any(map(has_transparency, photo_files))):
        require_masks(photo_files, given, scene_masks)
        return MaskPlan("given", scene_masks, drop, _oriented(photo_files, given))
    if asked == "auto":
        _warn_of_unused(photo_files, scene_masks)
    if asked == "rembg" or (asked == "auto" and rembg_masks.missing() is None):
        return _plan_rembg(photo_files, store)
    return _plan_colours(photo_files, store, insist=asked == "background")


def _oriented(photo_files: Sequence[PhotoFile], masks: Mapping[Path, MaskFile]) -> dict[Path, MaskFile]:
    """The masks with the orientation that they show; what is decided is announced."""
    found, other, unsure = dict(masks), [], []
    labels = dict(zip((file.path for file in photo_files), file_labels([f.path for f in photo_files]), strict=True))
    for file in (file for file in photo_files if file.has_rotation and file.path in masks):
        header = read_photo_file(masks[file.path].path)
        upright = by_size(file, header)
        if upright is None and not header.has_rotation and header.stored_size == file.size:
            upright, matters = by_colours(file, header)
            if upright is None and matters:
                unsure.append(labels[file.path])
        found[file.path] = replace(masks[file.path], upright=upright)
        if upright not in (None, file.upright):
            other.append(labels[file.path])
    if other:
        announce(
            f"masks are rotated: {listed(other)}",
            "by size or colours they show these photographs in the other orientation, before or after EXIF's rotation",
        )
    if unsure:
        warn(
            f"masks are not rotated: {listed(unsure)}",
            "neither size nor colours tell whether they show these photographs before or after EXIF's rotation; look "
            "at them, and save photographs upright, without the tag, if masks lie beside their objects",
        )
    return found


def _warn_of_unused(photo_files: Sequence[PhotoFile], scene_masks: Path) -> None:
    """Name the folder of masks if it fits no photograph, and folders with other names of masks that hold images."""
    photographs = listed([file.path.name for file in photo_files])
    places = dict.fromkeys([scene_masks.parent, *(file.path.parent for file in photo_files)])
    beside = (path for place in places for path in sorted(place.glob("*")) if path.is_dir())
    for folder in dict.fromkeys([scene_masks, *filter(is_mask_folder, beside)]):
        images = [path.name for path in sorted(folder.rglob("*")) if path.suffix.lower() in PHOTO_ENDINGS]
        if images and folder == scene_masks:
            warn(f"{folder} is not used", f"it holds {listed(images)}, which name none of {photographs}")
        elif images:
            advice = f"masks are looked for in {scene_masks}; rename it to that if white is the object in them"
            warn(f"{folder} is not used", f"it holds {listed(images)}; {advice}")


def read_with_mask(
    photo_file: PhotoFile, plan: MaskPlan, max_px: int
) -> tuple[Pixels, Float[Tensor, "height width"] | None, MaskOrigin | Literal["none", "computed", "alpha"]]:
    """A photograph, its mask (None for a whole photograph), and where the mask comes from."""
    if plan.folder is not None and not plan.computed:
        return read_masked(photo_file, plan.folder, max_px=max_px, drop=plan.drop, masks=plan.files)
    pixels = read_pixels(photo_file.path, upright=photo_file.upright, max_px=max_px)
    if plan.folder is None:
        return pixels, None, "none"
    return pixels, read_computed_mask(plan.folder, photo_file.path, pixels.size), "computed"


def read_computed_mask(folder: Path, photo_file: Path, size: tuple[int, int]) -> Float[Tensor, "height width"]:
    """A computed mask, resized to (width, height).

    Raises:
        PhotoError: there is none.
    """
    found = find_mask(photo_file, folder)
    if found is None:
        raise PhotoError(f"no mask of {photo_file} in {folder}; delete that folder, and masks are computed again")
    mask = read_mask(found)
    resized = torch.nn.functional.interpolate(mask[None, None], size=(size[1], size[0]), mode="bilinear")
    return resized[0, 0]


def covered_share(rgb: Float[Tensor, "height width 3"], mask: Float[Tensor, "height width"]) -> float | None:
    """The share that a mask covers of what stands out from a photograph's plain background; None without such a piece.

    Pieces that are too small to be the object of a photograph tell nothing.
    """
    scale = min(1.0, background.WORK_PX / max(mask.shape))
    layers = torch.cat([rgb, mask[..., None]], dim=-1).permute(2, 0, 1)[None].float()
    small = torch.nn.functional.interpolate(
        layers, size=[max(1, round(side * scale)) for side in mask.shape], mode="area"
    )
    pixels = small[0].permute(1, 2, 0).numpy()
    piece = background.standing_out((pixels[..., :3] * 255).round().astype(np.uint8))
    if piece is None or piece.mean() < _MIN_PIECE:
        return None
    return float(pixels[..., 3][piece].mean())


def _plan_rembg(photo_files: Sequence[PhotoFile], store: Store) -> MaskPlan:
    """Masks of the background remover, written one by one, so that an interrupted run continues where it stopped."""
    why_not = rembg_masks.missing()
    if why_not is not None:
        raise PhotoError(f"no masks from rembg: {why_not}")
    name = rembg_masks.model()
    folder, missing = _stored("rembg", name, photo_files, store)
    session = rembg_masks.session(name) if missing else None
    for file, name in missing.items():
        mask = rembg_masks.cut_out(session, _read_rgb8(file, _READ_PX))
        _save_mask(store.new_file(f"{folder.name}/{name}.png"), mask)
    _write_sheets(photo_files, folder, store)
    announce(f"masks: rembg with {name}", f"the photographs are opaque; kept in {folder}")
    return MaskPlan("rembg", folder)


def _plan_colours(photo_files: Sequence[PhotoFile], store: Store, insist: bool) -> MaskPlan:
    """Masks by the colours of object and background; none where the backgrounds are not plain, unless insisted on."""
    folder, missing = _stored("background", "", photo_files, store)
    if missing:
        masks, clutter = background.cut_out([_read_rgb8(file, background.WORK_PX) for file in photo_files])
        why_not = _why_unusable(masks, clutter)
        if why_not is not None and not insist:
            announce("masks: none", f"the photographs are opaque, and {why_not}; the whole photograph counts")
            return MaskPlan("none")
        for file, mask in zip(photo_files, masks, strict=True):
            if file in missing:
                outlined = background.outlined(_read_rgb8(file, _READ_PX), mask)
                _save_mask(store.new_file(f"{folder.name}/{missing[file]}.png"), outlined.astype(np.float32))
    _write_sheets(photo_files, folder, store)
    announce("masks: cut out by colours", f"the photographs are opaque, their backgrounds plain; kept in {folder}")
    return MaskPlan("background", folder)


def _stored(
    source: str, model: str, photo_files: Sequence[PhotoFile], store: Store
) -> tuple[Path, dict[PhotoFile, str]]:
    """Folder of the masks that were computed in this way, and the names of the photographs whose masks it lacks."""
    names = photo_names([file.path for file in photo_files])
    orientations = " ".join(f"{name}:{int(file.upright)}" for name, file in zip(names, photo_files, strict=True))
    key = fingerprint("masks", _VERSION, source, model, orientations, *(file.path for file in photo_files))
    folder = store.folder / f"masks-{key}"
    named = zip(photo_files, names, strict=True)
    return folder, {file: name for file, name in named if not (folder / f"{name}.png").is_file()}


def _why_unusable(masks: Sequence[background.Mask], clutter: float) -> str | None:
    """Why masks by colours had better not be used; None if they look right."""
    if clutter > background.MAX_PLAIN_CLUTTER:
        return f"their backgrounds are not plain (clutter {clutter:.2f}, plain up to {background.MAX_PLAIN_CLUTTER})"
    # A cut-out never reaches the border itself, which counts as background; so the border is not judged.
    inner = [torch.from_numpy(background.inner_part(mask)).float() for mask in masks]
    bad = sum(bool(mask_complaints(mask)) or object_window(mask) is None for mask in inner)
    return f"colours cut out only {len(inner) - bad} of {len(inner)} well" if 2 * bad > len(inner) else None


def _write_sheets(photo_files: Sequence[PhotoFile], folder: Path, store: Store) -> None:
    """Draw the sheet of these masks unless it exists, and make it the store's sheet, that of the masks in use."""
    sheet = folder / SHEET
    if not sheet.is_file():
        cells = []
        for name, file in zip(photo_names([file.path for file in photo_files]), photo_files, strict=True):
            pixels = read_pixels(file.path, upright=file.upright, max_px=_READ_PX)
            mask = read_computed_mask(folder, file.path, pixels.size)
            cells.append(mask_cell(name, pixels.rgb, mask, bool(mask_complaints(mask))))
        with replacing(store.new_file(f"{folder.name}/{SHEET}")) as temporary:
            mask_sheet(cells).save(temporary, format="PNG")
    shown, drawn = store.folder / SHEET, sheet.read_bytes()
    if not shown.is_file() or shown.read_bytes() != drawn:
        write_bytes(store.new_file(SHEET), drawn)


def _read_rgb8(photo_file: PhotoFile, max_px: int) -> background.Rgb8:
    rgb = read_pixels(photo_file.path, upright=photo_file.upright, max_px=max_px).rgb
    return (rgb.numpy() * 255).round().astype(np.uint8)


def _save_mask(path: Path, mask: Float[np.ndarray, "height width"]) -> None:
    with replacing(path) as temporary:
        Image.fromarray((mask.clip(0, 1) * 255).round().astype(np.uint8)).save(temporary, format="PNG")
