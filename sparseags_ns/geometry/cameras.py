"""Pinhole cameras, and the only axis flips of the project.

Frames: `world`; `camera`, OpenCV axes (x right, y down, z forward). Other conventions exist at the interfaces only:
OpenGL camera-to-world (x right, y up, z backward; nerfstudio, Blender), PyTorch3D's R, T (row vectors, x left, y up,
z forward; the authors' `cameras.json`), and LLFF's camera-to-world (x down, y right, z backward), which is only read.

Orbits: the world's up is +y; azimuth 0 is +z, azimuth 90 degrees is +x; elevation grows towards +y.

Units: world units; degrees where a name ends in `_deg`; pixels. Pixel (column i, row j) covers [i, i+1) x [j, j+1),
its centre is (i + 0.5, j + 0.5).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.geometry import se3

Vectors: TypeAlias = Float[Tensor, "*batch 3"]
Angles: TypeAlias = Float[Tensor, "*#batch"] | float

# Signs of the camera axes against OpenCV's; multiplied onto the columns of camera-to-world, they flip axes.
_OPENGL_FLIP = 1.0, -1.0, -1.0
_PYTORCH3D_FLIP = -1.0, -1.0, 1.0


@dataclass(frozen=True)
class Cameras:
    """A batch of pinhole cameras that share one image size."""

    T_camera_world: Float[Tensor, "views 4 4"]
    """World-to-camera, OpenCV axes."""
    K: Float[Tensor, "views 3 3"]
    """Intrinsics in pixels of a `width` x `height` image."""
    width: int
    height: int

    def __len__(self) -> int:
        return self.T_camera_world.shape[0]

    def __getitem__(self, index: slice | list[int] | Tensor) -> Cameras:
        """A subset of the cameras; the index keeps the batch dimension (a slice, a list, a mask)."""
        return replace(self, T_camera_world=self.T_camera_world[index], K=self.K[index])

    @property
    def T_world_camera(self) -> Float[Tensor, "views 4 4"]:  # noqa: N802 - T_a_b names a transform
        """Camera-to-world, OpenCV axes."""
        return se3.inverse(self.T_camera_world)

    @property
    def centers(self) -> Float[Tensor, "views 3"]:
        """Optical centres in the world."""
        return self.T_world_camera[:, :3, 3]

    def to(self, *args: Any, **kwargs: Any) -> Cameras:
        """Move or cast both tensors, as `Tensor.to` does."""
        return replace(self, T_camera_world=self.T_camera_world.to(*args, **kwargs), K=self.K.to(*args, **kwargs))

    def detach(self) -> Cameras:
        """The cameras without gradient."""
        return replace(self, T_camera_world=self.T_camera_world.detach(), K=self.K.detach())

    def with_poses(self, T_camera_world: Float[Tensor, "views 4 4"]) -> Cameras:
        """Cameras with these intrinsics at other poses."""
        return replace(self, T_camera_world=T_camera_world)

    def resized(self, width: int, height: int) -> Cameras:
        """The cameras after the images are resampled to another size; exact, with a factor for each axis."""
        factors = self.K.new_tensor([width / self.width, height / self.height, 1.0])
        return replace(self, K=self.K * factors[:, None], width=width, height=height)


def project(
    cameras: Cameras, points: Float[Tensor, "*each points 3"]
) -> tuple[Float[Tensor, "views points 2"], Float[Tensor, "views points"]]:
    """Pixels (column, row) and depths along the optical axis of world points in every camera.

    The points are one set for all cameras (points 3), or one for each (views points 3). Pixels are undefined where the
    depth is not positive.
    """
    in_camera = se3.transform_points(cameras.T_camera_world, points)
    depth = in_camera[..., 2]
    # No division by zero, so that the gradient of the points that count stays finite.
    safe = torch.where(depth.abs() < torch.finfo(depth.dtype).tiny, 1.0, depth)
    homogeneous = in_camera / safe[..., None] @ cameras.K.transpose(-1, -2)
    return homogeneous[..., :2], depth


def frustum_corners(cameras: Cameras, depth: float) -> Float[Tensor, "views 5 3"]:
    """Each camera's centre, then the corners of its image plane at a depth along the optical axis, in the world."""
    width, height = cameras.width, cameras.height
    pixels = torch.tensor([[0.0, 0, 1], [width, 0, 1], [width, height, 1], [0, height, 1]], dtype=cameras.K.dtype)
    rays = pixels @ torch.linalg.inv(cameras.K).mT * depth
    at_camera = torch.cat([torch.zeros_like(rays[:, :1]), rays], dim=1)
    return se3.transform_points(cameras.T_world_camera, at_camera)


