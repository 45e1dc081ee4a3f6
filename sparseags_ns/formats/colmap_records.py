"""The records of COLMAP's model files `cameras`, `images` and `points3D`, read and written, text or binary.

Binary files are little-endian: the number of records, then one after the other. In the text files `#` starts a comment
line, and each image takes two lines, the second of which, its 2D points, may be empty. Names are UTF-8; other bytes in
them are kept as `os.fsdecode` does it, since COLMAP writes names as the file system has them.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float

from sparseags_ns.formats.frame import PoseFileError, read_text, require_content
from sparseags_ns.storage import write_bytes

MODELS: dict[int, tuple[str, int]] = {
    0: ("SIMPLE_PINHOLE", 3),
    1: ("PINHOLE", 4),
    2: ("SIMPLE_RADIAL", 4),
    3: ("RADIAL", 5),
    4: ("OPENCV", 8),
    5: ("OPENCV_FISHEYE", 8),
    6: ("FULL_OPENCV", 12),
    7: ("FOV", 5),
    8: ("SIMPLE_RADIAL_FISHEYE", 4),
    9: ("RADIAL_FISHEYE", 5),
    10: ("THIN_PRISM_FISHEYE", 12),
    11: ("RAD_TAN_THIN_PRISM_FISHEYE", 16),
    12: ("SIMPLE_DIVISION", 4),
    13: ("DIVISION", 5),
    14: ("SIMPLE_FISHEYE", 3),
    15: ("FISHEYE", 4),
    16: ("EUCM", 6),
}
"""COLMAP's camera models by number: name, and number of parameters."""


@dataclass(frozen=True)
class CameraRecord:
    """One line of `cameras`."""

    id: int
    model: str
    width: int
    height: int
    params: tuple[float, ...]


@dataclass(frozen=True)
class ImageRecord:
    """One image of `images`: a photo and its pose."""

    id: int
    name: str
    camera_id: int
    quaternion: tuple[float, ...]
    """w x y z of the rotation from the world to the camera."""
    translation: tuple[float, ...]
    points: Float[np.ndarray, "points 3"] = field(default_factory=lambda: np.zeros((0, 3)), compare=False)
    """2D points: column and row in pixels, and the id of their 3D point, -1 for none."""


@dataclass(frozen=True)
class PointRecord:
    """One point of `points3D`."""

    id: int
    position: tuple[float, ...]
    color: tuple[int, ...]
    """0 to 255."""
    error_px: float
    """Mean reprojection error."""
    track: tuple[int, ...]
    """Alternately the id of an image that shows the point, and the index of the image's 2D point."""


_POINT_2D = np.dtype([("x", "<f8"), ("y", "<f8"), ("id", "<i8")])

Record = TypeVar("Record", CameraRecord, ImageRecord, PointRecord)


class _Bytes:
    """Sequential reader of a binary file."""

    def __init__(self, file: Path) -> None:
        self.file, self._content, self._at = file, file.read_bytes(), 0

    def table(self, dtype: np.dtype, rows: int) -> np.ndarray:
        """The next rows of a table."""
        table = np.frombuffer(self._content, dtype, rows, self._at)
        self._at += rows * dtype.itemsize
        return table

    def take(self, layout: str) -> tuple[Any, ...]:
        values = struct.unpack_from("<" + layout, self._content, self._at)
        self._at += struct.calcsize("<" + layout)
        return values

    def text(self) -> str:
        end = self._content.index(b"\0", self._at)
        text = self._content[self._at : end].decode("utf-8", "surrogateescape")
        self._at = end + 1
        return text


def read_records(file: Path, kind: type[Record]) -> list[Record]:
    """All records of a `.bin` or `.txt` file, which holds records of one kind.

    Raises:
        PoseFileError: the file cannot be read, is cut off or holds something else.
    """
    binary, text = _READERS[kind]
    if kind is not PointRecord and file.suffix == ".txt":  # an empty points3D.txt is how COLMAP is told known poses
        require_content(file)
    try:
        if file.suffix == ".bin":
            source = _Bytes(file)
            return [binary(source) for _ in range(source.take("Q")[0])]
        lines = (line.strip() for line in read_text(file).splitlines())
        return list(text(line for line in lines if not line.startswith("#")))
    except PoseFileError:
        raise
    except OSError as error:
        raise PoseFileError(file, f"cannot be read: {error.strerror or error}") from error
    except (struct.error, ValueError, IndexError, KeyError, MemoryError, OverflowError) as error:
        empty = " (it has 0 bytes)" if file.stat().st_size == 0 else ""
        problem = f"is cut off, damaged or no file of a COLMAP model{empty}; copy it again from its source"
        raise PoseFileError(file, problem) from error


def _camera_from_bytes(source: _Bytes) -> CameraRecord:
    number, model, width, height = source.take("iiQQ")
    if model not in MODELS:
        # How many parameters follow is not known, so nothing after it can be read either.
        raise PoseFileError(source.file, f"camera {number} is of model {model}, which is not known here")
    name, count = MODELS[model]
    return CameraRecord(number, name, width, height, source.take(f"{count}d"))


