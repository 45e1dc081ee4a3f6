"""Which world an export is written in; Gaussians and cameras move together, so that all exports of one choice fit.

- `world`: the run's own, in which `sparseags/` is written: origin near the object, +y up as the initial cameras had it;
- `given`: the world of the poses that the run began with, the object where those poses have it;
- `y-up`: the run's world, turned so that the refined cameras' up is exactly +y (glTF, most mesh programs);
- `y-down`: the same upside down, as viewers expect that show splats in COLMAP's axes;
- `z-up`: the same with +z up (Blender, nerfstudio).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.geometry import se3
from sparseags_ns.geometry.alignment import Similarity, rotation_to_y, up_direction
from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.geometry.motion import drift
from sparseags_ns.rasterizer.reference import harmonics
from sparseags_ns.rasterizer.types import Gaussians
from sparseags_ns.runs.opening import OpenedRun

Orient = Literal["world", "given", "y-up", "y-down", "z-up"]

_TURNS_ABOUT_X = {"y-up": 0.0, "y-down": torch.pi, "z-up": torch.pi / 2}


@dataclass(frozen=True)
class OrientedRun:
    """A run whose Gaussians and refined cameras were carried into the world of an export."""

    run: OpenedRun
    """As it was opened; its `initial` cameras stay in the run's world."""
    orient: Orient
    from_world: Similarity
    """From the run's world."""
    gaussians: Gaussians
    refined: Cameras

    @property
    def description(self) -> dict[str, object]:
        """What an export's own record says of its world."""
        return {"orient": self.orient, "T_export_world": self.from_world.matrix.tolist()}


def oriented(run: OpenedRun, orient: Orient) -> OrientedRun:
    """Carry a run's Gaussians and refined cameras into another world."""
    similarity = to_orientation(run, orient)
    refined = run.refined.detach()
    if orient == "world":
        return OrientedRun(run, orient, similarity, run.gaussians, refined)
    # A float32 pose would lose digits where the given world is large.
    poses = similarity.apply_to_poses(refined.T_camera_world.double())
    moved = Cameras(poses, refined.K.double(), refined.width, refined.height)
    return OrientedRun(run, orient, similarity, moved_gaussians(run.gaussians, similarity), moved)


def to_orientation(run: OpenedRun, orient: Orient) -> Similarity:
    """The map from the run's world to that of the export."""
    if orient == "world":
        return Similarity.identity()
    if orient == "given":
        return to_given(run)
    up = up_direction(run.refined.detach()[run.trusted].T_world_camera.double().cpu())
    rotation = _about_x(_TURNS_ABOUT_X[orient]) @ rotation_to_y(up)
    return Similarity(torch.ones((), dtype=torch.float64), rotation, torch.zeros(3, dtype=torch.float64))


def to_given(run: OpenedRun) -> Similarity:
    """From the run's world to that of the given poses.

    The run's world drifts a little while it is optimised. The drift is taken out by the trusted cameras that agree
    about it, so that the object comes to stand where the given poses see it.
    """
    center = run.gaussians.center.double().cpu()
    given, refined = (c.detach()[run.trusted].T_camera_world.cpu() for c in (run.initial, run.refined))
    return drift(given, refined, center).compose(run.normalisation).inverse()


def moved_gaussians(gaussians: Gaussians, similarity: Similarity) -> Gaussians:
    """The same Gaussians in another world; their colours turn with them."""
    rotation = similarity.rotation.to(gaussians.means)
    turn = se3.quats_from_rotations(similarity.rotation).to(gaussians.quats)
    colors = gaussians.colors
    return replace(
        gaussians,
        means=similarity.apply_to_points(gaussians.means.double()).to(gaussians.means),
        quats=quat_product(turn.expand_as(gaussians.quats), gaussians.quats),
        scales=gaussians.scales * similarity.scale.to(gaussians.scales),
        colors=colors if colors.ndim == 2 else turned_harmonics(colors, rotation),
    )


def turned_harmonics(
    coefficients: Float[Tensor, "gaussians bases 3"], rotation: Float[Tensor, "3 3"]
) -> Float[Tensor, "gaussians bases 3"]:
    """Coefficients of the turned functions: what was seen from a direction is seen from the turned direction.

    Each degree turns within itself, by the matrix that fits enough directions; they determine it exactly.
    """
    degree = round(coefficients.shape[1] ** 0.5) - 1
    directions = torch.randn(64, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    directions = directions / directions.norm(dim=-1, keepdim=True)
    before, after = harmonics(directions, degree), harmonics(directions @ rotation.double().cpu().T, degree)
    turned = coefficients.clone()
    for band in range(1, degree + 1):
        rows = slice(band * band, (band + 1) ** 2)
        matrix = torch.linalg.lstsq(after[:, rows], before[:, rows]).solution.to(coefficients)
        turned[:, rows] = torch.einsum("ij,njk->nik", matrix, coefficients[:, rows])
    return turned


def quat_product(a: Float[Tensor, "*batch 4"], b: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 4"]:
    """The quaternion (w, x, y, z) of b's rotation followed by a's."""
    w, v = (
        a[..., :1] * b[..., :1] - (a[..., 1:] * b[..., 1:]).sum(-1, keepdim=True),
        torch.linalg.cross(a[..., 1:], b[..., 1:]),
    )
    return torch.cat([w, a[..., :1] * b[..., 1:] + b[..., :1] * a[..., 1:] + v], dim=-1)


def _about_x(angle: float) -> Float[Tensor, "3 3"]:
    return se3.exp(torch.tensor([0, 0, 0, angle, 0, 0], dtype=torch.float64))[:3, :3]
