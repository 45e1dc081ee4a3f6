"""From files to the images that id-pose shows its prior, and from poses back to cameras; without any prior.

The toy is a ball whose colours tell its sides apart. Its photographs are taken from known places, with two focal
lengths, by cameras that do not look straight at it.
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
from sparseags_ns.pose_init.objects import ObjectImage, middle_ray, photograph_camera, read_objects, rotation_to
from sparseags_ns.preprocess.store import Store
from sparseags_ns.rasterizer import rasterize
from sparseags_ns.rasterizer.types import Gaussians

SIDE = 64
WIDTH, HEIGHT = 160, 120
STRAIGHT = torch.tensor([[0.0, 20.0, 3.8, 0.0], [130.0, 35.0, 3.2, 0.0], [250.0, 5.0, 4.4, -12.0]]).double()
"""Azimuth, elevation, distance and roll of cameras that look at the ball from where the photographs were taken."""
AWAY = torch.tensor([[0.12, -0.2, 0.0], [-0.1, 0.15, 0.0], [0.0, 0.1, 0.0]]).double()
"""Rotations from there to the photographs' cameras: radians, about axes at right angles to the line of sight."""
EXIF_IFD, FOCAL_LENGTH_35MM = 0x8769, 0xA405
FILM_DIAGONAL_MM, LONG_LENS_MM = 43.2666, 56
FOCALS = torch.tensor([1.2 * WIDTH, 1.2 * WIDTH, LONG_LENS_MM / FILM_DIAGONAL_MM * math.hypot(WIDTH, HEIGHT)]).double()
"""The last photograph's focal length is in its EXIF tags; those of the others are guessed."""


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


def intrinsics(focals: Tensor, width: int, height: int) -> Float[Tensor, "views 3 3"]:
    K = torch.eye(3, dtype=torch.float64).repeat(len(focals), 1, 1)
    K[:, 0, 0], K[:, 1, 1] = focals, focals
    K[:, 0, 2], K[:, 1, 2] = width / 2, height / 2
    return K


def true_cameras() -> Float[Tensor, "views 4 4"]:
    azimuth, elevation, distance, roll = STRAIGHT.unbind(-1)
    return se3.exp(torch.cat([torch.zeros_like(AWAY), AWAY], dim=-1)) @ orbit(
        azimuth, elevation, distance, roll_deg=roll
    )


@pytest.fixture(scope="module", params=[None, 2 / 3], ids=["each to its object", "one scale"])
def largest(request: pytest.FixtureRequest) -> float | None:
    """Share of the side that the largest object takes, where all crops have one scale."""
    return request.param


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory, largest: float | None) -> Sequence[ObjectImage]:
    """RGBA files, transparent around the ball with soft edges, as the prior gets them."""
    folder = tmp_path_factory.mktemp("ball")
    rgb, alpha = seen(true_cameras(), intrinsics(FOCALS, WIDTH, HEIGHT), WIDTH, HEIGHT)
    straight = torch.cat([rgb / alpha.clamp(min=1e-3)[..., None], alpha[..., None]], dim=-1).clamp(0, 1)
    paths = [folder / f"{name}.png" for name in "abc"]
    for path, pixels in zip(paths, straight, strict=True):
        exif = Image.Exif()
        if path.stem == "c":
            exif[EXIF_IFD] = {FOCAL_LENGTH_35MM: LONG_LENS_MM}
        Image.fromarray((pixels * 255).round().byte().numpy()).save(path, exif=exif)
    return read_objects(paths, folder, Store(folder / "kept"), SIDE, reader="id-pose", largest=largest)


def mean_focal(crops: Sequence[ObjectImage]) -> float:
    return sum(crop.relative_focal for crop in crops) / len(crops)


def true_poses(crops: Sequence[ObjectImage]) -> Float[Tensor, "views 4"]:
    """The poses that the prior should find: cameras with shared intrinsics that see the ball as large as the crops."""
    poses = STRAIGHT.clone()
    poses[:, 2] *= mean_focal(crops) / torch.tensor([crop.relative_focal for crop in crops])
    return poses


