"""From files to what id-pose asks its prior about, and from the answer back to cameras; without any prior.

The toy is a ball whose colours say which side of it one looks at. Its photographs are taken from known places, with two
lenses, by cameras that do not look straight at it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from sparseags_ns.geometry import se3
from sparseags_ns.geometry.cameras import Cameras, orbit
from sparseags_ns.geometry.pose_errors import pose_errors
from sparseags_ns.pose_init.id_pose.noise_error import cameras_of
from sparseags_ns.pose_init.id_pose.object_images import (
    ObjectPicture,
    middle_ray,
    photograph_camera,
    read_objects,
    turn_to,
)
from sparseags_ns.preprocess.store import Store
from sparseags_ns.rasterizer import rasterize
from sparseags_ns.rasterizer.types import Gaussians

SIDE = 64
WIDTH, HEIGHT = 160, 120
STRAIGHT = torch.tensor([[0.0, 20.0, 3.8, 0.0], [130.0, 35.0, 3.2, 0.0], [250.0, 5.0, 4.4, -12.0]]).double()
"""Azimuth, elevation, distance and roll of cameras that look at the ball from where the photographs were taken."""
AWAY = torch.tensor([[0.12, -0.2, 0.0], [-0.1, 0.15, 0.0], [0.0, 0.1, 0.0]]).double()
"""How the photographs' cameras are turned from there: radians, about axes at right angles to the line of sight."""
EXIF_IFD, FOCAL_LENGTH_35MM = 0x8769, 0xA405
FILM_DIAGONAL_MM, LONG_LENS_MM = 43.2666, 56
FOCALS = torch.tensor([1.2 * WIDTH, 1.2 * WIDTH, LONG_LENS_MM / FILM_DIAGONAL_MM * math.hypot(WIDTH, HEIGHT)]).double()
"""The last photograph's is in its EXIF tags; the others have what is guessed."""


def ball() -> Gaussians:
    generator = torch.Generator().manual_seed(0)
    outward = F.normalize(torch.randn(400, 3, generator=generator), dim=-1)
    return Gaussians(
        means=0.4 * outward,
        quats=torch.randn(400, 4, generator=generator),
        scales=torch.full((400, 3), 0.04),
        opacities=torch.full((400,), 0.95),
        colors=0.5 + 0.48 * outward,
    )


def seen(T_camera_world: Tensor, K: Tensor, width: int, height: int) -> tuple[Tensor, Tensor]:
    """The ball over black, and its coverage, in each camera."""
    raster = rasterize(ball(), Cameras(T_camera_world.float(), K.float(), width, height), torch.zeros(3))
    return raster.rgb, raster.alpha


def over_white(T_camera_world: Tensor, K: Tensor) -> Float[Tensor, "views side side 3"]:
    rgb, alpha = seen(T_camera_world, K, SIDE, SIDE)
    return rgb + 1 - alpha[..., None]


def lens(focals: Tensor, width: int, height: int) -> Float[Tensor, "views 3 3"]:
    K = torch.eye(3, dtype=torch.float64).repeat(len(focals), 1, 1)
    K[:, 0, 0], K[:, 1, 1] = focals, focals
    K[:, 0, 2], K[:, 1, 2] = width / 2, height / 2
    return K


def true_cameras() -> Float[Tensor, "views 4 4"]:
    azimuth, elevation, distance, roll = STRAIGHT.unbind(-1)
    return se3.exp(torch.cat([torch.zeros_like(AWAY), AWAY], dim=-1)) @ orbit(
        azimuth, elevation, distance, roll_deg=roll
    )


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Sequence[ObjectPicture]:
    """RGBA files, transparent around the ball with soft edges, as the prior gets them."""
    folder = tmp_path_factory.mktemp("ball")
    rgb, alpha = seen(true_cameras(), lens(FOCALS, WIDTH, HEIGHT), WIDTH, HEIGHT)
    straight = torch.cat([rgb / alpha.clamp(min=1e-3)[..., None], alpha[..., None]], dim=-1).clamp(0, 1)
    paths = [folder / f"{name}.png" for name in "abc"]
    for path, pixels in zip(paths, straight, strict=True):
        exif = Image.Exif()
        if path.stem == "c":
            exif[EXIF_IFD] = {FOCAL_LENGTH_35MM: LONG_LENS_MM}
        Image.fromarray((pixels * 255).round().byte().numpy()).save(path, exif=exif)
    return read_objects(paths, folder, Store(folder / "kept"), SIDE)


def mean_focal(pictures: Sequence[ObjectPicture]) -> float:
    return sum(picture.relative_focal for picture in pictures) / len(pictures)


