"""Writing COLMAP models, text and binary, as COLMAP itself writes them: `cameras`, `images`, `points3D`.

Every photograph has a PINHOLE camera of its own, because each has its own intrinsics. Pixels are ours: (0, 0) is the
corner of the photograph. COLMAP 3.12 and later read models without `rigs` and `frames`, and make those themselves.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from sparseags_ns.formats.frame import Frame
from sparseags_ns.geometry import se3
from sparseags_ns.storage import write_bytes

PINHOLE = 1


@dataclass(frozen=True)
class SeenPoints:
    """Points of a model and where the photographs show them."""

    positions: Float[Tensor, "points 3"]
    colors: Float[Tensor, "points 3"]
    """sRGB, 0 to 1."""
    pixels: Float[Tensor, "views points 2"]
    """Column and row in each photograph; means something only where the point is seen."""
    seen: Bool[Tensor, "views points"]

    def __len__(self) -> int:
        return len(self.positions)


@dataclass(frozen=True)
class _Image:
    """A photograph's record; `points` are the places of its 2D points and the numbers of their 3D points."""

    number: int
    quaternion: list[float]
    translation: list[float]
    name: str
    points: list[tuple[float, float, int]]


@dataclass(frozen=True)
class _Point:
    """A point's record; `track` lists photographs' numbers and the indices of its 2D points in them."""

    number: int
    position: list[float]
    color: list[int]
    track: list[tuple[int, int]]


def write_colmap(folder: Path, frames: Sequence[Frame], points: SeenPoints, kind: Literal["bin", "txt"]) -> None:
    """Write a model into a folder.

    Args:
        frames: photographs in order; their file paths are written as photographs' names. Without lens distortion.
        points: exact projections, so that their reprojection errors are zero.

    Raises:
        ValueError: a photograph's size is not known, or it is distorted.
    """
    for frame in frames:
        if frame.width is None or frame.height is None or not frame.distortion.is_none:
            raise ValueError(f"cannot write {folder}: view '{frame.name}' must have a size and no lens distortion")
    images, records = _records(frames, points)
    folder.mkdir(parents=True, exist_ok=True)
    if kind == "bin":
        write_bytes(folder / "cameras.bin", _counted(frames, map(_camera_bytes, range(1, len(frames) + 1), frames)))
        write_bytes(folder / "images.bin", _counted(images, map(_image_bytes, images)))
        write_bytes(folder / "points3D.bin", _counted(records, map(_point_bytes, records)))
    else:
        write_bytes(folder / "cameras.txt", _lines(map(_camera_line, range(1, len(frames) + 1), frames)))
        write_bytes(folder / "images.txt", _lines(map(_image_lines, images)))
        write_bytes(folder / "points3D.txt", _lines(map(_point_line, records)))


def _records(frames: Sequence[Frame], points: SeenPoints) -> tuple[list[_Image], list[_Point]]:
    """Photographs and points with their ties; numbers count from 1."""
    tracks: list[list[tuple[int, int]]] = [[] for _ in range(len(points))]
    images = []
    for view, frame in enumerate(frames):
        shown = points.seen[view].nonzero().flatten().tolist()
        places = points.pixels[view, points.seen[view]].double().tolist()
        for index, point in enumerate(shown):
            tracks[point].append((view + 1, index))
        T = frame.T_camera_world.double()
        quaternion = se3.quats_from_rotations(T[:3, :3]).tolist()
        ties = [(x, y, point + 1) for (x, y), point in zip(places, shown, strict=True)]
        images.append(_Image(view + 1, quaternion, T[:3, 3].tolist(), frame.file_path, ties))
    positions = points.positions.double().tolist()
    colors = (points.colors.clamp(0, 1) * 255).round().to(torch.uint8).tolist()
    rows = zip(positions, colors, tracks, strict=True)
    return images, [_Point(number, *row) for number, row in enumerate(rows, start=1)]


def _camera_bytes(number: int, frame: Frame) -> bytes:
    return struct.pack("<iiQQ4d", number, PINHOLE, frame.width, frame.height, *frame.intrinsics)


def _image_bytes(image: _Image) -> bytes:
    head = struct.pack("<i7di", image.number, *image.quaternion, *image.translation, image.number)
    ties = b"".join(struct.pack("<ddq", *tie) for tie in image.points)
    return head + image.name.encode() + b"\0" + struct.pack("<Q", len(image.points)) + ties


def _point_bytes(point: _Point) -> bytes:
    head = struct.pack("<Q3d3BdQ", point.number, *point.position, *point.color, 0.0, len(point.track))
    return head + b"".join(struct.pack("<ii", *tie) for tie in point.track)


def _camera_line(number: int, frame: Frame) -> str:
    return _joined(number, "PINHOLE", frame.width, frame.height, *frame.intrinsics)


def _image_lines(image: _Image) -> str:
    head = _joined(image.number, *image.quaternion, *image.translation, image.number, image.name)
    return head + "\n" + " ".join(_joined(*tie) for tie in image.points)


def _point_line(point: _Point) -> str:
    return _joined(point.number, *point.position, *point.color, 0.0, *(part for tie in point.track for part in tie))


def _joined(*values: object) -> str:
    return " ".join(repr(value) if isinstance(value, float) else str(value) for value in values)


def _lines(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def _counted(things: Sequence[object], records: Iterable[bytes]) -> bytes:
    return struct.pack("<Q", len(things)) + b"".join(records)
