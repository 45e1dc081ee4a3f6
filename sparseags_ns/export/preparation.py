"""prepare.png: what training will start from. Photographs, what is cut out of them, cameras from above and the side.

Frames: the normalised world (+y up). Cameras are drawn in parallel projection; green is sure, red is not; cameras
without a pose of their own are left out, and where none has a pose, a line says so in place of the drawings.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from sparseags_ns.geometry import se3
from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.preprocess.mask_sheet import CELL_PX, cut_out_cell, mask_sheet, photograph_cell
from sparseags_ns.preprocess.photo_files import read_pixels
from sparseags_ns.views import Views

PANEL_PX = 480
_MARGIN_PX = 40
_LINE_PX = 40
_FRUSTUM = 0.25
_MOST_POINTS = 4000
_INK = (40, 40, 40)
# Which world axes go to the right and upwards on the picture.
_PANELS = {"from above": (0, 2, -1.0), "from the side": (0, 1, 1.0)}

Colour = tuple[int, int, int]


def preparation_picture(views: Views, confidence: Float[Tensor, " views"], suspicious: list[bool]) -> Image.Image:
    """Draw the picture; the photographs are read again.

    Args:
        views: in the normalised world; as they are where none has a pose.
        suspicious: whether each view's mask is.
    """
    sureness = ["no pose" if row in views.unposed else f"{sure:.2f}" for row, sure in enumerate(confidence.tolist())]
    labels = [f"{name}  {sure}" for name, sure in zip(views.names, sureness, strict=True)]
    # The views themselves may be crops, which hold nothing but the object.
    photographs = [read_pixels(path, max_px=2 * CELL_PX).rgb for path in views.paths]
    whole = [photograph_cell(*cell) for cell in zip(labels, photographs, strict=True)]
    images, masks = views.images.float(), views.masks.float()
    cut = [cut_out_cell(*cell) for cell in zip(views.names, images, masks, suspicious, strict=True)]
    rows = [mask_sheet(whole), mask_sheet(cut), _cameras(views, confidence) if views.posed.any() else _no_cameras()]
    picture = Image.new("RGB", (max(row.width for row in rows), sum(row.height for row in rows)), "white")
    top = 0
    for row in rows:
        picture.paste(row, (0, top))
        top += row.height
    return picture


def frustum_corners(cameras: Cameras, depth: float) -> Float[Tensor, "views 5 3"]:
    """Each camera's centre and the corners of its picture at a depth, in the world."""
    width, height = cameras.width, cameras.height
    pixels = torch.tensor([[0.0, 0, 1], [width, 0, 1], [width, height, 1], [0, height, 1]], dtype=cameras.K.dtype)
    rays = pixels @ torch.linalg.inv(cameras.K).mT * depth
    at_camera = torch.cat([torch.zeros_like(rays[:, :1]), rays], dim=1)
    return se3.transform_points(cameras.T_world_camera, at_camera)


def _cameras(views: Views, confidence: Float[Tensor, " views"]) -> Image.Image:
    """The cameras from all sides that are drawn, side by side."""
    points = None if views.points is None else views.points.positions.to(views.cameras.K)
    row = Image.new("RGB", (len(_PANELS) * PANEL_PX, PANEL_PX), "white")
    for index, (title, axes) in enumerate(_PANELS.items()):
        row.paste(_plot(title, *axes, views.cameras, confidence, points), (index * PANEL_PX, 0))
    return row


def _no_cameras() -> Image.Image:
    """The line that stands in their place."""
    image = Image.new("RGB", (PANEL_PX, _LINE_PX), "white")
    font = ImageFont.load_default(size=15)
    ImageDraw.Draw(image).text((8, 10), "no pose: no cameras were found for these photographs", _colour(0.0), font)
    return image


def _plot(
    title: str,
    across: int,
    up: int,
    sign: float,
    cameras: Cameras,
    confidence: Float[Tensor, " views"],
    points: Float[Tensor, "points 3"] | None,
) -> Image.Image:
    """Cameras and points in parallel projection."""
    image = Image.new("RGB", (PANEL_PX, PANEL_PX), "white")
    draw = ImageDraw.Draw(image)
    draw.text((8, 6), f"cameras {title}", fill=_INK, font=ImageFont.load_default(size=13))
    corners = frustum_corners(cameras, _FRUSTUM)
    reach = float(corners[..., [across, up]].abs().max()) or 1.0
    scale = (PANEL_PX / 2 - _MARGIN_PX) / reach

    def place(point: Float[Tensor, " 3"]) -> tuple[float, float]:
        x, y = float(point[across]) * scale, sign * float(point[up]) * scale
        return PANEL_PX / 2 + x, PANEL_PX / 2 - y

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


def _colour(sure: float) -> Colour:
    """From red to green."""
    return round(214 * (1 - sure) + 30 * sure), round(39 * (1 - sure) + 150 * sure), 50
