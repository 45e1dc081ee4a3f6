"""The straight line that a photograph's edge cuts into a mask is told from an object's own edges."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.formats.transforms_json import read_transforms_json
from sparseags_ns.preprocess.photo import box_coverage
from sparseags_ns.preprocess.photo_files import read_pixels
from sparseags_ns.preprocess.straight_cuts import straight_cuts

SIZE = 96


def disc(radius: float = 30.3) -> Float[Tensor, "size size"]:
    """A disc near the middle whose edge is soft over one pixel."""
    axis = torch.arange(SIZE) + 0.5 - SIZE / 2
    return (radius + 0.5 - torch.hypot(axis[:, None] - 0.31, axis + 0.23)).clamp(0, 1)


def turned_square(degrees: float) -> Float[Tensor, "size size"]:
    """A square in the middle, by 16 x 16 points in each pixel."""
    fine = (torch.arange(SIZE * 16) + 0.5) / 16 - SIZE / 2
    x, y, turn = fine, fine[:, None], math.radians(degrees)
    u, v = x * math.cos(turn) + y * math.sin(turn), y * math.cos(turn) - x * math.sin(turn)
    inside = (torch.maximum(u.abs(), v.abs()) < 25.4).float()
    return inside.reshape(SIZE, 16, SIZE, 16).mean((1, 3))


@pytest.mark.parametrize(
    "box", [(0, 0, 65.37, SIZE), (31.2, 0, SIZE, SIZE), (0, 30, SIZE, SIZE), (25, 0, SIZE, 67.9), (0, 30.2, 65.4, SIZE)]
)
def test_a_cut_disc_gives_away_where_the_photograph_ended(box: tuple[float, float, float, float]) -> None:
    found = straight_cuts(disc() * box_coverage(box, SIZE, SIZE))
    assert found == pytest.approx(box, abs=0.02)


def test_a_whole_disc_is_not_cut() -> None:
    assert straight_cuts(disc()) is None


def test_a_disc_cut_by_the_border_of_the_image_needs_no_guess() -> None:
    assert straight_cuts(disc(60.3)) is None


def test_a_line_with_something_faint_beyond_it_is_no_cut() -> None:
    assert straight_cuts((disc() * box_coverage((0, 0, 65.37, SIZE), SIZE, SIZE)).clamp(min=0.02)) is None


@pytest.mark.parametrize("degrees", [0.2, 0.5, 1.0, 3.0, 44.0])
def test_a_square_rotated_by_a_fraction_of_a_degree_is_not_cut(degrees: float) -> None:
    assert straight_cuts(turned_square(degrees)) is None


def test_hard_masks_say_too_little() -> None:
    assert straight_cuts((disc() * box_coverage((0, 0, 65.37, SIZE), SIZE, SIZE)).round()) is None


def test_an_empty_mask_is_not_cut() -> None:
    assert straight_cuts(torch.zeros(SIZE, SIZE)) is None


def alphas(paths: list[Path]) -> list[Float[Tensor, "height width"]]:
    return [alpha for path in paths if (alpha := read_pixels(path).alpha) is not None]


@pytest.mark.parametrize("folder", ["synthetic", "sparseags_demo", "real/co3d_controller", "omni3d"])
def test_no_whole_photograph_of_the_development_sets_is_taken_for_cut(shared_data: Path, folder: str) -> None:
    paths = [p for p in sorted((shared_data / folder).rglob("*.png")) if "source" not in p.parts]
    found = [straight_cuts(alpha) for alpha in alphas(paths)]
    assert len(found) >= 8 and not any(found)


def test_real_photographs_cut_by_their_edge_are_found_with_the_right_boxes(shared_data: Path) -> None:
    scene, lines = shared_data / "real" / "dtu_scan37", 0
    for frame in read_transforms_json(scene / "gt" / "transforms.json"):
        (mask,) = alphas([scene / frame.file_path])
        found = straight_cuts(mask)
        assert found is not None
        # Edges that the object does not reach cannot be guessed: there the picture's own border stands.
        pairs = zip(frame.extra["source_valid_box"], found, strict=True)
        off = [abs(true - guess) for true, guess in pairs if guess not in (0.0, 256.0)]
        assert off and max(off) < 0.1
        lines += len(off)
    assert lines == 17
