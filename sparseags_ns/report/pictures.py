"""Pixels as data URIs of moderate size, and the colours of a difference.

Images are [height, width, 3] or 4 channels, sRGB, 0 to 1.
"""

from __future__ import annotations

import base64
import io
from functools import cache

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

LARGEST_PX = 384
"""Longer side of a view's pictures on the page."""
QUALITY = 84
"""Of WebP, 0 to 100."""
DIFFERENCE_FULL = 0.4
"""Mean absolute difference of the three colours that gets the darkest colour."""

_ANCHORS = (
    (0.0, (255, 255, 255)),
    (0.12, (255, 236, 179)),
    (0.4, (251, 140, 60)),
    (0.75, (200, 30, 45)),
    (1, (70, 0, 25)),
)


def data_uri(pixels: UInt8[np.ndarray, "height width channels"]) -> str:
    """A WebP picture inside an address; nothing has to be fetched."""
    image = Image.fromarray(pixels)
    longest = max(image.size)
    buffer = io.BytesIO()
    image.save(buffer, format="WEBP", quality=QUALITY, method=2 if longest > 1024 else 4)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def view_picture(image: Float[Tensor, "height width 3"]) -> str:
    """One picture of a view, made smaller where it is large."""
    pixels = eight_bits(image)
    longest = max(pixels.shape[:2])
    if longest > LARGEST_PX:
        size = (round(pixels.shape[1] * LARGEST_PX / longest), round(pixels.shape[0] * LARGEST_PX / longest))
        pixels = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))
    return data_uri(pixels)


def eight_bits(image: Float[Tensor, "height width channels"]) -> UInt8[np.ndarray, "height width channels"]:
    """0 to 255."""
    return (image.detach().cpu().clamp(0, 1).numpy() * 255).round().astype(np.uint8)


def difference_colors(
    a: Float[Tensor, "*batch height width 3"], b: Float[Tensor, "*batch height width 3"]
) -> Float[Tensor, "*batch height width 3"]:
    """White where two images are alike; yellow, red and nearly black where they are not."""
    share = ((a - b).abs().mean(-1) / DIFFERENCE_FULL).clamp(0, 1)
    return _ramp()[(share.cpu() * 255).round().long()]


def straight_alpha(
    premultiplied: Float[Tensor, "*batch height width 3"], alpha: Float[Tensor, "*batch height width"]
) -> Float[Tensor, "*batch height width 4"]:
    """Colours over black and their coverage, as straight RGBA."""
    color = (premultiplied / alpha.clamp_min(1 / 255)[..., None]).clamp(0, 1)
    return torch.cat([color, alpha[..., None].clamp(0, 1)], dim=-1)


@cache
def _ramp() -> Tensor:
    """The 256 colours of a difference."""
    at = np.linspace(0, 1, 256)
    stops = [stop for stop, _ in _ANCHORS]
    channels = [np.interp(at, stops, [color[i] / 255 for _, color in _ANCHORS]) for i in range(3)]
    return torch.from_numpy(np.stack(channels, axis=-1)).float()
