"""Figures of regularity on splats whose answer is known beforehand."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from benchmarks.accuracy.regularity import (
    NEEDLE_RATIO,
    Silhouettes,
    alpha_iou,
    are_needles,
    measure_regularity,
    outside_hull,
)
from sparseags_ns.evaluation.held_out import HeldOut
from sparseags_ns.geometry.alignment import Similarity
from sparseags_ns.rasterizer.types import Gaussians
from sparseags_ns.views import Views

HERE = Similarity.identity()


def held_out(views: Views, masked: bool = True) -> HeldOut:
    return HeldOut(views.names, views.images, views.valid, views.cameras, views.masks if masked else None)


def test_alpha_iou_is_soft_and_passes_over_unknown_pixels() -> None:
    rendered = torch.tensor([[[1.0, 0.5, 0.0, 1.0]]])
    masks = torch.tensor([[[1.0, 1.0, 0.5, 0.0]]])
    valid = torch.tensor([[[1.0, 1.0, 1.0, 0.0]]])
    assert alpha_iou(rendered, masks, valid).tolist() == pytest.approx([1.5 / 2.5])
    assert alpha_iou(rendered, masks, torch.ones_like(valid)).tolist() == pytest.approx([1.5 / 3.5])
    assert alpha_iou(0 * rendered, 0 * masks, valid).tolist() == [1.0]


def test_needles_are_long_in_one_direction_only() -> None:
    scales = torch.tensor([[1.0, 1.0, 1.0], [NEEDLE_RATIO + 1, 1.0, 1.0], [50.0, 50.0, 1.0], [1.0, 0.5, 99.0]])
    assert are_needles(scales).tolist() == [False, True, False, True]


def test_a_point_beside_the_object_is_outside_and_one_behind_the_unknown_is_not(
    make_views: Callable[..., Views],
) -> None:
    views = make_views(6, 64)
    points = torch.tensor([[0.0, 0.0, 0.0], [0.0, 0.45, 0.0]], dtype=torch.float64)
    seen = Silhouettes(views.masks, views.valid, views.cameras)
    assert outside_hull(points, seen).tolist() == [False, True]
    assert outside_hull(points, replace(seen, valid=torch.zeros_like(views.valid))).tolist() == [False, False]


def test_the_splat_that_made_the_photographs_has_perfect_figures(
    make_views: Callable[..., Views], toy_gaussians: Gaussians
) -> None:
    views = make_views(6, 64)
    found = measure_regularity(toy_gaussians, views, views.cameras, held_out(views), HERE)
    assert found.input_iou == pytest.approx(1.0, abs=1e-3) and found.novel_iou == pytest.approx(1.0, abs=1e-3)
    assert (found.outside_hull, found.outside_hull_area, found.needles) == (0.0, 0.0, 0.0)


def test_a_floater_and_a_needle_count_by_opacity_and_by_area(
    make_views: Callable[..., Views], toy_gaussians: Gaussians
) -> None:
    views = make_views(6, 64)
    spoilt = Gaussians(
        means=torch.cat([toy_gaussians.means, torch.tensor([[0.0, 0.45, 0.0], [0.0, 0.0, 0.0]])]),
        quats=torch.cat([toy_gaussians.quats, torch.tensor([[1.0, 0, 0, 0]]).expand(2, -1)]),
        scales=torch.cat([toy_gaussians.scales, torch.tensor([[0.08, 0.08, 0.01], [0.2, 0.001, 0.002]])]),
        opacities=torch.cat([toy_gaussians.opacities, torch.tensor([0.5, 0.1])]),
        colors=torch.cat([toy_gaussians.colors, torch.zeros(2, 3)]),
    )
    found = measure_regularity(spoilt, views, views.cameras, held_out(views), HERE)
    opacity, area = 60 * 0.9 + 0.5 + 0.1, 60 * 0.9 * 0.04**2 + 0.5 * 0.08**2 + 0.1 * 0.2 * 0.002
    assert found.outside_hull == pytest.approx(0.5 / opacity, rel=1e-4)
    assert found.outside_hull_area == pytest.approx(0.5 * 0.08**2 / area, rel=1e-4)
    assert found.needles == pytest.approx(0.1 / opacity, rel=1e-4)
    assert found.input_iou < 0.99


def test_figures_do_not_depend_on_the_splats_world(make_views: Callable[..., Views], toy_gaussians: Gaussians) -> None:
    views = make_views(6, 64)
    turn, scale, shift = math.radians(30), 0.8, torch.tensor([0.1, -0.2, 0.05], dtype=torch.float64)
    rotation = torch.tensor(
        [[math.cos(turn), 0, math.sin(turn)], [0, 1, 0], [-math.sin(turn), 0, math.cos(turn)]], dtype=torch.float64
    )
    away = Similarity(torch.tensor(scale, dtype=torch.float64), rotation, shift)
    half = math.radians(15)
    w, x, y, z = toy_gaussians.quats.unbind(-1)
    c, s = math.cos(half), math.sin(half)
    turned = torch.stack([c * w - s * y, c * x + s * z, c * y + s * w, c * z - s * x], dim=-1)
    moved = replace(
        toy_gaussians,
        means=away.apply_to_points(toy_gaussians.means),
        quats=turned,
        scales=scale * toy_gaussians.scales,
    )
    cameras = views.cameras.with_poses(away.apply_to_poses(views.cameras.T_camera_world))
    found = measure_regularity(moved, replace(views, cameras=cameras), views.cameras, held_out(views), away.inverse())
    same = measure_regularity(toy_gaussians, views, views.cameras, held_out(views), HERE)
    assert found.novel_iou == pytest.approx(same.novel_iou, abs=1e-3)
    assert found.input_iou == pytest.approx(same.input_iou, abs=1e-3) and found.outside_hull == same.outside_hull


@pytest.mark.parametrize("kept", [True, False])
def test_without_held_out_silhouettes_the_input_masks_carve_the_hull(
    make_views: Callable[..., Views], toy_gaussians: Gaussians, kept: bool
) -> None:
    views = make_views(4, 32)
    bare = held_out(views, masked=False) if kept else None
    found = measure_regularity(toy_gaussians, views, views.cameras, bare, HERE)
    assert found.novel_iou is None and found.outside_hull == 0.0