def _image_from_bytes(source: _Bytes) -> ImageRecord:
    number, *pose, camera_id = source.take("i7di")
    name = source.text()
    table = source.table(_POINT_2D, source.take("Q")[0])
    points = np.stack([table[name].astype(np.float64) for name in ("x", "y", "id")], axis=-1)
    return ImageRecord(number, name, camera_id, tuple(pose[:4]), tuple(pose[4:]), points)


def _point_from_bytes(source: _Bytes) -> PointRecord:
    number, *position, red, green, blue, error, length = source.take("Q3d3BdQ")
    return PointRecord(number, tuple(position), (red, green, blue), error, source.take(f"{2 * length}i"))


def _cameras_from_lines(lines: Iterator[str]) -> Iterator[CameraRecord]:
    for line in filter(None, lines):
        number, model, width, height, *params = line.split()
        yield CameraRecord(_whole(number), model, _whole(width), _whole(height), tuple(map(float, params)))


def _images_from_lines(lines: Iterator[str]) -> Iterator[ImageRecord]:
    lines = _with_point_lines(filter(None, lines))
    for line in lines:
        number, *pose, camera_id, name = line.split(maxsplit=9)
        if len(pose) != 7:
            raise ValueError("a pose has seven numbers")
        points = np.array(next(lines, "").split(), dtype=np.float64).reshape(-1, 3)
        quaternion, translation = tuple(map(float, pose[:4])), tuple(map(float, pose[4:]))
        yield ImageRecord(_whole(number), name, _whole(camera_id), quaternion, translation, points)


def _with_point_lines(lines: Iterator[str]) -> Iterator[str]:
    """The lines of images and of their 2D points in turn, empty ones for images without points.

    COLMAP writes an empty line for an image without points. Where other programs leave it out, the next image follows.
    """
    is_image_next = True
    for line in lines:
        is_points = not is_image_next and _holds_points(line)
        if not (is_image_next or is_points):
            yield ""
        yield line
        is_image_next = is_points


def _holds_points(line: str) -> bool:
    """Whether a line holds 2D points: triples of numbers. That of an image ends in a name."""
    words = line.split()
    try:
        return len(words) % 3 == 0 and all(map(math.isfinite, map(float, words)))
    except ValueError:
        return False


def _points_from_lines(lines: Iterator[str]) -> Iterator[PointRecord]:
    for line in filter(None, lines):
        number, x, y, z, red, green, blue, error, *track = line.split()
        position, color = (float(x), float(y), float(z)), (_whole(red), _whole(green), _whole(blue))
        if len(track) % 2:
            raise ValueError("a track holds pairs of numbers")
        yield PointRecord(_whole(number), position, color, float(error), tuple(map(_whole, track)))


def _whole(text: str) -> int:
    """A whole number of 64 bits, which some programs write as 256.0."""
    try:
        number = int(text)
    except ValueError:
        if not float(text).is_integer():
            raise
        number = int(float(text))
    if abs(number) >= 2**63:
        raise ValueError("a whole number has 64 bits")
    return number


_READERS: dict[type, tuple[Callable[[_Bytes], Any], Callable[[Iterator[str]], Iterator[Any]]]] = {
    CameraRecord: (_camera_from_bytes, _cameras_from_lines),
    ImageRecord: (_image_from_bytes, _images_from_lines),
    PointRecord: (_point_from_bytes, _points_from_lines),
}


def write_records(file: Path, records: Sequence[CameraRecord | ImageRecord | PointRecord]) -> None:
    """Write records of one kind to a `.bin` or `.txt` file, as COLMAP itself writes them."""
    if file.suffix == ".bin":
        write_bytes(file, struct.pack("<Q", len(records)) + b"".join(map(_to_bytes, records)))
    else:
        write_bytes(file, "".join(f"{_to_text(record)}\n" for record in records).encode("utf-8", "surrogateescape"))


def _to_bytes(record: CameraRecord | ImageRecord | PointRecord) -> bytes:
    if isinstance(record, CameraRecord):
        number = next(number for number, (name, _) in MODELS.items() if name == record.model)
        layout = f"<iiQQ{len(record.params)}d"
        return struct.pack(layout, record.id, number, record.width, record.height, *record.params)
    if isinstance(record, ImageRecord):
        head = struct.pack("<i7di", record.id, *record.quaternion, *record.translation, record.camera_id)
        points = np.empty(len(record.points), _POINT_2D)
        points["x"], points["y"], points["id"] = record.points.T
        return (
            head
            + record.name.encode("utf-8", "surrogateescape")
            + b"\0"
            + struct.pack("<Q", len(points))
            + points.tobytes()
        )
    head = (record.id, *record.position, *record.color, record.error_px, len(record.track) // 2)
    return struct.pack(f"<Q3d3BdQ{len(record.track)}i", *head, *record.track)


def _to_text(record: CameraRecord | ImageRecord | PointRecord) -> str:
    if isinstance(record, CameraRecord):
        return _joined(record.id, record.model, record.width, record.height, *record.params)
    if isinstance(record, ImageRecord):
        head = _joined(record.id, *record.quaternion, *record.translation, record.camera_id, record.name)
        return head + "\n" + " ".join(_joined(x, y, int(point)) for x, y, point in record.points.tolist())
    return _joined(record.id, *record.position, *record.color, record.error_px, *record.track)


def _joined(*values: object) -> str:
    return " ".join(map(str, values))
