"""Orientations of views: where cameras look from, and how arrangements differ."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
import torch

from sparseags_ns.geometry import se3
from sparseags_ns.pose_init.ab_initio.arrangement import (
    Effort,
    in_parallel,
    joint_fit,
    looking_from,
    rotation_deg,
    view_differences,
)
from sparseags_ns.pose_init.ab_initio.crops import Crops


def test_cameras_look_at_the_origin_from_the_azimuth_and_the_elevation() -> None:
    """Azimuth 0 is +z, 90 degrees +x, elevation towards +y; a roll of 90 degrees is clockwise."""
    zero = np.zeros(3)
    R = looking_from(np.array([0.0, 90.0, 0.0]), np.array([0.0, 0.0, 90.0]), zero)
    backwards = -R[:, 2]
    assert np.allclose(backwards, [[0, 0, 1], [1, 0, 0], [0, 1, 0]], atol=1e-9)
    assert np.allclose(R[:2, 1], [0, -1, 0], atol=1e-9), "upright: y of the camera points down"
    rolled = looking_from(zero, zero, np.array([0.0, 90.0, 180.0]))
    assert np.allclose(rolled[:, 2], [0, 0, -1], atol=1e-9)
    assert np.allclose(-rolled[:, 1], [[0, 1, 0], [1, 0, 0], [0, -1, 0]], atol=1e-9), "up in the world"


def test_rotation_deg_is_the_angle_between_orientations() -> None:
    tangents = torch.zeros(4, 6).double()
    tangents[:, 4] = torch.tensor([0.0, 30.0, 90.0, 180.0]).deg2rad()
    R = se3.exp(tangents)[:, :3, :3].numpy()
    assert np.allclose(rotation_deg(R, R[:1]), [0, 30, 90, 180], atol=1e-4)


def test_a_common_rotation_is_no_difference(orientations: np.ndarray) -> None:
    common = se3.exp(torch.tensor([0.0, 0, 0, 0.5, -1.0, 0.3]).double())[:3, :3].numpy()
    assert view_differences(orientations, orientations @ common).max() < 1e-4


def test_exchanged_views_stand_out(orientations: np.ndarray) -> None:
    exchanged = orientations[[0, 3, 2, 1, 4, 5]]
    differences = view_differences(orientations, exchanged)
    assert (differences[[1, 3]] > 90).all() and differences[[0, 2, 4, 5]].max() < 1e-4


def test_a_view_that_is_rotated_alone_differs_by_its_angle(orientations: np.ndarray) -> None:
    other = orientations.copy()
    other[2] = se3.exp(torch.tensor([0.0, 0, 0, 0, 0, 0.7]).double())[:3, :3].numpy() @ other[2]
    expected = np.zeros(len(other))
    expected[2] = np.degrees(0.7)
    assert np.allclose(view_differences(orientations, other), expected, atol=1e-4)


def test_results_come_in_the_order_of_the_items_and_on_several_threads() -> None:
    threads = torch.get_num_threads()
    names: set[str] = set()

    def slowest_first(item: int) -> int:
        names.add(threading.current_thread().name)
        time.sleep(0.02 / (1 + item))
        return item**2

    try:
        torch.set_num_threads(3)
        assert in_parallel(slowest_first, iter(range(8))) == [item**2 for item in range(8)]
    finally:
        torch.set_num_threads(threads)
    assert len(names) > 1
    assert in_parallel(slowest_first, []) == []


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_of_any_item_is_raised(threads: int) -> None:
    def fails(item: int) -> int:
        if item == 5:
            raise RuntimeError("item 5")
        return item

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        with pytest.raises(RuntimeError, match="item 5"):
            in_parallel(fails, range(8))
    finally:
        torch.set_num_threads(before)


def test_a_fit_finds_poses_that_are_a_little_off(crops: Crops, orientations: np.ndarray) -> None:
    off = np.random.default_rng(0).normal(size=(len(crops), 6))
    off[:, :3] = 0
    off[:, 3:] *= np.radians(12) / np.linalg.norm(off[:, 3:], axis=1, keepdims=True)
    start = se3.exp(torch.from_numpy(off))[:, :3, :3].numpy() @ orientations
    end = joint_fit(crops, start, Effort(16, 300, 120))
    before, after = (view_differences(one, orientations) for one in (start, end.orientations))
    assert before.max() > 14 and after.max() < 8
    assert np.allclose(end.R, crops.R_camera_facing @ end.orientations, atol=1e-5)
