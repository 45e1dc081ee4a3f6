"""Whether all photographs were taken through one lens setting, and how much each was enlarged since.

A pose initialiser estimates the focal length of each photograph by itself. Where one camera took them all, without
zooming, those estimates differ by noise only.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.preprocess.picture import Picture
from sparseags_ns.preprocess.rasters import Raster

LARGEST_SPREAD = 1.25
"""Largest over smallest focal length up to which the difference may be noise; a zoom lens is moved by more."""
_SAME_POINT = 1e-3
"""Principal points are the same if they differ by less than this share of the photograph's width."""


def shared_focal_scales(rasters: Sequence[Raster], pictures: Sequence[Picture]) -> Float[Tensor, " views"] | None:
    """Focal length of each picture over that of its photograph; None unless one lens setting can have taken all.

    Photographs of one camera have one size and one principal point; crops that somebody else made have neither.
    """
    sizes = {(raster.frame.width or raster.size[0], raster.frame.height or raster.size[1]) for raster in rasters}
    fx, fy, cx, cy = (
        torch.tensor(column, dtype=torch.float64)
        for column in zip(*(raster.frame.intrinsics for raster in rasters), strict=True)
    )
    if len(sizes) != 1:
        return None
    width = sizes.pop()[0]
    points_differ = max(float(point.max() - point.min()) for point in (cx, cy)) > _SAME_POINT * width
    if points_differ or float(fx.max() / fx.min()) > LARGEST_SPREAD or float((fx / fy - 1).abs().max()) > _SAME_POINT:
        return None
    return torch.stack([picture.K[0, 0] for picture in pictures]).to(fx) / fx
