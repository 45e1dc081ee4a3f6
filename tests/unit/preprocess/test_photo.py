"""Crops and straightened photos: the content of a pixel stays on the ray of that pixel."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from sparseags_ns.formats.frame import Distortion
from sparseags_ns.preprocess.photo import (
    Photo,
    Window,
    box_coverage,
    crop,
    cropped_intrinsics,
    distort,
    object_window,
    overlap_weights,
    undistort,
)

K = torch.tensor([[500.0, 0.0, 270.3], [0.0, 480.0, 411.7], [0.0, 0.0, 1.0]], dtype=torch.float64)
FOX = Distortion(k1=0.0578421, k2=-0.0805099, p1=-0.000980296, p2=0.00015575)
K_FOX = torch.tensor([[687.76, 0.0, 277.279], [0.0, 687.245, 482.634], [0.0, 0.0, 1.0]], dtype=torch.float64)


def disc(width: int, height: int, center: torch.Tensor, radius: float) -> torch.Tensor:
    """Coverage of a disc, smooth over one pixel at its rim."""
    x = torch.arange(width, dtype=torch.float64) + 0.5 - center[0]
    y = torch.arange(height, dtype=torch.float64)[:, None] + 0.5 - center[1]
    return (radius + 0.5 - torch.hypot(*torch.broadcast_tensors(x, y))).clamp(0, 1).float()


def centroid(weights: torch.Tensor) -> torch.Tensor:
    """Centre of mass in pixels."""
    rows, columns = torch.meshgrid(*(torch.arange(n) + 0.5 for n in weights.shape), indexing="ij")
    return torch.stack([(weights * columns).sum(), (weights * rows).sum()]) / weights.sum()


def photo_of(mask: torch.Tensor, colour: tuple[float, float, float] = (1.0, 0.5, 0.25)) -> Photo:
    rgb = torch.tensor(colour) * (mask > 0)[..., None]
    return Photo(rgb=rgb, mask=mask, valid=torch.ones_like(mask), K=K)


@pytest.mark.parametrize("window", [Window(150.25, 260.5, 240.0, 240.0), Window(-30.0, 350.0, 700.0, 700.0)])
@pytest.mark.parametrize("size", [64, 256, 512])
def test_a_3d_point_meets_the_same_dot_before_and_after(window: Window, size: int) -> None:
    point = torch.tensor([0.05, -0.1, 2.0], dtype=torch.float64)
    before = (K @ point)[:2] / point[2]
    dot = disc(540, 960, before, radius=20.0)
    cropped = crop(photo_of(dot), window, size, size)
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
    photo = Photo(rgb=rgb, mask=mask, valid=mask, K=K)
    same = crop(photo, Window(0.0, 0.0, 20.0, 30.0), 20, 30)
    assert torch.equal(same.rgb, rgb) and torch.equal(same.mask, mask) and torch.equal(same.valid, mask)
    assert torch.equal(same.K, K)


def test_the_object_fills_four_fifths_of_the_crop_and_lies_in_its_middle() -> None:
    mask = torch.zeros(300, 200)
    mask[40:200, 60:100] = 1.0  # 40 wide, 160 high
    window = object_window(mask)
    assert window == Window(left=-20.0, top=20.0, width=200.0, height=200.0)
    assert window is not None
    cropped = crop(photo_of(mask), window, 100, 100)
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
    photo = photo_of(torch.ones(100, 100))
    cropped = crop(photo, Window(-50.0, -25.0, 200.0, 200.0), 100, 100)
    expected = torch.zeros(100, 100)
    expected[12, 25:75] = expected[62, 25:75] = 0.5  # the edge runs through the middle of these pixels
    expected[13:62, 25:75] = 1.0
    assert torch.allclose(cropped.valid, expected, atol=1e-6)
    assert torch.allclose(cropped.mask[expected > 0], torch.ones(1), atol=1e-6)
    assert cropped.mask[:, :25].sum() == 0 and cropped.rgb[:, :25].sum() == 0


@pytest.mark.parametrize("size", [37, 100, 173, 256])
def test_all_of_a_whole_photograph_stays_valid_at_any_size(size: int) -> None:
    cropped = crop(photo_of(torch.ones(100, 100)), Window(0.0, 0.0, 100.0, 100.0), size, size)
    assert torch.equal(cropped.valid, torch.ones(size, size))
    assert torch.allclose(cropped.mask, torch.ones(size, size), atol=1e-6)


@pytest.mark.parametrize("size", [31, 64, 300])
def test_black_under_transparent_pixels_leaves_no_dark_rim(size: int) -> None:
    mask = disc(128, 128, torch.tensor([64.0, 64.0]), radius=40.0)
    cropped = crop(photo_of(mask), Window(3.3, 1.7, 121.0, 121.0), size, size)
    on_object = cropped.mask > 0.01
    assert torch.allclose(cropped.rgb[on_object], torch.tensor([1.0, 0.5, 0.25]), atol=1e-4)


def test_fine_stripes_shrink_to_their_mean_not_to_moire() -> None:
    stripes = (torch.arange(512) % 2).float().expand(512, 512)
    ones = torch.ones(512, 512)
    photo = Photo(rgb=stripes[..., None].expand(-1, -1, 3), mask=ones, valid=ones, K=K)
    small = crop(photo, Window(0.0, 0.0, 512.0, 512.0), 100, 100)
    assert (small.rgb - 0.5).abs().max() < 0.1


def test_what_is_invalid_does_not_bleed_into_what_is_valid() -> None:
    valid = torch.ones(64, 64)
    valid[:, :20] = 0.0
    mask = torch.ones(64, 64)
    mask[:, :20] = 0.0
    photo = Photo(rgb=torch.full((64, 64, 3), 0.7), mask=mask, valid=valid, K=K)
    cropped = crop(photo, Window(0.0, 0.0, 64.0, 64.0), 48, 48)
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


def opencv_order(distortion: Distortion) -> np.ndarray:
    return np.array([distortion.k1, distortion.k2, distortion.p1, distortion.p2, distortion.k3])


def test_the_lens_bends_points_as_opencv_does() -> None:
    distortion = Distortion(k1=0.1, k2=-0.2, k3=0.05, p1=0.01, p2=-0.02)
    ideal = torch.rand(50, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) - 0.5
    points = np.concatenate([ideal.numpy(), np.ones((50, 1))], axis=1)
    expected, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), np.eye(3), opencv_order(distortion))
    assert np.allclose(distort(ideal, distortion).numpy(), expected[:, 0], atol=1e-12)


def test_a_smooth_photograph_is_straightened_as_opencv_does() -> None:
    y, x = np.mgrid[0:960, 0:540] / 960
    rgb = np.stack([x, y, 0.5 + 0.5 * np.sin(9 * x + 5 * y)], axis=-1).astype(np.float32)
    ones = torch.ones(960, 540)
    straight = undistort(Photo(rgb=torch.from_numpy(rgb), mask=ones, valid=ones, K=K_FOX), FOX)
    K_centers = K_FOX.numpy().copy()
    K_centers[:2, 2] -= 0.5  # OpenCV counts pixels from their centres
    expected = cv2.undistort(rgb, K_centers, opencv_order(FOX))
    inside = straight.valid[5:-5, 5:-5] == 1
    error = (straight.rgb - torch.from_numpy(expected)).abs()[5:-5, 5:-5][inside]
    assert inside.float().mean() > 0.95
    assert error.max() < 1e-3
    assert torch.equal(straight.K, K_FOX)


def test_a_dot_moves_to_where_the_pinhole_camera_sees_its_point() -> None:
    ideal = torch.tensor([0.25, -0.4], dtype=torch.float64)
    seen = K_FOX[:2, :2] @ distort(ideal, FOX) + K_FOX[:2, 2]
    expected = K_FOX[:2, :2] @ ideal + K_FOX[:2, 2]
    x, y = torch.arange(540) + 0.5 - seen[0], torch.arange(960)[:, None] + 0.5 - seen[1]
    dot = (8.5 - torch.hypot(*torch.broadcast_tensors(x, y))).clamp(0, 1).float()
    photo = Photo(rgb=torch.ones(960, 540, 3), mask=dot, valid=torch.ones(960, 540), K=K_FOX)
    moved = undistort(photo, FOX).mask
    rows, columns = torch.meshgrid(torch.arange(960) + 0.5, torch.arange(540) + 0.5, indexing="ij")
    found = torch.stack([(moved * columns).sum(), (moved * rows).sum()]) / moved.sum()
    assert (seen - expected).norm() > 1.0
    assert torch.allclose(found.double(), expected, atol=0.05)


def test_what_the_lens_did_not_show_is_not_valid() -> None:
    ones = torch.ones(100, 100)
    K_small = torch.tensor([[100.0, 0.0, 50.0], [0.0, 100.0, 50.0], [0.0, 0.0, 1.0]])
    pincushion = undistort(Photo(rgb=torch.ones(100, 100, 3), mask=ones, valid=ones, K=K_small), Distortion(k1=0.2))
    assert pincushion.valid[0, 0] == 0 and pincushion.valid[50, 50] == 1
    assert torch.allclose(pincushion.mask[pincushion.valid > 0.01], torch.ones(1), atol=1e-5)


def test_a_fisheye_lens_bends_points_as_opencv_does() -> None:
    lens = Distortion(k1=0.05, k2=-0.02, k3=0.01, k4=-0.005, fisheye=True)
    ideal = 4 * torch.rand(50, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) - 2
    ideal[0] = 0
    coefficients = np.array([lens.k1, lens.k2, lens.k3, lens.k4])
    expected = cv2.fisheye.distortPoints(ideal.numpy()[None], np.eye(3), coefficients)
    assert np.allclose(distort(ideal, lens).numpy(), expected[0], atol=1e-9)


def test_a_fourth_radial_coefficient_is_refused() -> None:
    with pytest.raises(ValueError, match=r"k4 = 0\.1 has no agreed meaning"):
        distort(torch.zeros(1, 2), Distortion(k1=0.1, k4=0.1))
