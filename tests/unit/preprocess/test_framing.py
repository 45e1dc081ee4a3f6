"""A photograph's pixels and its entry in a pose file become a photo of the working size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from sparseags_ns.export.found_cameras import photograph_frame
from sparseags_ns.formats.frame import Distortion, Frame, intrinsics_matrix
from sparseags_ns.preprocess.framing import compose, fitted_size, reframe, working_size
from sparseags_ns.preprocess.photo_files import PhotoError, PhotoFile, Pixels
from sparseags_ns.preprocess.posed_photo_files import PosedPhotoFile, is_pose_upright

PATHS = [Path(f"photos/{name}.png") for name in "abc"]


def frame(width: int | None, height: int | None, **fields: Any) -> Frame:
    return Frame(
        "a", "a.png", torch.eye(4).double(), intrinsics_matrix(100.0, 110.0, 30.0, 40.0), width, height, **fields
    )


def pixels(width: int, height: int) -> Pixels:
    return Pixels(PATHS[0], torch.full((height, width, 3), 0.5), None, (width, height))


def test_intrinsics_follow_the_photographs_own_size() -> None:
    photo = compose(pixels(128, 64), None, frame(64, 32))
    assert torch.equal(photo.K, intrinsics_matrix(200.0, 220.0, 60.0, 80.0))
    assert torch.equal(compose(pixels(128, 64), None, frame(None, None)).K, frame(None, None).K)


def test_without_a_mask_the_whole_photograph_is_the_object() -> None:
    photo = compose(pixels(8, 6), None, frame(8, 6))
    assert photo.mask.min() == 1 and photo.valid.min() == 1


@pytest.mark.parametrize("key", ["valid_box", "source_valid_box"])
def test_the_valid_box_of_a_frame_is_carried_at_the_photographs_size(key: str) -> None:
    photo = compose(pixels(16, 16), None, frame(8, 8, extra={key: [2, 0.25, 8.0, 6]}))
    assert photo.valid[0].sum() == 6
    assert photo.valid[:, 4:].sum() == 11.5 * 12
    assert photo.valid[:, :4].sum() == 0


@pytest.mark.parametrize("box", [[1, 2, 3], "all", [5, 0, 4, 8], [0, 0, float("nan"), 8], [0, 0, "8", 8]])
def test_an_invalid_valid_box_is_refused(box: object) -> None:
    with pytest.raises(PhotoError, match=r"'valid_box' of photos/a\.png in the pose file must be \[left, top"):
        compose(pixels(8, 8), None, frame(8, 8, extra={"valid_box": box}))


def test_an_empty_mask_names_its_pixels() -> None:
    with pytest.raises(PhotoError, match=r"the mask of photos/a\.png is empty"):
        compose(pixels(8, 8), torch.full((8, 8), 0.4), frame(8, 8))


def test_a_distortion_that_is_not_understood_names_its_pixels() -> None:
    with pytest.raises(PhotoError, match=r"photos/a\.png cannot be straightened: lens distortion k4 = 0\.1"):
        compose(pixels(8, 8), None, frame(8, 8, distortion=Distortion(k4=0.1)))


@pytest.mark.parametrize(
    ("size", "upright"),
    [((300, 200), True), ((200, 300), False), ((150, 100), True), ((75, 113), False), ((None, None), True)],
)
def test_the_size_tells_the_orientation_of_the_intrinsics(size: tuple[int | None, int | None], upright: bool) -> None:
    photo_file = PhotoFile(PATHS[0], (200, 300), (300, 200), orientation=6, has_alpha=False)
    assert is_pose_upright(photo_file, frame(*size)) == upright


@pytest.mark.parametrize(
    ("photograph", "made_for"),
    [
        ((1024, 768), (518, 392)),  # VGGT: 27.75 patches of 14 pixels become 28
        ((768, 1024), (392, 518)),
        ((1920, 1080), (518, 294)),
        ((4946, 3286), (618, 411)),  # an eighth, rounded up and down: off by three of the photograph's pixels
        ((6000, 4000), (1000, 667)),
    ],
)
def test_intrinsics_of_a_rounded_size_are_scaled_along_each_axis(
    photograph: tuple[int, int], made_for: tuple[int, int]
) -> None:
    across, down = (small / full for small, full in zip(made_for, photograph, strict=True))
    focal = 1.4 * max(photograph)
    K = intrinsics_matrix(focal * across, focal * down, made_for[0] / 2, made_for[1] / 2)
    photo_file = PhotoFile(PATHS[0], photograph, photograph, orientation=1, has_alpha=False)
    fitted = Frame("a", "a.png", torch.eye(4).double(), K, *made_for)
    assert is_pose_upright(photo_file, fitted)
    found = photograph_frame(PosedPhotoFile(photo_file, fitted), Path(), "a").intrinsics
    assert found == pytest.approx((focal, focal, photograph[0] / 2, photograph[1] / 2))


def test_a_network_may_find_focal_lengths_that_differ_a_little() -> None:
    photo_file = PhotoFile(PATHS[0], (1024, 768), (1024, 768), orientation=1, has_alpha=False)
    for fx, fy in ((730.0, 730.0), (731.0, 728.0), (722.0, 735.0)):
        K = intrinsics_matrix(fx, fy, 259, 196)
        assert is_pose_upright(photo_file, Frame("a", "a.png", torch.eye(4).double(), K, 518, 392))


@pytest.mark.parametrize(
    ("photograph", "made_for", "focals", "case"),
    [
        ((1152, 768), (512, 336), (640.0, 640.0), "cropped to patches of 16"),
        ((768, 1024), (518, 518), (971.0, 965.0), "cropped to a square"),
        ((3000, 3050), (518, 518), (725.2, 732.6), "cropped a little after it was stretched"),
        ((540, 960), (960, 540), (687.0, 687.0), "rotated"),
        ((600, 600), (1024, 768), (1400.0, 1400.0), "photograph cropped"),
    ],
)
def test_what_happened_to_a_photograph_of_another_shape_is_told(
    photograph: tuple[int, int],
    made_for: tuple[int, int],
    focals: tuple[float, float],
    case: str,
    snapshot: Callable[..., None],
) -> None:
    photo_file = PhotoFile(PATHS[0], photograph, photograph, orientation=1, has_alpha=False)
    K = intrinsics_matrix(*focals, made_for[0] / 2, made_for[1] / 2)
    with pytest.raises(PhotoError) as error:
        is_pose_upright(photo_file, Frame("a", "a.png", torch.eye(4).double(), K, *made_for))
    snapshot(str(error.value), case)


def test_equal_sizes_tell_the_orientation_even_where_the_other_is_near() -> None:
    photo_file = PhotoFile(PATHS[0], (100, 101), (101, 100), orientation=6, has_alpha=False)
    assert is_pose_upright(photo_file, frame(101, 100), False) and not is_pose_upright(photo_file, frame(100, 101))


def test_a_photograph_of_another_shape_than_its_pose_is_refused() -> None:
    photo_file = PhotoFile(PATHS[0], (200, 300), (200, 300), orientation=1, has_alpha=False)
    with pytest.raises(PhotoError, match=r"a\.png is 200x300 pixels, but its pose was made for 256x256"):
        is_pose_upright(photo_file, frame(256, 256))


@pytest.mark.parametrize(
    ("sizes", "masked", "expected"),
    [
        ([(64, 64)] * 3, True, ((64, 64), False)),
        ([(64, 64)] * 3, False, ((64, 64), False)),
        ([(96, 96)] * 3, True, ((64, 64), True)),
        ([(96, 96)] * 3, False, ((64, 64), False)),
        ([(96, 64), (64, 96), (64, 64)], True, ((64, 64), True)),
        ([(96, 48)] * 3, False, ((64, 32), False)),
    ],
)
def test_only_photographs_that_are_not_working_squares_are_reframed(
    sizes: list[tuple[int, int]], masked: bool, expected: tuple[tuple[int, int], bool]
) -> None:
    assert working_size(sizes, 64, masked) == expected


def test_whole_photographs_of_one_shape_keep_it_at_any_size() -> None:
    assert working_size([(960, 480), (97, 48), (48, 24)], 64, masked=False) == ((64, 32), False)


def test_whole_photographs_of_several_shapes_share_a_square_with_nothing_beside_them() -> None:
    assert working_size([(96, 48), (48, 96), (96, 48)], 64, masked=False) == ((64, 64), False)
    lying = reframe(compose(pixels(96, 48), None, frame(96, 48)), (64, 64), recentred=False)
    assert lying.valid[16:48].min() == 1 and lying.valid[:16].max() == 0 and lying.valid[48:].max() == 0
    # Both axes are scaled alike, and the photograph's upper left corner is the square's (0, 16).
    whole = compose(pixels(96, 48), None, frame(96, 48)).K
    assert torch.allclose(lying.K[:2, :2], whole[:2, :2] * 64 / 96)
    assert torch.allclose(lying.K[:2, 2], whole[:2, 2] * 64 / 96 + torch.tensor([0.0, 16.0]).to(whole))


def test_a_photograph_that_was_reduced_on_reading_keeps_its_intrinsics() -> None:
    reduced = replace(pixels(48, 24), full_size=(96, 48))
    for given in (frame(96, 48), frame(192, 96), frame(None, None)):
        whole = compose(pixels(96, 48), None, given).K
        assert torch.allclose(compose(reduced, None, given).K[:2], whole[:2] / 2)


def test_a_photo_of_the_working_size_is_unchanged() -> None:
    photo = compose(pixels(8, 8), None, frame(8, 8))
    assert reframe(photo, (8, 8), recentred=False) is photo


def test_whole_photographs_keep_their_shape() -> None:
    assert fitted_size((540, 960), 256) == (144, 256)
    assert fitted_size((1024, 683), 256) == (256, 171)
    assert fitted_size((10, 4000), 256) == (1, 256)
