"""Cutting objects out by colours alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sparseags_ns.preprocess.background import MAX_PLAIN_CLUTTER, WORK_PX, barrier_distance, cut_out, filled, outlined

Array = np.ndarray


def overlap(a: Array, b: Array) -> float:
    return float((a & b).sum() / (a | b).sum())


def disc(size: int, row: float, column: float, radius: float) -> Array:
    rows, columns = np.mgrid[:size, :size] + 0.5
    return np.hypot(rows - row, columns - column) < radius


def studio(size: int, row: float, column: float, seed: int) -> tuple[Array, Array]:
    """A red and blue ball on a floor that gets darker to one side, with some grain."""
    generator = np.random.default_rng(seed)
    mask = disc(size, row, column, size / 4)
    floor = np.linspace(165, 190, size)[None, :, None] * np.array([1.0, 0.95, 0.85])
    stripes = (np.arange(size)[:, None, None] // (size // 16)) % 2
    ball = np.where(stripes == 0, np.array([200, 30, 40]), np.array([30, 60, 180]))
    pixels = np.where(mask[..., None], ball, floor) + generator.normal(0, 4, (size, size, 3))
    return pixels.clip(0, 255).astype(np.uint8), mask


def test_an_object_on_a_plain_floor_is_cut_out_of_every_photograph() -> None:
    scenes = [studio(192, 96 + dy, 90 - dy, seed) for seed, dy in enumerate((-8, 0, 9))]
    masks, clutter = cut_out([pixels for pixels, _ in scenes])
    assert clutter < MAX_PLAIN_CLUTTER
    for mask, (_, truth) in zip(masks, scenes, strict=True):
        assert overlap(mask, truth) > 0.95


def test_white_parts_before_a_white_wall_stay_when_the_rest_encloses_them() -> None:
    pixels = np.full((96, 96, 3), 235, np.uint8)
    ring = disc(96, 48, 48, 30) & ~disc(96, 48, 48, 18)
    pixels[ring] = (20, 60, 160)
    found = cut_out([pixels, pixels])[0][0]
    assert overlap(found, disc(96, 48, 48, 30)) > 0.95


def test_a_busy_background_is_not_plain() -> None:
    generator = np.random.default_rng(0)
    rooms = [generator.integers(0, 255, (40, 40, 3), dtype=np.uint8).repeat(3, 0).repeat(3, 1) for _ in range(2)]
    assert cut_out(rooms)[1] > MAX_PLAIN_CLUTTER


def test_a_photograph_of_nothing_gives_no_error() -> None:
    flat = np.full((64, 48, 3), 128, np.uint8)
    assert cut_out([flat, flat])[1] < MAX_PLAIN_CLUTTER


def test_the_barrier_is_the_range_of_the_easiest_path() -> None:
    # A wall of height 3 with a gap of height 1 parts the middle from the border.
    height = np.zeros((9, 9))
    height[2:7, 2:7] = 3
    height[3:6, 3:6] = 0
    height[4, 2] = 1
    border = np.ones((9, 9), bool)
    border[1:-1, 1:-1] = False
    distance = barrier_distance(height[..., None].repeat(3, -1).astype(np.float32), border) / 3
    assert distance[4, 4] == 1 and distance[2, 2] == 3 and distance[1, 1] == 0


def test_outlines_are_drawn_again_at_the_photographs_size() -> None:
    pixels, truth = studio(600, 310, 290, 0)
    small = np.asarray(Image.fromarray(pixels).resize((WORK_PX, WORK_PX), Image.Resampling.BOX))
    mask = cut_out([small, small])[0][0]
    assert overlap(outlined(pixels, mask), truth) > 0.98


def test_an_empty_mask_has_an_empty_outline() -> None:
    pixels, _ = studio(300, 150, 150, 0)
    assert not outlined(pixels, np.zeros((128, 128), bool)).any()


@pytest.mark.parametrize(
    ("scene", "least", "mean"), [("jordan", 0.9, 0.945), ("toy", 0.85, 0.91)]
)  # fmt: skip
def test_masks_of_the_authors_photographs_agree_with_theirs(
    shared_data: Path, scene: str, least: float, mean: float
) -> None:
    """Measured: jordan 0.91 to 0.97, mean 0.951; toy 0.94, 0.86, 0.92, 0.95.

    The authors' mask of toy 001 has holes in the object; against it with two holes closed, ours overlaps by 0.957.
    """
    folder = shared_data / "sparseags_demo" / scene
    photographs = [np.asarray(Image.open(path).convert("RGB")) for path in sorted((folder / "source").iterdir())]
    theirs = [np.asarray(Image.open(path))[..., 3] > 127 for path in sorted((folder / "processed").iterdir())]
    masks, clutter = cut_out(photographs)
    overlaps = [overlap(mask, truth) for mask, truth in zip(masks, theirs, strict=True)]
    assert clutter < MAX_PLAIN_CLUTTER
    assert min(overlaps) >= least and float(np.mean(overlaps)) >= mean, overlaps


@pytest.mark.slow
@pytest.mark.parametrize("scene", ["kitchen", "statue", "fox"])
def test_photographs_of_whole_scenes_are_not_plain(shared_data: Path, scene: str) -> None:
    photographs = []
    for path in sorted((shared_data / "photos" / scene / "images").iterdir())[::3][:4]:
        image = Image.open(path).convert("RGB")
        image.thumbnail((WORK_PX, WORK_PX))
        photographs.append(np.asarray(image))
    assert cut_out(photographs)[1] > MAX_PLAIN_CLUTTER


def test_through_a_hole_one_sees_the_background_of_the_same_photograph() -> None:
    """Both holes are as near to the border, by the barrier, as the floor may be; only one shows the floor."""
    floor, white = np.array([40.0, 2, 2], np.float32), np.array([95.0, 0, 0], np.float32)
    handle, panel, border = disc(96, 40, 60, 10), disc(96, 60, 40, 10), ~disc(96, 48, 48, 46)
    solid = disc(96, 48, 48, 36)
    lab = np.where(solid[..., None] & ~handle[..., None], np.array([50.0, 60, 40], np.float32), floor)
    lab[panel] = white
    found = filled(solid & ~handle & ~panel, lab, np.full((96, 96), 0.8, np.float32), border)
    assert (found == (solid & ~handle)).all()
