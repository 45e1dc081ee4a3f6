"""nerfstudio's and instant-ngp's `transforms.json`: OpenGL camera-to-world matrices, intrinsics for each frame or all.

`camera_keys` says which keys of the camera are read; a missing principal point is the middle of the photo; `file_path`
is with or without an ending, relative to the file's folder or to the scene's; a mask that the file names for all frames
is that of each frame without its own. Written: intrinsics with every frame. `name` (if it differs from the photo's file
name) and `flag` (0: pose not trusted) are our additions to a frame, which other readers ignore.

Lens distortion (`k1` to `k4`, `p1`, `p2`, or `distortion_params`; `camera_model` or `is_fisheye`) is stored in
`Frame.distortion` and applied nowhere in this module: K describes the photo only after it has been undistorted. Other
keys that say how the camera maps points to pixels (`latlong`, `ftheta_p0`, `rolling_shutter`, `crop`, ...) are refused.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence, Set
from pathlib import Path
from typing import Any

import torch
from PIL import Image, UnidentifiedImageError

from sparseags_ns.formats.camera_keys import CameraKeys, camera_statements, is_camera_key, says_nothing
from sparseags_ns.formats.frame import Distortion, Frame, default_names, find_image, intrinsics_matrix
from sparseags_ns.formats.json_entries import Entry, read_json
from sparseags_ns.formats.mask_keys import mask_key, mentions_mask, states_mask
from sparseags_ns.geometry.cameras import opencv_from_opengl, opengl_from_opencv
from sparseags_ns.storage import write_json

PINHOLE_MODELS = {"OPENCV", "PINHOLE", "SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL", "PERSPECTIVE"}
FISHEYE_MODEL = "OPENCV_FISHEYE"

_LENS_KEYS = {"camera_model", "is_fisheye"}
_CIRCLE = "fisheye_crop_radius"
_SHARED_KEYS = {_CIRCLE, *_LENS_KEYS}
"""Keys that are those of every frame where they stand for the whole file, beside those of the camera."""
_OWN_KEYS = _LENS_KEYS | {"file_path", "transform_matrix", "name", "flag"}

_OTHER_LENS = re.compile(
    r"fisheye(?!_crop)|lat_?lon|equirect|spherical|panoram|cylind|omnidirect|ftheta|distort|undistort"
    r"|ortho(?!rect|(graphic)?_?(scale|size))"
    r"|lens_?(model|type|mode|param)|projection|camera_(type|mode|projection)|skew|shear|rolling_?shutter|thin_prism"
    r"|dist_?(coef|param)|^(lens_)?shift_?[xy]$|^(k[5-9]|p[3-9]|s[1-4]|b[12]|xi)$"
    r"|^crop(ped|ping)?(_?(box|bbox|rect|region|roi|window|area|offset|origin|cent(er|re)|size))?"
    r"(_?([xywh]|[xy]_?(min|max)|left|top|right|bottom|width|height))?$"
    r"|^(is_?)?normali[sz]ed(_(intrinsics?|coord(inate)?s|k))?$|^(intrinsics?|k)_(are_|is_)?normali[sz]ed$",
    re.IGNORECASE,
)
"""Keys that say how a camera maps points to pixels, in words of instant-ngp, nerfstudio, OpenCV, Metashape and kin."""
_CAMERA_KEY = re.compile(r"cam|lens|model|^type$", re.IGNORECASE)
"""Keys that may hold a word for a lens or projection, as in "lens": "fisheye"."""


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
    whole = Entry(path, {key: value for key, value in content.items() if key != "frames"})
    _refuse_other_lenses(whole)
    shared = {key: content[key] for key in _SHARED_KEYS & set(content) if content[key] is not None}
    masks = {key: value for key, value in whole.fields.items() if mentions_mask(key, value)}
    of_all, may_be_null = camera_statements(whole), {*_SHARED_KEYS, *masks}
    entries, cameras = [], []
    for index, fields in enumerate(listed):
        if not isinstance(fields, dict):
            raise Entry(path, {}, f"frames[{index}]").error(f"must be a JSON object, is a {type(fields).__name__}")
        label = fields.get("file_path", f"frames[{index}]")
        stated = {key: value for key, value in fields.items() if value is not None or key not in may_be_null}
        inherited = {key: value for key, value in masks.items() if not (states_mask(key) and mask_key(fields))}
        entries.append(Entry(path, {**shared, **inherited, **stated}, str(label)))
        _refuse_other_lenses(entries[-1])
        cameras.append(CameraKeys(entries[-1], camera_statements(entries[-1]), of_all))
    names, folder = _names(entries), scene or path.parent
    present = (find_image(entry.path("file_path"), path, folder) for entry in entries)
    some_photo = next((photo for photo in present if photo is not None), None)
    return [_frame(camera, name, folder, some_photo) for camera, name in zip(cameras, names, strict=True)]


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
    paths = [entry.path("file_path") for entry in entries]
    for path, count in Counter(paths).items():
        if count > 1:
            raise Entry(entries[0].file, {}, path).error(f"occurs {count} times in 'frames'; file paths must differ")
    pairs = zip(entries, default_names(paths), strict=True)
    names = [entry.text("name") if "name" in entry.fields else default for entry, default in pairs]
    for name, count in Counter(names).items():
        if count > 1:
            raise Entry(entries[0].file, {}, name).error(f"the name occurs {count} times; names must differ")
    return names


def _refuse_other_lenses(entry: Entry, own_keys: Set[str] = _OWN_KEYS) -> None:
    """Raise a PoseFileError for a key that changes the camera and is not read here, also inside camera matrices."""
    whole = [0, 0, entry.fields.get("w"), entry.fields.get("h")], [0, 0, 1, 1]
    for key, value in entry.fields.items():
        if key in own_keys:
            continue
        if is_camera_key(key):
            _refuse_other_lenses(Entry(entry.file, value if isinstance(value, dict) else {}, entry.view), set())
            continue
        numbers = list(value.values()) if isinstance(value, dict) else value
        is_lens_key = _OTHER_LENS.search(key) and not (says_nothing(value) or numbers in whole)
        if is_lens_key or (_CAMERA_KEY.search(key) and _names_other_lens(value)):
            raise entry.error(
                f"'{key}' ({value!r}) changes how the camera maps points to pixels, and is not read here. Describe "
                "pinhole photographs, in their own pixels: make such photographs of these and name them in the file, "
                "or take the key out if it does not describe them"
            )


def _names_other_lens(value: object) -> bool:
    """Whether a text, or one in a list or an object, is a word for another lens or projection."""
    if isinstance(value, list | dict):
        return any(map(_names_other_lens, value.values() if isinstance(value, dict) else value))
    return isinstance(value, str) and _OTHER_LENS.search(value) is not None


def _frame(camera: CameraKeys, name: str, scene: Path, some_photo: Path | None) -> Frame:
    entry = camera.entry
    width, height = camera.size()
    size, is_complete = (width, height), camera.are_complete()
    if None in size and (not is_complete or (camera.state_angles() and some_photo is not None)):
        size = _photo_size(entry, scene, some_photo)
        width, height = (width, height) if is_complete else size
    rows = entry.get("transform_matrix")
    matrix = entry.numbers("transform_matrix", 3 if isinstance(rows, list) and len(rows) == 3 else 4, 4)
    if len(matrix) == 4 and (matrix[3] - torch.tensor([0.0, 0, 0, 1], dtype=matrix.dtype)).abs().max() > 1e-6:
        raise entry.error(f"the last row of 'transform_matrix' must be 0 0 0 1, is {matrix[3].tolist()}")
    R, scale = entry.rotation("transform_matrix", matrix[:3, :3])
    distortion, notes = _distortion(entry, camera), camera.notes(*size)
    if distortion.fisheye and entry.fields.get(_CIRCLE):
        why = "what lies outside the lens's circle counts as photographed, unless images in valid/ are black there"
        notes.append((f"'{_CIRCLE}' in {entry.file} is not used", why))
    return Frame(
        name,
        entry.path("file_path"),
        opencv_from_opengl(torch.cat([R, matrix[:3, 3:]], dim=-1)),
        intrinsics_matrix(*camera.intrinsics(*size)),
        width,
        height,
        trusted=entry.flag("flag", default=True),
        distortion=distortion,
        matrix_scale=scale,
        extra={key: value for key, value in entry.fields.items() if key not in _OWN_KEYS and not is_camera_key(key)},
        notes=tuple(notes),
    )


def _photo_size(entry: Entry, scene: Path, some_photo: Path | None) -> tuple[int, int]:
    """Width and height of the photo, for intrinsics that depend on a size that the file omits."""
    image = find_image(entry.path("file_path"), entry.file, scene) or some_photo
    if image is None:
        raise entry.error(
            f"without all of 'fl_x', 'cx' and 'cy' the photograph's size is needed, but 'w' or 'h' is missing and "
            f"there is no such photograph in {entry.file.parent} or {scene}"
        )
    try:
        with Image.open(image) as photo:
            return photo.size
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, ValueError, SyntaxError) as error:
        raise entry.error(f"the size of {image} cannot be read: {error}") from error


def _distortion(entry: Entry, camera: CameraKeys) -> Distortion:
    model = entry.text("camera_model").upper() if "camera_model" in entry.fields else None
    if model is not None and model not in PINHOLE_MODELS | {FISHEYE_MODEL}:
        known = ", ".join(sorted(PINHOLE_MODELS | {FISHEYE_MODEL}))
        raise entry.error(f"camera model {entry.get('camera_model')!r} is not supported; supported are {known}")
    fisheye = entry.flag("is_fisheye", default=model == FISHEYE_MODEL)
    if model is not None and fisheye != (model == FISHEYE_MODEL):
        raise entry.error(f"'is_fisheye' contradicts the camera model {model!r}; remove the wrong one")
    return Distortion(**camera.coefficients(), fisheye=fisheye)


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
