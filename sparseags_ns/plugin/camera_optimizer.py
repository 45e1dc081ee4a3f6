"""Learnable corrections of pose and focal length (optimization/corrections.py) as a nerfstudio camera optimizer.

In nerfstudio (training, viewer, ns-export) a correction is a 3x4 matrix that is multiplied onto the right of the OpenGL
camera-to-world pose; `forward` and `apply_to_camera` return corrections in that form. nerfstudio has no correction of
focal lengths: to render a photograph's camera with its refined focal length, take it from the model's `cameras`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from nerfstudio.cameras.camera_optimizers import CameraOptimizer, CameraOptimizerConfig
from nerfstudio.cameras.cameras import Cameras as NerfstudioCameras
from nerfstudio.utils import poses as nerfstudio_poses
from torch import Tensor, nn
from tyro.conf import Suppress

from sparseags_ns.geometry import se3
from sparseags_ns.geometry.cameras import Cameras, opengl_from_opencv
from sparseags_ns.optimization.corrections import CameraCorrections
from sparseags_ns.optimization.settings import RefineFocal


@dataclass
class CameraDeltasConfig(CameraOptimizerConfig):
    """Configuration of the corrections; it has no settings, which are the model's stages and `refine_focal`."""

    _target: type = field(default_factory=lambda: CameraDeltas)
    # The base class learns nothing in this mode: the corrections are ours.
    mode: Suppress[Literal["off", "SO3xR3", "SE3"]] = "off"
    trans_l2_penalty: Suppress[float] = 0.0
    rot_l2_penalty: Suppress[float] = 0.0


class CameraDeltas(CameraOptimizer):
    """`CameraCorrections` for nerfstudio."""

    config: CameraDeltasConfig
    T_camera_known: Tensor

    def __init__(
        self,
        config: CameraDeltasConfig,
        num_cameras: int,
        device: Any,
        cameras: Cameras,
        refine_focal: RefineFocal,
        pose_lr_scale: Float[Tensor, " views"] | None = None,
    ) -> None:
        """Make corrections of zero to the cameras in nerfstudio's datasets.

        Args:
            pose_lr_scale: factor on the learning rate of each camera; None means 1 for all.
        """
        super().__init__(config, num_cameras=num_cameras, device=device)
        self.corrections = CameraCorrections(cameras, refine_focal, pose_lr_scale=pose_lr_scale)
        self.register_buffer("T_camera_known", cameras.T_camera_world.clone())

    def start_from(self, cameras: Cameras) -> None:
        """Reset all corrections to zero, relative to these cameras, which nerfstudio's datasets hold from now on."""
        self.T_camera_known.copy_(cameras.T_camera_world)
        self.corrections.start_from(cameras)

    def forward(self, indices: Int[Tensor, " cameras"]) -> Float[Tensor, "cameras 3 4"]:
        """Corrections D: the corrected OpenGL camera-to-world pose is `known @ D`, with the pose in the datasets."""
        indices = indices.to(self.T_camera_known.device)
        known = opengl_from_opencv(self.T_camera_known[indices])
        refined = opengl_from_opencv(self.corrections.cameras().T_camera_world[indices])
        return (se3.inverse(known) @ refined)[:, :3]

    def apply_to_camera(self, camera: NerfstudioCameras) -> Float[Tensor, "cameras 3 4"]:
        """Corrected camera-to-world pose (OpenGL) of a training camera; unchanged for others, as the viewer's."""
        if camera.metadata is None or "cam_idx" not in camera.metadata:
            return camera.camera_to_worlds
        index = torch.as_tensor(camera.metadata["cam_idx"], device=self.T_camera_known.device).reshape(-1)
        return nerfstudio_poses.multiply(camera.camera_to_worlds, self(index).to(camera.camera_to_worlds))

    def get_param_groups(self, param_groups: dict[str, list[nn.Parameter]]) -> None:
        """Add the tangents as the group `camera_opt` and the focal factors as `focal_opt`."""
        param_groups["camera_opt"] = [self.corrections.tangents]
        param_groups["focal_opt"] = [self.corrections.log_focal]

    def get_metrics_dict(self, metrics_dict: dict[str, Any]) -> None:
        """Add the largest motion of a pose since the stage began, and the mean factor on the focal length."""
        tangents = self.corrections.tangents.detach()
        metrics_dict["pose_moved_deg_max"] = tangents[:, 3:].norm(dim=-1).max().rad2deg()
        metrics_dict["pose_moved_units_max"] = tangents[:, :3].norm(dim=-1).max()
        metrics_dict["focal_factor"] = self.corrections.log_focal.detach().mean().exp()
