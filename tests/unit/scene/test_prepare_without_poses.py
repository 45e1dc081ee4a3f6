"""`sparseags prepare` without poses: masks, table and picture are made nevertheless, and it ends with the reason.

Messages are compared with messages.snap, in which SCENE stands for the folder.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sparseags_ns.cli import main
from sparseags_ns.cli.prepare import Prepare
from sparseags_ns.formats.cameras_json import write_cameras_json
from sparseags_ns.formats.frame import Frame, PoseFileError, intrinsics_matrix
from sparseags_ns.formats.transforms_json import write_transforms_json
from sparseags_ns.geometry.cameras import orbit
from sparseags_ns.pose_init.base import InitialPoses, PoseInitError
from sparseags_ns.preprocess import rembg_masks
from sparseags_ns.preprocess.mask_plan import plan_masks
from sparseags_ns.preprocess.mask_sheet import CELL_PX
from sparseags_ns.preprocess.photo_files import PhotoError, read_photo_file
from sparseags_ns.preprocess.store import store_of
from sparseags_ns.scene.reading import ReadingOptions, read_scene, read_unposed_scene

SIZE = 96
WALL, BALL = (210, 208, 200), (200, 40, 30)
NAMES = ("000", "001", "002")
OPTIONS = ReadingOptions(resolution=32)


def ball(across: int = 0) -> np.ndarray:
    rows, columns = np.mgrid[:SIZE, :SIZE] + 0.5
    return np.hypot(rows - SIZE / 2, columns - SIZE / 2 - across) < SIZE / 4


def saved(folder: Path) -> Path:
    """Three opaque photographs of a ball before a plain wall, where no two have a point in common."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, name in enumerate(NAMES):
        pixels = np.where(ball(4 * index)[..., None], np.array(BALL), np.array(WALL))
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{name}.png")
    return folder


def disc(radius: float) -> np.ndarray:
    rows, columns = np.mgrid[:SIZE, :SIZE] + 0.5
    return np.hypot(rows - SIZE / 2, columns - SIZE / 2) < radius


def frames(names: Sequence[str] = NAMES) -> list[Frame]:
    K = intrinsics_matrix(120.0, 120.0, SIZE / 2, SIZE / 2)
    azimuths = torch.arange(len(names)).double() * 120
    poses = orbit(azimuths, torch.full_like(azimuths, 20.0), 2.0)
    return [Frame(name, f"{name}.png", T, K, SIZE, SIZE) for name, T in zip(names, poses, strict=True)]


@pytest.fixture(autouse=True)
def no_rembg(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rembg_masks, "missing", lambda: "the package rembg is not installed")


@pytest.fixture
def bare(tmp_path: Path, use_initialiser: Callable[..., None]) -> Path:
    """The photographs in a folder of their own, and an initialiser that cannot register them."""
    use_initialiser(lambda photo_files: InitialPoses((None,) * len(photo_files), torch.zeros(len(photo_files))))
    return saved(tmp_path / "photographs")


def never_again(*_: object) -> None:
    raise AssertionError("cut out twice")


