"""Sheets of thumbnails: photographs whole, with what their masks leave out darkened, or objects cut out.

The thumbnails of suspicious masks are framed in red. Cut-out objects lie over grey checks, which show transparency.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

CELL_PX = 192
_FRAME_PX, _LABEL_PX, _COLUMNS = 5, 22, 8
_RED, _GREY, _INK = (214, 39, 40), (205, 205, 205), (40, 40, 40)
_DARKENED = np.array([0.25, 0.25, 0.25], np.float32)
"""Factor on the colours outside a mask."""
_CHECKS, _CHECKS_ACROSS = (0.55, 0.68), 24

Rgb = Float[Tensor, "height width 3"]
Plane = Float[Tensor, "height width"]


@dataclass(frozen=True)
class MaskCell:
    """One photograph of the sheet."""

    name: str
    thumbnail: Image.Image
    suspicious: bool


def photograph_cell(name: str, rgb: Rgb) -> MaskCell:
    """The thumbnail of a whole photograph."""
    return MaskCell(name, _thumbnail(rgb.numpy()), False)


def mask_cell(name: str, rgb: Rgb, mask: Plane, suspicious: bool) -> MaskCell:
    """The thumbnail of a photograph that is darkened outside its mask."""
    cover = mask[..., None].numpy()
    return MaskCell(name, _thumbnail(rgb.numpy() * (cover + (1 - cover) * _DARKENED)), suspicious)


def cut_out_cell(name: str, rgb: Rgb, mask: Plane, suspicious: bool) -> MaskCell:
    """The thumbnail of a cut-out object; colours outside its mask do not matter."""
    rows, columns = np.indices(mask.shape) * _CHECKS_ACROSS // max(mask.shape)
    checks = np.array(_CHECKS, np.float32)[(rows + columns) % 2]
    cover = mask[..., None].numpy()
    return MaskCell(name, _thumbnail(rgb.numpy() * cover + checks[..., None] * (1 - cover)), suspicious)


def mask_sheet(cells: Sequence[MaskCell]) -> Image.Image:
    """All thumbnails with their names, up to eight in a row."""
    columns = min(len(cells), _COLUMNS)
    across, down = CELL_PX + 2 * _FRAME_PX, CELL_PX + 2 * _FRAME_PX + _LABEL_PX
    sheet = Image.new("RGB", (columns * across, -(-len(cells) // columns) * down), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=13)
    for index, cell in enumerate(cells):
        left, top = index % columns * across, index // columns * down
        draw.text((left + _FRAME_PX, top + 3), cell.name, fill=_RED if cell.suspicious else _INK, font=font)
        inset = 0 if cell.suspicious else _FRAME_PX - 1
        box = (left + inset, top + _LABEL_PX + inset, left + across - 1 - inset, top + down - 1 - inset)
        draw.rectangle(box, fill=_RED if cell.suspicious else _GREY)
        corner = (left + _FRAME_PX, top + _LABEL_PX + _FRAME_PX)
        draw.rectangle((*corner, corner[0] + CELL_PX - 1, corner[1] + CELL_PX - 1), fill="white")
        room = (CELL_PX - cell.thumbnail.width) // 2, (CELL_PX - cell.thumbnail.height) // 2
        sheet.paste(cell.thumbnail, (corner[0] + room[0], corner[1] + room[1]))
    return sheet


def _thumbnail(rgb: Float[np.ndarray, "height width 3"]) -> Image.Image:
    image = Image.fromarray((rgb.clip(0, 1) * 255).round().astype(np.uint8))
    image.thumbnail((CELL_PX, CELL_PX))
    return image