def true_poses(pictures: Sequence[ObjectPicture]) -> Float[Tensor, "views 4"]:
    """What the prior should say: where cameras of one lens would stand that see the ball as large as in the crops."""
    poses = STRAIGHT.clone()
    poses[:, 2] *= mean_focal(pictures) / torch.tensor([picture.relative_focal for picture in pictures])
    return poses


def test_a_picture_is_what_the_photographs_camera_sees_through_the_lens_of_the_crop(
    pictures: Sequence[ObjectPicture],
) -> None:
    expected = over_white(true_cameras(), torch.stack([picture.K_crop for picture in pictures]))
    found = torch.stack([picture.image for picture in pictures])
    assert float((found - expected).abs().mean()) < 0.005
    assert (found[:, 0, 0] == 1).all(), "over white"
    size = (found.amin(-1) < 0.9).any(dim=1).sum(dim=-1) / SIDE
    assert ((size > 0.75) & (size < 0.9)).all(), "the object fills about four fifths of the side"


def test_a_picture_is_what_a_camera_sees_that_looks_at_the_object_from_the_true_pose(
    pictures: Sequence[ObjectPicture],
) -> None:
    """So the prior is asked about what it was trained on: a pose that is 15 degrees off shows something else."""
    K = lens(torch.full((len(pictures),), mean_focal(pictures) * SIDE), SIDE, SIDE)
    found, poses = torch.stack([picture.image for picture in pictures]), true_poses(pictures)
    errors = (over_white(cameras_of(poses).T_camera_world, K) - found).abs().mean((1, 2, 3))
    assert (errors < 0.015).all()
    for wrong in ([15.0, 0, 0, 0], [-15.0, 0, 0, 0], [0, 15.0, 0, 0], [0, -15.0, 0, 0], [0, 0, 0.6, 0]):
        off = over_white(cameras_of(poses + torch.tensor(wrong).double()).T_camera_world, K)
        assert ((off - found).abs().mean((1, 2, 3)) > 2 * errors).all(), wrong


def test_true_poses_become_the_true_cameras_of_the_photographs(pictures: Sequence[ObjectPicture]) -> None:
    poses = true_poses(pictures)
    frames = [photograph_camera(one, pose, mean_focal(pictures)) for one, pose in zip(pictures, poses, strict=True)]
    found = torch.stack([frame.T_camera_world for frame in frames])
    errors = pose_errors(found, true_cameras())
    assert errors.pairs_rotation_deg.max() < 1.0 and errors.center.max() < 0.01
    assert torch.allclose(torch.stack([frame.K for frame in frames]), lens(FOCALS, WIDTH, HEIGHT), rtol=0.01)


def test_a_camera_that_does_not_look_at_the_object_is_found_from_one_that_does(tmp_path: Path) -> None:
    """The ball lies off the middle of a photograph; its picture's pose is that of a camera that looks at it."""
    pixels = np.zeros((300, 400, 4), np.uint8)
    rows, columns = np.mgrid[:300, :400]
    pixels[(columns - 320) ** 2 + (rows - 100) ** 2 < 40**2] = (200, 30, 30, 255)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    (picture,) = read_objects([tmp_path / "a.png"], tmp_path, Store(tmp_path / "kept"), SIDE)
    assert picture.image[0, 0].tolist() == [1, 1, 1] and picture.image[SIDE // 2, SIDE // 2, 1] < 0.2
    pose = torch.tensor([40.0, 10.0, 2.0, 0.0])
    frame = photograph_camera(picture, pose, picture.relative_focal)
    assert frame.intrinsics == pytest.approx((480.0, 480.0, 200.0, 150.0))
    center = frame.T_camera_world[:3, 3]
    shown = frame.K @ center
    assert (shown[:2] / shown[2]).tolist() == pytest.approx([320.0, 100.0], abs=1)
    assert float(center.norm()) == pytest.approx(2.0)
    place = torch.linalg.inv(frame.T_camera_world)[:3, 3]
    straight = orbit(pose[0].double(), pose[1].double(), 2.0)
    assert torch.allclose(place, torch.linalg.inv(straight)[:3, 3], atol=1e-9)


def test_the_smallest_turn_takes_the_optical_axis_to_the_ray() -> None:
    ray = middle_ray(torch.tensor([[100.0, 0, 10], [0, 100, 40], [0, 0, 1]], dtype=torch.float64), SIDE)
    assert torch.allclose(turn_to(ray)[:, 2], ray)
    axis = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)
    assert torch.allclose(turn_to(axis), torch.eye(3, dtype=torch.float64))
