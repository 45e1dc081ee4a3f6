"""Point clouds that somebody else's program has written down beside its cameras, as PLY files.

Frames: `world`, that of the cameras.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from sparseags_ns.console import warn
from sparseags_ns.formats.frame import PoseFileError
from sparseags_ns.views import PointCloud

_PLY = b"ply"
_GREY = 0.5


def read_points(path: Path, pose_file: Path) -> PointCloud:
    """Read a PLY file; points without colours are grey, points that are NaN or infinite are left out with a warning.

    Args:
        pose_file: the file that names it, for messages.

    Raises:
        PoseFileError: the file cannot be read or holds no points.
    """
    import open3d as o3d  # Takes seconds to import, and most scenes have no points.

    try:
        with path.open("rb") as stream:
            is_ply = stream.read(len(_PLY)) == _PLY
    except OSError as error:
        raise PoseFileError(pose_file, f"the point cloud {path} cannot be read: {error.strerror or error}") from error
    # Open3D reports damage on the console only, and gives what it has read so far.
    with o3d.utility.VerbosityContextManager(o3d.utility.VerbosityLevel.Error):
        cloud = o3d.io.read_point_cloud(str(path), format="ply") if is_ply else o3d.geometry.PointCloud()
    positions = torch.from_numpy(np.array(cloud.points, dtype=np.float64).reshape(-1, 3))
    if len(positions) == 0:
        raise PoseFileError(
            pose_file,
            f"the point cloud {path} is no PLY file with points in it; make it again, or take its entry out",
        )
    colors = torch.from_numpy(np.array(cloud.colors, dtype=np.float64)) if cloud.has_colors() else None
    colors = torch.full_like(positions, _GREY) if colors is None else colors
    finite = positions.isfinite().all(-1)
    if not finite.any():
        raise PoseFileError(pose_file, f"all points of {path} are NaN or infinite; make it again")
    if not finite.all():
        warn(f"left out: {int((~finite).sum())} of {len(finite)} points of {path.name}", "they are NaN or infinite")
    return PointCloud(positions, colors, torch.ones(len(positions), dtype=torch.float64))[finite]
