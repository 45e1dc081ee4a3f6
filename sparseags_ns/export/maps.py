"""Depth maps and masks of the views, as images that other programs read.

Depth is z along the optical axis, in units of the export's world; 0 where the splat covers less than half of the pixel.

    depth/NAME.png                 16 bits; value * `units_per_value` of export.json is the depth
    depth/NAME.png.geometric.bin   COLMAP's depth maps: `width&height&1&`, then float32, row by row
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from sparseags_ns.export.orientation import OrientedRun
from sparseags_ns.export.visible import Progress, render_views, solid_depth
from sparseags_ns.storage import write_bytes

_LARGEST_VALUE = 65535


def write_depths(folder: Path, oriented: OrientedRun, kept: Sequence[int], progress: Progress | None) -> dict[str, Any]:
    """Write the depth maps of the refined cameras `kept`; returns their part of `export.json`."""
    run = oriented.run
    names = [run.views.names[view] for view in kept]
    raster = render_views(run.gaussians, run.refined.detach()[list(kept)], run.sh_degree, progress=progress)
    depths = solid_depth(raster).cpu() * float(oriented.from_world.scale)
    unit = png_unit(float(depths.max()))
    for name, depth in zip(names, depths, strict=True):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        values = (depth / unit).round().clamp(0, _LARGEST_VALUE).numpy().astype(np.uint16)
        Image.fromarray(values).save(folder / f"{name}.png")
        write_colmap_map(folder / f"{name}.png.geometric.bin", depth)
    return {
        "views": names,
        "depth": "z along the optical axis of the refined camera; 0 where the splat covers less than half of the pixel",
        "units_per_value": unit,
        "png": "16 bits; depth in units of the export's world = value * units_per_value",
        "bin": "COLMAP's depth map: width&height&1&, then float32 row by row",
    }


def png_unit(largest: float) -> float:
    """Depth of one step of a 16-bit PNG: the smallest power of ten with which the largest depth fits."""
    return 10.0 ** math.ceil(math.log10(max(largest, 1e-12) / _LARGEST_VALUE))


def write_colmap_map(path: Path, values: Float[Tensor, "height width"]) -> None:
    """Write a map in the format of COLMAP's dense stereo."""
    height, width = values.shape
    content = values.detach().cpu().contiguous().numpy().astype("<f4").tobytes()
    write_bytes(path, f"{width}&{height}&1&".encode("ascii") + content)


def read_colmap_map(path: Path) -> Float[Tensor, "height width"]:
    """Read a map with one channel that `write_colmap_map` or COLMAP wrote.

    Raises:
        ValueError: the map has more channels.
    """
    width, height, channels, content = path.read_bytes().split(b"&", 3)
    if int(channels) != 1:
        raise ValueError(f"{path} must have one channel, has {int(channels)}")
    return torch.from_numpy(np.frombuffer(content, "<f4").reshape(int(height), int(width)).copy())


def write_masks(
    folder: Path,
    oriented: OrientedRun,
    kept: Sequence[int],
    source: Literal["photographs", "splat"],
    colmap_names: bool,
    progress: Progress | None,
) -> dict[str, Any]:
    """Write 8-bit masks of the views `kept`, white for the object; returns their part of `export.json`.

    Args:
        source: the masks that the run was trained with, or the splat's alpha in the refined cameras.
        colmap_names: name the files NAME.png.png, as COLMAP's mask_path expects, instead of NAME.png.
    """
    views = oriented.run.views
    masks, names = views.masks[list(kept)], [views.names[view] for view in kept]
    if source == "splat":
        run = oriented.run
        masks = render_views(run.gaussians, run.refined.detach()[list(kept)], run.sh_degree, progress=progress).alpha
    for name, mask in zip(names, masks.cpu(), strict=True):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = (mask.clamp(0, 1) * 255).round().byte().numpy()
        Image.fromarray(pixels).save(folder / (f"{name}.png.png" if colmap_names else f"{name}.png"))
    return {"views": names, "masks": "8 bits, 255 where the object covers the pixel", "source": source}
