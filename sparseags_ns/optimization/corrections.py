"""Learned corrections of the cameras: an SE(3) tangent for each view and factors on the focal lengths.

Frames: `camera`; `world`; `guess`, the world as pose init placed it for one view; `facing`, with the world's origin and
the axes of the guessed camera. A tangent moves the world before the guessed camera looks at it, and is written in the
facing frame: T_camera_world = T_camera_facing exp(tangent) T_facing_guess. After normalisation the object
lies at the world's origin, so rotating that way orbits the object instead of panning away from it, and the tangents'
six numbers mean the same for all views: shifts across and along the view, orbit, roll.

A longer focal length from farther away shows nearly the same image; only perspective tells the two apart. So a focal
factor moves its camera back by the same factor (a dolly zoom about the world's origin): the object keeps its place and
size in the image, and the gradient of the factor is what perspective reveals about it. With a focal length on its own,
distance and focal length chase each other and neither converges (docs/method.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sparseags_ns.geometry import se3
from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.optimization.settings import JointSettings, RefineFocal
from sparseags_ns.views import Views

SAME_FOCAL = 1e-4
"""Focal lengths that differ by less than this share count as equal already."""


def corrected(guess: Cameras, tangents: Float[Tensor, "views 6"], log_focal: Float[Tensor, "#views"]) -> Cameras:
    """The cameras with their corrections, differentiable in tangents and focal factors.

    Args:
        tangents: translation, then rotation (radians), in the facing frame of each view.
        log_focal: logarithm of the factor on each focal length, or one for all.
    """
    # guess = (R, t): T_facing_guess is the rotation R alone, T_camera_facing the translation t alone.
    R_facing_guess, t_camera_facing = guess.T_camera_world[:, :3, :3], guess.T_camera_world[:, :3, 3]
    T_facing_guess = se3.pose(R_facing_guess, torch.zeros_like(t_camera_facing))
    T_camera_facing = se3.pose(torch.eye(3).to(R_facing_guess).expand_as(R_facing_guess), t_camera_facing)
    T_camera_world = T_camera_facing @ se3.exp(tangents) @ T_facing_guess
    factor = log_focal.exp().expand(len(guess))
    one = torch.ones_like(factor)
    lengths = torch.stack([factor, factor, one], dim=-1)
    # Factors on fx and fy, 1 on the principal point: rows 0 and 1, columns 0 and 1 of K.
    K = guess.K * torch.stack([lengths, lengths, torch.ones_like(lengths)], dim=-2)
    # Dolly zoom by c: a point X near the origin lands at f (R X + t)_xy / (R X + t)_z. With c f for f and c t_z for t_z
    # this is c f (...)_xy / ((R X)_z + c t_z), equal to the old pixel where (R X)_z = 0, the plane through the origin
    # that faces the camera. What changes is how size varies with depth around that plane: perspective.
    away = torch.stack([one, one, factor], dim=-1)
    pose = se3.pose(T_camera_world[:, :3, :3], T_camera_world[:, :3, 3] * away)
    return replace(guess, T_camera_world=pose, K=K)


class CameraCorrections(nn.Module):
    """Learnable tangents and focal factors of all views, zero at first.

    The cameras that they correct are buffers, so that a checkpoint holds both.
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
        """Start without corrections.

        Args:
            refine_poses: False learns neither tangents nor focal factors.
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
        """Make these cameras the guess and reset all corrections."""
        self.T_camera_guess.copy_(cameras.T_camera_world)
        self.K_guess.copy_(cameras.K)
        self.tangents.zero_()
        self.log_focal.zero_()


def share_focal_length(views: Views, settings: JointSettings, say: Callable[[str, str], None] | None = None) -> Views:
    """The views with one focal length for all, where the settings share it and one camera setting can have taken them.

    Initialisers' focal lengths differ from view to view by a few percent, and each error hides in its camera's
    distance: joint refinement corrects what all views share, but hardly what each has of its own. If one camera setting
    took all photographs (`Views.focal_scale`), the mean is nearer the truth than any of them (docs/method.md).

    Each camera moves along its line of sight as its focal length changes, so that the object keeps its size (a dolly
    zoom about the world's origin). Views with fixed cameras keep all cameras as they are. Idempotent.

    Views are in the normalised world; `say` is called with what was done and why.
    """
    if settings.refine_focal != "shared" or views.focal_scale is None or bool(views.fixed.any()):
        return views
    lengths = (views.cameras.K[:, 0, 0] / views.focal_scale.to(views.cameras.K)).log()
    mean = lengths[views.posed].mean()
    spread = float((lengths.max() - lengths.min()).exp())
    if spread - 1 < SAME_FOCAL:
        return views
    if say is not None:
        say(
            f"focal length: {float(mean.exp()):.0f} pixels of the photographs for all of them",
            "they have one size and one principal point, so one camera setting took them; estimates differed by a "
            f"factor of {spread:.2f}",
        )
    no_tangents = torch.zeros(len(views), 6).to(lengths)
    return replace(views, cameras=corrected(views.cameras, no_tangents, mean - lengths))
