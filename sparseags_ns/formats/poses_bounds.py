"""LLFF's `poses_bounds.npy`: one row of 17 numbers for each photo, in the order of the photos' names.

A row holds a 3x5 matrix, row by row, and two depths, which are not used. The matrix is the camera-to-world rotation
with the axes down, right and backward, the optical centre, and the photo's height, width and focal length in pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from sparseags_ns.formats.companions import list_photographs
from sparseags_ns.formats.frame import PHOTO_FOLDERS, Frame, PoseFileError, intrinsics_matrix, require_content
from sparseags_ns.formats.json_entries import ROTATION_TOLERANCE
from sparseags_ns.geometry import se3
from sparseags_ns.geometry.cameras import opencv_from_llff

NUMBERS = 17
"""Numbers in a row."""


def read_poses_bounds(path: Path, scene: Path | None = None) -> list[Frame]:
    """The frames of a `poses_bounds.npy`, in the order of the photos' names.

    Args:
        scene: folder of the photos or of `images/`, if it is not the file's own.

    Raises:
        PoseFileError: the file cannot be used, or there are more or fewer photos than rows.
    """
    require_content(path)
    try:
        # Mapped, so that nothing is allocated for numbers that the header states and the file does not have.
        rows = torch.from_numpy(np.array(np.load(path, mmap_mode="r", allow_pickle=False), dtype=np.float64))
    except Exception as error:  # NumPy reads the header as Python, and raises whatever comes of that
        raise PoseFileError(path, f"is no array of numbers: {str(error)[:200]}") from error
    if rows.ndim != 2 or rows.shape[1] != NUMBERS or not rows.isfinite().all():
        raise PoseFileError(path, f"must hold {NUMBERS} finite numbers for each photograph, holds {list(rows.shape)}")
    folder, names = _photos(scene or path.parent)
    if len(names) != len(rows):
        raise PoseFileError(
            path,
            f"holds {len(rows)} poses, in the order of the photographs' names, and there are {len(names)} photographs "
            f"in {folder}: put exactly those there that it was made for",
        )
    matrices = rows[:, :15].reshape(-1, 3, 5)
    poses = opencv_from_llff(matrices[..., :4])
    frames = []
    for name, T, (height, width, focal) in zip(names, poses, matrices[..., 4].tolist(), strict=True):
        R = T[:3, :3]
        if min(height, width, focal) <= 0 or float(se3.orthogonality_error(R)) > ROTATION_TOLERANCE:
            raise PoseFileError(path, "its row is no camera: expected a rotation, and a size and focal length", name)
        T = se3.pose(se3.nearest_rotation(R), T[:3, 3])
        K = intrinsics_matrix(focal, focal, width / 2, height / 2)
        frames.append(Frame(Path(name).stem, name, T, K, round(width), round(height)))
    return frames


def _photos(scene: Path) -> tuple[Path, Sequence[str]]:
    """The first usual folder with photos, and their sorted names; masks and maps of photos are none."""
    for folder in (*(scene / name for name in PHOTO_FOLDERS), scene):
        names = [path.name for path in list_photographs(folder)] if folder.is_dir() else []
        if names:
            return folder, names
    return scene, []