def test_a_crop_is_what_the_photographs_camera_sees_with_the_intrinsics_of_the_crop(
    crops: Sequence[ObjectImage], largest: float | None
) -> None:
    expected = over_white(true_cameras(), torch.stack([crop.photo.K for crop in crops]))
    found = torch.stack([crop.image for crop in crops])
    assert float((found - expected).abs().mean()) < 0.005
    assert (found[:, 0, 0] == 1).all(), "over white"
    size = (found.amin(-1) < 0.9).any(dim=1).sum(dim=-1) / SIDE
    if largest is None:
        assert ((size > 0.75) & (size < 0.9)).all(), "the object fills about four fifths of the side"
    else:
        scales = torch.tensor([float(crop.photo.K[0, 0]) / SIDE for crop in crops])
        assert torch.allclose(scales, scales[:1].expand_as(scales)), "all crops cover one angle"
        assert abs(float(size.max()) - largest) < 0.06
        apparent = 1 / STRAIGHT[:, 2]
        assert (size / size.max() - apparent / apparent.max()).abs().max() < 0.08, "sizes are as of the distances"


def test_a_crop_is_what_a_camera_sees_that_looks_at_the_object_from_the_true_pose(crops: Sequence[ObjectImage]) -> None:
    """So the crops are like the images of the prior's training; a pose that is 15 degrees off shows something else."""
    K = intrinsics(torch.full((len(crops),), mean_focal(crops) * SIDE), SIDE, SIDE)
    found, poses = torch.stack([crop.image for crop in crops]), true_poses(crops)
    errors = (over_white(cameras_of(poses).T_camera_world, K) - found).abs().mean((1, 2, 3))
    assert (errors < 0.015).all()
    for wrong in ([15.0, 0, 0, 0], [-15.0, 0, 0, 0], [0, 15.0, 0, 0], [0, -15.0, 0, 0], [0, 0, 0.6, 0]):
        off = over_white(cameras_of(poses + torch.tensor(wrong).double()).T_camera_world, K)
        assert ((off - found).abs().mean((1, 2, 3)) > 2 * errors).all(), wrong


def test_true_poses_become_the_true_cameras_of_the_photographs(crops: Sequence[ObjectImage]) -> None:
    poses = true_poses(crops)
    frames = [photograph_camera(one, pose, mean_focal(crops)) for one, pose in zip(crops, poses, strict=True)]
    found = torch.stack([frame.T_camera_world for frame in frames])
    errors = pose_errors(found, true_cameras())
    assert errors.pairs_rotation_deg.max() < 1.0 and errors.center.max() < 0.01
    assert torch.allclose(torch.stack([frame.K for frame in frames]), intrinsics(FOCALS, WIDTH, HEIGHT), rtol=0.01)


def test_a_camera_that_does_not_look_at_the_object_is_found_from_one_that_does(tmp_path: Path) -> None:
    """The ball lies off the middle of a photograph; the crop's pose is that of a camera that looks at it."""
    pixels = np.zeros((300, 400, 4), np.uint8)
    rows, columns = np.mgrid[:300, :400]
    pixels[(columns - 320) ** 2 + (rows - 100) ** 2 < 40**2] = (200, 30, 30, 255)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    (crop,) = read_objects([tmp_path / "a.png"], tmp_path, Store(tmp_path / "kept"), SIDE, reader="id-pose")
    assert crop.image[0, 0].tolist() == [1, 1, 1] and crop.image[SIDE // 2, SIDE // 2, 1] < 0.2
    pose = torch.tensor([40.0, 10.0, 2.0, 0.0])
    frame = photograph_camera(crop, pose, crop.relative_focal)
    assert frame.intrinsics == pytest.approx((480.0, 480.0, 200.0, 150.0))
    center = frame.T_camera_world[:3, 3]
    shown = frame.K @ center
    assert (shown[:2] / shown[2]).tolist() == pytest.approx([320.0, 100.0], abs=1)
    assert float(center.norm()) == pytest.approx(2.0)
    place = torch.linalg.inv(frame.T_camera_world)[:3, 3]
    looking = orbit(pose[0].double(), pose[1].double(), 2.0)
    assert torch.allclose(place, torch.linalg.inv(looking)[:3, 3], atol=1e-9)


def test_the_smallest_rotation_takes_the_optical_axis_to_the_ray() -> None:
    ray = middle_ray(torch.tensor([[100.0, 0, 10], [0, 100, 40], [0, 0, 1]], dtype=torch.float64), SIDE)
    assert torch.allclose(rotation_to(ray)[:, 2], ray)
    axis = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)
    assert torch.allclose(rotation_to(axis), torch.eye(3, dtype=torch.float64))
