"""Photographs beside renders, one sheet for each view, as a video or an animated GIF.

From left to right: the photograph over white; the splat through the refined camera; their difference (white: none).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from sparseags_ns.export.turntable import Frame, write_video
from sparseags_ns.metrics.images import over_white, psnr
from sparseags_ns.rasterizer import rasterize
from sparseags_ns.runs.contact_sheet import INK, RED
from sparseags_ns.runs.opening import OpenedRun

LABEL_PX = 28
GAP_PX = 6
LEAST_SIDE_PX = 256


@torch.no_grad()
def reprojection_frames(run: OpenedRun) -> Iterator[Frame]:
    """One sheet for each view."""
    background = run.gaussians.means.new_ones(3)
    for view, name in enumerate(run.views.names):
        camera = run.refined.detach()[view : view + 1]
        render = rasterize(run.gaussians, camera, background, sh_degree=run.sh_degree).rgb[0].clamp(0, 1)
        photograph = over_white(run.views.images[view], run.views.masks[view])
        known = run.views.valid[view][..., None]
        # Pixels outside the photograph show no difference.
        difference = (1 - (photograph - render).abs()) * known + (1 - known)
        error = float(psnr(((render - photograph) * known + photograph)[None], photograph[None])[0])
        doubt = "" if run.trusted[view] else "   not trusted"
        yield sheet([photograph, render, difference], f"{name}   {error:.1f} dB{doubt}", not doubt)


def sheet(panels: Sequence[Float[Tensor, "height width 3"]], label: str, trusted: bool) -> Frame:
    """Panels side by side below a label, enlarged by a whole factor if small. Its sides are even, as videos need."""
    height, width = panels[0].shape[:2]
    factor = -(-LEAST_SIDE_PX // max(height, width))
    height, width = height * factor, width * factor
    total = len(panels) * width + (len(panels) - 1) * GAP_PX
    image = Image.new("RGB", (total + total % 2, height + LABEL_PX + (height + LABEL_PX) % 2), "white")
    ImageDraw.Draw(image).text((8, 6), label, fill=INK if trusted else RED, font=ImageFont.load_default(size=15))
    for index, panel in enumerate(panels):
        pixels = (panel.cpu().clamp(0, 1) * 255).round().byte().numpy()
        enlarged = Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC)
        image.paste(enlarged, (index * (width + GAP_PX), LABEL_PX))
    return np.asarray(image)


def write_slides(path: Path, slides: Iterator[Frame], seconds: float) -> None:
    """Write sheets, each shown for some seconds, as .mp4 or, by the ending, as an endless .gif."""
    if path.suffix.lower() == ".gif":
        images = [Image.fromarray(slide) for slide in slides]
        images[0].save(path, save_all=True, append_images=images[1:], duration=round(1000 * seconds), loop=0)
        return
    fps = 10
    write_video(path, (slide for slide in slides for _ in range(max(1, round(seconds * fps)))), fps=fps)
