"""Masks and maps are told from photographs by the photographs that they are named after."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparseags_ns.formats.companions import companions, is_companion_folder


def names(*files: str) -> dict[str, str]:
    return {found.path.name: found.photograph.name for found in companions([Path("x") / file for file in files])}


@pytest.mark.parametrize(
    ("photograph", "companion"),
    [
        ("000.png", "000_mask.png"),
        ("000.jpg", "mask_000.png"),
        ("000.jpg", "dynamic_mask_000.png"),
        ("000.jpg", "000.alpha.png"),
        ("IMG_0001.JPG", "IMG_0001.mask.png"),
        ("r_0.png", "r_0_depth_0001.png"),
        ("r_0.png", "r_0_normal_0001.png"),
        ("rgb_0001.png", "depth_0001.png"),
        ("frame_00001.jpg", "depth_00001.png"),
        ("mask_01.jpg", "mask_01_mask.png"),
    ],
)
def test_files_named_after_a_photograph_are_no_photographs(photograph: str, companion: str) -> None:
    assert names(photograph, companion) == {companion: photograph}


@pytest.mark.parametrize(
    "files",
    [
        ("mask_01.jpg", "mask_02.jpg", "mask_03.jpg"),
        ("african_mask_front.jpg", "african_mask_back.jpg"),
        ("depth_charge.jpg", "000.jpg"),
        ("000.png", "000_2.png", "unmasked_000.png"),
    ],
)
def test_photographs_of_masks_are_photographs(files: tuple[str, ...]) -> None:
    assert names(*files) == {}


def test_dynamic_masks_are_white_where_photographs_are_left_out() -> None:
    files = [Path(name) for name in ("0.png", "dynamic_mask_0.png", "1.png", "mask_1.png", "1_depth.png")]
    assert [(found.is_mask, found.is_inverted) for found in companions(files)] == [
        (True, True),
        (True, False),
        (False, False),
    ]


def test_folders_are_known_by_the_same_words() -> None:
    assert [is_companion_folder(Path(name)) for name in ("masks", "depth_maps", "left", "maskara")] == [
        True,
        True,
        False,
        False,
    ]
