"""Worlds with coordinates of millions of metres: the way into the normalised world and back keeps all digits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from sparseags_ns.formats.frame import Frame
from sparseags_ns.formats.transforms_json import write_transforms_json
from sparseags_ns.geometry.alignment import Similarity
from sparseags_ns.plugin.dataparser import SparseAGSDataParserConfig


def test_the_normalised_world_leads_back_to_the_given_one(scene: Path, make_frames: Callable[..., list[Frame]]) -> None:
    frames = make_frames(["000", "001", "002", "003"])
    moved = replace(Similarity.identity(), translation=torch.tensor([448260.5, 5411932.25, 412.75]).double())
    moved = replace(moved, scale=torch.tensor(20.0).double())
    T = moved.apply_to_poses(torch.stack([frame.T_camera_world for frame in frames]))
    given = [replace(frame, T_camera_world=pose) for frame, pose in zip(frames, T, strict=True)]
    write_transforms_json(scene / "transforms.json", given)
    outputs = SparseAGSDataParserConfig(data=scene, resolution=32).setup().outputs
    back = outputs.transform_poses_to_original_space(outputs.cameras.camera_to_worlds, "opengl")
    centers = torch.stack([torch.linalg.inv(pose)[:3, 3] for pose in T])
    # The cameras that nerfstudio gets are float32, in a world 40 / 1.85 times smaller.
    assert float((back[:, :, 3] - centers).abs().max()) < 2e-5
    outputs.save_dataparser_transform(scene / "dataparser_transforms.json")
    matrix = outputs.dataparser_transform
    assert matrix.dtype == torch.float64
    assert float((matrix[:, :3] @ matrix[:, :3].T - torch.eye(3)).abs().max()) < 1e-14
