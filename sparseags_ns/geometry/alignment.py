"""Similarities between worlds: the value type, the least-squares fit of two point sets, the scene's normal frame.

Frames: `source` and `target` worlds of a similarity, p_target = scale * rotation @ p_source + translation; `camera`,
OpenCV axes. Similarities are computed in float64; what they are applied to keeps its dtype.

The normal frame of a scene (METHOD.md): origin where the optical axes meet, mean camera distance 1.85, +y up.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.geometry import se3

NORMAL_DISTANCE = 1.85
"""Mean camera distance from the origin of the normal frame: the authors' value, and the scale that the diffusion prior
was trained with."""

MIN_AXIS_SPREAD_DEG = 2.0
"""Optical axes with a smaller spread (root mean square angle) do not determine the point where they meet."""

_MIN_UP_EVIDENCE = 1e-2
"""Smallest second eigenvalue (of three, with sum 1) of the scatter of the x axes that determines the up direction."""


class AlignmentError(ValueError):
    """Cameras or points that do not determine the requested similarity."""


@dataclass(frozen=True)
class Similarity:
    """A map from the source to the target world: p_target = scale * rotation @ p_source + translation."""

    scale: Float[Tensor, ""]
    rotation: Float[Tensor, "3 3"]
    translation: Float[Tensor, " 3"]

    @staticmethod
    def identity() -> Similarity:
        """The identity map."""
        one = torch.ones((), dtype=torch.float64)
        return Similarity(one, torch.eye(3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64))

    @property
    def matrix(self) -> Float[Tensor, "4 4"]:
        """The map as a 4x4 matrix on homogeneous points."""
        return se3.pose(self.scale * self.rotation, self.translation)

    def apply_to_points(self, points: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
        """Map points to the target world."""
        scale, rotation, translation = self._as(points)
        return scale * points @ rotation.T + translation

    def apply_to_poses(self, T_camera_world: Float[Tensor, "*batch 4 4"]) -> Float[Tensor, "*batch 4 4"]:
        """Poses of the same cameras in the target world: depths are multiplied by `scale`, pixels do not change."""
        scale, rotation, translation = self._as(T_camera_world)
        R_camera_target = T_camera_world[..., :3, :3] @ rotation.T
        t = scale * T_camera_world[..., :3, 3] - (R_camera_target @ translation[:, None]).squeeze(-1)
        return se3.pose(R_camera_target, t)

    def inverse(self) -> Similarity:
        """The map from the target back to the source world."""
        rotation = self.rotation.T
        return Similarity(1 / self.scale, rotation, -(rotation @ self.translation) / self.scale)

    def compose(self, first: Similarity) -> Similarity:
        """The map that applies `first` and then this one."""
        scale, rotation = self.scale * first.scale, self.rotation @ first.rotation
        return Similarity(scale, rotation, self.apply_to_points(first.translation))

    def _as(self, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.scale.to(like), self.rotation.to(like), self.translation.to(like)


def fit_similarity(source: Float[Tensor, "points 3"], target: Float[Tensor, "points 3"]) -> Similarity:
    """The similarity (never a reflection) that maps source to target points with the least sum of squared distances.

    Collinear points (two points always are) leave the rotation about their line undetermined: one of the equally good
    rotations is returned. Umeyama, "Least-squares estimation of transformation parameters between two point
    patterns", 1991, equations 40 to 42.

    Raises:
        AlignmentError: the points of either set coincide, or the best scale is zero.
    """
    source, target = source.double(), target.double()
    source_mean, target_mean = source.mean(0), target.mean(0)
    source_offsets, target_offsets = source - source_mean, target - target_mean
    variance = source_offsets.square().sum()
    for name, offsets, mean in (("source", source_offsets, source_mean), ("target", target_offsets, target_mean)):
        if not offsets.norm() > 1e-12 * max(1.0, float(mean.norm())):
            raise AlignmentError(f"fit_similarity: all {len(offsets)} {name} points coincide (or are not finite)")
    U, singular, Vh = torch.linalg.svd(target_offsets.T @ source_offsets)
    # The last sign turns the orthogonal matrix that maximises the trace into a rotation (Umeyama, equation 43).
    signs = torch.ones_like(singular)
    signs[2] = torch.det(U @ Vh).sign()
    rotation = (U * signs) @ Vh
    scale = (singular * signs).sum() / variance
    if not scale * source_offsets.norm() > 1e-9 * target_offsets.norm():
        raise AlignmentError("fit_similarity: no positive scale brings the source points nearer to the target points")
    return Similarity(scale, rotation, target_mean - scale * (rotation @ source_mean))


def normalizing_similarity(T_camera_world: Float[Tensor, "views 4 4"]) -> Similarity:
    """The map from the cameras' world to the normal frame of the scene.

    The rotation is the smallest one that brings the estimated up direction to +y, so a scene that is already in the
    normal frame does not change.

    Raises:
        AlignmentError: fewer than two cameras, optical axes too nearly parallel, or cameras that look away.
    """
    centering = centering_similarity(T_camera_world)
    rotation = rotation_to_y(up_direction(se3.inverse(T_camera_world.double())))
    return Similarity(centering.scale, rotation, rotation @ centering.translation)


def centering_similarity(T_camera_world: Float[Tensor, "views 4 4"]) -> Similarity:
    """The map to the normal frame without its rotation: only the origin and the scale change.

    Raises:
        AlignmentError: fewer than two cameras, optical axes too nearly parallel, or cameras that look away.
    """
    T_world_camera = se3.inverse(T_camera_world.double())
    center = axes_meeting_point(T_world_camera)
    scale = NORMAL_DISTANCE / (T_world_camera[:, :3, 3] - center).norm(dim=-1).mean()
    return Similarity(scale, torch.eye(3).to(center), -scale * center)


def axes_meeting_point(T_world_camera: Float[Tensor, "views 4 4"]) -> Float[Tensor, " 3"]:
    """The point with the least sum of squared distances to the optical axes.

    Raises:
        AlignmentError: fewer than two cameras, optical axes too nearly parallel, or cameras that look away.
    """
    centers, forward = T_world_camera[:, :3, 3], T_world_camera[:, :3, 2]
    views = len(centers)
    if views < 2:
        raise AlignmentError(f"normalising a scene needs 2 or more cameras, got {views}")
    # The nearest point to the axes c_i + s f_i solves (sum P_i) x = sum P_i c_i, with P_i = I - f_i f_i^T.
    across = torch.eye(3, dtype=forward.dtype, device=forward.device) - forward[:, :, None] * forward[:, None, :]
    normal_matrix = across.mean(0)
    # The smallest eigenvalue is the mean squared sine between the axes and their common direction.
    spread = torch.linalg.eigvalsh(normal_matrix)[0].clamp(min=0).sqrt().asin().rad2deg()
    if not spread >= MIN_AXIS_SPREAD_DEG:
        raise AlignmentError(
            f"the optical axes of the {views} cameras are parallel to within {float(spread):.2g} degrees: they meet "
            f"nowhere in particular; normalising needs a spread of {MIN_AXIS_SPREAD_DEG:g} degrees or more"
        )
    center = torch.linalg.solve(normal_matrix, (across @ centers[..., None]).mean(0).squeeze(-1))
    behind = ((center - centers) * forward).sum(-1) <= 0
    if 2 * int(behind.sum()) >= views:
        raise AlignmentError(
            f"the optical axes meet behind {int(behind.sum())} of {views} cameras: they do not look at one object, "
            "or their poses are in another convention than the file says"
        )
    return center


def up_direction(T_world_camera: Float[Tensor, "views 4 4"]) -> Float[Tensor, " 3"]:
    """The world direction that is up: as orthogonal as possible to the cameras' x axes, towards the tops of the images.

    Photographers hold cameras level, so x axes are horizontal. Parallel x axes (cameras on one vertical arc) leave a
    rotation about them open; then the mean of the image-up directions decides. Where those cancel (cameras that look
    straight down), up is towards the cameras.
    """
    x_axes, tops, backward = T_world_camera[:, :3, 0], -T_world_camera[:, :3, 1], -T_world_camera[:, :3, 2]
    eigenvalues, eigenvectors = torch.linalg.eigh(x_axes.T @ x_axes / len(x_axes))
    if eigenvalues[1] < _MIN_UP_EVIDENCE:
        along = eigenvectors[:, 2]
        mean_top = tops.mean(0) - (tops.mean(0) @ along) * along
        if mean_top.norm() > 1e-3:
            return mean_top / mean_top.norm()
    up = eigenvectors[:, 0]
    side = tops.mean(0) @ up
    if side.abs() < 1e-3:
        side = backward.mean(0) @ up
    return up if side >= 0 else -up


def rotation_to_y(up: Float[Tensor, " 3"]) -> Float[Tensor, "3 3"]:
    """The rotation by the smallest angle that takes a unit vector to +y; about the x axis if it is exactly -y."""
    y = torch.zeros_like(up)
    y[1] = 1.0
    axis = torch.linalg.cross(up, y)
    sine = axis.norm()
    angle = torch.atan2(sine, up @ y)
    if sine < 1e-12:
        axis, sine = up.new_tensor([1.0, 0.0, 0.0]), torch.ones_like(sine)
    return se3.exp(torch.cat([torch.zeros_like(up), axis / sine * angle]))[:3, :3]
