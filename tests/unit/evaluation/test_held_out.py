"""Held-out photographs: reading them, and comparing renders of the splat with them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from sparseags_ns.evaluation.held_out import HeldOut, novel_view_errors, read_held_out
from sparseags_ns.formats.frame import Frame, intrinsics_matrix
from sparseags_ns.formats.transforms_json import write_transforms_json
from sparseags_ns.geometry.alignment import Similarity
from sparseags_ns.geometry.cameras import Cameras, orbit
from sparseags_ns.geometry.pose_errors import pose_errors
from sparseags_ns.geometry.se3 import exp
from sparseags_ns.metrics.images import PerceptualError, dssim
from sparseags_ns.rasterizer import rasterize
from sparseags_ns.rasterizer.types import Gaussians
from sparseags_ns.views import Views

STAND_IN = PerceptualError("dssim", dssim)
GREY, SIZE = 204, 16


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """Two held-out photographs, partly transparent grey; images/ holds others of the same names."""
    poses = orbit(torch.tensor([0.0, 90.0]).double(), torch.zeros(2).double(), 2.0)
    K = intrinsics_matrix(20, 20, SIZE / 2, SIZE / 2)
    frames = [Frame(f"00{i}", f"test_images/00{i}.png", T, K, SIZE, SIZE) for i, T in enumerate(poses)]
    write_transforms_json(tmp_path / "gt" / "transforms_test.json", frames)
    for folder, grey in (("test_images", GREY), ("images", 0)):
        (tmp_path / folder).mkdir()
        for i in range(2):
            Image.new("RGBA", (SIZE, SIZE), (grey, grey, grey, 153)).save(tmp_path / folder / f"00{i}.png")
    return tmp_path


def nothing() -> Gaussians:
    """One Gaussian that nobody sees."""
    return Gaussians(
        means=torch.zeros(1, 3),
        quats=torch.tensor([[1.0, 0, 0, 0]]),
        scales=torch.full((1, 3), 0.01),
        opacities=torch.zeros(1),
        colors=torch.zeros(1, 3),
    )


def held_out_of(cameras: Cameras, images: torch.Tensor) -> HeldOut:
    names = tuple(str(view) for view in range(len(images)))
    return HeldOut(names, images, torch.ones(images.shape[:3]), cameras.to(torch.float64))


def test_held_out_photographs_lie_over_white(scene: Path) -> None:
    held_out = read_held_out(scene)
    assert held_out is not None and held_out.names == ("000", "001")
    alpha = 153 / 255
    torch.testing.assert_close(held_out.images, torch.full((2, SIZE, SIZE, 3), GREY / 255 * alpha + 1 - alpha))


def test_a_held_out_photograph_is_never_replaced_by_an_input_of_its_name(scene: Path) -> None:
    (scene / "test_images" / "001.png").unlink()
    with pytest.raises(ValueError, match=r"no photograph 001\.png in .*test_images"):
        read_held_out(scene)


def test_an_empty_list_means_no_held_out_photographs(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (scene / "gt" / "transforms_test.json").write_text(json.dumps({"frames": []}))
    assert read_held_out(scene) is None
    assert "lists no photographs" in capsys.readouterr().err


@pytest.mark.parametrize("absent", ["gt/transforms_test.json", "test_images"])
def test_a_scene_may_have_no_held_out_photographs(scene: Path, absent: str, capsys: pytest.CaptureFixture[str]) -> None:
    (scene / absent).rename(scene / "elsewhere")
    assert read_held_out(scene) is None
    assert "novel views are not compared" in capsys.readouterr().err


def test_psnr_of_a_white_render_and_a_grey_photograph_is_that_of_their_difference() -> None:
    cameras = ring(2)
    errors = novel_view_errors(
        nothing(),
        held_out_of(cameras, torch.full((2, 32, 32, 3), 0.9)),
        Similarity.identity(),
        STAND_IN,
        sh_degree=None,
    )
    torch.testing.assert_close(errors.psnr, torch.full((2,), 20.0), atol=1e-4, rtol=0)
    assert errors.summary().keys() == {"psnr", "ssim", "dssim"}


def test_pixels_outside_the_photograph_add_no_error() -> None:
    images = torch.full((1, 32, 32, 3), 0.9)
    images[:, :, 16:] = 0.0
    held_out = held_out_of(ring(1), images)
    valid = held_out.valid.clone()
    valid[:, :, 16:] = 0.0
    errors = novel_view_errors(
        nothing(), replace(held_out, valid=valid), Similarity.identity(), STAND_IN, sh_degree=None
    )
    assert float(errors.psnr) == pytest.approx(20.0, abs=1e-4)


def test_a_splat_in_another_world_is_rendered_from_the_aligned_cameras(
    make_views: Callable[..., Views], toy_gaussians: Gaussians
) -> None:
    """The splat and its input cameras lie in another world than the truth; the fit of the centres leads there."""
    inputs, tests = make_views(6, 48).cameras.to(torch.float64), ring(4)
    photographs = rasterize(toy_gaussians, tests, torch.ones(3), backend="reference").rgb.clamp(0, 1)
    turn = exp(torch.tensor([0.0, 0, 0, 0.4, -0.2, 0.9], dtype=torch.float64))[:3, :3]
    away = Similarity(torch.tensor(0.5).double(), turn, torch.tensor([0.3, -0.1, 0.7]).double())
    moved = replace(
        toy_gaussians,
        means=away.apply_to_points(toy_gaussians.means),
        scales=0.5 * toy_gaussians.scales,
        quats=rotated(turn, toy_gaussians.quats),
    )
    alignment = pose_errors(away.apply_to_poses(inputs.T_camera_world), inputs.T_camera_world).alignment
    errors = novel_view_errors(moved, held_out_of(tests, photographs), alignment, STAND_IN, sh_degree=None)
    assert float(errors.psnr.min()) > 50
    wrong = novel_view_errors(moved, held_out_of(tests, photographs), Similarity.identity(), STAND_IN, sh_degree=None)
    assert float(wrong.psnr.max()) < 25


def ring(count: int, size: int = 32) -> Cameras:
    poses = orbit(360.0 * torch.arange(count) / count + 20, torch.linspace(-10, 40, count), 1.85)
    K = intrinsics_matrix(1.8 * size, 1.8 * size, size / 2, size / 2).float().repeat(count, 1, 1)
    return Cameras(poses, K, size, size)


def rotated(rotation: torch.Tensor, quats: torch.Tensor) -> torch.Tensor:
    """Quaternions (w, x, y, z) of Gaussians that are rotated as a whole."""
    angle = ((rotation.trace() - 1) / 2).acos()
    axis = torch.stack(
        [rotation[2, 1] - rotation[1, 2], rotation[0, 2] - rotation[2, 0], rotation[1, 0] - rotation[0, 1]]
    ) / (2 * angle.sin())
    w, v = (angle / 2).cos().float(), (axis * (angle / 2).sin()).float()
    real, imaginary = quats[:, :1], quats[:, 1:]
    crossed = torch.linalg.cross(v.expand_as(imaginary), imaginary)
    return torch.cat([w * real - imaginary @ v[:, None], w * imaginary + real * v + crossed], dim=1)
