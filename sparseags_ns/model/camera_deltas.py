"""Learnable pose corrections, one for each view, as a nerfstudio camera optimizer.

Frames: `camera`; `world`; `guess`, the world as pose init placed it for one view. A tangent moves the world before the
guessed camera looks at it: T_camera_world = T_camera_guess exp(tangent). After normalisation the object stands at the
world's origin, so rotating that way orbits the object instead of panning away from it.

nerfstudio (training, viewer, ns-export) knows a correction as a 3x4 matrix multiplied onto the right of the OpenGL
camera-to-world pose; `forward` and `apply_to_camera` speak that language, so that all of them agree.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float, Int
from nerfstudio.cameras.camera_optimizers import CameraOptimizer, CameraOptimizerConfig
from nerfstudio.cameras.cameras import Cameras as NerfstudioCameras
from nerfstudio.utils import poses as nerfstudio_poses
from torch import Tensor, nn

from sparseags_ns.geometry import se3
from sparseags_ns.geometry.cameras import opengl_from_opencv


@dataclass
class CameraDeltasConfig(CameraOptimizerConfig):
    """Configuration of the learnable pose corrections."""

    _target: type = field(default_factory=lambda: CameraDeltas)
    trans_l2_penalty: float = 0.0
    """Weight of the mean length of the tangents' translation, world units."""
    rot_l2_penalty: float = 0.0
    """Weight of the mean length of the tangents' rotation, radians."""


class CameraDeltas(CameraOptimizer):
    """One SE(3) tangent for each view (translation, then rotation), zero at the start."""

    config: CameraDeltasConfig

    def __init__(self, config: CameraDeltasConfig, num_cameras: int, device: Any, **kwargs: Any) -> None:
        # The base class builds its parameter for the modes it knows; ours is always a plain SE(3) tangent.
        config.mode = "SE3"
        super().__init__(config, num_cameras=num_cameras, device=device, **kwargs)
        self.T_camera_guess: Tensor
        self.register_buffer("T_camera_guess", torch.eye(4).repeat(num_cameras, 1, 1))

    def start_from(self, T_camera_world: Float[Tensor, "views 4 4"]) -> None:
        """Take these poses as the guess and forget all corrections."""
        self.T_camera_guess.copy_(T_camera_world)
        with torch.no_grad():
            self.pose_adjustment.zero_()

    def poses(self) -> Float[Tensor, "views 4 4"]:
        """The corrected poses `T_camera_world`, differentiable in the tangents."""
        return self.T_camera_guess @ se3.exp(self.pose_adjustment)

    def forward(self, indices: Int[Tensor, " cameras"]) -> Float[Tensor, "cameras 3 4"]:
        """Corrections D such that the corrected OpenGL camera-to-world pose is guess @ D."""
        indices = indices.to(self.T_camera_guess.device)
        guess = opengl_from_opencv(self.T_camera_guess[indices])
        corrected = opengl_from_opencv(self.poses()[indices])
        return (se3.inverse(guess) @ corrected)[:, :3]

    def apply_to_camera(self, camera: NerfstudioCameras) -> Float[Tensor, "cameras 3 4"]:
        """Corrected camera-to-world poses (OpenGL) of a training camera; others (the viewer's) stay as they are."""
        if camera.metadata is None or "cam_idx" not in camera.metadata:
            return camera.camera_to_worlds
        index = torch.as_tensor(camera.metadata["cam_idx"], device=self.T_camera_guess.device).reshape(-1)
        return nerfstudio_poses.multiply(camera.camera_to_worlds, self(index).to(camera.camera_to_worlds))

    def get_param_groups(self, param_groups: dict[str, list[nn.Parameter]]) -> None:
        """The tangents are the group `camera_opt`."""
        param_groups["camera_opt"] = [self.pose_adjustment]

    def get_metrics_dict(self, metrics_dict: dict[str, Any]) -> None:
        """How far the poses have moved."""
        tangents = self.pose_adjustment.detach()
        metrics_dict["pose_moved_deg_max"] = tangents[:, 3:].norm(dim=-1).max().rad2deg()
        metrics_dict["pose_moved_units_max"] = tangents[:, :3].norm(dim=-1).max()
