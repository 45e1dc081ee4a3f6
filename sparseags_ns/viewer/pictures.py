"""Photographs and renders as data URIs for the panel: thumbnails, alternating (flip), difference. Pure functions.

Images are [height, width, 3], sRGB, 0 to 1, over white.
"""

from __future__ import annotations

import base64
import io
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

Comparison = Literal["Flip", "Photograph", "Render", "Difference"]
FLIP_MS = 700
"""Milliseconds for which each of photograph and render is shown."""


def data_uri(first: Image.Image, *others: Image.Image, lossy: int = 85) -> str:
    """A picture, or an endless animation, as a data URI (WebP)."""
    buffer = io.BytesIO()
    more = {"save_all": True, "append_images": others, "duration": FLIP_MS, "loop": 0} if others else {}
    first.save(buffer, format="WEBP", quality=lossy, **more)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def as_picture(image: Float[Tensor, "height width 3"]) -> Image.Image:
    """An image with 8 bits for each colour."""
    pixels = (image.detach().clamp(0, 1) * 255).round().to(torch.uint8)
    return Image.fromarray(pixels.cpu().numpy())


def thumbnail(image: Float[Tensor, "height width 3"], size: int = 72) -> str:
    """The whole image in a small white square."""
    picture = as_picture(image)
    picture.thumbnail((size, size))
    square = Image.new("RGB", (size, size), "white")
    square.paste(picture, ((size - picture.width) // 2, (size - picture.height) // 2))
    return data_uri(square, lossy=75)


def small(image: Float[Tensor, "height width 3"], size: int = 160) -> np.ndarray:
    """The image reduced to `size` pixels at its longer side; [height, width, 3] uint8."""
    picture = as_picture(image)
    picture.thumbnail((size, size))
    return np.asarray(picture)


def difference(
    photograph: Float[Tensor, "height width 3"], rendered: Float[Tensor, "height width 3"]
) -> Float[Tensor, "height width 3"]:
    """Mean absolute difference of the colours: white where there is none, red from a quarter of the range on."""
    strength = ((photograph - rendered).abs().mean(-1, keepdim=True) * 4).clamp(0, 1)
    red = torch.tensor([0.85, 0.1, 0.1]).to(strength)
    return (1 - strength) + strength * red


def compared(
    photograph: Float[Tensor, "height width 3"], rendered: Float[Tensor, "height width 3"], how: Comparison
) -> str:
    """A photograph and its render, in one of four ways."""
    if how == "Difference":
        return data_uri(as_picture(difference(photograph, rendered)))
    shown = {"Flip": (photograph, rendered), "Photograph": (photograph,), "Render": (rendered,)}
    return data_uri(*map(as_picture, shown[how]))
