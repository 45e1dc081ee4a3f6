"""nerfstudio's and instant-ngp's `transforms.json`: OpenGL camera-to-world matrices, intrinsics for each frame or all.

Read: `fl_x, fl_y, cx, cy, w, h`, or `camera_angle_x` (radians) or `x_fov` (degrees) in place of `fl_x`, a frame's own
before those of the file; a missing principal point is the middle of the photo; `file_path` with or without an ending,
relative to the file's folder or to the scene's. Written: intrinsics with every frame. `name` (if it differs from the
photo's file name) and `flag` (0: pose not trusted) are our additions to a frame, which other readers ignore.

Lens distortion (`k1` to `k4`, `p1`, `p2`, or `distortion_params`; `camera_model` or `is_fisheye`) is stored in
`Frame.distortion` and applied nowhere in this module: K describes the photo only after it has been undistorted. Other
keys that say how the camera maps points to pixels (`latlong`, `ftheta_p0`, `rolling_shutter`, ...) are refused.
"""

from __future__ import annotations

import math
import re
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

_PARAMS = ("k1", "k2", "k3", "k4", "p1", "p2")
"""Coefficients in `distortion_params`, in nerfstudio's order."""

_SHARED_KEYS = {"fl_x", "fl_y", "cx", "cy", "w", "h", "camera_angle_x", "camera_angle_y", "x_fov", "y_fov"}
_SHARED_KEYS |= {"camera_model", "is_fisheye", "distortion_params", *Distortion().coefficients}
_OWN_KEYS = _SHARED_KEYS | {"file_path", "transform_matrix", "name", "flag"}

_NO_FOCAL = "no focal length: expected 'fl_x' or 'camera_angle_x', in the frame or for the whole file"

_OTHER_LENS = re.compile(
    r"fisheye(?!_crop)|lat_?lon|equirect|spherical|panoram|cylind|ortho(?!rect)|omnidirect|ftheta|distort|undistort"
    r"|lens_?(model|type|mode|param)|projection|camera_(type|mode|projection)|skew|shear|rolling_?shutter|thin_prism"
    r"|dist_?(coef|param)|^(lens_)?shift_?[xy]$|^(k[5-9]|p[3-9]|s[1-4]|b[12]|xi)$",
    re.IGNORECASE,
)
"""Keys that say how a camera maps points to pixels, in words of instant-ngp, nerfstudio, OpenCV, Metashape and kin."""
_CAMERA_KEY = re.compile(r"cam|lens|model", re.IGNORECASE)
"""Keys that may hold a word for a lens or projection, as in "lens": "fisheye"."""
_PINHOLE_WORDS = {"", "none", "persp", "perspective", "pinhole", "simple_pinhole", "opencv", "global", "frame"}
"""Values of such keys that say nothing new, in lower case."""

_SAME_FOCAL = 0.01
"""Largest relative difference of two focal lengths that are stated for one axis."""


def looks_like_transforms_json(content: dict[str, Any]) -> bool:
    """Whether a JSON object is in this format: it has a list of frames."""
    return isinstance(content.get("frames"), list)


def read_transforms_json(path: Path, scene: Path | None = None) -> list[Frame]:
    """The frames of a `transforms.json`, in its order.

    Args:
        scene: folder of the scene, if it is not the file's own. A photo is opened only for its size, where the file
            omits the size but needs it (`camera_angle_x` alone, or no principal point). Where that photo is absent,
            another one of the file is opened.

    Raises:
        PoseFileError: the file cannot be read, or an entry cannot be used.
    """
    content = read_json(path)
    listed = Entry(path, content).get("frames")
    if not isinstance(listed, list) or not listed:
        raise Entry(path, content).error("'frames' must be a list of at least one frame")
    shared = {key: content[key] for key in _SHARED_KEYS & set(content)}
    _refuse_other_lenses(Entry(path, {key: value for key, value in content.items() if key != "frames"}))
    entries = []
    for index, fields in enumerate(listed):
        if not isinstance(fields, dict):
            raise Entry(path, {}, f"frames[{index}]").error(f"must be a JSON object, is a {type(fields).__name__}")
        label = fields.get("file_path", f"frames[{index}]")
        entries.append(Entry(path, {**shared, **fields}, str(label)))
        _refuse_other_lenses(entries[-1])
    names, folder = _names(entries), scene or path.parent
    present = (find_image(entry.text("file_path"), path, folder) for entry in entries)
    some_photo = next((photo for photo in present if photo is not None), None)
    return [_frame(entry, name, folder, some_photo) for entry, name in zip(entries, names, strict=True)]


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