def test_the_table_shows_no_poses_and_where_the_correct_masks_are(
    bare: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(PoseInitError, match="fake could register 0 of the 3 photographs"):
        Prepare(bare, OPTIONS).run()
    printed = capsys.readouterr().out
    rows = {line.split()[1]: line for line in printed.splitlines() if " 00" in line}
    assert set(rows) == set(NAMES) and all("none" in row and "training" not in row for row in rows.values())
    assert "Poses from:  nowhere: no training can start" in printed
    kept = re.search(r"^Masks: +background, kept in (.+)$", printed, re.MULTILINE)
    assert kept is not None and f"Mask sheet:  {bare / 'sparseags/masks.png'}" in printed
    for index, name in enumerate(NAMES):
        mask, truth = np.asarray(Image.open(Path(kept[1]) / f"{name}.png")) > 127, ball(4 * index)
        assert (mask & truth).sum() / (mask | truth).sum() > 0.95


def test_the_picture_shows_photographs_and_masks_and_that_there_are_no_poses(bare: Path) -> None:
    with pytest.raises(PoseInitError):
        Prepare(bare, ReadingOptions(resolution=CELL_PX)).run()
    picture = np.asarray(Image.open(bare / "sparseags/prepare.png")).astype(int)
    cell = picture.shape[1] // len(NAMES)
    top, bottom = picture[: cell + 22, :cell], picture[cell + 22 : 2 * (cell + 22), :cell]
    for row in (top, bottom):
        assert np.abs(row[22 + cell // 2, cell // 2] - BALL).max() < 12, "the object is as it was"
    around = np.s_[22 + 72 : 22 + 82, 72:82], np.s_[22 + 7 : 22 + 37, 7:37]
    assert np.abs(top[around[0]] - WALL).max() < 12, "the whole photograph: the wall as well"
    assert {(r, g, b) for r, g, b in bottom[around[1]].reshape(-1, 3)} == {(140,) * 3, (173,) * 3}, "grey checks"
    line = picture[2 * (cell + 22) :]
    assert len(line) == 40 and (np.abs(line - (214, 39, 40)).max(-1) < 20).sum() > 100, "a red line, no drawings"
    sheet = np.asarray(Image.open(bare / "sparseags/masks.png")).astype(int)
    assert (np.abs(sheet - np.array(WALL) // 4).max(-1) < 12).mean() > 0.1, "the wall is darkened"


def test_the_command_fails_with_the_message_of_the_initialiser(
    bare: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["sparseags", "prepare", str(bare), "--resolution", "32"])
    with pytest.raises(SystemExit) as end:
        main()
    assert isinstance(end.value.code, str), "printed to the error stream, exit status 1"
    assert end.value.code.startswith(
        f"sparseags: error: fake could register 0 of the 3 photographs in {bare}: they must"
    )
    assert "warning: there are no poses to start from (the reason stands at the end" in capsys.readouterr().err


def test_starting_again_reuses_the_masks_with_poses_too(
    bare: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    originals = {path: path.read_bytes() for path in bare.iterdir()}
    with pytest.raises(PoseInitError):
        Prepare(bare, OPTIONS).run()
    monkeypatch.setattr("sparseags_ns.preprocess.background.cut_out", never_again)
    masks = {path: path.stat().st_mtime_ns for path in bare.glob("sparseags/masks-*/*.png")}
    assert len(masks) == 4
    with pytest.raises(PoseInitError):
        Prepare(bare, OPTIONS).run()
    write_transforms_json(bare / "transforms.json", frames())
    capsys.readouterr()
    Prepare(bare, OPTIONS).run()
    printed = capsys.readouterr().out
    assert printed.count("trusted") == 3 and f"Poses from:  {bare / 'transforms.json'}" in printed
    assert {path: path.stat().st_mtime_ns for path in bare.glob("sparseags/masks-*/*.png")} == masks
    assert Image.open(bare / "sparseags/prepare.png").height > 900, "with the cameras' drawings"
    assert {path: path.read_bytes() for path in originals} == originals


def test_masks_are_announced_once_for_all_who_read_them(
    bare: Path, use_initialiser: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    def look_at_objects(photo_files: Sequence[Path]) -> InitialPoses:
        for _ in range(2):
            plan_masks([read_photo_file(path) for path in photo_files], bare / "masks", store_of(bare, None), "auto")
        return InitialPoses(tuple(frames()), torch.ones(3))

    use_initialiser(look_at_objects)
    for read in (Prepare(bare, OPTIONS).run, lambda: read_scene(bare, OPTIONS)):
        read()
        assert capsys.readouterr().err.count("masks: cut out by colours") == 1


def test_masks_that_an_interruption_left_out_are_made_and_the_others_kept(bare: Path) -> None:
    folder = read_unposed_scene(bare, OPTIONS).mask_plan.folder
    assert folder is not None
    (folder / "001.png").unlink()
    times = {name: (folder / f"{name}.png").stat().st_mtime_ns for name in ("000", "002")}
    again = read_unposed_scene(bare, OPTIONS)
    assert again.mask_plan.folder == folder and (folder / "001.png").is_file()
    assert {name: (folder / f"{name}.png").stat().st_mtime_ns for name in times} == times


def test_the_sheet_of_the_scene_is_that_of_the_masks_used_last(bare: Path) -> None:
    first = read_unposed_scene(bare, OPTIONS).mask_plan.folder
    assert first is not None
    (bare / "sparseags/masks.png").write_bytes(b"of another way")
    read_unposed_scene(bare, OPTIONS)
    assert (bare / "sparseags/masks.png").read_bytes() == (first / "masks.png").read_bytes()


def test_a_bare_scene_has_views_but_nothing_to_start_from(bare: Path) -> None:
    scene = read_unposed_scene(bare, OPTIONS)
    assert scene.views.names == NAMES and scene.views.images.shape == (3, 32, 32, 3)
    assert not scene.views.posed.any() and not scene.views.trusted.any() and not scene.views.fixed.any()
    assert scene.confidence.tolist() == [0.0] * 3
    with pytest.raises(PoseInitError):
        read_scene(bare, OPTIONS)


def test_transparent_photographs_need_no_masks(bare: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for index, name in enumerate(NAMES):
        image = Image.open(bare / f"{name}.png").convert("RGB")
        image.putalpha(Image.fromarray((ball(4 * index) * 255).astype(np.uint8)))
        image.save(bare / f"{name}.png")
    with pytest.raises(PoseInitError):
        Prepare(bare, OPTIONS).run()
    assert "Masks:       given, transparency" in capsys.readouterr().out


@pytest.mark.parametrize("named", [True, False])
def test_a_pose_file_for_other_photographs_is_refused_after_the_masks_are_made(
    bare: Path, named: bool, capsys: pytest.CaptureFixture[str], snapshot: Callable[..., None]
) -> None:
    """The photographs' own folder, or the folder above it, holds cameras of processed ones."""
    file = bare / "cameras.json" if named else bare.parent / "cameras.json"
    write_cameras_json(file, [*frames(["000_rgba", "001_rgba", "002_rgba"])])
    with pytest.raises(PoseFileError) as error:
        Prepare(bare, ReadingOptions(resolution=32, poses=None if named else file)).run()
    snapshot(str(error.value), POSES=file, SCENE=bare)
    assert "Masks:       background, kept in" in capsys.readouterr().out


def test_a_pose_file_beside_the_folder_is_not_looked_at(bare: Path) -> None:
    write_cameras_json(bare.parent / "cameras.json", frames(["000_rgba", "001_rgba"]))
    with pytest.raises(PoseInitError, match="fake could register 0"):
        Prepare(bare, OPTIONS).run()


def test_a_pose_file_that_leaves_photographs_out_is_no_reason_to_make_no_masks(
    bare: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_transforms_json(bare / "transforms.json", frames()[:2])
    with pytest.raises(PoseInitError, match="has no pose for 1 of the 3 photographs"):
        Prepare(bare, OPTIONS).run()
    assert "Masks:       background, kept in" in capsys.readouterr().out


def test_the_reason_is_not_replaced_by_that_of_the_second_attempt(
    bare: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The pose file has too few of the photographs, and the folder of masks lacks one."""
    write_transforms_json(bare / "transforms.json", frames()[:2])
    (bare / "masks").mkdir()
    Image.fromarray(ball()).save(bare / "masks/000.png")
    with pytest.raises(PoseInitError, match="has no pose for 1 of the 3 photographs"):
        Prepare(bare, OPTIONS).run()
    assert "warning: the rest cannot be prepared either (2 of 3 photographs in" in capsys.readouterr().err


@pytest.mark.parametrize("fault", ["too few", "not trusted", "another lens", "a matrix is no rotation"])
def test_masks_and_photographs_that_the_pose_file_names_are_shown_although_its_cameras_cannot_be_used(
    bare: Path, fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in ("elsewhere", "cut"):
        (bare / folder).mkdir()
    named = []
    for radius, frame in zip((10, 20, 30), frames(), strict=True):
        (bare / f"{frame.name}.png").rename(bare / f"elsewhere/{frame.name}.png")
        Image.fromarray(disc(radius)).save(bare / f"cut/{frame.name}.png")
        masked = {"mask_path": f"cut/{frame.name}.png"}
        named.append(replace(frame, file_path=f"elsewhere/{frame.name}.png", extra=masked, trusted=fault[0] != "n"))
    write_transforms_json(bare / "transforms.json", named[:2] if fault == "too few" else named)
    content = json.loads((bare / "transforms.json").read_text())
    if fault == "another lens":
        content["frames"][0]["is_latlong"] = True
    if fault == "a matrix is no rotation":
        content["frames"][2]["transform_matrix"] = [[1, 1, 1, 1]] * 4
    (bare / "transforms.json").write_text(json.dumps(content))
    reason = {
        "too few": "has no pose for 1 of the 3 photographs",
        "not trusted": "trusts only 0 of its 3 views",
        "another lens": "'is_latlong' .* changes how the camera maps points",
        "a matrix is no rotation": "002.*the last row of 'transform_matrix' must be",
    }[fault]
    with pytest.raises((PoseInitError, PoseFileError), match=reason):
        Prepare(bare, OPTIONS).run()
    printed = capsys.readouterr()
    assert "Masks:       given, mask_path" in printed.out
    shown = {line.split()[1] for line in printed.out.splitlines() if " 00" in line}
    assert shown == {"000", "001", *(["002"] if fault != "too few" else [])}
    assert ("warning: not shown: 002.png (the pose file names masks" in printed.err) == (fault == "too few")
    views = read_unposed_scene(bare, OPTIONS).views
    found = views.masks.mean(dim=(1, 2)).tolist()
    # Photographs are cropped around their masks, which then cover the same share of each.
    assert found == pytest.approx([found[0]] * len(found), abs=0.03)


def test_an_empty_pose_file_is_named_and_is_not_a_lack_of_poses(bare: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (bare / "transforms.json").touch()
    with pytest.raises(PoseFileError, match=r"transforms\.json: is empty \(0 bytes\)"):
        Prepare(bare, OPTIONS).run()
    assert "warning: the pose file cannot be used" in capsys.readouterr().err


def test_an_empty_photograph_is_named(bare: Path) -> None:
    write_transforms_json(bare / "transforms.json", frames())
    (bare / "001.png").write_bytes(b"")
    with pytest.raises(PhotoError, match=r"cannot read .*001\.png: the file is .* \(it has 0 bytes\)"):
        Prepare(bare, OPTIONS).run()
