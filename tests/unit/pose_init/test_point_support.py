"""Which cameras the points of a model support."""

from __future__ import annotations

import torch

from sparseags_ns.formats.colmap import Observations
from sparseags_ns.pose_init.point_support import supporting_points


def observed(errors: torch.Tensor, measured: bool = True) -> Observations:
    """Every photo shows every point, with these errors (photos, points); not a number: it does not."""
    photos, points = torch.isfinite(errors).nonzero().unbind(-1)
    names = tuple(f"{i}.png" for i in range(len(errors)))
    return Observations(names, photos, points, errors[photos, points], torch.full((len(photos),), measured))


def support(errors: torch.Tensor, working_px: float = 1.0, measured: bool = True) -> list[int]:
    return supporting_points(observed(errors, measured), torch.full((len(errors),), working_px)).tolist()


def test_points_near_their_projections_support_the_cameras_that_show_them() -> None:
    errors = torch.full((4, 5), 0.5)
    errors[3, 0] = torch.nan
    assert support(errors) == [5, 5, 5, 4]
    assert support(errors, measured=False) == [0] * 4


def test_errors_count_in_working_pixels() -> None:
    errors = torch.full((3, 5), 4.0)
    assert support(errors) == [0, 0, 0] and support(errors, working_px=256 / 4000) == [5, 5, 5]


def test_two_photographs_confirm_nothing() -> None:
    errors = torch.full((4, 5), 0.5)
    errors[2:, :3] = torch.nan
    assert support(errors) == [2, 2, 2, 2], "two points are shown by four photographs, three by two"
    assert support(torch.full((2, 5), 0.5)) == [0, 0]


def test_a_wrong_camera_among_right_ones_is_not_supported() -> None:
    errors = torch.full((8, 200), 0.3)
    errors[5] = 4.0  # the mean error of each point is below 1
    assert support(errors) == [200] * 5 + [0] + [200] * 2


def test_a_hundred_points_that_are_right_by_chance_support_no_camera() -> None:
    errors = torch.full((4, 1000), 9.0)
    errors[:, :150] = 0.5
    assert support(errors) == [0] * 4


def test_a_model_without_observations_supports_no_camera() -> None:
    assert support(torch.full((3, 4), torch.nan)) == [0, 0, 0]
