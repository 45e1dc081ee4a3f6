"""Pose files of any supported format: `transforms.json`, `cameras.json`, or a folder with a COLMAP model.

`ply_file_path` of a `transforms.json` names a point cloud in the world of its cameras (nerfstudio's convention), by a
path relative to the file's folder or to the scene's.
"""

from __future__ import annotations

from pathlib import Path

from sparseags_ns.formats.cameras_json import looks_like_cameras_json, read_cameras_json
from sparseags_ns.formats.colmap import read_colmap
from sparseags_ns.formats.frame import Frame, PoseFileError
from sparseags_ns.formats.json_entries import Entry, read_json
from sparseags_ns.formats.transforms_json import looks_like_transforms_json, read_transforms_json

POINTS_KEY = "ply_file_path"


def read_poses(path: Path, scene: Path | None = None) -> list[Frame]:
    """The frames of a pose file, in its order. The format is recognised by the content; a folder is a COLMAP model.

    `scene` is the folder of the scene, if it is not the file's own.

    Raises:
        PoseFileError: the file is of neither format, or its content cannot be used.
    """
    if path.is_dir():
        return read_colmap(path)
    content = read_json(path)
    if looks_like_transforms_json(content):
        return read_transforms_json(path, scene)
    if looks_like_cameras_json(content):
        return read_cameras_json(path)
    raise PoseFileError(
        path,
        "neither a transforms.json (an object with a list 'frames') nor a cameras.json (an object with 'R', 'T', ... "
        f"for each view); its keys are {', '.join(map(repr, list(content)[:8])) or 'none'}",
    )


def points_candidates(path: Path, scene: Path | None = None) -> list[Path]:
    """Paths where the point cloud named by a pose file of a scene may lie; empty if it names none."""
    content = read_json(path)
    if not looks_like_transforms_json(content) or content.get(POINTS_KEY) is None:
        return []
    written = Path(Entry(path, content).text(POINTS_KEY).replace("\\", "/"))
    return list(dict.fromkeys(folder / written for folder in (path.parent, scene or path.parent)))
