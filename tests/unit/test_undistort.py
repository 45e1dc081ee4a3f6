"""Straightened photographs agree with OpenCV and with the camera model they claim."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from sparseags_ns.formats.frame import Distortion
from sparseags_ns.preprocess.picture import Picture
from sparseags_ns.preprocess.undistort import bend, undistort

FOX = Distortion(k1=0.0578421, k2=-0.0805099, p1=-0.000980296, p2=0.00015575)
K = torch.tensor([[687.76, 0.0, 277.279], [0.0, 687.245, 482.634], [0.0, 0.0, 1.0]], dtype=torch.float64)


def opencv_order(distortion: Distortion) -> np.ndarray:
    return np.array([distortion.k1, distortion.k2, distortion.p1, distortion.p2, distortion.k3])


def test_the_lens_bends_points_as_opencv_does() -> None:
    distortion = Distortion(k1=0.1, k2=-0.2, k3=0.05, p1=0.01, p2=-0.02)
    ideal = torch.rand(50, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) - 0.5
    points = np.concatenate([ideal.numpy(), np.ones((50, 1))], axis=1)
    expected, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), np.eye(3), opencv_order(distortion))
    assert np.allclose(bend(ideal, distortion).numpy(), expected[:, 0], atol=1e-12)


def test_a_smooth_photograph_is_straightened_as_opencv_does() -> None:
    y, x = np.mgrid[0:960, 0:540] / 960
    rgb = np.stack([x, y, 0.5 + 0.5 * np.sin(9 * x + 5 * y)], axis=-1).astype(np.float32)
    ones = torch.ones(960, 540)
    straight = undistort(Picture(rgb=torch.from_numpy(rgb), mask=ones, valid=ones, K=K), FOX)
    K_centers = K.numpy().copy()
    K_centers[:2, 2] -= 0.5  # OpenCV counts pixels from their centres
    expected = cv2.undistort(rgb, K_centers, opencv_order(FOX))
    inside = straight.valid[5:-5, 5:-5] == 1
    error = (straight.rgb - torch.from_numpy(expected)).abs()[5:-5, 5:-5][inside]
    assert inside.float().mean() > 0.95
    assert error.max() < 1e-3
    assert torch.equal(straight.K, K)


def test_a_dot_moves_to_where_the_pinhole_camera_sees_its_point() -> None:
    ideal = torch.tensor([0.25, -0.4], dtype=torch.float64)
    seen = K[:2, :2] @ bend(ideal, FOX) + K[:2, 2]
    expected = K[:2, :2] @ ideal + K[:2, 2]
    x, y = torch.arange(540) + 0.5 - seen[0], torch.arange(960)[:, None] + 0.5 - seen[1]
    dot = (8.5 - torch.hypot(*torch.broadcast_tensors(x, y))).clamp(0, 1).float()
    picture = Picture(rgb=torch.ones(960, 540, 3), mask=dot, valid=torch.ones(960, 540), K=K)
    moved = undistort(picture, FOX).mask
    rows, columns = torch.meshgrid(torch.arange(960) + 0.5, torch.arange(540) + 0.5, indexing="ij")
    found = torch.stack([(moved * columns).sum(), (moved * rows).sum()]) / moved.sum()
    assert (seen - expected).norm() > 1.0
    assert torch.allclose(found.double(), expected, atol=0.05)


def test_what_the_lens_did_not_show_is_not_valid() -> None:
    ones = torch.ones(100, 100)
    K_small = torch.tensor([[100.0, 0.0, 50.0], [0.0, 100.0, 50.0], [0.0, 0.0, 1.0]])
    pincushion = undistort(Picture(rgb=torch.ones(100, 100, 3), mask=ones, valid=ones, K=K_small), Distortion(k1=0.2))
    assert pincushion.valid[0, 0] == 0 and pincushion.valid[50, 50] == 1
    assert torch.allclose(pincushion.mask[pincushion.valid > 0.01], torch.ones(1), atol=1e-5)


def test_a_fisheye_lens_bends_points_as_opencv_does() -> None:
    lens = Distortion(k1=0.05, k2=-0.02, k3=0.01, k4=-0.005, fisheye=True)
    ideal = 4 * torch.rand(50, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) - 2
    ideal[0] = 0
    coefficients = np.array([lens.k1, lens.k2, lens.k3, lens.k4])
    expected = cv2.fisheye.distortPoints(ideal.numpy()[None], np.eye(3), coefficients)
    assert np.allclose(bend(ideal, lens).numpy(), expected[0], atol=1e-9)


def test_a_fourth_radial_coefficient_is_refused() -> None:
    with pytest.raises(ValueError, match=r"k4 = 0\.1 has no agreed meaning"):
        bend(torch.zeros(1, 2), Distortion(k1=0.1, k4=0.1))
