"""What is learned about each camera: an SE(3) tangent and the logarithm of a focal factor.

Frames: `camera`; `world`; `guess`, the world as pose init placed it for one view; `facing`, with the world's origin and
the axes of the guessed camera. A tangent moves the world before the guessed camera looks at it, and is written in the
facing frame: T_camera_world = T_camera_facing exp(tangent) T_facing_guess. After normalisation the object
stands at the world's origin, so rotating that way orbits the object instead of panning away from it, and the tangents'
six numbers mean the same for all views: shifts across and along the view, orbit, roll.

A longer focal length from farther away shows nearly the same picture; only perspective tells the two apart. So a focal
factor moves its camera back by the same factor (a dolly zoom about the world's origin): the object keeps its place and
size in the picture, and the gradient of the factor is what perspective says about it. With the focal length on its
own, distance and focal length chase each other and neither arrives (docs/method.md).
"""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sparseags_ns.geometry import se3
from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.optimization.settings import RefineFocal


def corrected(guess: Cameras, tangents: Float[Tensor, "views 6"], log_focal: Float[Tensor, "#views"]) -> Cameras:
    """The cameras with their corrections, differentiable in both.

    Args:
        guess: the cameras that the corrections belong to.
        tangents: translation, then rotation (radians), in the facing frame of each view.
        log_focal: logarithm of the factor on each focal length, or one for all.
    """
    R_facing_guess, t_camera_facing = guess.T_camera_world[:, :3, :3], guess.T_camera_world[:, :3, 3]
    T_facing_guess = se3.pose(R_facing_guess, torch.zeros_like(t_camera_facing))
    T_camera_facing = se3.pose(torch.eye(3).to(R_facing_guess).expand_as(R_facing_guess), t_camera_facing)
    T_camera_world = T_camera_facing @ se3.exp(tangents) @ T_facing_guess
    factor = log_focal.exp().expand(len(guess))
    one = torch.ones_like(factor)
    lengths = torch.stack([factor, factor, one], dim=-1)
    K = guess.K * torch.stack([lengths, lengths, torch.ones_like(lengths)], dim=-2)
    away = torch.stack([one, one, factor], dim=-1)
    pose = se3.pose(T_camera_world[:, :3, :3], T_camera_world[:, :3, 3] * away)
    return replace(guess, T_camera_world=pose, K=K)


class CameraCorrections(nn.Module):
    """One SE(3) tangent for each view (translation, then rotation) and the focal factors' logarithms, zero at first.

    Buffers: the guessed cameras, which the corrections belong to.
    """

    T_camera_guess: Tensor
    K_guess: Tensor
    pose_lr_scale: Tensor

    def __init__(
        self,
        guess: Cameras,
        refine_focal: RefineFocal,
        *,
        refine_poses: bool = True,
        pose_lr_scale: Float[Tensor, " views"] | None = None,
    ) -> None:
        """Set up.

        Args:
            pose_lr_scale: factor on the corrections of each view; None is 1 for all.
        """
        super().__init__()
        self.width, self.height = guess.width, guess.height
        self.register_buffer("T_camera_guess", guess.T_camera_world.clone())
        self.register_buffer("K_guess", guess.K.clone())
        zeros = torch.zeros_like(guess.T_camera_world[:, 0, 0])
        pose_lr_scale = torch.ones_like(zeros) if pose_lr_scale is None else pose_lr_scale.to(zeros)
        self.register_buffer("pose_lr_scale", pose_lr_scale.clone(), persistent=False)
        self.tangents = nn.Parameter(zeros[:, None].repeat(1, 6), requires_grad=refine_poses)
        log_focal = zeros if refine_focal == "per_view" else zeros[:1]
        self.log_focal = nn.Parameter(log_focal.clone(), requires_grad=refine_focal != "off" and refine_poses)

    @property
    def guess(self) -> Cameras:
        """The cameras without their corrections."""
        return Cameras(self.T_camera_guess, self.K_guess, self.width, self.height)

    def cameras(self) -> Cameras:
        """The corrected cameras, differentiable in tangents and focal factors."""
        return corrected(self.guess, self.pose_lr_scale[:, None] * self.tangents, self.pose_lr_scale * self.log_focal)

    @torch.no_grad()
    def start_from(self, cameras: Cameras) -> None:
        """Take these cameras as the guess and forget all corrections."""
        self.T_camera_guess.copy_(cameras.T_camera_world)
        self.K_guess.copy_(cameras.K)
        self.tangents.zero_()
        self.log_focal.zero_()
