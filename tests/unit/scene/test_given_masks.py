"""Masks that a pose file names, that lie beside the photographs or in `masks/`, and masks that cover too little."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sparseags_ns.cli.prepare import Prepare
from sparseags_ns.export.found_cameras import write_found_cameras
from sparseags_ns.preprocess.photo_files import PhotoError
from sparseags_ns.scene.reading import ReadingOptions, find_cameras, read_scene

SIZE = 32
NAMES = ["000", "001", "002", "003"]


def disc(radius: float, across: int = 0) -> np.ndarray:
    rows, columns = np.mgrid[:SIZE, :SIZE] + 0.5
    return np.hypot(rows - SIZE / 2, columns - SIZE / 2 - across) < radius


def save(path: Path, inside: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.where(inside, 255, 0).astype(np.uint8)).save(path)


def areas(scene: Path, **options: Any) -> list[float]:
    """Shares of the photographs that the masks cover."""
    return read_scene(scene, ReadingOptions(resolution=SIZE, **options)).views.masks.mean(dim=(1, 2)).tolist()


AREAS = [float(disc(6 + k).mean()) for k in range(4)]


@pytest.fixture
def opaque(scene: Path, save_photograph: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The scene with opaque photographs, and without rembg."""
    monkeypatch.setattr("sparseags_ns.preprocess.rembg_masks.missing", lambda: "not installed")
    for name in NAMES:
        save_photograph(scene / f"images/{name}.png", mode="RGB")
    return scene


def with_mask_paths(scene: Path, pattern: str) -> None:
    """Masks of discs of different sizes, which each frame names."""
    content = json.loads((scene / "transforms.json").read_text())
    for k, (name, frame) in enumerate(zip(NAMES, content["frames"], strict=True)):
        frame["mask_path"] = pattern.format(name)
        save(scene / frame["mask_path"].replace("\\", "/"), disc(6 + k))
    (scene / "transforms.json").write_text(json.dumps(content))


