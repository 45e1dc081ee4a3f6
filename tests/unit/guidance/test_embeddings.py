"""Camera numbers of Zero123 against values worked by hand.

World: +y up; azimuth 0 on +z, 90 degrees on +x. OpenGL cameras: x right, y up, z backward.
"""

from __future__ import annotations

import math

import pytest
import torch

from sparseags_ns.geometry.cameras import Cameras, look_at, orbit
from sparseags_ns.guidance.embeddings import embed, relative_focal, six_dof, spherical


def cameras_at(
    azimuths: list[float], elevations: list[float], radii: list[float], fx=64.0, fy=64.0, size=64
) -> Cameras:
    T = orbit(torch.tensor(azimuths), torch.tensor(elevations), torch.tensor(radii))
    K = torch.tensor([[fx, 0, size / 2], [0, fy, size / 2], [0, 0, 1]]).repeat(len(azimuths), 1, 1)
    return Cameras(T, K, size, size)


def test_six_dof_of_a_camera_from_itself_is_the_identity_and_no_zoom() -> None:
    camera = cameras_at([33.0], [12.0], [1.85])
    torch.testing.assert_close(six_dof(camera, camera)[0], torch.cat([torch.eye(4).flatten(), torch.zeros(2)]))


def test_six_dof_stepping_back_puts_the_condition_in_front_of_the_target() -> None:
    """Target 0.5 further out on the same ray: seen from it the condition lies at z = -0.5 (OpenGL looks along -z)."""
    numbers = six_dof(cameras_at([0.0], [0.0], [2.35]), cameras_at([0.0], [0.0], [1.85]))[0]
    expected = torch.eye(4)
    expected[2, 3] = -0.5
    torch.testing.assert_close(numbers[:16].reshape(4, 4), expected)


def test_six_dof_of_a_quarter_turn_by_hand() -> None:
    """Condition on +z at 1.85: x right, y up, z backward are the world's axes. Target on +x: right is -z, backward +x.

    T_target_condition: the condition's right (world x) is the target's backward, its backward (world z) is the target's
    left. Its centre (0, 0, 1.85) less the target's (1.85, 0, 0): -1.85 along right, 0 up, -1.85 along backward.
    """
    numbers = six_dof(cameras_at([90.0], [0.0], [1.85]), cameras_at([0.0], [0.0], [1.85]))[0]
    row_by_row = [0.0, 0, -1, -1.85, 0, 1, 0, 0, 1, 0, 0, -1.85, 0, 0, 0, 1]
    torch.testing.assert_close(numbers[:16], torch.tensor(row_by_row), atol=1e-6, rtol=0)


def test_six_dof_is_of_the_target_by_the_condition_and_not_the_reverse() -> None:
    target, condition = cameras_at([50.0], [20.0], [2.0]), cameras_at([10.0], [-5.0], [1.7])
    there, back = (
        numbers[0, :16].reshape(4, 4) for numbers in (six_dof(target, condition), six_dof(condition, target))
    )
    torch.testing.assert_close(there @ back, torch.eye(4), atol=1e-6, rtol=0)
    point = torch.cat([condition.centers[0], torch.ones(1)])
    seen = target.T_camera_world[0] @ point * torch.tensor([1.0, -1, -1, 1])
    torch.testing.assert_close(there[:, 3], seen, atol=1e-6, rtol=0)


def test_six_dof_ends_with_both_focal_ratios_of_target_by_condition() -> None:
    target = cameras_at([0.0], [0.0], [1.85], fx=128.0, fy=32.0)
    numbers = six_dof(target, cameras_at([0.0], [0.0], [1.85]))[0]
    torch.testing.assert_close(numbers[16:], torch.tensor([math.log(2), -math.log(2)]))


def test_focal_ratios_do_not_depend_on_the_sizes_of_the_images() -> None:
    target = cameras_at([0.0], [0.0], [1.85], fx=100.0, fy=80.0)
    condition = cameras_at([40.0], [9.0], [1.85])
    torch.testing.assert_close(six_dof(target.resized(512, 512), condition), six_dof(target, condition))
    torch.testing.assert_close(relative_focal(target), torch.tensor([[100 / 64, 80 / 64]]))


def test_six_dof_keeps_a_camera_that_looks_past_the_object() -> None:
    """The six numbers of a pose, unlike the vanilla numbers, include a rotation of the camera on the spot."""
    pose = look_at(torch.tensor([0.0, 0, 1.85]), torch.tensor([0.4, 0, 0]), roll_deg=20.0)[None]
    condition = cameras_at([0.0], [0.0], [1.85])
    turned = condition.with_poses(pose)
    assert (six_dof(turned, condition)[0, :16].reshape(4, 4)[:3, :3] - torch.eye(3)).abs().max() > 0.1
    torch.testing.assert_close(spherical(turned, condition), torch.tensor([[0.0, 0, 1, 0]]), atol=1e-6, rtol=0)


def test_vanilla_numbers_by_hand() -> None:
    """30 degrees higher is a polar angle 30 degrees less; azimuth grows from +z to +x."""
    numbers = spherical(cameras_at([100.0], [40.0], [2.0]), cameras_at([10.0, 190.0], [10.0, 40.0], [1.85, 2.3]))
    expected = [[-math.pi / 6, 1.0, 0.0, 0.15], [0.0, -1.0, 0.0, -0.3]]
    torch.testing.assert_close(numbers, torch.tensor(expected), atol=1e-5, rtol=0)


def test_stable_numbers_end_with_the_conditions_own_polar_angle() -> None:
    numbers = embed("stable", cameras_at([0.0], [0.0], [3.0]), cameras_at([0.0], [15.0], [1.85]))
    torch.testing.assert_close(numbers[0], torch.tensor([math.radians(15), 0, 1, math.radians(75)]), atol=1e-6, rtol=0)


@pytest.mark.parametrize("kind, count", [("6dof", 18), ("vanilla", 4), ("stable", 4)])
def test_one_row_for_each_photograph(kind, count: int) -> None:
    rows = embed(kind, cameras_at([5.0], [0.0], [1.8]), cameras_at([0.0, 90, 180], [0.0, 10, 20], [1.85] * 3))
    assert rows.shape == (3, count)


def test_six_dof_translation_is_in_world_units() -> None:
    """Twice the world, twice the translation, the same rotation: the world's scale (1.85) is the caller's."""
    small = six_dof(cameras_at([70.0], [20.0], [1.0]), cameras_at([0.0], [0.0], [1.0]))[0, :16].reshape(4, 4)
    large = six_dof(cameras_at([70.0], [20.0], [2.0]), cameras_at([0.0], [0.0], [2.0]))[0, :16].reshape(4, 4)
    torch.testing.assert_close(large[:3, 3], 2 * small[:3, 3])
    torch.testing.assert_close(large[:3, :3], small[:3, :3])
