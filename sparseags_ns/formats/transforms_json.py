"""nerfstudio's `transforms.json`: OpenGL camera-to-world matrices, intrinsics for each frame or for all.

Read: `fl_x, fl_y, cx, cy, w, h` or `camera_angle_x` (radians), a frame's own before those of the file; a missing
principal point is the middle of the photo; `file_path` with or without an ending, relative to the file's folder or to
the scene's. Written: intrinsics with every frame. `name` (if it differs from the photo's file name) and `flag` (0: pose
not trusted) are our additions to a frame, which other readers ignore.

Lens distortion (`k1` to `k4`, `p1`, `p2`) is stored in `Frame.distortion` and applied nowhere in this module: K
describes the photo only after it has been undistorted.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from sparseags_ns.formats.frame import Distortion, Frame, default_names, find_image, intrinsics_matrix
from sparseags_ns.formats.json_entries import Entry, read_json
from sparseags_ns.geometry.cameras import opencv_from_opengl, opengl_from_opencv
from sparseags_ns.storage import write_json

PINHOLE_MODELS = {"OPENCV", "PINHOLE", "SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL", "PERSPECTIVE"}
FISHEYE_MODEL = "OPENCV_FISHEYE"

_SHARED_KEYS = {"fl_x", "fl_y", "cx", "cy", "w", "h", "camera_angle_x", "camera_angle_y", "camera_model"}
_SHARED_KEYS |= set(Distortion().coefficients)
_OWN_KEYS = _SHARED_KEYS | {"file_path", "transform_matrix", "name", "flag"}

_NO_FOCAL = "no focal length: expected 'fl_x' or 'camera_angle_x', in the frame or for the whole file"


def looks_like_transforms_json(content: dict[str, Any]) -> bool:
    """Whether a JSON object is in this format: it has a list of frames."""
    return isinstance(content.get("frames"), list)


def read_transforms_json(path: Path, scene: Path | None = None) -> list[Frame]:
    """The frames of a `transforms.json`, in its order.

    Args:
        scene: folder of the scene, if it is not the file's own. A photo is opened only for its size, where the file
            omits the size but needs it (`camera_angle_x` alone, or no principal point).

    Raises:
        PoseFileError: the file cannot be read, or an entry cannot be used.
    """
    content = read_json(path)
    listed = Entry(path, content).get("frames")
    if not isinstance(listed, list) or not listed:
        raise Entry(path, content).error("'frames' must be a list of at least one frame")
    shared = {key: content[key] for key in _SHARED_KEYS & set(content)}
    entries = []
    for index, fields in enumerate(listed):
        if not isinstance(fields, dict):
            raise Entry(path, {}, f"frames[{index}]").error(f"must be a JSON object, is a {type(fields).__name__}")
        label = fields.get("file_path", f"frames[{index}]")
        entries.append(Entry(path, {**shared, **fields}, str(label)))
    names = _names(entries)
    return [_frame(entry, name, scene or path.parent) for entry, name in zip(entries, names, strict=True)]


def write_transforms_json(path: Path, frames: Sequence[Frame]) -> None:
    """Write frames as a `transforms.json`, with their file paths unchanged.

    Raises:
        ValueError: fisheye and other lenses are mixed; the file has one camera model for all frames.
    """
    if len({frame.distortion.fisheye for frame in frames}) > 1:
        raise ValueError(f"cannot write {path}: fisheye and other lenses in one transforms.json")
    model = FISHEYE_MODEL if any(frame.distortion.fisheye for frame in frames) else "OPENCV"
    write_json(path, {"camera_model": model, "frames": [_fields(frame) for frame in frames]})


def _names(entries: list[Entry]) -> list[str]:
    """A unique name for each frame: its `name` if it has one, else the default name of its photo."""
    paths = [entry.text("file_path") for entry in entries]
    for path, count in Counter(paths).items():
        if count > 1:
            raise Entry(entries[0].file, {}, path).error(f"occurs {count} times in 'frames'; file paths must differ")
    pairs = zip(entries, default_names(paths), strict=True)
    names = [entry.text("name") if "name" in entry.fields else default for entry, default in pairs]
    for name, count in Counter(names).items():
        if count > 1:
            raise Entry(entries[0].file, {}, name).error(f"the name occurs {count} times; names must differ")
    return names


def _frame(entry: Entry, name: str, scene: Path) -> Frame:
    width, height = _size(entry, scene)
    rows = entry.get("transform_matrix")
    matrix = entry.numbers("transform_matrix", 3 if isinstance(rows, list) and len(rows) == 3 else 4, 4)
    if len(matrix) == 4 and (matrix[3] - torch.tensor([0.0, 0, 0, 1], dtype=matrix.dtype)).abs().max() > 1e-6:
        raise entry.error(f"the last row of 'transform_matrix' must be 0 0 0 1, is {matrix[3].tolist()}")
    R, scale = entry.rotation("transform_matrix", matrix[:3, :3])
    return Frame(
        name,
        entry.text("file_path"),
        opencv_from_opengl(torch.cat([R, matrix[:3, 3:]], dim=-1)),
        _intrinsics(entry, width, height),
        width,
        height,
        trusted=entry.flag("flag", default=True),
        distortion=_distortion(entry),
        matrix_scale=scale,
        extra={key: value for key, value in entry.fields.items() if key not in _OWN_KEYS},
    )


def _size(entry: Entry, scene: Path) -> tuple[int | None, int | None]:
    """Width and height of the file, or of the photo if the intrinsics depend on a size that the file omits."""
    width, height = entry.pixels("w"), entry.pixels("h")
    complete = {"fl_x", "cx", "cy"} <= set(entry.fields)
    if complete or (width is not None and height is not None):
        return width, height
    if not {"fl_x", "camera_angle_x"} & set(entry.fields):
        raise entry.error(_NO_FOCAL)
    image = find_image(entry.text("file_path"), entry.file, scene)
    if image is None:
        raise entry.error(
            f"without all of 'fl_x', 'cx' and 'cy' the photograph's size is needed, but 'w' or 'h' is missing and "
            f"there is no such photograph in {entry.file.parent} or {scene}"
        )
    try:
        with Image.open(image) as photo:
            return photo.size
    except (OSError, UnidentifiedImageError) as error:
        raise entry.error(f"the size of {image} cannot be read: {error}") from error


def _intrinsics(entry: Entry, width: int | None, height: int | None) -> Float[Tensor, "3 3"]:
    fx = _focal(entry, "fl_x", "camera_angle_x", width)
    if fx is None:
        raise entry.error(_NO_FOCAL)
    fy = _focal(entry, "fl_y", "camera_angle_y" if "fl_x" not in entry.fields else "", height)
    cx = entry.number("cx") if "cx" in entry.fields or width is None else width / 2
    cy = entry.number("cy") if "cy" in entry.fields or height is None else height / 2
    return intrinsics_matrix(fx, fx if fy is None else fy, cx, cy)


def _focal(entry: Entry, key: str, angle_key: str, size: int | None) -> float | None:
    """Focal length along one axis in pixels, None if the file does not state it."""
    if key in entry.fields:
        return entry.positive(key)
    if angle_key not in entry.fields or size is None:
        return None
    angle = entry.positive(angle_key)
    if angle >= math.pi:
        raise entry.error(f"'{angle_key}' must be in radians, below pi, is {angle:g}")
    return size / 2 / math.tan(angle / 2)


def _distortion(entry: Entry) -> Distortion:
    model = entry.text("camera_model") if "camera_model" in entry.fields else "OPENCV"
    if model not in PINHOLE_MODELS | {FISHEYE_MODEL}:
        known = ", ".join(sorted(PINHOLE_MODELS | {FISHEYE_MODEL}))
        raise entry.error(f"camera model {model!r} is not supported; supported are {known}")
    coefficients = {key: entry.number(key) for key in Distortion().coefficients if key in entry.fields}
    return Distortion(**coefficients, fisheye=model == FISHEYE_MODEL)


def _fields(frame: Frame) -> dict[str, Any]:
    fx, fy, cx, cy = frame.intrinsics
    fields: dict[str, Any] = {"file_path": frame.file_path}
    if frame.name != frame.stem:
        fields["name"] = frame.name
    fields.update(fl_x=fx, fl_y=fy, cx=cx, cy=cy)
    if frame.width is not None and frame.height is not None:
        fields.update(w=frame.width, h=frame.height)
    if not frame.distortion.is_none:
        fields.update(frame.distortion.coefficients)
    if not frame.trusted:
        fields["flag"] = 0
    fields["transform_matrix"] = opengl_from_opencv(frame.T_camera_world).tolist()
    return {**frame.extra, **fields}
