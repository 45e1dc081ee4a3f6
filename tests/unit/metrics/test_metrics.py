"""Claims about sparseags_ns.metrics: image measures, the perceptual error, and the errors of views."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from sparseags_ns.metrics.images import (
    PerceptualError,
    dssim,
    find_alexnet,
    perceptual_error,
    psnr,
    published_error,
    ssim,
)
from sparseags_ns.metrics.view_errors import view_errors
from sparseags_ns.rasterizer.types import Gaussians
from sparseags_ns.views import Views

DSSIM = PerceptualError("dssim", dssim)


def test_true_model_has_no_error(make_views: Callable[..., Views], toy_gaussians: Gaussians) -> None:
    views = make_views(3, 32)
    errors = view_errors(toy_gaussians, views.cameras, views, DSSIM, sh_degree=None)
    assert errors.mse.max() < 1e-5 and errors.perceptual.max() < 1e-3 and errors.renders.shape == (3, 32, 32, 3)


def test_a_wrong_pose_shows_in_its_own_view(make_views: Callable[..., Views], toy_gaussians: Gaussians) -> None:
    views = make_views(4, 32)
    poses = views.cameras.T_camera_world.clone()
    poses[2] = poses[0]
    errors = view_errors(toy_gaussians, views.cameras.with_poses(poses), views, DSSIM, sh_degree=None)
    assert errors.mse.argmax() == 2 and errors.perceptual.argmax() == 2


def test_unknown_pixels_do_not_count(make_views: Callable[..., Views], toy_gaussians: Gaussians) -> None:
    views = make_views(2, 32)
    images, masks, valid = views.images.clone(), views.masks.clone(), views.valid.clone()
    images[:, :, :10], masks[:, :, :10], valid[:, :, :10] = 0.0, 0.0, 0.0
    cut = replace(views, images=images, masks=masks, valid=valid)
    assert view_errors(toy_gaussians, cut.cameras, cut, DSSIM, sh_degree=None).mse.max() < 1e-5


def test_an_empty_render_is_bad_but_finite(make_views: Callable[..., Views], toy_gaussians: Gaussians) -> None:
    views = make_views(2, 32)
    gone = replace(toy_gaussians, means=toy_gaussians.means + 100.0)
    errors = view_errors(gone, views.cameras, views, DSSIM, sh_degree=None)
    good = view_errors(toy_gaussians, views.cameras, views, DSSIM, sh_degree=None)
    assert errors.mse.isfinite().all() and (errors.mse > 100 * good.mse).all()


def test_image_metrics_on_worked_cases() -> None:
    black, grey = torch.zeros(1, 16, 16, 3), torch.full((1, 16, 16, 3), 0.1)
    assert psnr(black, grey).item() == pytest.approx(20.0, abs=1e-4)
    assert ssim(grey, grey).item() == pytest.approx(1.0) and dssim(grey, grey).item() == pytest.approx(0.0, abs=1e-6)
    # Constant images: SSIM is (2ab + C1) / (a^2 + b^2 + C1) with C1 = 1e-4.
    assert ssim(black, grey).item() == pytest.approx(1e-4 / (0.01 + 1e-4), rel=1e-3)


def test_ssim_of_tiny_images_is_refused() -> None:
    with pytest.raises(ValueError, match="11x11"):
        ssim(torch.zeros(1, 8, 8, 3), torch.zeros(1, 8, 8, 3))


def test_without_alexnet_the_stand_in_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert perceptual_error().name == "dssim"
    assert "DSSIM" in capsys.readouterr().err


def test_lpips_is_used_where_its_weights_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Real loading code on a randomly initialised backbone in the published place and format."""
    import torchvision

    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.manual_seed(0)
    url = torchvision.models.AlexNet_Weights.IMAGENET1K_V1.url
    torch.save(torchvision.models.alexnet(weights=None).state_dict(), folder / Path(url).name)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    # The published file's name carries the start of its hash, which random weights do not have.
    monkeypatch.setattr(torch.hub, "HASH_REGEX", re.compile(r"-(nomatch)\."))
    assert find_alexnet() is not None
    error = perceptual_error()
    a, b = torch.rand(2, 64, 64, 3), torch.rand(2, 64, 64, 3)
    assert error.name == "lpips"
    assert error(a, a).abs().max() < 1e-6 and (error(a, b) > 1e-4).all() and error(a, b).shape == (2,)


class DeviceBound(torch.nn.Module):
    """A network in the place of LPIPS, which fails as that does where images are on another device."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        assert a.device == b.device == self.weight.device
        return (self.weight * (a - b)).square().mean()


def test_lpips_is_computed_where_the_images_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The device `meta` stands for any other than the one on which the network was made."""
    monkeypatch.setattr("torchmetrics.image.lpip.LearnedPerceptualImagePatchSimilarity", DeviceBound)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    for name in ("alexnet-owt-0.pth", "vgg16-0.pth"):
        (tmp_path / "hub" / "checkpoints" / name).touch()
    for error in (perceptual_error(), published_error()):
        for device in ("cpu", "meta"):
            images = torch.zeros(2, 16, 16, 3, device=device)
            assert error(images, images).device.type == device and error(images, images).shape == (2,)


@pytest.mark.parametrize("has_vgg", [True, False])
def test_the_published_rule_takes_the_authors_lpips_or_says_that_it_does_not(
    has_vgg: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made: list[dict[str, Any]] = []
    recorder = lambda **options: made.append(options) or DeviceBound()  # noqa: E731
    monkeypatch.setattr("torchmetrics.image.lpip.LearnedPerceptualImagePatchSimilarity", recorder)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    for name in ("alexnet-owt-0.pth", *(["vgg16-0.pth"] if has_vgg else [])):
        (tmp_path / "hub" / "checkpoints" / name).touch()
    assert published_error().name == "lpips"
    printed = capsys.readouterr().err
    assert made == [{"net_type": "vgg", "normalize": False} if has_vgg else {"net_type": "alex", "normalize": True}]
    assert (
        "warning: the published rule's threshold is compared with LPIPS, to which it does not" in printed
    ) != has_vgg
