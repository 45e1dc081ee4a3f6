"""Initial cameras and points from files of another program.

Frames: `world`, as the file has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from sparseags_ns.console import announce, warn
from sparseags_ns.formats.colmap import MODEL_FOLDERS, ColmapPoints, is_colmap_model, read_colmap_points
from sparseags_ns.formats.frame import Frame, PoseFileError, find_image
from sparseags_ns.formats.poses import POINTS_KEY, points_candidates, read_poses
from sparseags_ns.pose_init.base import InitialPoses, point_confidence
from sparseags_ns.preprocess.photo_files import listed
from sparseags_ns.views import PointCloud

POSE_FILES = ("cameras.json", "transforms.json")
"""Files of a scene's folder that hold its cameras, the preferred one first."""

_NOTABLE_ERROR_PX = 2.0
"""Reprojection errors below it are usual, whatever a file states."""


@dataclass(frozen=True)
class FromFiles:
    """The cameras of a scene as a `cameras.json`, a `transforms.json` or the folder of a COLMAP model has them."""

    scene: Path
    """Folder of the scene, in which the photo files that the pose file names are looked for."""
    pose_file: Path

    @cached_property
    def frames(self) -> tuple[Frame, ...]:
        """Entries of the pose file, in its order."""
        frames = tuple(read_poses(self.pose_file, self.scene))
        scales = [frame.matrix_scale for frame in frames if frame.matrix_scale != 1]
        if scales:
            factors = f"{min(scales):.3g}" + ("" if max(scales) - min(scales) < 1e-3 else f" to {max(scales):.3g}")
            warn(
                f"a scale of {factors} is taken out of {len(scales)} of {len(frames)} rotations in {self.pose_file}",
                "a camera has none; positions stay as they are",
            )
        return frames

    @cached_property
    def named_photographs(self) -> dict[Path, Frame]:
        """Entries of the pose file by the scene's photo file that they name; entries without a photo file are left out.

        Photo files are looked for in the scene even where the pose file lies elsewhere, beside other ones of the same
        names.

        Raises:
            PoseFileError: two entries name the same photo file.
        """
        found: dict[Path, Frame] = {}
        for frame in self.frames:
            path = find_image(frame.file_path, self.scene / self.pose_file.name, self.scene)
            if path in found:
                problem = f"means the same photograph as view '{found[path].name}': {path}"
                raise PoseFileError(self.pose_file, problem, frame.name)
            if path is not None:
                found[path] = frame
        return found

    def require_photographs(self, present: Sequence[Path]) -> None:
        """Check that the photo files of the pose file's entries exist.

        Missing ones are only announced for a COLMAP model, which is seldom edited by hand and often covers more
        photographs than are wanted. The scene's photo files are `present`.

        Raises:
            PoseFileError: some are missing; names them.
        """
        found = {frame.name for frame in self.named_photographs.values()}
        missing = [frame.file_path for frame in self.frames if frame.name not in found]
        if missing and found and self.pose_file.is_dir():
            announce(
                f"{len(missing)} of the {len(self.frames)} cameras in {self.pose_file} are not used",
                f"their photographs are not in {self.scene}: {listed(missing)}",
            )
        elif missing and present and not found:
            named, there = [Path(name).name for name in missing], [path.name for path in present]
            raise PoseFileError(
                self.pose_file,
                f"names none of the {len(present)} photographs in {present[0].parent}: it names {listed(named)}; there "
                f"are {listed(there)}. Name the folder with the photographs that the file was made for, give these "
                "photographs the names that it uses if they are the same, or do without the file",
            )
        elif missing:
            raise PoseFileError(
                self.pose_file,
                f"names {len(missing)} of {len(self.frames)} photographs that are not in {self.scene}: "
                f"{listed(missing)}. Put them there, or take their entries out of the file",
            )

    def initial_poses(self, photo_files: Sequence[Path]) -> InitialPoses:
        """Cameras of the photo files, None for those that the pose file does not name, and that file's points, if any.

        Where the photographs show the points of a COLMAP model comes with them: a camera is fixed as far as the points
        support it (`point_support`).
        """
        frames = tuple(self.named_photographs.get(path) for path in photo_files)
        confidence = torch.tensor([0.0 if frame is None else 1.0 for frame in frames])
        if not self.pose_file.is_dir():
            candidates = points_candidates(self.pose_file, self.scene)
            found = next((path for path in candidates if path.is_file()), None)
            if candidates and found is None:
                warn(f"no points: there is no {candidates[0]}", f"'{POINTS_KEY}' in {self.pose_file} names it")
            return InitialPoses(frames, confidence, found and read_points(found, self.pose_file))
        model = read_colmap_points(self.pose_file)
        if model is None:
            return InitialPoses(frames, confidence)
        self._compare_errors(model)
        points = PointCloud(model.positions, model.colors, point_confidence(model.track_lengths, model.errors_px))
        return InitialPoses(frames, confidence, points, observations=model.observations)

    def _compare_errors(self, model: ColmapPoints) -> None:
        """Warn where the errors that the model states for its points are much smaller than they are."""
        seen = model.observations.points.unique()
        stated, found = (float(errors[seen].median()) for errors in (model.stated_errors_px, model.errors_px))
        if len(seen) and 0 < stated < found / 2 and found > _NOTABLE_ERROR_PX:
            warn(
                f"the points of {self.pose_file} are off by {found:.1f} pixels, not by {stated:.1f} as it states",
                "medians; found from where its cameras show them, which is what counts here",
            )


