"""Crops around objects: exact intrinsics at every size, and where they say that the object lies."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.pose_init.ab_initio.crops import BORDER, OBJECT_RADIUS, SIDE_PX, Crops
from sparseags_ns.preprocess.photo import Photo

WIDTH, HEIGHT = 160, 120
DISC = (112, 40, 24)
"""Column, row and radius of an object that lies off the middle."""


def disc(column: float, row: float, radius: float, focal: float = 150.0) -> Photo:
    """A photograph of a gray disc with a red spot in its upper left part."""
    rows, columns = (np.mgrid[:HEIGHT, :WIDTH] + 0.5).astype(np.float32)
    squared = torch.from_numpy((columns - column) ** 2 + (rows - row) ** 2)
    spot = torch.from_numpy((columns - column + radius / 2) ** 2 + (rows - row + radius / 3) ** 2) < (radius / 4) ** 2
    rgb = torch.full((HEIGHT, WIDTH, 3), 0.5)
    rgb[spot] = torch.tensor([1.0, 0.5, 0.5])
    K = torch.tensor([[focal, 0, WIDTH / 2], [0, 1.1 * focal, HEIGHT / 2], [0, 0, 1]])
    return Photo(rgb, (squared < radius**2).float(), torch.ones(HEIGHT, WIDTH), K)


def red_spot(rgb: Float[Tensor, "height width 3"], K: Tensor) -> Tensor:
    """Ray through the middle of the red spot, at depth 1."""
    red = (rgb[..., 0] - rgb[..., 1]).clamp(min=0).double()
    rows, columns = (torch.arange(side).double() + 0.5 for side in red.shape)
    total = red.sum()
    assert total > 0
    pixel = torch.stack([(red.sum(0) * columns).sum() / total, (red.sum(1) * rows).sum() / total, torch.tensor(1.0)])
    return torch.linalg.solve(K.double(), pixel.double())


def test_a_point_is_seen_along_the_same_ray_in_the_photograph_and_in_crops_of_all_sizes() -> None:
    photo = disc(*DISC)
    crops, expected = Crops.of([photo]), red_spot(photo.rgb, photo.K)
    assert torch.allclose(red_spot(crops.photos[0].rgb, crops.K[0]), expected, atol=1e-4)
    for pixels in (64, 32, 16, 12):
        small = crops.at(pixels)
        assert small.rgb.shape == (1, pixels, pixels, 3) and small.alpha.shape == small.valid.shape
        fx, fy, cx, cy = small.K[0].astype(float)
        K = torch.tensor([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], dtype=torch.float64)
        assert torch.allclose(red_spot(torch.from_numpy(small.rgb[0]), K), expected, atol=1e-3), pixels
        assert torch.allclose(K[:2] / pixels, crops.K[0, :2].double() / SIDE_PX, rtol=1e-5)


def test_the_object_fills_the_crop_but_for_its_border() -> None:
    mask = Crops.of([disc(*DISC)]).photos[0].mask > 0.5
    for axis in (0, 1):
        extent = mask.any(axis).nonzero()
        assert int(extent.max() - extent.min()) + 1 == pytest.approx((1 - BORDER) * SIDE_PX, abs=2)
        assert float(extent.float().mean()) + 0.5 == pytest.approx(SIDE_PX / 2, abs=1)


def test_what_lies_beyond_the_photograph_is_not_valid() -> None:
    small = Crops.of([disc(5, 60, 24)]).at(16)
    assert (small.valid[0, :, 0] == 0).all() and (small.valid[0, :, 12:] == 1).all()
    assert (small.rgb[0][small.valid[0] == 0].max() < 0.5) and set(np.unique(small.valid)) == {0, 1}


def test_colours_are_multiplied_by_alpha() -> None:
    small = Crops.of([disc(*DISC)]).at(32)
    edge = (small.alpha[0] > 0.2) & (small.alpha[0] < 0.8)
    assert edge.any() and np.allclose(small.rgb[0, ..., 2][edge], 0.5 * small.alpha[0][edge], atol=1e-5)


def test_the_object_lies_where_it_was_photographed(photograph: Callable[..., list[Photo]]) -> None:
    """Equal distances, and cameras that do not look straight at the object."""
    away = [[0.0, 0.0], [0.12, -0.1], [-0.08, 0.13]]
    crops = Crops.of(photograph([0.0, 90.0, 200.0], [10.0, 20.0, 30.0], 3.0, away, side=128))
    axes = crops.R_camera_facing[:, :, 2]
    for (x, y), axis, place in zip(away, axes, crops.object_in_camera, strict=True):
        expected = np.array([np.sin(y), -np.sin(x), np.cos(x) * np.cos(y)])
        assert np.abs(axis - expected).max() < 0.006
        assert np.allclose(place / np.linalg.norm(place), axis, atol=1e-5)
        assert np.linalg.norm(place) == pytest.approx(3.0, rel=0.08)
    distances = np.linalg.norm(crops.object_in_camera, axis=1)
    assert distances.max() / distances.min() < 1.03
    assert OBJECT_RADIUS * float(crops.K[0, 0, 0]) / distances[0] == pytest.approx((1 - BORDER) * SIDE_PX / 2, rel=0.02)


def test_distance_follows_apparent_size_in_part_and_not_the_focal_length() -> None:
    """Size is partly one of shape, so the ratio of distances is less than that of sizes."""
    near, far = np.linalg.norm(Crops.of([disc(80, 60, 30), disc(80, 60, 20)]).object_in_camera, axis=1)
    assert 1.15 < far / near < 1.45
    tele = [disc(80, 60, 20, focal=100), disc(80, 60, 40, focal=200)]
    short, long = np.linalg.norm(Crops.of(tele).object_in_camera, axis=1)
    assert long / short == pytest.approx(1, abs=0.03)


def test_some_of_the_crops_are_chosen_in_any_order() -> None:
    crops = Crops.of([disc(80, 60, radius) for radius in (20, 25, 30)])
    some = crops[[2, 0]]
    assert len(some) == 2 and torch.equal(some.K, crops.K[[2, 0]])


def test_a_photograph_without_an_object_is_refused() -> None:
    with pytest.raises(ValueError, match="photograph 1 shows no object: its mask is empty"):
        Crops.of([disc(80, 60, 20), disc(80, 60, 0)])
