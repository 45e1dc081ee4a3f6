"""What may not change an image, searched by hypothesis, in float64 on the CPU back end."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from benchmarks.scenes import Scene, ball_scene
from sparseags_ns.geometry import se3
from sparseags_ns.rasterizer import rasterize

CALM = settings(max_examples=25, deadline=None)
seeds = st.integers(0, 2**31)
motions = st.lists(st.floats(-2, 2, allow_nan=False), min_size=6, max_size=6)


def scene_of(seed: int) -> Scene:
    return ball_scene(60, (48, 40), 2, scale=0.06, seed=seed).map(Tensor.double)


def render(scene: Scene) -> tuple[Tensor, Tensor]:
    raster = rasterize(scene.gaussians, scene.cameras, scene.background, depth=True)
    assert raster.depth is not None
    return raster.rgb, raster.depth


def hamilton(a: Tensor, b: Tensor) -> Tensor:
    """Product of quaternions (w, x, y, z)."""
    aw, ax, ay, az = a.unbind(-1)
    bw, bx, by, bz = b.unbind(-1)
    w, x = aw * bw - ax * bx - ay * by - az * bz, aw * bx + ax * bw + ay * bz - az * by
    y, z = aw * by - ax * bz + ay * bw + az * bx, aw * bz + ax * by - ay * bx + az * bw
    return torch.stack([w, x, y, z], dim=-1)


@given(seeds, motions)
@CALM
def test_moving_world_and_cameras_together_changes_nothing(seed: int, motion: list[float]) -> None:
    scene = scene_of(seed)
    turn = torch.tensor([1.0, *motion[:3]], dtype=torch.float64)
    R, t = se3.rotations_from_quats(turn[None])[0], torch.tensor(motion[3:], dtype=torch.float64)
    T_moved_world = se3.pose(R, t)
    moved = scene.with_tensors(
        {
            "means": scene.gaussians.means @ R.T + t,
            "quats": hamilton(turn.expand(60, 4), scene.gaussians.quats),
            "T_camera_world": scene.cameras.T_camera_world @ se3.inverse(T_moved_world),
        }
    )
    for before, after in zip(render(scene), render(moved), strict=True):
        torch.testing.assert_close(after, before, rtol=1e-7, atol=1e-7)


@given(seeds)
@CALM
def test_the_order_of_the_gaussians_changes_nothing(seed: int) -> None:
    scene = scene_of(seed)
    order = torch.randperm(60, generator=torch.Generator().manual_seed(seed))
    names = ("means", "quats", "scales", "opacities", "colors")
    shuffled = scene.with_tensors({name: scene.tensors()[name][order] for name in names})
    for before, after in zip(render(scene), render(shuffled), strict=True):
        torch.testing.assert_close(after, before, rtol=1e-12, atol=1e-12)


@given(seeds, st.integers(0, 1), st.integers(0, 1))
@CALM
def test_moving_the_principal_point_crops_the_image(seed: int, columns: int, rows: int) -> None:
    # By whole tiles of gsplat, for those decide how far a splat may reach; and with all centres in the crop, for the
    # projection's derivative is clamped about the image's edge.
    scene = scene_of(seed)
    scene = scene.with_tensors({"means": 0.02 * scene.gaussians.means})
    left, top = 16 * columns, 16 * rows
    K = scene.cameras.K.clone()
    K[:, 0, 2] -= left
    K[:, 1, 2] -= top
    cameras = type(scene.cameras)(scene.cameras.T_camera_world, K, 48 - left, 40 - top)
    crop = Scene(scene.gaussians, cameras, scene.background)
    for whole, part in zip(render(scene), render(crop), strict=True):
        torch.testing.assert_close(part, whole[:, top:, left:], rtol=1e-9, atol=1e-9)
