"""The authors' `cameras.json`: one entry for each view, keyed by the view's name.

`R`, `T` follow PyTorch3D; `focal_length` and `principal_point` are in pixels of the processed photo (256 x 256); `flag`
is 1 for trusted poses; `filepath` is relative to the authors' repository, so `frame.find_image` resolves it by the
scene folder and the file name. `image_size_crop` is [width, height] of the processed photo. The format has no lens
distortion; that of a frame is written under our own key `distortion`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from sparseags_ns.formats.frame import Distortion, Frame, intrinsics_matrix
from sparseags_ns.formats.json_entries import Entry, read_json
from sparseags_ns.geometry.cameras import opencv_from_pytorch3d, pytorch3d_from_opencv
from sparseags_ns.storage import write_json

_OWN_KEYS = {"R", "T", "focal_length", "principal_point", "filepath", "flag", "image_size_crop", "distortion"}


def looks_like_cameras_json(content: dict[str, Any]) -> bool:
    """Whether a JSON object is in this format: named objects, at least one with a camera's keys."""
    return any(isinstance(entry, dict) and {"R", "T", "focal_length"} & set(entry) for entry in content.values())


def read_cameras_json(path: Path) -> list[Frame]:
    """The frames of a `cameras.json`, in its order.

    Raises:
        PoseFileError: the file cannot be read, or an entry cannot be used.
    """
    content = read_json(path)
    if not content:
        raise Entry(path, content).error("holds no views")
    return [_frame(path, name, entry) for name, entry in content.items()]


def write_cameras_json(path: Path, frames: Sequence[Frame]) -> None:
    """Write frames as a `cameras.json`, with their file paths unchanged.

    Raises:
        ValueError: names repeat.
    """
    names = [frame.name for frame in frames]
    if len(set(names)) != len(names):
        raise ValueError(f"cannot write {path}: views must have different names, got {names}")
    write_json(path, {frame.name: _entry(frame) for frame in frames})


def _frame(path: Path, name: str, fields: object) -> Frame:
    if not isinstance(fields, dict):
        raise Entry(path, {}, name).error(f"must be a JSON object with R, T, ..., is a {type(fields).__name__}")
    entry = Entry(path, fields, name)
    fx, fy = entry.numbers("focal_length", 2).tolist()
    cx, cy = entry.numbers("principal_point", 2).tolist()
    if min(fx, fy) <= 0:
        raise entry.error(f"'focal_length' must be above zero, is [{fx:g}, {fy:g}]")
    size: dict[str, Any] = {}
    if "image_size_crop" in fields:
        entry.numbers("image_size_crop", 2)
        size = dict(zip(("width", "height"), fields["image_size_crop"], strict=True))
    sizes = Entry(path, size, name)
    # Where R is slightly off a rotation, the optical centre that R and T give together is kept, not T.
    written, T = entry.numbers("R", 3, 3), entry.numbers("T", 3)
    R, scale = entry.rotation("R", written)
    # X_camera = X_world @ R + T is zero at the centre.
    center = torch.linalg.solve(written.T, -T)
    return Frame(
        name=name,
        file_path=entry.path("filepath"),
        T_camera_world=opencv_from_pytorch3d(R, -center @ R),
        K=intrinsics_matrix(fx, fy, cx, cy),
        width=sizes.pixels("width"),
        height=sizes.pixels("height"),
        trusted=entry.flag("flag", default=True),
        distortion=_distortion(entry),
        matrix_scale=scale,
        extra={key: value for key, value in fields.items() if key not in _OWN_KEYS},
    )


def _distortion(entry: Entry) -> Distortion:
    if "distortion" not in entry.fields:
        return Distortion()
    fields = entry.get("distortion")
    names = set(Distortion().coefficients)
    if not isinstance(fields, dict) or set(fields) - names - {"fisheye"}:
        raise entry.error(f"'distortion' must be an object with some of {sorted(names)} and 'fisheye'")
    inner = Entry(entry.file, fields, entry.view)
    coefficients = {name: inner.number(name) for name in names & set(fields)}
    return Distortion(**coefficients, fisheye=inner.flag("fisheye", default=False))


def _entry(frame: Frame) -> dict[str, Any]:
    R, T = pytorch3d_from_opencv(frame.T_camera_world)
    fx, fy, cx, cy = frame.intrinsics
    entry: dict[str, Any] = {
        "R": R.tolist(),
        "T": T.tolist(),
        "needs_checking": frame.extra.get("needs_checking", False),
        "principal_point": [cx, cy],
        "focal_length": [fx, fy],
        "flag": int(frame.trusted),
        "filepath": frame.file_path,
    }
    if frame.width is not None and frame.height is not None:
        entry["image_size_crop"] = [frame.width, frame.height]
    if not frame.distortion.is_none:
        entry["distortion"] = {**frame.distortion.coefficients, "fisheye": frame.distortion.fisheye}
    return {**frame.extra, **entry}
