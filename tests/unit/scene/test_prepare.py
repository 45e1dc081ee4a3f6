"""`sparseags prepare`: a table and a picture of what training would start from."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sparseags_ns.cli import main
from sparseags_ns.cli.prepare import Prepare
from sparseags_ns.formats.frame import Frame, intrinsics_matrix
from sparseags_ns.formats.transforms_json import write_transforms_json
from sparseags_ns.geometry.cameras import Cameras, frustum_corners, orbit, project
from sparseags_ns.scene.reading import ReadingOptions

SIZE = 48


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """Three opaque photographs of a ball before a plain wall, with poses; the third pose is flagged as doubtful."""
    rows, columns = np.mgrid[:SIZE, :SIZE] + 0.5
    ball = np.hypot(rows - SIZE / 2, columns - SIZE / 2) < SIZE / 4
    pixels = np.where(ball[..., None], np.array([200, 40, 30]), np.array([210, 208, 200])).astype(np.uint8)
    K = intrinsics_matrix(60.0, 60.0, SIZE / 2, SIZE / 2)
    frames = []
    for index in range(3):
        Image.fromarray(pixels).save(tmp_path / f"{index}.png")
        T = orbit(torch.tensor(120.0 * index).double(), torch.tensor(20.0).double(), 2.0)
        frames.append(Frame(str(index), f"{index}.png", T, K, SIZE, SIZE, trusted=index < 2))
    write_transforms_json(tmp_path / "transforms.json", frames)
    return tmp_path


def test_the_table_names_every_photograph_and_the_picture_is_written(
    scene: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Prepare(scene, ReadingOptions(resolution=32)).run()
    printed = capsys.readouterr().out
    for text in (
        "3 photographs at 32 x 32 pixels",
        "not trusted",
        "Masks:       background",
        "transforms.json",
        "1.00",
    ):
        assert text in printed
    picture = Image.open(scene / "sparseags/prepare.png")
    assert picture.width >= 960 and len(np.unique(np.asarray(picture).reshape(-1, 3), axis=0)) > 50


def test_another_folder_keeps_everything_out_of_the_scene(
    scene: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    kept = tmp_path_factory.mktemp("kept")
    before = sorted(scene.rglob("*"))
    Prepare(scene, ReadingOptions(resolution=32, cache_dir=kept), output=kept / "pictures/a.png").run()
    assert sorted(scene.rglob("*")) == before
    assert (kept / "pictures/a.png").is_file() and (kept / "masks.png").is_file()


def test_originals_are_never_touched(scene: Path) -> None:
    before = {path: path.read_bytes() for path in scene.iterdir()}
    Prepare(scene, ReadingOptions(resolution=32)).run()
    assert {path: path.read_bytes() for path in before} == before


def test_the_command_takes_the_reading_options_as_plain_flags(
    scene: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["sparseags", "prepare", str(scene), "--resolution", "32", "--masks", "none"])
    main()
    assert "Masks:       none" in capsys.readouterr().out


def test_frusta_end_at_the_corners_of_the_pictures() -> None:
    azimuths = torch.tensor([0.0, 70.0]).double()
    K = torch.tensor([[60.0, 0, 20], [0, 50, 26], [0, 0, 1]]).double().repeat(2, 1, 1)
    cameras = Cameras(orbit(azimuths, azimuths / 4, 2.0), K, 48, 40)
    corners = frustum_corners(cameras, 0.3)
    assert torch.allclose(corners[:, 0], cameras.centers)
    for view in range(2):
        pixels, depth = project(cameras[[view]], corners[view, 1:])
        expected = torch.tensor([[0.0, 0], [48, 0], [48, 40], [0, 40]]).double()
        assert torch.allclose(pixels[0], expected, atol=1e-6) and torch.allclose(depth, torch.tensor(0.3).double())
