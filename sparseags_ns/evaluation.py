"""Cameras in files against true cameras in files, matched by the photographs' names."""

from __future__ import annotations

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.formats.poses import read_poses
from sparseags_ns.geometry.pose_metrics import PoseErrors, pose_errors


def compare_pose_files(predicted: Path, true: Path) -> PoseErrors:
    """Errors of the cameras in one pose file against those in another.

    Raises:
        PoseFileError: a file cannot be used.
        ValueError: a predicted view has no true camera, or fewer than two views are left.
    """
    T_predicted, T_true = poses_by_name(predicted), poses_by_name(true)
    missing = sorted(set(T_predicted) - set(T_true))
    if missing:
        raise ValueError(f"{true} holds no camera for {', '.join(missing)}, which {predicted} has")
    names = list(T_predicted)
    return pose_errors(torch.stack([T_predicted[n] for n in names]), torch.stack([T_true[n] for n in names]))


def poses_by_name(path: Path) -> dict[str, Float[Tensor, "4 4"]]:
    """`T_camera_world` of each photograph in a pose file, by the stem of the photograph's file name."""
    return {frame.stem: frame.T_camera_world for frame in read_poses(path)}
