"""prepare.png: what training will start from. Photographs above their masks, and the cameras from above and the side.

Frames: the normalised world (+y up). Cameras are drawn in parallel projection; green is sure, red is not; cameras
without a pose of their own are left out.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from sparseags_ns.geometry import se3
from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.preprocess.mask_sheet import mask_cell, mask_sheet
from sparseags_ns.views import Views

PANEL_PX = 480
_MARGIN_PX = 40
_FRUSTUM = 0.25
_MOST_POINTS = 4000
_INK = (40, 40, 40)
# Which world axes go to the right and upwards on the picture.
_PANELS = {"from above": (0, 2, -1.0), "from the side": (0, 1, 1.0)}

Colour = tuple[int, int, int]


def preparation_picture(views: Views, confidence: Float[Tensor, " views"], suspicious: list[bool]) -> Image.Image:
    """Draw the picture.

    Args:
        views: in the normalised world.
        suspicious: whether each view's mask is.
    """
    labels = [f"{name}  {sure:.2f}" for name, sure in zip(views.names, confidence.tolist(), strict=True)]
    images, masks = views.images.float(), views.masks.float()
    whole = [mask_cell(label, rgb, torch.ones(rgb.shape[:2]), False) for label, rgb in zip(labels, images, strict=True)]
    cut = [mask_cell(*cell) for cell in zip(views.names, images, masks, suspicious, strict=True)]
    sheets = [mask_sheet(whole), mask_sheet(cut)]
    points = None if views.points is None else views.points.positions.to(views.cameras.K)
    plots = [_plot(title, *axes, views.cameras, confidence, points) for title, axes in _PANELS.items()]
    width = max(*(sheet.width for sheet in sheets), len(plots) * PANEL_PX)
    picture = Image.new("RGB", (width, sum(sheet.height for sheet in sheets) + PANEL_PX), "white")
    top = 0
    for sheet in sheets:
        picture.paste(sheet, (0, top))
        top += sheet.height
    for index, plot in enumerate(plots):
        picture.paste(plot, (index * PANEL_PX, top))
    return picture


def frustum_corners(cameras: Cameras, depth: float) -> Float[Tensor, "views 5 3"]:
    """Each camera's centre and the corners of its picture at a depth, in the world."""
    width, height = cameras.width, cameras.height
    pixels = torch.tensor([[0.0, 0, 1], [width, 0, 1], [width, height, 1], [0, height, 1]], dtype=cameras.K.dtype)
    rays = pixels @ torch.linalg.inv(cameras.K).mT * depth
    at_camera = torch.cat([torch.zeros_like(rays[:, :1]), rays], dim=1)
    return se3.transform_points(cameras.T_world_camera, at_camera)


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
