"""views.png: photographs above renders, one column for each view; views that are not in use are framed in red."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from sparseags_ns.runs.record import ViewStatus
from sparseags_ns.storage import replacing

RED, GREY, INK = (214, 39, 40), (205, 205, 205), (40, 40, 40)
CELL_PX = 192
FRAME_PX = 5
LABEL_PX = 22
COLUMNS = 8


def contact_sheet(
    photographs: Float[Tensor, "views height width 3"],
    renders: Float[Tensor, "views height width 3"],
    labels: list[str],
    statuses: Sequence[ViewStatus],
) -> Image.Image:
    """Draw the sheet: rows of up to eight views, photographs above renders, in square cells that keep their shape.

    Photographs are sRGB over white; each label is the text above its view.
    """
    count = len(labels)
    columns = min(count, COLUMNS)
    rows = -(-count // columns)
    cell, line = CELL_PX + 2 * FRAME_PX, LABEL_PX + 2 * (CELL_PX + 2 * FRAME_PX)
    sheet = Image.new("RGB", (columns * cell, rows * line), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=13)
    for view in range(count):
        left, top = (view % columns) * cell, (view // columns) * line
        good = statuses[view].in_use
        text = labels[view] if good else f"{labels[view]}  {statuses[view]}"
        draw.text((left + FRAME_PX, top + 3), text, fill=INK if good else RED, font=font)
        for row, images in enumerate((photographs, renders)):
            corner = (left, top + LABEL_PX + row * cell)
            draw.rectangle((*corner, corner[0] + cell - 1, corner[1] + cell - 1), fill=GREY if good else RED)
            inset = 1 if good else FRAME_PX
            side = cell - 2 * inset
            picture = _picture(images[view], side)
            inner = corner[0] + inset, corner[1] + inset
            draw.rectangle((*inner, inner[0] + side - 1, inner[1] + side - 1), fill="white")
            sheet.paste(picture, (inner[0] + (side - picture.width) // 2, inner[1] + (side - picture.height) // 2))
    return sheet


def save_image(image: Image.Image, path: Path) -> None:
    """Write a PNG."""
    with replacing(path) as temporary:
        image.save(temporary, format="PNG")


def _picture(image: Float[Tensor, "height width 3"], side: int) -> Image.Image:
    pixels = (image.detach().cpu().clamp(0, 1).numpy() * 255).round().astype(np.uint8)
    scale = side / max(pixels.shape[:2])
    size = max(round(pixels.shape[1] * scale), 1), max(round(pixels.shape[0] * scale), 1)
    return Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS)