def look_at(
    eye: Vectors,
    target: Float[Tensor, "*#batch 3"],
    up: Float[Tensor, "*#batch 3"] | None = None,
    roll_deg: Angles = 0.0,
) -> Float[Tensor, "*batch 4 4"]:
    """`T_camera_world` of cameras at `eye` with `target` on the optical axis.

    Args:
        up: direction that is up in the image, +y by default; not along the line of sight.
        roll_deg: rotation of the camera about its optical axis, clockwise as seen from behind the camera.

    Raises:
        ValueError: eye and target coincide, or up lies along the line of sight.
    """
    up = eye.new_tensor([0.0, 1.0, 0.0]) if up is None else up
    forward = torch.nn.functional.normalize(target - eye, dim=-1)
    right = torch.linalg.cross(*torch.broadcast_tensors(forward, up))
    if (right.norm(dim=-1) <= 1e-6 * up.norm(dim=-1)).any():
        raise ValueError("look_at needs eye != target and an up direction that is not along the line of sight")
    return _from_axes(eye, torch.nn.functional.normalize(right, dim=-1), forward, roll_deg)


def orbit(
    azimuth_deg: Float[Tensor, "*batch"],
    elevation_deg: Float[Tensor, "*batch"],
    radius: Float[Tensor, "*#batch"] | float,
    target: Float[Tensor, "*#batch 3"] | None = None,
    roll_deg: Angles = 0.0,
) -> Float[Tensor, "*batch 4 4"]:
    """`T_camera_world` of cameras on a sphere around `target` (the origin by default), upright; poles included.

    The roll is about the optical axis, clockwise as seen from behind the camera.
    """
    azimuth, elevation = azimuth_deg.deg2rad(), elevation_deg.deg2rad()
    sin_a, cos_a, sin_e, cos_e = azimuth.sin(), azimuth.cos(), elevation.sin(), elevation.cos()
    outward = torch.stack([cos_e * sin_a, sin_e, cos_e * cos_a], dim=-1)
    right = torch.stack([cos_a, torch.zeros_like(cos_a), -sin_a], dim=-1)
    eye = outward * torch.as_tensor(radius, dtype=outward.dtype, device=outward.device)[..., None]
    return _from_axes(eye if target is None else eye + target, right, -outward, roll_deg)


def orbit_angles(centers: Vectors) -> tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch"], Float[Tensor, "*batch"]]:
    """Azimuth and elevation in degrees and radius of camera centres around the origin; the inverse of `orbit`."""
    x, y, z = centers.unbind(-1)
    return torch.atan2(x, z).rad2deg(), torch.atan2(y, torch.hypot(x, z)).rad2deg(), centers.norm(dim=-1)


def opencv_from_opengl(T_world_camera_gl: Float[Tensor, "*batch rows 4"]) -> Float[Tensor, "*batch 4 4"]:
    """`T_camera_world` (OpenCV) from an OpenGL camera-to-world, 4x4 or 3x4 as nerfstudio's `camera_to_worlds`."""
    R = T_world_camera_gl[..., :3, :3] * T_world_camera_gl.new_tensor(_OPENGL_FLIP)
    return se3.inverse(se3.pose(R, T_world_camera_gl[..., :3, 3]))


def opengl_from_opencv(T_camera_world: Float[Tensor, "*batch 4 4"]) -> Float[Tensor, "*batch 4 4"]:
    """OpenGL camera-to-world from `T_camera_world` (OpenCV)."""
    T_world_camera = se3.inverse(T_camera_world)
    R = T_world_camera[..., :3, :3] * T_world_camera.new_tensor(_OPENGL_FLIP)
    return se3.pose(R, T_world_camera[..., :3, 3])


def opencv_from_llff(T_world_camera_llff: Float[Tensor, "*batch rows 4"]) -> Float[Tensor, "*batch 4 4"]:
    """`T_camera_world` (OpenCV) from LLFF's 3x4 camera-to-world, whose axes are down, right and backward."""
    down, right, backward = T_world_camera_llff[..., :3, :3].unbind(-1)
    R = torch.stack([right, down, -backward], dim=-1)
    return se3.inverse(se3.pose(R, T_world_camera_llff[..., :3, 3]))


def opencv_from_pytorch3d(R: Float[Tensor, "*batch 3 3"], T: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 4 4"]:
    """`T_camera_world` (OpenCV) from PyTorch3D's R, T, which act on row vectors: X_camera = X_world @ R + T."""
    signs = R.new_tensor(_PYTORCH3D_FLIP)
    return se3.pose((R * signs).mT, T * signs)


def pytorch3d_from_opencv(T_camera_world: Float[Tensor, "*batch 4 4"]) -> tuple[Float[Tensor, "*batch 3 3"], Vectors]:
    """PyTorch3D's R, T (row vectors) from `T_camera_world` (OpenCV)."""
    signs = T_camera_world.new_tensor(_PYTORCH3D_FLIP)
    return T_camera_world[..., :3, :3].mT * signs, T_camera_world[..., :3, 3] * signs


def _from_axes(eye: Vectors, right: Vectors, forward: Vectors, roll_deg: Angles) -> Float[Tensor, "*batch 4 4"]:
    """`T_camera_world` from a position and two orthonormal axes, with a roll about the optical axis."""
    down = torch.linalg.cross(forward, right)
    roll = torch.as_tensor(roll_deg, dtype=eye.dtype, device=eye.device).deg2rad()[..., None]
    cos, sin = roll.cos(), roll.sin()
    R_camera_world = torch.stack([right * cos + down * sin, down * cos - right * sin, forward], dim=-2)
    return se3.pose(R_camera_world, -(R_camera_world @ eye[..., None]).squeeze(-1))
