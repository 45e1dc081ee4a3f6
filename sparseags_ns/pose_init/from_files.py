"""The `files` initialiser: cameras that somebody else's program has written down.

Frames: `world`, as the file has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch

from sparseags_ns.console import announce, warn
from sparseags_ns.formats.frame import Frame, PoseFileError
from sparseags_ns.formats.image_paths import find_image
from sparseags_ns.formats.poses import POINTS_KEY, points_candidates, read_poses
from sparseags_ns.pose_init.base import InitialPoses
from sparseags_ns.pose_init.point_files import read_points
from sparseags_ns.preprocess.photographs import listed
from sparseags_ns.views import PointCloud

POSE_FILES = ("cameras.json", "transforms.json")
"""Files of a scene's folder that hold its cameras, the preferred one first."""


@dataclass(frozen=True)
class FromFiles:
    """Reads the cameras of a scene from a `cameras.json` or a `transforms.json`."""

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

    def require_photographs(self) -> None:
        """Raise a PoseFileError that names them if the file has entries for photographs that do not exist."""
        found = {frame.name for frame in self.named_photographs.values()}
        missing = [frame.file_path for frame in self.frames if frame.name not in found]
        if missing:
            raise PoseFileError(
                self.pose_file,
                f"names {len(missing)} of {len(self.frames)} photographs that are not in {self.scene}: "
                f"{listed(missing)}. Put them there, or take their entries out of the file",
            )

    def place(self, photographs: Sequence[Path]) -> InitialPoses:
        """Cameras of these photographs, None for those that the file does not name; points if it names any."""
        frames = tuple(self.named_photographs.get(path) for path in photographs)
        confidence = torch.tensor([0.0 if frame is None else 1.0 for frame in frames])
        return InitialPoses(frames=frames, confidence=confidence, points=self._points())

    def _points(self) -> PointCloud | None:
        """The points that the file names; scenes do without them, so that it is no error if they have got lost."""
        places = points_candidates(self.pose_file, self.scene)
        found = next((place for place in places if place.is_file()), None)
        if places and found is None:
            warn(f"no points: there is no {places[0]}", f"'{POINTS_KEY}' in {self.pose_file} names it")
        return None if found is None else read_points(found, self.pose_file)


def find_pose_file(scene: Path, poses: Path | None) -> Path | None:
    """The file to take the cameras from, None if there is none; says so where it had to choose.

    Args:
        poses: a file that was asked for, relative to the working folder or else to the scene's.

    Raises:
        PoseFileError: the file that was asked for does not exist.
    """
    if poses is not None:
        here = next((path for path in (poses, scene / poses) if path.is_file()), None)
        if here is None:
            raise PoseFileError(poses, f"no such file, neither in the working folder nor in {scene}")
        return here
    present = [name for name in POSE_FILES if (scene / name).is_file()]
    if not present:
        return None
    if len(present) == 1:
        announce(f"poses: {present[0]}", f"the only pose file in {scene}")
    else:
        announce(f"poses: {present[0]}", f"it goes before {present[1]}; name a file to choose it instead")
    return scene / present[0]
