"""Valid regions: given by the scene, guessed from straight cuts, or lost by cropping on reading."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from sparseags_ns.formats.frame import Frame
from sparseags_ns.formats.transforms_json import write_transforms_json
from sparseags_ns.preprocess.photo import box_coverage
from sparseags_ns.sample import SampleConfig
from sparseags_ns.sample.files import make_sample
from sparseags_ns.scene.reading import ReadingOptions, read_scene
from sparseags_ns.views import Views

SIZE = 32
NAMES = ("000", "001", "002", "003")


def read_views(folder: Path, **options: Any) -> Views:
    return read_scene(folder, ReadingOptions(**options)).views


def save_valid(path: Path, first_valid_column: int, size: int = SIZE) -> None:
    pixels = np.full((size, size), 255, np.uint8)
    pixels[:, :first_valid_column] = 0
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(pixels).save(path)


def save_disc(path: Path, size: int, x: float, until: float | None = None) -> None:
    """A soft disc at half the height that `until` cuts off on its right."""
    rows, columns = np.mgrid[0:size, 0:size] + 0.5
    alpha = np.clip(0.23 * size + 0.5 - np.hypot(columns - x, rows - size / 2 + 0.27), 0, 1)
    if until is not None:
        alpha *= box_coverage((0, 0, until, size), size, size).numpy()
    rgba = np.dstack([np.full((size, size, 3), 99, np.uint8), np.round(alpha * 255).astype(np.uint8)])
    Image.fromarray(rgba).save(path)


def test_the_folder_of_valid_regions_is_read_like_masks(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in NAMES[:3]:
        save_valid(scene / f"valid/{name}.png", 5)
    views = read_views(scene, resolution=SIZE)
    assert views.valid[:3, :, :5].max() == 0 and views.valid[:3, :, 5:].min() == 1 and views.valid[3].min() == 1
    said = "valid regions: valid/ for 3 of 4 photographs (the scene has that folder; the others are covered wholly)"
    assert said in capsys.readouterr().err


def test_valid_regions_are_carried_through_recentring(
    scene: Path, save_photograph: Callable[..., None], make_frames: Callable[..., list[Frame]]
) -> None:
    for name in NAMES:
        save_photograph(scene / f"images/{name}.png", 64, 64)
        save_valid(scene / f"valid/{name}.png", 20, 64)
    write_transforms_json(scene / "transforms.json", make_frames(NAMES, "images/", 64, 64))
    views = read_views(scene, resolution=SIZE)
    # The disc of 42 pixels becomes 0.8 of the picture, so that 52.5 of its pixels become 32, from 5.75 on.
    step = 52.5 / SIZE
    expected = box_coverage(((20 - 5.75) / step, 0, SIZE, SIZE), SIZE, SIZE)
    assert torch.allclose(views.valid, expected.expand(4, -1, -1), atol=1e-5)


def test_valid_regions_and_valid_boxes_both_count(scene: Path, make_frames: Callable[..., list[Frame]]) -> None:
    save_valid(scene / "valid/001.png", 5)
    boxed = [replace(frame, extra={"valid_box": [0, 3, SIZE, SIZE]}) for frame in make_frames(NAMES)]
    write_transforms_json(scene / "transforms.json", boxed)
    views = read_views(scene, resolution=SIZE)
    assert views.valid[1].sum() == 27 * 29 and views.valid[0].sum() == 32 * 29


def test_crops_made_on_reading_are_not_valid_beyond_the_photograph(
    scene: Path, make_frames: Callable[..., list[Frame]], capsys: pytest.CaptureFixture[str]
) -> None:
    for name in NAMES:
        save_disc(scene / f"images/{name}.png", 64, 60.0)
    write_transforms_json(scene / "transforms.json", make_frames(NAMES, "images/", 64, 64))
    views = read_views(scene, resolution=SIZE)
    cut = int((views.masks[0] * views.valid[0]).amax(0).gt(0.5).nonzero().max())
    assert views.valid[:, :, : cut - 1].min() == 1 and views.valid[:, :, cut + 2 :].max() == 0 and cut < SIZE - 4
    assert "cut by the photograph's edge" not in capsys.readouterr().err


def test_straight_cuts_are_guessed_if_nothing_tells_valid_regions(
    scene: Path, make_frames: Callable[..., list[Frame]], capsys: pytest.CaptureFixture[str]
) -> None:
    for name, until in zip(NAMES, (None, 70.4, None, 62.0), strict=True):
        save_disc(scene / f"images/{name}.png", 128, 55.4, until)
    write_transforms_json(scene / "transforms.json", make_frames(NAMES, "images/", 128, 128))
    views = read_views(scene, resolution=128)
    assert torch.allclose(views.valid[1], box_coverage((0, 0, 70.4, 128), 128, 128), atol=0.02)
    assert views.valid[3].sum() == pytest.approx(62 * 128, abs=3) and views.valid[[0, 2]].min() == 1
    assert "cut by the photograph's edge: 001.png, 003.png (" in capsys.readouterr().err
    save_valid(scene / "valid/000.png", 5, 128)
    said = read_views(scene, resolution=128)
    assert said.valid[1:].min() == 1 and said.valid[0].sum() == 123 * 128


def test_padded_samples_come_back_with_their_valid_regions(tmp_path: Path) -> None:
    config = SampleConfig(size=32, num_views=3, num_test_views=0, samples=1, cut=0.25, cut_style="pad")
    sample = make_sample(config, tmp_path / "sample")
    assert torch.equal(read_views(tmp_path / "sample", resolution=32).valid, sample.views.valid)
    assert sample.views.valid.min() == 0


def test_cuts_are_guessed_in_the_cut_development_set_only(
    shared_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    read_views(shared_data / "synthetic" / "deck_chair", poses=Path("init/dust3r/cameras.json"))
    assert "cut by" not in capsys.readouterr().err
    views = read_views(shared_data / "real" / "dtu_scan37", poses=Path("init/dust3r/cameras.json"))
    assert "cut by the photograph's edge: 000.png, 001.png" in capsys.readouterr().err
    assert (views.valid.amin((1, 2)) == 0).all()
