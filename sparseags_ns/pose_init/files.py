"""The `files` initialiser: cameras that somebody else's program has written down.

Frames: `world`, as the file has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.console import announce, warn
from sparseags_ns.formats.colmap import MODEL_FOLDERS, ColmapPoints, is_colmap_model, read_colmap_points
from sparseags_ns.formats.frame import Frame, PoseFileError
from sparseags_ns.formats.image_paths import find_image
from sparseags_ns.formats.poses import POINTS_KEY, points_candidates, read_poses
from sparseags_ns.pose_init.base import InitialPoses, pose_lr_scale_by
from sparseags_ns.pose_init.point_files import read_points
from sparseags_ns.preprocess.photographs import listed
from sparseags_ns.views import PointCloud

POSE_FILES = ("cameras.json", "transforms.json")
"""Files of a scene's folder that hold its cameras, the preferred one first."""


@dataclass(frozen=True)
class FromFiles:
    """Reads the cameras of a scene from a `cameras.json`, a `transforms.json` or the folder of a COLMAP model."""

    scene: Path
    """Folder of the scene, in which the file's photographs are looked for."""
    pose_file: Path

    @property
    def name(self) -> str:
        return "files"

    @cached_property
    def frames(self) -> tuple[Frame, ...]:
        """What the file says, in its order."""
        return tuple(read_poses(self.pose_file, self.scene))

    @cached_property
    def named_photographs(self) -> dict[Path, Frame]:
        """The photographs of the scene that the file names, with what it says of them.

        The file may lie elsewhere, even beside other photographs of the same names: the scene's are meant.

        Raises:
            PoseFileError: two of its entries mean the same photograph.
        """
        found: dict[Path, Frame] = {}
        for frame in self.frames:
            path = find_image(frame.file_path, self.scene / self.pose_file.name, self.scene)
            if path is None:
                continue
            if path in found:
                raise PoseFileError(
                    self.pose_file, f"means the same photograph as view '{found[path].name}': {path}", frame.name
                )
            found[path] = frame
        return found

    def require_photographs(self, present: Sequence[Path]) -> None:
        """Raise a PoseFileError that names them if the file has entries for photographs that do not exist.

        COLMAP models are not edited by hand, and often cover more photographs than are wanted: that is only said.

        Args:
            present: the photographs of the scene.
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

    def place(self, photographs: Sequence[Path]) -> InitialPoses:
        """Cameras of these photographs, None for those that the file does not name; points if it names any."""
        frames = tuple(self.named_photographs.get(path) for path in photographs)
        confidence = torch.tensor([0.0 if frame is None else 1.0 for frame in frames])
        return InitialPoses(frames, confidence, self._points(), self._freedom(frames))

    def _points(self) -> PointCloud | None:
        """The points that come with the cameras; scenes do without, so that it is no error if they have got lost."""
        if self.pose_file.is_dir():
            return self._model_points()
        places = points_candidates(self.pose_file, self.scene)
        found = next((place for place in places if place.is_file()), None)
        if places and found is None:
            warn(f"no points: there is no {places[0]}", f"'{POINTS_KEY}' in {self.pose_file} names it")
        return None if found is None else read_points(found, self.pose_file)

    def _freedom(self, frames: Sequence[Frame | None]) -> Float[Tensor, " views"] | None:
        """A COLMAP model tells how many points hold each camera in its place; programs that only write its format, and
        have no points, or none that several photographs share, leave all cameras free."""
        if self._model is None:
            return None
        support = self._model.support
        return torch.tensor([1.0 if f is None else pose_lr_scale_by(support.get(f.file_path, 0)) for f in frames])

    @cached_property
    def _model(self) -> ColmapPoints | None:
        return read_colmap_points(self.pose_file) if self.pose_file.is_dir() else None

    def _model_points(self) -> PointCloud | None:
        """The points of a COLMAP model; surer the more photographs show them, and the better they agree."""
        points = self._model
        if points is None:
            return None
        seen = 1 - 1 / points.track_lengths.clamp(min=1).double()
        confidence = seen / (1 + points.errors_px.clamp(min=0))
        return PointCloud(points.positions, points.colors, confidence)


def find_pose_file(scene: Path, poses: Path | None) -> Path | None:
    """The file, or folder of a COLMAP model, to take the cameras from; None if there is none.

    Says so where it had to choose.

    Args:
        poses: what was asked for, relative to the working folder or else to the scene's.

    Raises:
        PoseFileError: what was asked for does not exist.
    """
    if poses is not None:
        here = next((path for path in (poses, scene / poses) if path.is_file() or is_colmap_model(path)), None)
        if here is None:
            raise PoseFileError(poses, f"no such file, neither in the working folder nor in {scene}")
        return here
    present = [name for name in POSE_FILES if (scene / name).is_file()]
    present += [name for name in MODEL_FOLDERS if is_colmap_model(scene / name)]
    if not present:
        return None
    if len(present) == 1:
        announce(f"poses: {present[0]}", f"the only pose file in {scene}")
    else:
        announce(f"poses: {present[0]}", f"it goes before {present[1]}; name a file to choose it instead")
    return scene / present[0]
