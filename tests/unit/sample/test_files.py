"""Samples on disk: readable by the package's own readers, repeatable to the byte, never over other files."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sparseags_ns.formats.poses import read_poses
from sparseags_ns.sample import Sample, SampleConfig, SampleError, make_sample
from sparseags_ns.scene.reading import read_scene

TINY = SampleConfig(seed=1, num_views=3, num_test_views=2, size=32, surface_points=1000, samples=1)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Sample]:
    """A sample of eight photographs of 256 pixels, one ray for each pixel, with its folder."""
    folder = tmp_path_factory.mktemp("sample") / "scene"
    config = SampleConfig(num_test_views=2, samples=1, level="outlier1", surface_points=2000)
    return folder, make_sample(config, folder)


def test_the_usual_sample_is_read_back_as_it_was_made(usual: tuple[Path, Sample]) -> None:
    folder, sample = usual
    views = read_scene(folder).views
    assert views.names == sample.views.names and len(views) == 8
    assert torch.allclose(views.images, sample.views.images, atol=1e-6)
    assert torch.allclose(views.masks, sample.views.masks, atol=1e-6)
    assert torch.allclose(views.cameras.T_camera_world, sample.views.cameras.T_camera_world, atol=1e-9)
    assert torch.allclose(views.cameras.K, sample.views.cameras.K, atol=1e-9)
    assert bool(views.trusted.all()) and bool((views.valid == 1).all())


def test_true_poses_are_found_in_gt_with_paths_relative_to_the_sample(usual: tuple[Path, Sample]) -> None:
    folder, sample = usual
    for name, cameras in (("transforms.json", sample.true_cameras), ("transforms_test.json", sample.test_cameras)):
        frames = read_poses(folder / "gt" / name, folder)
        assert torch.allclose(torch.stack([f.T_camera_world for f in frames]), cameras.T_camera_world, atol=1e-9)
        assert torch.allclose(torch.stack([f.K for f in frames]), cameras.K, atol=1e-9)
        assert all((folder / frame.file_path).is_file() for frame in frames)


def test_the_top_of_the_folder_holds_one_pose_file_and_rgba_photographs(usual: tuple[Path, Sample]) -> None:
    folder, _ = usual
    assert sorted(path.name for path in folder.iterdir()) == ["cameras.json", "gt", "images", "test_images"]
    with Image.open(folder / "images" / "000.png") as image:
        assert image.mode == "RGBA" and image.size == (256, 256)


def test_truth_lists_the_errors_and_the_outliers(usual: tuple[Path, Sample]) -> None:
    folder, sample = usual
    truth = json.loads((folder / "gt" / "truth.json").read_text())
    (outlier,) = truth["outliers"]
    assert truth["views"][outlier]["rotation_error_deg"] > 50
    assert all(v["rotation_error_deg"] < 10 for name, v in truth["views"].items() if name != outlier)
    assert truth["outlier_kinds"][outlier]["type"] in ("azimuth", "front_back", "up_down")
    surface = np.load(folder / "gt" / "surface.npz")
    assert surface["points"].shape == surface["normals"].shape == (2000, 3)
    assert np.array_equal(surface["seen"], sample.seen.numpy())


def test_the_same_settings_write_the_same_bytes(tmp_path: Path) -> None:
    make_sample(TINY, tmp_path / "a")
    make_sample(TINY, tmp_path / "b")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_a_sample_is_replaced_only_when_that_is_allowed(tmp_path: Path) -> None:
    make_sample(replace(TINY, cut=0.3, cut_style="pad"), tmp_path)
    assert (tmp_path / "valid" / "002.png").is_file()
    before = contents(tmp_path)
    with pytest.raises(SampleError, match="holds a sample already"):
        make_sample(TINY, tmp_path)
    assert contents(tmp_path) == before
    (tmp_path / "notes.txt").write_text("mine")
    make_sample(TINY, tmp_path, overwrite=True)
    assert not (tmp_path / "valid").exists() and (tmp_path / "notes.txt").is_file()
    make_sample(TINY, tmp_path / "fresh")
    fresh = contents(tmp_path / "fresh")
    assert {name: contents(tmp_path)[name] for name in fresh} == fresh


def test_two_samples_written_into_one_folder_at_once_are_one_sample(tmp_path: Path) -> None:
    make_sample(TINY, tmp_path / "alone")
    with ThreadPoolExecutor(3) as pool:
        for written in [pool.submit(make_sample, TINY, tmp_path / "shared", overwrite=True) for _ in range(3)]:
            written.result()
    assert contents(tmp_path / "shared") == contents(tmp_path / "alone")


@pytest.mark.parametrize("overwrite", [False, True])
def test_folders_with_other_files_are_never_touched(tmp_path: Path, overwrite: bool) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "000.png").write_bytes(b"precious")
    with pytest.raises(SampleError, match="is not empty and holds no sample of ours"):
        make_sample(TINY, tmp_path, overwrite=overwrite)
    assert contents(tmp_path) == {"images/000.png": b"precious"}


def test_a_file_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SampleError, match="is a file; expected a folder"):
        make_sample(TINY, tmp_path / "file")
