"""How many points of another program's model support each of its cameras, judged by where the photographs show them.

Errors are computed from the observations, not taken from the file, and compared in working pixels: those of the images
that are trained on.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sparseags_ns.formats.colmap import Observations

MIN_PHOTOGRAPHS = 3
"""Different photographs that must show a point where it is: two rays always nearly meet, a third one confirms."""

MAX_ERROR = 1.0
"""Largest distance in working pixels between a supporting point's projection and where the photograph shows it.
Refinement itself is accurate to a fraction of that; the mean over a hundred points is far below."""


def supporting_points(observations: Observations, working_px: Float[Tensor, " photos"]) -> Int[Tensor, " photos"]:
    """Number of points that support each photo's camera.

    A point supports the cameras of the photographs that show it within `MAX_ERROR` of its projection, if these are at
    least `MIN_PHOTOGRAPHS`. Where fewer than half of such points of a photograph support it, none does: among very many
    points of a rough model, a hundred are right by chance.

    Args:
        working_px: working pixels for each pixel of the model's photos.
    """
    photos, points = observations.photos[observations.measured], observations.points[observations.measured]
    near = observations.errors_px[observations.measured] * working_px[photos] <= MAX_ERROR
    count, total = len(working_px), int(points.max()) + 1 if len(points) else 0
    shown = torch.bincount(points, minlength=total)[points] >= MIN_PHOTOGRAPHS
    confirmed = near & (torch.bincount(points[near], minlength=total)[points] >= MIN_PHOTOGRAPHS)
    support = torch.bincount(photos[confirmed], minlength=count)
    return torch.where(2 * support >= torch.bincount(photos[shown], minlength=count), support, 0)
