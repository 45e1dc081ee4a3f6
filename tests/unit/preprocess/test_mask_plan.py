"""Choosing where masks come from, and saying what is suspicious about them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from sparseags_ns.formats.frame import Frame, intrinsics_matrix
from sparseags_ns.formats.transforms_json import write_transforms_json
from sparseags_ns.geometry.cameras import orbit
from sparseags_ns.preprocess import rembg_masks
from sparseags_ns.preprocess.mask_plan import MaskPlan, Masks, plan_masks, read_computed_mask
from sparseags_ns.preprocess.mask_sheet import mask_cell, mask_sheet
from sparseags_ns.preprocess.masks import mask_complaints
from sparseags_ns.preprocess.photo_files import PhotoError, PhotoFile, read_photo_file
from sparseags_ns.preprocess.store import Store, StoreError
from sparseags_ns.scene.reading import ReadingOptions, read_scene

SIZE = 96


def ball(radius: float = SIZE / 4, size: int = SIZE) -> np.ndarray:
    rows, columns = np.mgrid[:size, :size] + 0.5
    return np.hypot(rows - size / 2, columns - size / 2) < radius


def plain(path: Path, turn: int = 0) -> Path:
    pixels = np.where(ball()[..., None], np.array([200, 40, 30 + 40 * turn]), np.array([210, 208, 200]))
    Image.fromarray(pixels.astype(np.uint8)).save(path)
    return path


def busy(path: Path, seed: int) -> Path:
    noise = np.random.default_rng(seed).integers(0, 255, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(noise.repeat(3, 0).repeat(3, 1)).save(path)
    return path


@pytest.fixture
def plain_scene(tmp_path: Path) -> list[PhotoFile]:
    return [read_photo_file(plain(tmp_path / f"{i}.png", i)) for i in range(3)]


def plan(tmp_path: Path, files: Sequence[PhotoFile], asked: Masks = "auto") -> MaskPlan:
    return plan_masks(files, tmp_path / "masks", Store(tmp_path / "sparseags"), asked)


@pytest.fixture(autouse=True)
def no_rembg(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rembg_masks, "missing", lambda: "the package rembg is not installed")


def test_plain_backgrounds_are_cut_away_once_and_kept(
    tmp_path: Path,
    plain_scene: list[PhotoFile],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    snapshot: Callable[..., None],
) -> None:
    found = plan(tmp_path, plain_scene)
    assert found.source == "background" and found.computed and found.folder is not None
    snapshot(capsys.readouterr().err.strip().replace(found.folder.name, "masks-KEY"), SCENE=tmp_path)
    for file in plain_scene:
        mask = read_computed_mask(found.folder, file.path, (2 * SIZE, 2 * SIZE)) > 0.5
        truth = torch.from_numpy(ball(SIZE / 2, 2 * SIZE))
        assert (mask & truth).sum() / (mask | truth).sum() > 0.95
    assert (tmp_path / "sparseags/masks.png").is_file()

    def fail(*_: object) -> None:
        raise AssertionError("cut out twice")

    monkeypatch.setattr("sparseags_ns.preprocess.background.cut_out", fail)
    assert plan(tmp_path, plain_scene) == found


def test_a_photograph_that_changed_is_cut_out_anew(tmp_path: Path, plain_scene: list[PhotoFile]) -> None:
    before = plan(tmp_path, plain_scene)
    plain(plain_scene[0].path, 4)
    assert plan(tmp_path, plain_scene).folder != before.folder


def test_busy_backgrounds_leave_photographs_whole_unless_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [read_photo_file(busy(tmp_path / f"{i}.png", i)) for i in range(3)]
    assert plan(tmp_path, files) == MaskPlan("none")
    line = capsys.readouterr().err
    assert line.startswith("sparseags: masks: none (the photographs are opaque, and ")
    assert not (tmp_path / "sparseags").exists()
    assert plan(tmp_path, files, "background").source == "background"


def test_transparency_and_folders_of_masks_go_first(tmp_path: Path, plain_scene: list[PhotoFile]) -> None:
    (tmp_path / "masks").mkdir()
    for file in plain_scene:
        Image.fromarray(ball()).save(tmp_path / "masks" / file.path.name)
    assert plan(tmp_path, plain_scene) == MaskPlan("given", tmp_path / "masks")
    assert not (tmp_path / "sparseags").exists()


def test_masks_that_only_some_photographs_have_are_an_error(
    tmp_path: Path, plain_scene: list[PhotoFile], snapshot: Callable[..., None]
) -> None:
    (tmp_path / "masks").mkdir()
    Image.fromarray(ball()).save(tmp_path / "masks/1.png")
    with pytest.raises(PhotoError) as error:
        plan(tmp_path, plain_scene)
    snapshot(str(error.value), SCENE=tmp_path)


def test_given_masks_must_be_there(tmp_path: Path, plain_scene: list[PhotoFile]) -> None:
    with pytest.raises(PhotoError, match=r"3 of 3 photographs in .* have no mask"):
        plan(tmp_path, plain_scene, "given")


def test_whole_photographs_are_asked_for(
    tmp_path: Path, plain_scene: list[PhotoFile], capsys: pytest.CaptureFixture[str]
) -> None:
    assert plan(tmp_path, plain_scene, "none") == MaskPlan("none")
    assert "masks: none (asked for" in capsys.readouterr().err


def test_rembg_is_used_where_it_is_at_hand(
    tmp_path: Path, plain_scene: list[PhotoFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def remove(image: Image.Image, session: str, only_mask: bool) -> Image.Image:
        assert only_mask
        asked.append(session)
        return Image.fromarray((ball() * 255).astype(np.uint8))

    fake = SimpleNamespace(new_session=lambda name: name, remove=remove)
    monkeypatch.setattr(rembg_masks, "missing", lambda: None)
    monkeypatch.setattr(rembg_masks, "model", lambda: "u2net")
    monkeypatch.setattr(rembg_masks, "import_module", lambda name: fake)
    found = plan(tmp_path, plain_scene)
    assert found.source == "rembg" and found.folder is not None
    assert asked == ["u2net"] * 3
    assert float(read_computed_mask(found.folder, plain_scene[0].path, (SIZE, SIZE)).mean()) == pytest.approx(
        ball().mean(), abs=1e-3
    )
    # One mask is lost: only that one is made again.
    (found.folder / "1.png").unlink()
    plan(tmp_path, plain_scene)
    assert len(asked) == 4


def test_rembg_that_is_missing_says_what_to_install(tmp_path: Path, plain_scene: list[PhotoFile]) -> None:
    with pytest.raises(PhotoError, match="no masks from rembg: the package rembg is not installed"):
        plan(tmp_path, plain_scene, "rembg")


def test_without_package_or_model_of_rembg_the_remedy_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, snapshot: Callable[..., None]
) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(rembg_masks, "find_spec", lambda name: None)
    snapshot(str(rembg_masks.missing()), "rembg_package", SCENE=tmp_path)
    monkeypatch.setattr(rembg_masks, "find_spec", lambda name: object())
    monkeypatch.setenv("U2NET_HOME", str(tmp_path))
    snapshot(str(rembg_masks.missing()), "rembg_model", SCENE=tmp_path)
    (tmp_path / "u2net.onnx").touch()
    assert rembg_masks.missing() is None and rembg_masks.model() == "u2net"
    monkeypatch.delenv("U2NET_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert rembg_masks.missing() is not None
    newer = tmp_path / "data/rembg/models/silueta/silueta.onnx"
    newer.parent.mkdir(parents=True)
    newer.touch()
    assert rembg_masks.missing() is None and rembg_masks.model() == "silueta"


def test_a_damaged_model_of_rembg_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, snapshot: Callable[..., None]
) -> None:
    def fails(name: str) -> None:
        raise RuntimeError("INVALID_PROTOBUF")

    monkeypatch.setenv("U2NET_HOME", str(tmp_path))
    monkeypatch.setenv("MODEL_CHECKSUM_DISABLED", "1")  # so that it is as before afterwards
    (tmp_path / "u2net.onnx").touch()
    monkeypatch.setattr(rembg_masks, "import_module", lambda name: SimpleNamespace(new_session=fails))
    with pytest.raises(PhotoError) as error:
        rembg_masks.session("u2net")
    snapshot(str(error.value), SCENE=tmp_path)


def test_masks_that_cannot_be_written_are_an_error(
    tmp_path: Path, plain_scene: list[PhotoFile], snapshot: Callable[..., None]
) -> None:
    (tmp_path / "sparseags").touch()  # a file where the folder should be
    with pytest.raises(StoreError) as error:
        plan(tmp_path, plain_scene)
    snapshot(str(error.value), SCENE=tmp_path)


def square(top: int, bottom: int, left: int, right: int) -> torch.Tensor:
    mask = torch.zeros(100, 100)
    mask[top:bottom, left:right] = 1
    return mask


@pytest.mark.parametrize(
    ("mask", "complaint"),
    [
        (square(0, 100, 0, 50), "touches the photograph's edge at the top, bottom and left"),
        (square(40, 50, 40, 50), "covers only 1.0% of the photograph"),
        (square(2, 98, 1, 99), "covers 94% of the photograph"),
        (square(10, 30, 10, 30) + square(60, 80, 60, 80), "falls apart into 2 pieces, the largest 50% of it"),
    ],
)
def test_suspicious_masks_are_described(mask: torch.Tensor, complaint: str) -> None:
    assert mask_complaints(mask) == [complaint]


@pytest.mark.parametrize(
    "mask", [square(20, 80, 20, 80), square(0, 60, 0, 60), square(20, 70, 20, 70) + square(80, 83, 80, 83)]
)
def test_ordinary_masks_are_not_complained_of(mask: torch.Tensor) -> None:
    assert mask_complaints(mask) == []


def test_the_sheet_darkens_what_is_left_out_and_frames_the_suspicious() -> None:
    rgb, mask = torch.ones(60, 30, 3), square(0, 60, 0, 15)[:60, :30]
    cells = [mask_cell(str(i), rgb, mask, suspicious=i == 1) for i in range(9)]
    sheet = np.asarray(mask_sheet(cells))
    assert cells[0].thumbnail.size == (30, 60)
    first = np.asarray(cells[0].thumbnail)
    assert first[:, :15].min() == 255 and first[:, 15:].max() < 80
    red = (sheet == (214, 39, 40)).all(-1)
    cell = sheet.shape[1] // 8
    assert red[:, cell : 2 * cell].sum() > 1000 and red[:, :cell].sum() == 0 and red[:, 2 * cell :].sum() == 0


@pytest.mark.parametrize("drop", [False, True])
def test_a_suspicious_mask_is_warned_of_whether_object_or_background_is_white(
    tmp_path: Path, plain_scene: list[PhotoFile], drop: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "masks").mkdir()
    for index, file in enumerate(plain_scene):
        small = ball(SIZE / 8)
        mask = ball() if index != 1 else np.roll(small, SIZE // 4, 1) | np.roll(small, -SIZE // 4, 1)
        Image.fromarray(np.where(mask ^ drop, 255, 0).astype(np.uint8)).save(tmp_path / f"masks/{file.path.stem}.png")
    K = intrinsics_matrix(60.0, 60.0, SIZE / 2, SIZE / 2)
    poses = orbit(torch.tensor([0.0, 90, 180]).double(), torch.zeros(3).double(), 2.0)
    frames = [Frame(s.path.stem, s.path.name, T, K, SIZE, SIZE) for s, T in zip(plain_scene, poses, strict=True)]
    write_transforms_json(tmp_path / "transforms.json", frames)
    views = read_scene(tmp_path, ReadingOptions(resolution=32, masks_drop=drop)).views
    assert 0.1 < float(views.masks.mean()) < 0.6
    said = capsys.readouterr().err
    assert "warning: the mask of 1.png falls apart into 2 pieces" in said and "it may be wrong; look at it" in said
    assert "the mask of 0.png" not in said and "the mask of 2.png" not in said
    assert drop == ("white is what is left out" in said)
