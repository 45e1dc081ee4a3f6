"""The world that an export is written in. Gaussians and cameras move together, so exports to one world fit each other.

- `world`: the run's own, in which `sparseags/` is written: origin near the object, +y up as the initial cameras had it;
- `given`: the world of the given poses, with the object where those poses see it;
- `y-up`: the run's world rotated so that the up direction of the refined cameras is exactly +y (glTF, most mesh
  programs);
- `y-down`: that direction is -y, as splat viewers expect that use COLMAP's axes;
- `z-up`: that direction is +z (Blender, nerfstudio).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.console import warn
from sparseags_ns.formats.ply import MAX_ERROR_SHARE, float32_error
from sparseags_ns.geometry import se3
from sparseags_ns.geometry.alignment import Similarity, rotation_to_y, up_direction
from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.geometry.motion import drift
from sparseags_ns.rasterizer.reference import harmonics
from sparseags_ns.rasterizer.types import Gaussians
from sparseags_ns.runs.opening import OpenedRun

Orient = Literal["world", "given", "y-up", "y-down", "z-up"]

_ANGLES_ABOUT_X = {"y-up": 0.0, "y-down": torch.pi, "z-up": torch.pi / 2}
"""Rotations of the world with +y up about its x axis, radians."""


@dataclass(frozen=True)
class OrientedRun:
    """A run, with its Gaussians and refined cameras in the world of an export."""

    run: OpenedRun
    """The run in its own world."""
    orient: Orient
    from_world: Similarity
    """Map from the run's world to that of the export."""
    gaussians: Gaussians
    refined: Cameras

    @property
    def description(self) -> dict[str, object]:
        """Entry `frame` of `export.json`."""
        return {"orient": self.orient, "T_export_world": self.from_world.matrix.tolist()}

    @property
    def comment(self) -> str:
        """First comment in the header of .ply files."""
        return f"sparseags export, frame {self.orient}"


def oriented(run: OpenedRun, orient: Orient) -> OrientedRun:
    """Move a run's Gaussians and refined cameras to another world."""
    similarity = _from_world(run, orient)
    refined = run.refined.detach()
    if orient == "world":
        return OrientedRun(run, orient, similarity, run.gaussians, refined)
    # Far from the origin of a georeferenced world, a rotation that is off by a float32 digit moves a camera visibly.
    T = refined.T_camera_world.double()
    poses = similarity.apply_to_poses(se3.pose(se3.nearest_rotation(T[:, :3, :3]), T[:, :3, 3]))
    moved = Cameras(poses, refined.K.double(), refined.width, refined.height)
    return OrientedRun(run, orient, similarity, moved_gaussians(run.gaussians, similarity), moved)


def _from_world(run: OpenedRun, orient: Orient) -> Similarity:
    """The map from the run's world to that of the export."""
    if orient == "world":
        return Similarity.identity()
    if orient == "given":
        return _to_given(run)
    up = up_direction(run.refined.detach()[run.trusted].T_world_camera.double().cpu())
    about_x = torch.tensor([0, 0, 0, _ANGLES_ABOUT_X[orient], 0, 0], dtype=torch.float64)
    rotation = se3.exp(about_x)[:3, :3] @ rotation_to_y(up)
    return Similarity(torch.ones((), dtype=torch.float64), rotation, torch.zeros(3, dtype=torch.float64))


def _to_given(run: OpenedRun) -> Similarity:
    """The map from the run's world to that of the given poses.

    The run's world drifts a little during optimisation. The drift is estimated from the trusted cameras that are
    consistent and removed, so that the object is where the given poses see it.
    """
    center = run.gaussians.center.double().cpu()
    given, refined = (c.detach()[run.trusted].T_camera_world.cpu() for c in (run.initial, run.refined))
    return drift(given, refined, center).compose(run.normalisation).inverse()


def warn_of_float32(positions: Float[Tensor, "points 3"], what: str) -> None:
    """Warn where float32 cannot hold positions of the export's world; `what` says which file or program has it."""
    error, share = float32_error(positions)
    if share > MAX_ERROR_SHARE:
        largest = float(positions.abs().max())
        warn(
            what,
            f"coordinates of up to {largest:.3g} are then off by up to {error:.2g}; another --orient has small ones",
        )


def moved_gaussians(gaussians: Gaussians, similarity: Similarity) -> Gaussians:
    """The Gaussians in another world, their spherical harmonics rotated."""
    rotation = similarity.rotation.to(gaussians.means)
    turn = se3.quats_from_rotations(similarity.rotation).to(gaussians.quats)
    colors = gaussians.colors
    return replace(
        gaussians,
        means=similarity.apply_to_points(gaussians.means.double()).to(gaussians.means),
        quats=quat_product(turn.expand_as(gaussians.quats), gaussians.quats),
        scales=gaussians.scales * similarity.scale.to(gaussians.scales),
        colors=colors if colors.ndim == 2 else rotated_harmonics(colors, rotation),
    )


def rotated_harmonics(
    coefficients: Float[Tensor, "gaussians bases 3"], rotation: Float[Tensor, "3 3"]
) -> Float[Tensor, "gaussians bases 3"]:
    """Coefficients of rotated functions: their value in a rotated direction was that in the original direction.

    A rotation maps the functions of one degree to each other. Their values in 64 random directions are more than enough
    to determine the matrix of each degree exactly, by least squares.
    """
    degree = round(coefficients.shape[1] ** 0.5) - 1
    directions = torch.randn(64, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    directions = directions / directions.norm(dim=-1, keepdim=True)
    before, after = harmonics(directions, degree), harmonics(directions @ rotation.double().cpu().T, degree)
    rotated = coefficients.clone()
    for band in range(1, degree + 1):
        rows = slice(band * band, (band + 1) ** 2)
        matrix = torch.linalg.lstsq(after[:, rows], before[:, rows]).solution.to(coefficients)
        rotated[:, rows] = torch.einsum("ij,njk->nik", matrix, coefficients[:, rows])
    return rotated


def quat_product(a: Float[Tensor, "*batch 4"], b: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 4"]:
    """The quaternion (w, x, y, z) of the rotation b followed by the rotation a."""
    (a_w, a_v), (b_w, b_v) = a.split([1, 3], dim=-1), b.split([1, 3], dim=-1)
    w = a_w * b_w - (a_v * b_v).sum(-1, keepdim=True)
    return torch.cat([w, a_w * b_v + b_w * a_v + torch.linalg.cross(a_v, b_v)], dim=-1)
