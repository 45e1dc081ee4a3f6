"""Whether the cameras of a pose file belong to the photographs as stored or as their EXIF tags rotate them.

COLMAP, VGGT, nerfstudio, instant-ngp and 3DGS read the stored raster; DUSt3R and what builds on it rotate first. The
size in the pose file tells the two apart where sides are swapped. Elsewhere (squares, rotations by 180 degrees,
mirrorings) the colours of the points do, if the file has any; without them the usual meaning of the formats counts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.console import warn
from sparseags_ns.formats.frame import Frame
from sparseags_ns.formats.projection import project_points
from sparseags_ns.pose_init.base import InitialPoses
from sparseags_ns.preprocess.photo_files import PhotoFile, listed, read_pixels
from sparseags_ns.preprocess.posed_photo_files import fitting_rasters

EXIF_APPLIED = "exif_applied"
"""Our key of a frame in JSON files: whether its camera belongs to the photograph after the EXIF rotation."""

_MIN_POINTS = 50
_MIN_CORRELATION, _MIN_LEAD = 0.4, 0.2
"""Correlation of the points' colours with the photograph's that counts as agreement, and least lead over the other."""
_READ_PX = 512


def decide_orientations(photo_files: Sequence[PhotoFile], initial: InitialPoses, pose_file: Path) -> list[bool]:
    """Whether the EXIF rotation is to be applied to each photo file where its size does not tell; a warning names those
    that are decided by the usual meaning of the format.

    Raises:
        PhotoError: the pixels of a photo file cannot be read.
    """
    decisions, unsure = [], []
    for photo_file, frame in zip(photo_files, initial.frames, strict=True):
        applied = None if frame is None else frame.extra.get(EXIF_APPLIED)
        if frame is None or not photo_file.has_rotation or isinstance(applied, bool):
            decisions.append(applied is not False)
            continue
        decision = _upright_by_shape(photo_file, frame)
        if decision is None:
            decision = upright_by_colours(photo_file, frame, *_points(frame, initial))
        decisions.append(bool(decision))
        if decision is None:
            unsure.append(photo_file.path.name)
    if unsure:
        warn(
            f"EXIF rotation left alone: {listed(unsure)}",
            f"shape and colours do not tell which way up {pose_file} means them; such files usually mean photographs "
            "as stored. If their cameras come out rotated, save the photographs upright, without the tag",
        )
    return decisions


def _upright_by_shape(photo_file: PhotoFile, frame: Frame) -> bool | None:
    """Whether size or, where the file has none, principal point of the frame are of the upright photograph; None if
    they may be of either raster.
    """
    upright, stored = fitting_rasters(photo_file, frame)
    if not (upright and stored):
        return upright
    if photo_file.upright_size == photo_file.stored_size or None not in (frame.width, frame.height):
        return None
    point = frame.intrinsics[2:]
    return math.dist(point, _middle(photo_file.upright_size)) < math.dist(point, _middle(photo_file.stored_size))


def _middle(size: tuple[int, int]) -> tuple[float, float]:
    return size[0] / 2, size[1] / 2


def upright_by_colours(
    photo_file: PhotoFile, frame: Frame, positions: Float[Tensor, "points 3"], colors: Float[Tensor, "points 3"]
) -> bool | None:
    """Whether points have the colours of the photograph after its EXIF rotation, rather than of the stored raster.

    Args:
        positions: points that the photograph shows, in the world of the frame.
        colors: sRGB, 0 to 1.

    Returns:
        None if neither orientation is clearly better, for example because the points have no colours.
    """
    width, height = photo_file.stored_size
    size = torch.tensor([frame.width or width, frame.height or height])
    places = project_points(frame, positions) / size
    inside = ((places >= 0) & (places < 1)).all(-1)
    if int(inside.sum()) < _MIN_POINTS:
        return None
    stored, upright = (
        _correlation(colors[inside], _sampled(photo_file.path, places[inside], upright)) for upright in (False, True)
    )
    clear = max(stored, upright) >= _MIN_CORRELATION and abs(upright - stored) >= _MIN_LEAD
    return upright > stored if clear else None


def _points(frame: Frame, initial: InitialPoses) -> tuple[Float[Tensor, "points 3"], Float[Tensor, "points 3"]]:
    """Positions and colours of the points that a photo shows, of all points where that is not known."""
    if initial.points is None:
        return torch.zeros(0, 3), torch.zeros(0, 3)
    seen = slice(None)
    observations = initial.observations
    if observations is not None and frame.file_path in observations.file_paths:
        shown = observations.points[observations.photos == observations.file_paths.index(frame.file_path)]
        seen = shown if len(shown) else seen
    return initial.points.positions[seen], initial.points.colors[seen]


def _sampled(path: Path, places: Float[Tensor, "points 2"], upright: bool) -> Float[Tensor, "points 3"]:
    """Colours of a photo at places given as shares of its sides."""
    rgb = read_pixels(path, upright=upright, max_px=_READ_PX).rgb
    column, row = (places * torch.tensor([rgb.shape[1], rgb.shape[0]])).long().unbind(-1)
    return rgb[row, column]


def _correlation(a: Float[Tensor, "points 3"], b: Float[Tensor, "points 3"]) -> float:
    """Correlation of two sets of colours, over all channels; 0 where either does not vary."""
    a, b = a.double() - a.double().mean(0), b.double() - b.double().mean(0)
    return float((a * b).sum() / (a.norm() * b.norm()).clamp(min=1e-6))
