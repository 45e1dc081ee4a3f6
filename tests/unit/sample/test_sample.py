"""Sample scenes: repeatable, different for each seed, with exact truth, faults and errors as asked for."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage

from sparseags_ns.geometry.cameras import Cameras, orbit, project
from sparseags_ns.sample import HARD, Sample, SampleConfig, SampleError, hard_sample, render_sample
from sparseags_ns.sample.caster import photograph
from sparseags_ns.sample.families import EASY, FAMILIES
from sparseags_ns.sample.model import Model, Tables
from sparseags_ns.sample.studio import draw_lights
from sparseags_ns.sample.surface import fitted, surface

SMALL = SampleConfig(seed=2, num_views=4, num_test_views=2, size=48, surface_points=8000)


@pytest.fixture(scope="module")
def small() -> Sample:
    return render_sample(SMALL)


def around(count: int, size: int, start_deg: float = 20.0) -> Cameras:
    """Cameras evenly around the origin at one height."""
    azimuth = start_deg + torch.arange(count, dtype=torch.float64) * 360.0 / count
    K = torch.tensor([[1.7 * size, 0, size / 2], [0, 1.7 * size, size / 2], [0, 0, 1]], dtype=torch.float64)
    return Cameras(orbit(azimuth, torch.full_like(azimuth, 20.0), 2.2), K.expand(count, 3, 3), size, size)


@cache
def built(build: Any) -> Tables:
    model = Model(np.random.default_rng(5))
    build(model)
    return fitted(model.tables(draw_lights(np.random.default_rng(5))))


def test_same_settings_give_the_same_sample(small: Sample) -> None:
    again = render_sample(SMALL)
    assert torch.equal(again.views.images, small.views.images)
    assert torch.equal(again.views.masks, small.views.masks)
    assert torch.equal(again.views.cameras.T_camera_world, small.views.cameras.T_camera_world)
    assert torch.equal(again.test_images, small.test_images)
    assert torch.equal(again.surface_points, small.surface_points)


def test_a_change_of_level_leaves_the_photographs_as_they_are(small: Sample) -> None:
    other = render_sample(replace(SMALL, level="outlier1"))
    assert torch.equal(other.views.images, small.views.images)
    assert torch.equal(other.true_cameras.T_camera_world, small.true_cameras.T_camera_world)
    assert not torch.allclose(other.views.cameras.T_camera_world, small.views.cameras.T_camera_world)


def test_a_later_object_of_the_same_kind_differs(small: Sample) -> None:
    other = render_sample(replace(SMALL, seed=SMALL.seed + len(EASY)))
    assert other.object_name == small.object_name
    assert (other.views.images - small.views.images).abs().mean() > 0.02


def test_images_are_straight_eight_bit_colours_in_range(small: Sample) -> None:
    views = small.views
    assert views.images.dtype == torch.float32 and views.images.shape == (4, 48, 48, 3)
    for values in (views.images, views.masks, small.test_images):
        assert 0.0 <= float(values.min()) and float(values.max()) <= 1.0
        assert torch.allclose(values * 255, (values * 255).round(), atol=1e-4)
    assert float(views.images[views.masks == 0].abs().max()) == 0.0
    assert {0.0, 1.0} < set(views.masks.unique().tolist())


def test_surface_points_lie_under_the_masks_and_cover_them(small: Sample) -> None:
    pixels, depth = project(small.true_cameras, small.surface_points)
    assert bool((depth > 0).all())
    columns, rows = pixels.floor().long().unbind(-1)
    for view, mask in enumerate(small.views.masks.numpy()):
        touched = np.zeros_like(mask)
        np.add.at(touched, (rows[view].numpy(), columns[view].numpy()), 1)
        # A pixel that is covered by less than a ninth can be missed by all its rays.
        assert not (ndimage.maximum_filter(mask, 3)[touched > 0] == 0).any()
        assert touched[mask > 0].sum() > 0.985 * touched.sum()
        assert ndimage.maximum_filter(touched, 3)[mask == 1].min() > 0


def test_points_that_no_camera_sees_are_counted_as_unseen(small: Sample) -> None:
    assert int(small.seen.max()) <= len(small.views)
    share = float((small.seen == 0).double().mean())
    assert 0.02 < share < 0.5
    below = small.surface_points[:, 1] < small.surface_points[:, 1].min() + 0.002
    assert int(small.seen[below & (small.surface_normals[:, 1] < -0.9)].max()) == 0


def test_the_object_fills_the_photographs_and_stays_inside(small: Sample) -> None:
    masks = small.views.masks
    assert float(masks[:, [0, -1]].max()) == 0.0 and float(masks[:, :, [0, -1]].max()) == 0.0
    extents = [max(np.ptp(np.nonzero(mask.numpy())[axis]) + 1 for axis in (0, 1)) / 48 for mask in masks]
    assert 0.6 < np.mean(extents) < 0.85


@pytest.mark.parametrize("build", [*EASY, *FAMILIES["thin"], *FAMILIES["near_symmetric"]], ids=lambda b: b.__name__)
def test_every_kind_of_object_fits_the_sphere_and_its_normals_point_outwards(build: Any) -> None:
    tables = built(build)
    points, normals = surface(tables, 4000, np.random.default_rng(0))
    radius = np.linalg.norm(points, axis=1)
    assert radius.max() < 0.501 and radius.max() > 0.47
    assert np.allclose(np.linalg.norm(normals, axis=1), 1.0, atol=1e-6)
    # Outward normals enclose a positive volume (divergence theorem), that of the whole sphere at most.
    flux = (points * normals).sum(1).mean()
    assert 0 < flux < 0.5


@pytest.mark.parametrize("build", EASY, ids=lambda b: b.__name__)
def test_every_kind_of_object_looks_different_from_behind(build: Any) -> None:
    images, masks = photograph(built(build), around(2, 40), samples=1)
    over_white = images * masks[..., None] + 1 - masks[..., None]
    object_area = np.maximum(masks[0], masks[1]).sum()
    assert np.abs(over_white[0] - over_white[1]).sum() / (3 * object_area) > 0.08
    assert 0.03 < masks.mean() < 0.7


def test_bodies_of_revolution_have_the_same_outline_all_around_but_not_the_same_texture() -> None:
    for build in FAMILIES["near_symmetric"]:
        images, masks = photograph(built(build), around(3, 40), samples=2)
        assert np.abs(masks[0] - masks[1]).sum() < 0.03 * masks[0].sum()
        both = (masks[0] == 1) & (masks[1] == 1)
        assert np.abs(images[0] - images[1])[both].mean() > 0.03


def test_a_highlight_moves_over_a_glossy_surface_with_the_camera() -> None:
    def plain(gloss: float) -> Tables:
        model = Model(np.random.default_rng(0))
        model.new_group()
        model.ball(1.0, (0.0, 0.0, 0.0), model.material("#a03028", gloss=gloss, mottle=(0.0, 1.0)))
        return fitted(model.tables(draw_lights(np.random.default_rng(3))))

    cameras = around(8, 48)
    changes = []
    for gloss in (0.95, 0.0):
        tables = plain(gloss)
        images, masks = photograph(tables, cameras, samples=2)
        points, normals = surface(tables, 3000, np.random.default_rng(0))
        pixels, _ = project(cameras, torch.from_numpy(points))
        columns, rows = pixels.floor().long().unbind(-1)
        to_camera = torch.nn.functional.normalize(cameras.centers[:, None] - torch.from_numpy(points), dim=-1)
        facing = (to_camera * torch.from_numpy(normals)).sum(-1) > 0.5
        both = facing[0] & facing[1]
        first, second = (images[v, rows[v][both], columns[v][both]].mean(-1) for v in (0, 1))
        assert (masks[0][rows[0][both], columns[0][both]] == 1).all()
        changes.append(np.abs(first - second))
    glossy, matt = changes
    assert np.quantile(glossy, 0.98) > 0.15
    assert np.quantile(glossy, 0.98) > 4 * np.quantile(matt, 0.98)


def test_masks_have_the_fault_that_was_asked_for(small: Sample) -> None:
    exact = small.views.masks
    eroded, dilated, holes, mixed = (
        render_sample(replace(SMALL, mask=fault, mask_px=10.0)) for fault in ("eroded", "dilated", "holes", "mixed")
    )
    assert bool((eroded.views.masks <= exact).all()) and float(eroded.views.masks.sum()) < 0.9 * float(exact.sum())
    assert bool((dilated.views.masks >= exact).all()) and float(dilated.views.masks.sum()) > 1.1 * float(exact.sum())
    added = (exact == 0) & (dilated.views.masks == 1)
    assert float(dilated.views.images[added].min()) > 0.2
    assert bool((holes.views.masks <= exact).all())
    assert all(float(lost) > 0 for lost in (exact - holes.views.masks).sum((1, 2)))
    assert len(set(mixed.mask_faults)) > 1
    assert torch.equal(eroded.test_images, small.test_images)


def test_padding_marks_the_pixels_beyond_the_cut_as_unknown(small: Sample) -> None:
    cut = render_sample(replace(SMALL, cut=0.3, cut_style="pad"))
    unknown = cut.views.valid == 0
    assert torch.equal(cut.views.valid.unique(), torch.tensor([0.0, 1.0]))
    assert float(cut.views.masks[unknown].max()) == 0.0
    assert torch.equal(cut.views.masks[~unknown], small.views.masks[~unknown])
    for view in range(len(cut.views)):
        assert 0.01 < float(small.views.masks[view][unknown[view]].sum() / small.views.masks[view].sum()) < 0.6


def test_aiming_past_the_object_cuts_it_by_the_edge() -> None:
    cut = render_sample(replace(SMALL, cut=0.3))
    assert bool((cut.views.valid == 1).all())
    pixels, _ = project(cut.true_cameras, cut.surface_points)
    low, high = pixels.amin(1), pixels.amax(1)
    beyond = torch.maximum((-low).clamp(min=0), (high - 48).clamp(min=0)) / (high - low)
    assert torch.allclose(beyond.amax(-1), torch.full((4,), 0.3, dtype=torch.float64), atol=0.08)


def test_an_arc_holds_all_views() -> None:
    sample = render_sample(replace(SMALL, arc_deg=90.0, num_views=6, num_test_views=4))
    centers = torch.cat([sample.true_cameras.centers, sample.test_cameras.centers])
    azimuth = torch.atan2(centers[:, 0], centers[:, 2]).rad2deg()
    middle = torch.atan2(azimuth.deg2rad().sin().mean(), azimuth.deg2rad().cos().mean()).rad2deg()
    assert float(((azimuth - middle + 180) % 360 - 180).abs().max()) < 55


@pytest.mark.parametrize("kind", sorted(HARD))
def test_hard_samples_are_made(kind: Any) -> None:
    config = hard_sample(kind, 1, size=32, num_views=3, num_test_views=0, surface_points=1000, samples=1)
    sample = render_sample(config)
    assert sample.config.seed == 1 and len(sample.test_images) == 0
    assert bool((sample.views.masks.amax((1, 2)) == 1).all())


@pytest.mark.parametrize(
    "wrong, part",
    [
        ({"num_views": 2}, "num_views must lie between 3 and 32, is 2"),
        ({"num_views": 33}, "num_views"),
        ({"size": 8}, "size must lie between 16 and 2048, is 8"),
        ({"seed": -1}, "seed"),
        ({"cut": 0.9}, "cut must lie between 0 and 0.6"),
        ({"arc_deg": 0.0}, "arc_deg"),
        ({"rotation_noise_deg": -1.0}, "rotation_noise_deg must be zero or more"),
        ({"num_views": 3, "level": "outlier2"}, "2 outliers among 3 views: at least 2 views must stay right"),
    ],
)
def test_impossible_settings_are_refused(wrong: dict[str, Any], part: str) -> None:
    with pytest.raises(SampleError, match=part):
        SampleConfig(**wrong)
