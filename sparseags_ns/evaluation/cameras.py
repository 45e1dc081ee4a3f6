"""Cameras in files against true cameras in files, matched by the ends of their photographs' paths.

Frames: the predicted and the true `world` may differ by any similarity. Units: degrees; s, the distance from the
centroid of the true centres to the farthest of them, for centres; the ratio to the true focal length for focals.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.console import announce
from sparseags_ns.formats.frame import Frame, PoseFileError, photo_names
from sparseags_ns.formats.poses import read_poses
from sparseags_ns.geometry.pose_errors import PoseErrors, pose_errors


@dataclass(frozen=True)
class CameraErrors:
    """Errors of the cameras of some photographs."""

    names: tuple[str, ...]
    """Names of the photographs (`photo_names`), in the order of all figures."""
    poses: PoseErrors
    focal_ratio: Float[Tensor, " views"] | None
    """Focal length over the true one; None if the two belong to photographs of different sizes (the focal length of a
    crop does not tell that of the original)."""

    @property
    def focal_error(self) -> Float[Tensor, " views"] | None:
        """|log(f / f_true)| of each view."""
        return None if self.focal_ratio is None else self.focal_ratio.log().abs()

    def summary(self) -> dict[str, Any]:
        """The published figures as shares, medians, and the worst views with their names."""
        rotation, center = self.poses.rotation_deg, self.poses.center
        figures = {
            **self.poses.summary(),
            "worst_rotation_error_deg": float(rotation.max()),
            "worst_rotation_view": self.names[int(rotation.argmax())],
            "worst_center_error": float(center.max()),
            "worst_center_view": self.names[int(center.argmax())],
        }
        if self.focal_error is not None:
            figures["median_focal_error"] = float(self.focal_error.quantile(0.5))
        return figures

    def views(self) -> list[dict[str, Any]]:
        """Errors of each view."""
        columns = {"rotation_error_deg": self.poses.rotation_deg, "center_error": self.poses.center}
        if self.focal_ratio is not None:
            columns["focal_ratio"] = self.focal_ratio
        rows = zip(self.names, *(values.tolist() for values in columns.values()), strict=True)
        return [dict(zip(("name", *columns), row, strict=True)) for row in rows]


def compare_pose_files(predicted: Path, true: Path) -> CameraErrors:
    """Errors of the cameras in one pose file against those in another.

    Raises:
        PoseFileError: a file cannot be used, or which of its photographs is meant cannot be told.
        ValueError: a predicted view has no true camera, or fewer than two views are left.
    """
    by_name, true_by_name = frames_by_photograph(predicted), frames_by_photograph(true)
    matches = {name: _same_photograph(frame, true_by_name, true) for name, frame in by_name.items()}
    missing = sorted(name for name, match in matches.items() if match is None)
    if missing:
        raise ValueError(f"{true} holds no camera for {', '.join(missing)}, which {predicted} has")
    missing_views = sorted(set(true_by_name) - set(matches.values()))
    if missing_views:
        announce(f"only {len(by_name)} of {len(true_by_name)} views are compared", f"{predicted} lacks {missing_views}")
    predicted_frames = list(by_name.values())
    true_frames = [true_by_name[match] for match in matches.values() if match is not None]
    both = (predicted_frames, true_frames)
    errors = pose_errors(*(torch.stack([frame.T_camera_world for frame in frames]) for frames in both))
    Ks = (torch.stack([frame.K for frame in frames]) for frames in both)
    # A file without sizes is taken to have those of the other file.
    comparable = all(
        None in (a.width, b.width) or (a.width, a.height) == (b.width, b.height)
        for a, b in zip(predicted_frames, true_frames, strict=True)
    )
    return CameraErrors(tuple(by_name), errors, focal_ratio(*Ks) if comparable else None)


def frames_by_photograph(path: Path) -> dict[str, Frame]:
    """Views of a pose file by the names of their photographs (`photo_names`).

    Raises:
        PoseFileError: the file cannot be used, or names one photograph twice.
    """
    frames: dict[str, Frame] = {}
    read = read_poses(path)
    for name, frame in zip(photo_names([Path(_written(frame)) for frame in read]), read, strict=True):
        if name in frames:
            raise PoseFileError(path, f"names two photographs '{name}'; views are matched by these names")
        frames[name] = frame
    return frames


def _same_photograph(frame: Frame, others: dict[str, Frame], file: Path) -> str | None:
    """The name of the view of another file that shows the same photograph: the one whose path ends most alike.

    Raises:
        PoseFileError: several views of that file, `file`, are equally alike.
    """
    alike = {name: _common_end(_written(frame), _written(other)) for name, other in others.items()}
    most = max(alike.values(), default=0)
    found = [name for name, count in alike.items() if count == most]
    if most == 0:
        return None
    if len(found) > 1:
        raise PoseFileError(file, f"names two photographs '{frame.stem}', and which is meant cannot be told", found[0])
    return found[0]


def _common_end(path: str, other: str) -> int:
    """Number of equal parts at the ends of two paths, of which the last ones are compared without their endings."""
    parts, others = (PurePosixPath(one).with_suffix("").parts[::-1] for one in (path, other))
    pairs = zip(parts, others, strict=False)
    return len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))


def _written(frame: Frame) -> str:
    """The path of a frame's photograph with slashes."""
    return frame.file_path.replace("\\", "/")


def focal_ratio(K_predicted: Float[Tensor, "views 3 3"], K_true: Float[Tensor, "views 3 3"]) -> Float[Tensor, " views"]:
    """Predicted over true focal length of each view, the geometric mean of the two axes."""
    ratios = K_predicted.detach().double().cpu() / K_true.double().cpu()
    return (ratios[:, 0, 0] * ratios[:, 1, 1]).sqrt()
