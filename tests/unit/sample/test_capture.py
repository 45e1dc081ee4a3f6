"""Samples as people take photographs: on walks, in any order, with a turned camera, without poses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage

from sparseags_ns.evaluation.cameras import compare_pose_files
from sparseags_ns.geometry.cameras import Cameras, orbit_angles, project
from sparseags_ns.sample import Sample, SampleConfig, SampleError, make_sample, render_sample
from sparseags_ns.sample.studio import draw_cameras

BALL = np.random.default_rng(0).normal(size=(300, 3))
BALL *= 0.5 / np.linalg.norm(BALL, axis=1, keepdims=True)
SMALL = SampleConfig(seed=2, num_views=5, num_test_views=1, size=48, samples=2, surface_points=2000)
SEEDS = range(20)


@pytest.fixture(scope="module")
def small() -> Sample:
    return render_sample(SMALL)


def cameras(seed: int, **options: Any) -> Cameras:
    rngs = (np.random.default_rng([seed, 0]), np.random.default_rng([seed, 1]))
    return draw_cameras(SampleConfig(seed=seed, **options), BALL, *rngs)[0]


def angles(seed: int, **options: Any) -> tuple[np.ndarray, np.ndarray]:
    """Azimuth, without jumps from one photograph to the next, and elevation in degrees."""
    azimuth, elevation, _ = orbit_angles(cameras(seed, **options).centers)
    return np.degrees(np.unwrap(np.radians(azimuth.numpy()))), elevation.numpy()


def test_files_of_a_walk_follow_it_in_either_direction_at_nearly_one_height() -> None:
    directions = set()
    for seed in SEEDS:
        azimuth, elevation = angles(seed, capture="walk")
        steps = np.diff(azimuth)
        directions.add(np.sign(steps[0]))
        assert np.all(np.sign(steps) == np.sign(steps[0]))
        assert np.abs(np.abs(steps) - 45.0).max() <= 0.4 * 45.0
        assert np.ptp(elevation) <= 12.0 and -1.0 <= elevation.min() and elevation.max() <= 41.0
        assert np.abs(np.diff(elevation)).max() < 7.0
    assert directions == {-1.0, 1.0}


@pytest.mark.parametrize("capture", ["walk", "uneven"])
def test_a_walk_leads_from_one_end_of_the_arc_to_the_other(capture: Any) -> None:
    for seed in SEEDS:
        azimuth, _ = angles(seed, capture=capture, arc_deg=180.0)
        assert abs(abs(azimuth[-1] - azimuth[0]) - 180.0) <= (0.4 * 180 / 7 if capture == "walk" else 1e-6)


def test_two_rings_are_a_low_walk_and_then_a_high_one() -> None:
    for seed in SEEDS:
        _, elevation = angles(seed, capture="two_rings", num_views=7)
        assert 0.0 <= elevation[:4].min() and elevation[:4].max() <= 15.0
        assert 35.0 <= elevation[4:].min() and elevation[4:].max() <= 50.0
        azimuth, _ = angles(seed, capture="two_rings", num_views=16)
        for ring in (azimuth[:8], azimuth[8:]):
            assert np.all(np.diff(ring) > 0) or np.all(np.diff(ring) < 0)
            assert abs(ring[-1] - ring[0]) == pytest.approx(315.0, abs=0.4 * 45)
    azimuth, elevation = angles(0, capture="two_rings", num_views=3)
    assert np.isfinite(azimuth).all() and (elevation > 30).sum() == 1


def test_steps_of_an_uneven_walk_differ_by_a_factor_of_three_at_most() -> None:
    factors = []
    for seed in SEEDS:
        steps = np.diff(angles(seed, capture="uneven")[0])
        assert np.all(steps > 0) or np.all(steps < 0)
        factors.append(np.abs(steps).max() / np.abs(steps).min())
    assert max(factors) <= 3.0 and np.mean(factors) > 1.8


def test_clustered_photographs_come_from_two_opposite_sides() -> None:
    for seed in SEEDS:
        azimuth, elevation = angles(seed, capture="clustered", num_views=9)
        near, opposite = azimuth[:5], azimuth[5:]
        assert np.ptp(near) <= 40.0 and np.ptp(opposite) <= 60.0
        assert abs(abs(near.mean() - opposite.mean()) - 180.0) <= 50.0
        assert 0.0 <= elevation.min() and elevation.max() <= 60.0


def test_shuffled_photographs_are_those_of_the_walk_in_another_order() -> None:
    walk, shuffled = (cameras(3, capture="walk", shuffled=s).T_camera_world for s in (False, True))
    found = [int((walk == pose).all((1, 2)).nonzero()) for pose in shuffled]
    assert sorted(found) == list(range(8)) and found != sorted(found)


def test_another_way_of_capture_leaves_object_and_held_out_views_as_they_are(small: Sample) -> None:
    other = render_sample(replace(SMALL, capture="walk", shuffled=True, turned=1, aliens=1))
    assert torch.equal(other.surface_points, small.surface_points)
    assert torch.equal(other.test_cameras.T_camera_world, small.test_cameras.T_camera_world)


def test_turned_photographs_have_rotated_pixels_and_the_pose_to_match(small: Sample) -> None:
    turned = render_sample(replace(SMALL, turned=3))
    assert torch.equal(turned.true_cameras.K, small.true_cameras.K)
    assert torch.allclose(turned.true_cameras.centers, small.true_cameras.centers, atol=1e-12)
    rotated = [not torch.equal(a, b) for a, b in zip(turned.views.masks, small.views.masks, strict=True)]
    assert sum(rotated) == 3
    pixels, _ = project(turned.true_cameras, turned.surface_points)
    columns, rows = pixels.floor().long().unbind(-1)
    for view, mask in enumerate(turned.views.masks):
        nearby = ndimage.maximum_filter(mask.numpy(), 3)
        assert (nearby[rows[view].numpy(), columns[view].numpy()] > 0).all()
        quarter_turns = (1, 3) if rotated[view] else (0,)
        differences = [float((torch.rot90(small.views.masks[view], k) - mask).abs().mean()) for k in quarter_turns]
        assert min(differences) < 1e-3


def test_aliens_show_another_object_and_count_for_no_surface_point(small: Sample) -> None:
    mixed = render_sample(replace(SMALL, aliens=2))
    differs = [not torch.equal(a, b) for a, b in zip(mixed.views.images, small.views.images, strict=True)]
    assert tuple(np.nonzero(differs)[0]) == mixed.aliens and len(mixed.aliens) == 2
    assert float(mixed.views.masks[list(mixed.aliens)].amax((1, 2)).min()) == 1.0
    assert torch.equal(mixed.true_cameras.T_camera_world, small.true_cameras.T_camera_world)
    assert int(mixed.seen.max()) <= 3 and bool((mixed.seen <= small.seen).all())


def test_truth_names_aliens_and_a_bare_sample_has_poses_nowhere_but_in_gt(tmp_path: Path) -> None:
    everything = replace(SMALL, capture="two_rings", shuffled=True, turned=2, aliens=1, bare=True)
    for folder in ("a", "b"):
        sample = make_sample(everything, tmp_path / folder)
    files = [{path.relative_to(root): path.read_bytes() for path in root.rglob("*.*")} for root in tmp_path.iterdir()]
    assert files[0] == files[1]
    scene = tmp_path / "a"
    assert sorted(path.name for path in scene.iterdir()) == ["gt", "images", "test_images"]
    truth = json.loads((scene / "gt" / "truth.json").read_text())
    assert truth["aliens"] == [sample.views.names[sample.aliens[0]]]
    assert set(truth) == {"object", "views", "aliens"}
    settings = json.loads((scene / "gt" / "sample.json").read_text())["config"]
    assert SampleConfig(**settings) == everything
    errors = compare_pose_files(scene / "gt" / "transforms.json", scene / "gt" / "transforms.json")
    assert errors.names == sample.views.names and float(errors.poses.rotation_deg.max()) < 1e-3


def test_a_sample_without_these_options_is_that_of_version_0_2_0(small: Sample, tmp_path: Path) -> None:
    centers = [[-1.731422, 0.26049, -1.265455], [-1.992498, 0.571702, 1.506887]]
    assert torch.allclose(small.true_cameras.centers[:2], torch.tensor(centers, dtype=torch.float64), atol=1e-6)
    assert float(small.views.images.double().sum()) == pytest.approx(3534.855, rel=1e-4)
    make_sample(replace(SMALL, num_views=3, size=32, samples=1), tmp_path)
    settings = json.loads((tmp_path / "gt" / "sample.json").read_text())["config"]
    assert not {"capture", "shuffled", "turned", "aliens", "bare"} & set(settings)
    assert "aliens" not in json.loads((tmp_path / "gt" / "truth.json").read_text())


@pytest.mark.parametrize(
    "wrong, part",
    [
        ({"turned": 9}, "turned must lie between 0 and 8, is 9"),
        ({"aliens": -1}, "aliens must lie between 0 and 3, is -1"),
        ({"aliens": 4}, "aliens must lie between 0 and 3, is 4"),
    ],
)
def test_impossible_numbers_are_refused(wrong: dict[str, Any], part: str) -> None:
    with pytest.raises(SampleError, match=part):
        SampleConfig(**wrong)
