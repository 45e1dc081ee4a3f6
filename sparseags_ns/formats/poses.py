"""Pose files of any supported format: `transforms.json`, `cameras.json`, a folder with a COLMAP model, and others.

`ply_file_path` of a `transforms.json` names a point cloud in the world of its cameras (nerfstudio's convention), by a
path relative to the file's folder or to the scene's.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sparseags_ns.formats.cameras_json import looks_like_cameras_json, read_cameras_json
from sparseags_ns.formats.colmap import read_colmap
from sparseags_ns.formats.frame import Frame, PoseFileError, path_ends, require_plausible_lens, require_plausible_pose
from sparseags_ns.formats.json_entries import Entry, read_json
from sparseags_ns.formats.poses_bounds import read_poses_bounds
from sparseags_ns.formats.splat_cameras import is_splat_cameras, read_splat_cameras
from sparseags_ns.formats.transforms_json import looks_like_transforms_json, read_transforms_json

POINTS_KEY = "ply_file_path"
MODEL_POINTS = "points3D.ply"
"""Points of a COLMAP model without its own file of points, as 3D Gaussian Splatting and InstantSplat write them."""

_TRAINED, _HELD_OUT = "train_filenames", ("val_filenames", "test_filenames")
"""nerfstudio's lists of the files that are trained on, and of those that are not."""


def read_poses(path: Path, scene: Path | None = None) -> list[Frame]:
    """The frames of a pose file, in its order.

    A folder is a COLMAP model, and a file that ends in .npy LLFF's; other formats are recognised by the content.

    `scene` is the folder of the scene, if it is not the file's own.

    Raises:
        PoseFileError: the file is of neither format, its content cannot be used, or a camera is not plausible.
    """
    if path.is_dir():
        return read_colmap(path)
    frames = _read_file(path, scene)
    for frame in frames:
        require_plausible_pose(path, frame)
        require_plausible_lens(path, frame)
    return frames


def _read_file(path: Path, scene: Path | None) -> list[Frame]:
    if path.suffix == ".npy":
        return read_poses_bounds(path, scene)
    if is_splat_cameras(path):
        return read_splat_cameras(path)
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
    """Paths where the point cloud of a pose file of a scene may lie; empty if it names none and is no folder."""
    if path.is_dir():
        return [path / MODEL_POINTS]
    content = _object(path)
    if not looks_like_transforms_json(content) or content.get(POINTS_KEY) is None:
        return []
    written = Path(Entry(path, content).path(POINTS_KEY).replace("\\", "/"))
    return list(dict.fromkeys(folder / written for folder in (path.parent, scene or path.parent)))


def held_out_files(path: Path, frames: Sequence[Frame]) -> set[str]:
    """The file paths of those frames of a pose file that its own lists leave out of the training; mostly empty.

    With `train_filenames` all others are left out, without it those of `val_filenames` and `test_filenames`.

    Raises:
        PoseFileError: a list is none of paths, or leaves nothing to train on.
    """
    content = _object(path)
    if not looks_like_transforms_json(content):
        return set()
    lists = {key: _listed_files(path, content, key, frames) for key in (_TRAINED, *_HELD_OUT) if content.get(key)}
    held_out = {file for key in _HELD_OUT for file in lists.get(key, set())}
    left_out = {frame.file_path for frame in frames} - lists[_TRAINED] if _TRAINED in lists else held_out
    if left_out and len(left_out) == len(frames):
        raise PoseFileError(
            path, f"{', '.join(lists)} leave no photograph to train on; correct the lists or remove them"
        )
    return left_out


def _object(path: Path) -> dict[str, Any]:
    """The object that a JSON file holds; an empty one for files and folders of other kinds."""
    is_other = path.is_dir() or path.suffix == ".npy" or is_splat_cameras(path)
    return {} if is_other else read_json(path)


def _listed_files(path: Path, content: dict[str, Any], key: str, frames: Sequence[Frame]) -> set[str]:
    """The file paths of the frames that a list of files names, whole or by their ends."""
    names = content[key]
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise PoseFileError(path, f"'{key}' must be a list of file paths")
    wanted = {path_ends(name)[0] for name in names}
    found = {frame.file_path for frame in frames if not wanted.isdisjoint(path_ends(frame.file_path))}
    if not found:
        raise PoseFileError(path, f"'{key}' names none of the file's frames, but {names[0]!r}; correct the list")
    return found
