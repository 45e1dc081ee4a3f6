"""The `cameras.json` that 3D Gaussian Splatting writes beside a splat: a list of the cameras it was trained on.

An entry holds `img_name` (with or without an ending), `width`, `height`, `fx`, `fy`, `position` (the optical centre)
and `rotation` (camera-to-world, OpenCV axes). The principal point is the middle of the photo.
"""

from __future__ import annotations

import re
from pathlib import Path

from sparseags_ns.formats.frame import Frame, intrinsics_matrix
from sparseags_ns.formats.json_entries import Entry, read_json_list
from sparseags_ns.geometry import se3

_OWN_KEYS = {"id", "img_name", "width", "height", "position", "rotation", "fx", "fy"}


def is_splat_cameras(path: Path) -> bool:
    """Whether a file begins as 3D Gaussian Splatting's does: a list whose first entry is an object."""
    try:
        with path.open(encoding="utf-8-sig", errors="ignore") as stream:
            return re.match(r"\s*\[\s*\{", stream.read(256)) is not None
    except OSError:
        return False


def read_splat_cameras(path: Path) -> list[Frame]:
    """The frames of a 3D Gaussian Splatting `cameras.json`, in its order.

    Raises:
        PoseFileError: the file cannot be read, or an entry cannot be used.
    """
    frames = []
    for index, fields in enumerate(read_json_list(path)):
        label = f"[{index}]"
        if not isinstance(fields, dict):
            raise Entry(path, {}, label).error(f"must be a JSON object, is a {type(fields).__name__}")
        entry = Entry(path, fields, str(fields.get("img_name", label)))
        name = entry.path("img_name")
        width, height = entry.pixels("width"), entry.pixels("height")
        if width is None or height is None:
            raise entry.error("'width' and 'height' are missing")
        R, scale = entry.rotation("rotation", entry.numbers("rotation", 3, 3))
        T = se3.inverse(se3.pose(R, entry.numbers("position", 3)))
        K = intrinsics_matrix(entry.positive("fx"), entry.positive("fy"), width / 2, height / 2)
        extra = {key: value for key, value in fields.items() if key not in _OWN_KEYS}
        frames.append(Frame(name, name, T, K, width, height, extra=extra, matrix_scale=scale))
    if not frames:
        raise Entry(path, {}).error("holds no views")
    return frames
