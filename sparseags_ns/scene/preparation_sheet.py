"""prepare.png: what training will start from. Photographs, objects cut out of them, cameras from above and the side.

Frames: the normalised world (+y up). Cameras are drawn in parallel projection, from green (confidence 1) to red
(confidence 0). Views without a pose are not drawn; if no view has a pose, a line of text replaces the drawings.
"""

from __future__ import annotations

import math

from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from sparseags_ns.geometry.cameras import frustum_corners
from sparseags_ns.preprocess.mask_sheet import CELL_PX, cut_out_cell, mask_sheet, photograph_cell
from sparseags_ns.preprocess.photo_files import read_pixels
from sparseags_ns.views import Views

PANEL_PX = 480
_MARGIN_PX = 40
_LINE_PX = 40
_FRUSTUM = 0.25
"""Depth of a drawn camera, world units."""
_MOST_POINTS = 4000
_INK = (40, 40, 40)
_PANELS = {"from above": (0, 2, -1.0), "from the side": (0, 1, 1.0)}
"""World axes to the right and upwards on the sheet, and the sign of the latter."""


def preparation_sheet(views: Views, confidence: Float[Tensor, " views"], suspicious: list[bool]) -> Image.Image:
    """Draw the sheet; the photo files are read again.

    Args:
        views: views in the normalised world, or in any world if no view has a pose.
        confidence: confidence of each pose, 0 to 1.
        suspicious: whether each view's mask is suspicious.
    """
    remarks = ["no pose" if row in views.unposed else f"{sure:.2f}" for row, sure in enumerate(confidence.tolist())]
    labels = [f"{name}  {remark}" for name, remark in zip(views.names, remarks, strict=True)]
    # The images of the views may be crops around the object.
    photographs = [read_pixels(path, max_px=2 * CELL_PX).rgb for path in views.paths]
    whole = [photograph_cell(*cell) for cell in zip(labels, photographs, strict=True)]
    images, masks = views.images.float(), views.masks.float()
    cut = [cut_out_cell(*cell) for cell in zip(views.names, images, masks, suspicious, strict=True)]
    rows = [mask_sheet(whole), mask_sheet(cut), _cameras(views, confidence)]
    sheet = Image.new("RGB", (max(row.width for row in rows), sum(row.height for row in rows)), "white")
    top = 0
    for row in rows:
        sheet.paste(row, (0, top))
        top += row.height
    return sheet


def _cameras(views: Views, confidence: Float[Tensor, " views"]) -> Image.Image:
    """The drawings of the cameras side by side; a line of text if no view has a pose."""
    if not views.posed.any():
        line = Image.new("RGB", (PANEL_PX, _LINE_PX), "white")
        font = ImageFont.load_default(size=15)
        ImageDraw.Draw(line).text((8, 10), "no pose: no cameras were found for these photographs", _colour(0.0), font)
        return line
    row = Image.new("RGB", (len(_PANELS) * PANEL_PX, PANEL_PX), "white")
    for index, title in enumerate(_PANELS):
        row.paste(_plot(title, views, confidence), (index * PANEL_PX, 0))
    return row


def _plot(title: str, views: Views, confidence: Float[Tensor, " views"]) -> Image.Image:
    """Cameras and points in the parallel projection of that title."""
    across, up, sign = _PANELS[title]
    points = None if views.points is None else views.points.positions.to(views.cameras.K)
    image = Image.new("RGB", (PANEL_PX, PANEL_PX), "white")
    draw = ImageDraw.Draw(image)
    draw.text((8, 6), f"cameras {title}", fill=_INK, font=ImageFont.load_default(size=13))
    corners = frustum_corners(views.cameras, _FRUSTUM)
    reach = float(corners[..., [across, up]].abs().max()) or 1.0
    scale = (PANEL_PX / 2 - _MARGIN_PX) / reach

    def place(point: Float[Tensor, " 3"]) -> tuple[float, float]:
        x, y = float(point[across]) * scale, sign * float(point[up]) * scale
        return PANEL_PX / 2 + x, PANEL_PX / 2 - y  # rows of an image run downwards

    for point in [] if points is None else points[:: math.ceil(len(points) / _MOST_POINTS)]:
        if float(point.norm()) < reach:
            draw.point(place(point), fill=(150, 150, 150))
    for corner, sure in zip(corners, confidence.tolist(), strict=True):
        if sure > 0:
            center, *rim = map(place, corner)
            draw.polygon(rim, outline=_colour(sure))
            for end in rim:
                draw.line((center, end), fill=_colour(sure), width=2)
    return image


def _colour(sure: float) -> tuple[int, int, int]:
    """A colour from red (0) to green (1)."""
    return round(214 * (1 - sure) + 30 * sure), round(39 * (1 - sure) + 150 * sure), 50
