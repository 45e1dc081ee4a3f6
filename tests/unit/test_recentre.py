"""Crops: what a pixel shows and what its ray meets stay together."""

from __future__ import annotations

import pytest
import torch

from sparseags_ns.preprocess.picture import Picture
from sparseags_ns.preprocess.recentre import (
    Window,
    box_coverage,
    crop,
    cropped_intrinsics,
    fitted_size,
    object_window,
    overlap_weights,
)

K = torch.tensor([[500.0, 0.0, 270.3], [0.0, 480.0, 411.7], [0.0, 0.0, 1.0]], dtype=torch.float64)


def disc(width: int, height: int, center: torch.Tensor, radius: float) -> torch.Tensor:
    """Coverage of a disc, smooth over one pixel at its rim."""
    x = torch.arange(width, dtype=torch.float64) + 0.5 - center[0]
    y = torch.arange(height, dtype=torch.float64)[:, None] + 0.5 - center[1]
    return (radius + 0.5 - torch.hypot(*torch.broadcast_tensors(x, y))).clamp(0, 1).float()


def centroid(weights: torch.Tensor) -> torch.Tensor:
    """Centre of mass in pixels."""
    rows, columns = torch.meshgrid(*(torch.arange(n) + 0.5 for n in weights.shape), indexing="ij")
    return torch.stack([(weights * columns).sum(), (weights * rows).sum()]) / weights.sum()


def picture_of(mask: torch.Tensor, colour: tuple[float, float, float] = (1.0, 0.5, 0.25)) -> Picture:
    rgb = torch.tensor(colour) * (mask > 0)[..., None]
    return Picture(rgb=rgb, mask=mask, valid=torch.ones_like(mask), K=K)


@pytest.mark.parametrize("window", [Window(150.25, 260.5, 240.0, 240.0), Window(-30.0, 350.0, 700.0, 700.0)])
@pytest.mark.parametrize("size", [64, 256, 512])
def test_a_3d_point_meets_the_same_dot_before_and_after(window: Window, size: int) -> None:
    point = torch.tensor([0.05, -0.1, 2.0], dtype=torch.float64)
    before = (K @ point)[:2] / point[2]
    dot = disc(540, 960, before, radius=20.0)
    cropped = crop(picture_of(dot), window, size, size)
    after = (cropped.K @ point)[:2] / point[2]
    assert torch.allclose(centroid(dot).double(), before, atol=0.01)
    assert torch.allclose(centroid(cropped.mask * cropped.valid).double(), after, atol=0.02)


def test_unequal_axes_scale_the_two_focals_apart() -> None:
    K_crop = cropped_intrinsics(K, Window(10.0, 20.0, 100.0, 400.0), width=50, height=100)
    expected = [[250.0, 0.0, 130.15], [0.0, 120.0, 97.925], [0.0, 0.0, 1.0]]
    assert torch.allclose(K_crop, torch.tensor(expected, dtype=torch.float64))


def test_the_whole_photograph_at_its_own_size_is_unchanged_to_the_last_bit() -> None:
    generator = torch.Generator().manual_seed(0)
    rgb, mask = torch.rand(30, 20, 3, generator=generator), torch.ones(30, 20)
    picture = Picture(rgb=rgb, mask=mask, valid=mask, K=K)
    same = crop(picture, Window(0.0, 0.0, 20.0, 30.0), 20, 30)
    assert torch.equal(same.rgb, rgb) and torch.equal(same.mask, mask) and torch.equal(same.valid, mask)
    assert torch.equal(same.K, K)


def test_the_object_fills_four_fifths_of_the_crop_and_lies_in_its_middle() -> None:
    mask = torch.zeros(300, 200)
    mask[40:200, 60:100] = 1.0  # 40 wide, 160 high
    window = object_window(mask)
    assert window == Window(left=-20.0, top=20.0, width=200.0, height=200.0)
    assert window is not None
    cropped = crop(picture_of(mask), window, 100, 100)
    rows, columns = torch.nonzero(cropped.mask > 0.5, as_tuple=True)
    assert (int(rows.min()), int(rows.max()) + 1) == (10, 90)
    assert (int(columns.min()), int(columns.max()) + 1) == (40, 60)


