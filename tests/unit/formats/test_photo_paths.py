"""Which photo file a path in a pose file means, and how photo files of one name are told apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparseags_ns.formats.frame import find_image, photo_names


def found(scene: Path, written: str, *there: str, model: str = "") -> str | None:
    """The path in the scene of what is found for a written path where these files are."""
    for name in there:
        (scene / name).parent.mkdir(parents=True, exist_ok=True)
        (scene / name).touch()
    folders = [scene / model / "images"] if model else []
    path = find_image(written, scene / "transforms.json", scene, folders)
    return None if path is None else path.relative_to(scene).as_posix()


@pytest.mark.parametrize("written", ["hires/000.png", "hires\\000.png", "./hires/000.png", "/data/x/hires/000.png"])
def test_the_written_folder_counts_before_the_file_name(tmp_path: Path, written: str) -> None:
    assert found(tmp_path, written, "images/000.png", "images/hires/000.png") == "images/hires/000.png"


def test_the_whole_path_counts_before_a_shorter_end_of_it(tmp_path: Path) -> None:
    there = ("images/000.png", "images/b/000.png", "images/a/b/000.png")
    assert found(tmp_path, "/elsewhere/a/b/000.png", *there) == "images/a/b/000.png"


def test_a_models_own_folder_counts_before_the_scenes(tmp_path: Path) -> None:
    there = ("images/000.png", "dense/images/000.png")
    assert found(tmp_path, "000.png", *there, model="dense") == "dense/images/000.png"


@pytest.mark.parametrize(
    ("written", "there"),
    [
        ("images/000.JPG", "images/000.jpg"),
        ("images/IMG_1.jpg", "images/img_1.JPEG"),
        ("images/000.jpg", "images/000.png"),
        ("000.png", "images/000.HEIC"),
        ("./train/r_0", "train/r_0.PNG"),
        ("frame.001", "images/frame.001.png"),
    ],
)
def test_endings_and_cases_may_differ_where_one_photograph_has_the_name(
    tmp_path: Path, written: str, there: str
) -> None:
    assert found(tmp_path, written, there) == there


def test_the_same_ending_elsewhere_counts_before_another_ending(tmp_path: Path) -> None:
    assert found(tmp_path, "000.png", "000.jpg", "images/000.png") == "images/000.png"


def test_another_ending_in_the_written_folder_counts_before_the_same_one_elsewhere(tmp_path: Path) -> None:
    assert found(tmp_path, "hires/000.png", "images/hires/000.jpg", "images/000.png") == "images/hires/000.jpg"


def test_of_two_photographs_that_differ_in_endings_neither_is_meant(tmp_path: Path) -> None:
    assert found(tmp_path, "images/000.tif", "images/000.jpg", "images/000.png") is None


def test_of_two_photographs_that_differ_in_case_that_of_the_written_case_is_meant(tmp_path: Path) -> None:
    assert found(tmp_path, "images/a.jpg", "images/a.png", "images/A.png") == "images/a.png"


@pytest.mark.parametrize("written", ["Left/000.JPG", "C:\\x\\Images\\LEFT\\000.png", "data/LEFT/000.png"])
def test_a_folder_in_another_case_counts_before_a_shorter_end_of_the_path(tmp_path: Path, written: str) -> None:
    assert found(tmp_path, written, "images/000.png", "images/left/000.png") == "images/left/000.png"


def test_of_two_folders_that_differ_in_case_that_of_the_written_case_is_meant(tmp_path: Path) -> None:
    assert found(tmp_path, "a/0.jpg", "images/A/0.png", "images/a/0.png") == "images/a/0.png"
    assert found(tmp_path, "b/0.jpg", "images/B/0.png", "images/c/0.png") == "images/B/0.png"


@pytest.mark.parametrize("written", ["images/" + "x" * 400 + ".png", "images/a\0b.png", "x" * 300])
def test_names_that_no_file_can_have_are_missing(tmp_path: Path, written: str) -> None:
    assert found(tmp_path, written, "images/000.png") is None


def test_photographs_of_one_name_are_told_apart_by_their_folders() -> None:
    assert photo_names([Path("s/a.png"), Path("s/b/c.jpg")]) == ["a", "c"]
    rig = [Path("s/images/left/0.png"), Path("s/images/right/0.png"), Path("s/images/right/1.png")]
    assert photo_names(rig) == ["left/0", "right/0", "right/1"]