@pytest.mark.parametrize(
    "pattern", ["segmentations/{}.png", "masks/object_{}.png", "./images/{}.matte.png", "m\\{}.png"]
)
def test_masks_that_the_pose_file_names_are_used(
    opaque: Path, pattern: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with_mask_paths(opaque, pattern)
    assert areas(opaque) == pytest.approx(AREAS)
    assert "masks: mask_path for 4 photographs (the pose file names them)" in capsys.readouterr().err
    assert areas(opaque, masks_drop=True) == pytest.approx([1 - area for area in AREAS])
    assert areas(opaque, masks="none") == [1.0] * 4


def test_named_masks_narrow_transparency_and_go_before_the_folder_of_masks(scene: Path) -> None:
    with_mask_paths(scene, "segmentations/{}.png")
    for name in NAMES:
        save(scene / f"masks/{name}.png", disc(3))
    transparent = float(disc(SIZE / 3).mean())
    assert areas(scene) == pytest.approx([min(area, transparent) for area in AREAS])


def test_a_named_mask_that_is_missing_is_refused_unless_masks_come_from_elsewhere(opaque: Path) -> None:
    with_mask_paths(opaque, "segmentations/{}.png")
    (opaque / "segmentations/001.png").unlink()
    with pytest.raises(PhotoError, match=r"masks that are not there: .*segmentations/001\.png for 001\.png\. Put them"):
        areas(opaque)
    assert areas(opaque, masks="none") == [1.0] * 4


def edit(scene: Path, own: Callable[[int, str], dict[str, Any]], **shared: Any) -> None:
    """Add keys to each frame, by its number and name, and to the whole file."""
    content = json.loads((scene / "transforms.json").read_text())
    for k, (name, frame) in enumerate(zip(NAMES, content["frames"], strict=True)):
        frame.update(own(k, name))
    (scene / "transforms.json").write_text(json.dumps({**content, **shared}))


@pytest.mark.parametrize("key", ["mask_file", "masks_path", "mask", "mask_file_path", "maskPath", "mask_filename"])
def test_other_keys_of_masks_are_read(opaque: Path, key: str, capsys: pytest.CaptureFixture[str]) -> None:
    for k, name in enumerate(NAMES):
        save(opaque / f"cut/{name}.png", disc(6 + k))
    edit(opaque, lambda k, name: {key: f"cut/{name}.png"})
    assert areas(opaque) == pytest.approx(AREAS)
    said = capsys.readouterr().err
    assert f"masks: {key} for 4 photographs (the pose file names them)" in said and "not used" not in said


def test_a_dynamic_mask_that_the_pose_file_names_is_white_where_photographs_are_left_out(opaque: Path) -> None:
    for k, name in enumerate(NAMES):
        save(opaque / f"moving/{name}.png", ~disc(6 + k))
    edit(opaque, lambda k, name: {"dynamic_mask_path": f"moving/{name}.png"})
    assert areas(opaque) == pytest.approx(AREAS)


def test_cameras_are_written_with_the_masks_that_their_file_names(opaque: Path, tmp_path_factory: Any) -> None:
    for k, name in enumerate(NAMES):
        save(opaque / f"moving/{name}.png", ~disc(6 + k))
        save(opaque / f"cut/{name}.png", disc(6 + k))
    edit(opaque, lambda k, name: {"mask_file": f"cut/{name}"} if k else {"dynamic_mask": f"moving/{name}"})
    written = tmp_path_factory.mktemp("cameras")
    write_found_cameras(written, find_cameras(opaque, ReadingOptions()), written)
    assert areas(opaque, poses=written / "transforms.json") == pytest.approx(AREAS)
    first, second, *_ = json.loads((written / "transforms.json").read_text())["frames"]
    assert [{key for key in frame if "mask" in key} for frame in (first, second)] == [
        {"dynamic_mask_path"},
        {"mask_path"},
    ]


@pytest.mark.parametrize("written", ["cut/{}", "cut/{}.PNG", "CUT/{}.jpg", "./cut/{}.tif", "/data/scene/cut/{}.png"])
def test_named_masks_are_found_with_other_endings_and_in_any_case(opaque: Path, written: str) -> None:
    for k, name in enumerate(NAMES):
        save(opaque / f"cut/{name}.png", disc(6 + k))
    edit(opaque, lambda k, name: {"mask_path": written.format(name)})
    assert areas(opaque) == pytest.approx(AREAS)


def test_a_named_mask_is_never_the_photograph_of_its_name(opaque: Path) -> None:
    edit(opaque, lambda k, name: {"mask_path": f"images/{name}.tif"})
    with pytest.raises(PhotoError, match=r"masks that are not there: .*images/000\.tif for 000\.png"):
        areas(opaque)


@pytest.mark.parametrize("is_own", [False, True])
def test_one_mask_may_be_named_for_all_photographs(
    opaque: Path, is_own: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    save(opaque / "cut/all.png", disc(9))
    edit(
        opaque,
        lambda *_: {"mask_path": "cut/all.png"} if is_own else {},
        **({} if is_own else {"mask_path": "cut/all"}),
    )
    assert areas(opaque) == pytest.approx([float(disc(9).mean())] * 4)
    said = capsys.readouterr().err
    assert f"one mask for 4 of 4 photographs: {opaque / 'cut/all.png'} (the pose file names it for each)" in said


def test_a_frames_own_mask_goes_before_the_files(opaque: Path) -> None:
    save(opaque / "all.png", disc(12))
    for k, name in enumerate(NAMES):
        save(opaque / f"cut/{name}.png", disc(6 + k))
    edit(opaque, lambda k, name: {"mask_file": f"cut/{name}.png"} if k else {"mask_file": None}, mask_path="all.png")
    assert areas(opaque) == pytest.approx([float(disc(12).mean()), *AREAS[1:]])


def test_the_file_may_name_a_folder_of_masks(opaque: Path) -> None:
    for k, name in enumerate(NAMES):
        save(opaque / f"cut/{name}_mask.png", disc(6 + k))
    edit(opaque, lambda *_: {}, masks_path="./cut")
    assert areas(opaque) == pytest.approx(AREAS)
    (opaque / "cut/002_mask.png").unlink()
    with pytest.raises(PhotoError, match=r"masks that are not there: .*cut/002\.png for 002\.png\. .*\('masks_path'\)"):
        areas(opaque)


@pytest.mark.parametrize("key", ["mask_path", "mask_file"])
def test_frames_without_the_mask_that_others_have_are_named(opaque: Path, key: str) -> None:
    for name in NAMES:
        save(opaque / f"cut/{name}.png", disc(8))
    edit(opaque, lambda k, name: {key: f"cut/{name}.png"} if k != 2 else {})
    with pytest.raises(PhotoError, match=rf"names masks \('{key}'\) for 3 of 4 photographs, and none for 002\.png"):
        areas(opaque)
    save(opaque / "masks/002.png", disc(8))
    assert areas(opaque) == pytest.approx([float(disc(8).mean())] * 4)


@pytest.mark.parametrize("is_own", [False, True])
def test_what_else_a_file_says_of_masks_is_named_in_one_line(
    scene: Path, is_own: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = {
        "sky_mask_path": "sky/0.png",
        "mask_rle": {"counts": "a"},
        "has_mask": True,
        "mask_weight": 0.5,
        "maskX": "",
    }
    edit(scene, lambda *_: keys if is_own else {}, **({} if is_own else keys))
    areas(scene)
    said = [line for line in capsys.readouterr().err.splitlines() if "mask" in line and "not used" in line]
    assert len(said) == 1 and f"not used: 'sky_mask_path', 'mask_rle' in {scene / 'transforms.json'} (" in said[0]


@pytest.mark.parametrize("prepared", [False, True])
def test_masks_beside_photographs_are_used_and_are_no_photographs(
    opaque: Path, prepared: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    for k, name in enumerate(NAMES):
        save(opaque / f"images/{name}_mask.png", disc(6 + k))
        save(opaque / f"images/{name}_depth.png", disc(10))
    if prepared:
        Prepare(opaque, ReadingOptions(resolution=SIZE)).run()
        assert "Masks:       given, beside photographs" in capsys.readouterr().out
        return
    assert areas(opaque) == pytest.approx(AREAS)
    said = capsys.readouterr().err
    assert "no photographs: 000_depth.png, 000_mask.png" in said and "masks: files beside 4 photographs" in said


def test_dynamic_masks_are_white_where_photographs_are_left_out(opaque: Path) -> None:
    for k, name in enumerate(NAMES):
        save(opaque / f"images/dynamic_mask_{name}.png", ~disc(6 + k))
    assert areas(opaque) == pytest.approx(AREAS)


@pytest.mark.parametrize("pattern", ["{}.PNG", "{}.png.png", "mask_{}.png", "{}_mask.png", "images/{}.png"])
def test_masks_of_the_folder_may_be_named_in_several_ways(opaque: Path, pattern: str) -> None:
    for k, name in enumerate(NAMES):
        save(opaque / "masks" / pattern.format(name), disc(6 + k))
    assert areas(opaque) == pytest.approx(AREAS)


@pytest.mark.parametrize("folder", ["mask", "image_masks", "segmentations", "images/masks"])
def test_folders_with_other_names_of_masks_are_not_passed_over_in_silence(
    opaque: Path, capsys: pytest.CaptureFixture[str], folder: str
) -> None:
    save(opaque / folder / "000.png", disc(6))
    areas(opaque)
    assert f"warning: {opaque / folder} is not used (it holds 000.png; masks are looked for in {opaque / 'masks'}" in (
        capsys.readouterr().err
    )


def test_a_folder_of_masks_of_other_names_is_not_passed_over_in_silence(
    opaque: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(opaque / "masks/shoe_a.png", disc(6))
    areas(opaque)
    assert f"warning: {opaque / 'masks'} is not used (it holds shoe_a.png, which name none of 000.png, 001.png" in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize(("radius", "across", "named"), [(11, 0, False), (4, 0, True), (5, 10, True)])
def test_masks_that_cover_far_less_than_the_photographs_suggest_are_named(
    opaque: Path, radius: float, across: int, named: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """A red disc before a wall; the mask of one photograph is right, too small, or beside it."""
    for name in NAMES:
        pixels = np.where(disc(11)[..., None], [200, 40, 30], [210, 208, 200]).astype(np.uint8)
        Image.fromarray(pixels).save(opaque / f"images/{name}.png")
        save(opaque / f"masks/{name}.png", disc(11))
    save(opaque / "masks/002.png", disc(radius, across))
    areas(opaque)
    said = capsys.readouterr().err
    assert ("warning: masks that cover far less than the photographs suggest: 002.png (" in said) == named
    assert named or "far less" not in said


def test_masks_before_busy_backgrounds_are_not_judged(opaque: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in NAMES:
        save(opaque / f"masks/{name}.png", disc(5))
    areas(opaque)
    assert "far less" not in capsys.readouterr().err