def _refuse_other_lenses(entry: Entry) -> None:
    """Raise a PoseFileError for a key that changes the camera and is not read here."""
    for key, value in entry.fields.items():
        if key in _OWN_KEYS:
            continue
        is_lens_key = _OTHER_LENS.search(key) and not _says_nothing(value)
        if is_lens_key or (_CAMERA_KEY.search(key) and _names_other_lens(value)):
            raise entry.error(
                f"'{key}' ({value!r}) changes how the camera maps points to pixels, and is not read here. Make pinhole "
                "photographs of these and name them in the file, or take the key out if it does not describe them"
            )


def _names_other_lens(value: object) -> bool:
    """Whether a text, or one in a list or an object, is a word for another lens or projection."""
    if isinstance(value, list | dict):
        return any(map(_names_other_lens, value.values() if isinstance(value, dict) else value))
    return isinstance(value, str) and _OTHER_LENS.search(value) is not None


def _says_nothing(value: object) -> bool:
    """Whether the value of such a key leaves a pinhole camera what it is: false, zeros, or a word for it."""
    if isinstance(value, list | dict):
        return all(map(_says_nothing, value.values() if isinstance(value, dict) else value))
    return value.lower() in _PINHOLE_WORDS if isinstance(value, str) else not value


def _frame(entry: Entry, name: str, scene: Path, some_photo: Path | None) -> Frame:
    width, height = _size(entry, scene, some_photo)
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


def _size(entry: Entry, scene: Path, some_photo: Path | None) -> tuple[int | None, int | None]:
    """Width and height of the file, or of the photo if the intrinsics depend on a size that the file omits."""
    width, height = entry.pixels("w"), entry.pixels("h")
    complete = {"fl_x", "cx", "cy"} <= set(entry.fields)
    if complete or (width is not None and height is not None):
        return width, height
    if not {"fl_x", "camera_angle_x", "x_fov"} & set(entry.fields):
        raise entry.error(_NO_FOCAL)
    image = find_image(entry.text("file_path"), entry.file, scene) or some_photo
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
    fx = _focal(entry, "x", width)
    if fx is None:
        raise entry.error(_NO_FOCAL)
    fy = _focal(entry, "y", height)
    cx = entry.number("cx") if "cx" in entry.fields or width is None else width / 2
    cy = entry.number("cy") if "cy" in entry.fields or height is None else height / 2
    return intrinsics_matrix(fx, fx if fy is None else fy, cx, cy)


def _focal(entry: Entry, axis: str, size: int | None) -> float | None:
    """Focal length along one axis in pixels, None if the file does not state it.

    `camera_angle_y` counts only where the file has no `fl_x`: many files with both hold it for another size.
    """
    key, angle_key, degrees_key = f"fl_{axis}", f"camera_angle_{axis}", f"{axis}_fov"
    stated = entry.positive(key) if key in entry.fields else None
    degrees = entry.positive(degrees_key) if degrees_key in entry.fields else None
    if degrees is not None and degrees >= 180:
        raise entry.error(f"'{degrees_key}' must be in degrees, below 180, is {degrees:g}")
    if size is None:
        return stated
    angles = [math.radians(degrees)] if degrees is not None else []
    if stated is None and angle_key in entry.fields and (axis == "x" or "fl_x" not in entry.fields):
        angle = entry.positive(angle_key)
        if angle >= math.pi:
            raise entry.error(f"'{angle_key}' must be in radians, below pi, is {angle:g}")
        angles.insert(0, angle)
    focals = [*([] if stated is None else [stated]), *(size / 2 / math.tan(angle / 2) for angle in angles)]
    if focals and max(focals) > min(focals) * (1 + _SAME_FOCAL):
        both = " and ".join(f"{focal:.1f}" for focal in focals)
        raise entry.error(f"'{degrees_key}' contradicts the other focal length: {both} pixels; remove the wrong one")
    return focals[0] if focals else None


def _distortion(entry: Entry) -> Distortion:
    model = entry.text("camera_model").upper() if "camera_model" in entry.fields else None
    if model is not None and model not in PINHOLE_MODELS | {FISHEYE_MODEL}:
        known = ", ".join(sorted(PINHOLE_MODELS | {FISHEYE_MODEL}))
        raise entry.error(f"camera model {entry.get('camera_model')!r} is not supported; supported are {known}")
    fisheye = entry.flag("is_fisheye", default=model == FISHEYE_MODEL)
    if model is not None and fisheye != (model == FISHEYE_MODEL):
        raise entry.error(f"'is_fisheye' contradicts the camera model {model!r}; remove the wrong one")
    coefficients = {key: entry.number(key) for key in Distortion().coefficients if key in entry.fields}
    if entry.fields.get("distortion_params") is not None:
        values = entry.numbers("distortion_params", len(_PARAMS)).tolist()
        coefficients = dict(zip(_PARAMS, values, strict=True))
    return Distortion(**coefficients, fisheye=fisheye)


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