def test_faint_haze_does_not_pull_the_window() -> None:
    mask = torch.full((100, 100), 0.2)
    mask[40:60, 40:60] = 1.0
    assert object_window(mask) == Window(37.5, 37.5, 25.0, 25.0)


def test_an_empty_mask_has_no_window() -> None:
    assert object_window(torch.full((8, 8), 0.49)) is None


def test_beyond_the_photograph_nothing_is_valid() -> None:
    picture = picture_of(torch.ones(100, 100))
    cropped = crop(picture, Window(-50.0, -25.0, 200.0, 200.0), 100, 100)
    expected = torch.zeros(100, 100)
    expected[12, 25:75] = expected[62, 25:75] = 0.5  # the edge runs through the middle of these pixels
    expected[13:62, 25:75] = 1.0
    assert torch.allclose(cropped.valid, expected, atol=1e-6)
    assert torch.allclose(cropped.mask[expected > 0], torch.ones(1), atol=1e-6)
    assert cropped.mask[:, :25].sum() == 0 and cropped.rgb[:, :25].sum() == 0


@pytest.mark.parametrize("size", [37, 100, 173, 256])
def test_all_of_a_whole_photograph_stays_valid_at_any_size(size: int) -> None:
    cropped = crop(picture_of(torch.ones(100, 100)), Window(0.0, 0.0, 100.0, 100.0), size, size)
    assert torch.equal(cropped.valid, torch.ones(size, size))
    assert torch.allclose(cropped.mask, torch.ones(size, size), atol=1e-6)


@pytest.mark.parametrize("size", [31, 64, 300])
def test_black_under_transparent_pixels_leaves_no_dark_rim(size: int) -> None:
    mask = disc(128, 128, torch.tensor([64.0, 64.0]), radius=40.0)
    cropped = crop(picture_of(mask), Window(3.3, 1.7, 121.0, 121.0), size, size)
    on_object = cropped.mask > 0.01
    assert torch.allclose(cropped.rgb[on_object], torch.tensor([1.0, 0.5, 0.25]), atol=1e-4)


def test_fine_stripes_shrink_to_their_mean_not_to_moire() -> None:
    stripes = (torch.arange(512) % 2).float().expand(512, 512)
    ones = torch.ones(512, 512)
    picture = Picture(rgb=stripes[..., None].expand(-1, -1, 3), mask=ones, valid=ones, K=K)
    small = crop(picture, Window(0.0, 0.0, 512.0, 512.0), 100, 100)
    assert (small.rgb - 0.5).abs().max() < 0.1


def test_what_is_invalid_does_not_bleed_into_what_is_valid() -> None:
    valid = torch.ones(64, 64)
    valid[:, :20] = 0.0
    mask = torch.ones(64, 64)
    mask[:, :20] = 0.0
    picture = Picture(rgb=torch.full((64, 64, 3), 0.7), mask=mask, valid=valid, K=K)
    cropped = crop(picture, Window(0.0, 0.0, 64.0, 64.0), 48, 48)
    partly = cropped.valid > 0.01
    assert torch.allclose(cropped.mask[partly], torch.ones(1), atol=1e-5)
    assert torch.allclose(cropped.rgb[partly], torch.tensor(0.7), atol=1e-5)


def test_weights_of_each_target_pixel_sum_to_its_covered_share() -> None:
    weights = overlap_weights(size=10, start=-5.0, step=5.0, count=4, footprint=5.0)
    assert weights.sum(dim=1).tolist() == [0.0, 1.0, 1.0, 0.0]


def test_box_coverage_counts_parts_of_pixels() -> None:
    coverage = box_coverage((0.25, 1.0, 2.5, 3.0), width=4, height=4)
    assert torch.allclose(coverage[1], torch.tensor([0.75, 1.0, 0.5, 0.0]))
    assert coverage.sum() == 2 * 2.25


def test_whole_photographs_keep_their_shape() -> None:
    assert fitted_size((540, 960), 256) == (144, 256)
    assert fitted_size((1024, 683), 256) == (256, 171)
    assert fitted_size((10, 4000), 256) == (1, 256)