def read_points(path: Path, pose_file: Path) -> PointCloud:
    """Read a PLY file; points without colours are grey, points that are NaN or infinite are left out with a warning.

    Raises:
        PoseFileError: the file cannot be read or holds no points.
    """
    import open3d as o3d  # takes seconds to import, and most scenes have no points

    try:
        with path.open("rb") as stream:
            is_ply = stream.read(3) == b"ply"
    except OSError as error:
        raise PoseFileError(pose_file, f"the point cloud {path} cannot be read: {error.strerror or error}") from error
    # Open3D reports damage on the console only, and returns what it has read so far.
    with o3d.utility.VerbosityContextManager(o3d.utility.VerbosityLevel.Error):
        cloud = o3d.io.read_point_cloud(str(path), format="ply") if is_ply else o3d.geometry.PointCloud()
    positions = torch.from_numpy(np.array(cloud.points, dtype=np.float64).reshape(-1, 3))
    if len(positions) == 0:
        advice = "make it again, or take its entry out"
        raise PoseFileError(pose_file, f"the point cloud {path} is no PLY file with points in it; {advice}")
    colors = torch.from_numpy(np.array(cloud.colors)) if cloud.has_colors() else torch.full_like(positions, 0.5)
    finite = positions.isfinite().all(-1)
    if not finite.any():
        raise PoseFileError(pose_file, f"all points of {path} are NaN or infinite; make it again")
    if not finite.all():
        warn(f"left out: {int((~finite).sum())} of {len(finite)} points of {path.name}", "they are NaN or infinite")
    return PointCloud(positions, colors, torch.ones(len(positions), dtype=torch.float64))[finite]


def find_pose_file(scene: Path, poses: Path | None) -> Path | None:
    """The file, or folder of a COLMAP model, to take the cameras from; None if there is none.

    A file that was asked for, `poses`, is relative to the working folder or else to the scene's. Without it, a choice
    is made and announced.

    Raises:
        PoseFileError: the file that was asked for does not exist.
    """
    if poses is not None:
        found = next((path for path in (poses, scene / poses) if path.is_file() or is_colmap_model(path)), None)
        if found is None:
            raise PoseFileError(poses, f"no such file, neither in the working folder nor in {scene}")
        return found
    present = [name for name in POSE_FILES if (scene / name).is_file()]
    present += [name for name in MODEL_FOLDERS if is_colmap_model(scene / name)]
    if not present:
        return None
    why = f"the only pose file in {scene}"
    if len(present) > 1:
        why = f"it goes before {present[1]}; name a file to choose it instead"
    announce(f"poses: {present[0]}", why)
    return scene / present[0]
