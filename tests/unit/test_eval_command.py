"""`sparseags eval` on pose files: its table, its JSON, and what it refuses."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from sparseags_ns.cli import main
from sparseags_ns.cli.eval import Eval
from sparseags_ns.formats.cameras_json import write_cameras_json
from sparseags_ns.formats.frame import Frame, intrinsics_matrix
from sparseags_ns.formats.transforms_json import write_transforms_json
from sparseags_ns.views import Views


@pytest.fixture
def scene(make_views: Callable[..., Views], tmp_path: Path) -> Path:
    """A scene with truth, and predicted cameras whose focal length is a tenth too long."""
    cameras = make_views(5).cameras.to("cpu")
    frames = [
        Frame(f"00{i}", f"images/00{i}.png", cameras.T_camera_world[i].double(), cameras.K[i].double(), 32, 32)
        for i in range(5)
    ]
    write_transforms_json(tmp_path / "scene" / "gt" / "transforms.json", frames)
    focal = 1.1 * float(cameras.K[0, 0, 0])
    longer = [replace(frame, K=intrinsics_matrix(focal, focal, 16, 16)) for frame in frames]
    write_cameras_json(tmp_path / "refined" / "cameras.json", longer)
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["sparseags", "eval", *map(str, arguments)])
    main()


def test_figures_are_printed_and_written(
    scene: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output = scene / "figures" / "eval.json"
    given = scene / "refined" / "cameras.json"
    run(monkeypatch, scene / "refined", scene / "scene", "--given", given, "--output", output)
    printed = capsys.readouterr()
    for text in ("R@5", "100.0 %", "median focal error", "9.53 %", "view 004", "given", "refined"):
        assert text in printed.out
    assert "novel views are not compared" in printed.err
    written = json.loads(output.read_text())
    assert written["cameras"]["CC@0.1"] == 1.0 and written["given"]["cameras"] == written["cameras"]
    assert [view["name"] for view in written["views"]] == [f"00{i}" for i in range(5)]
    assert written["views"][0]["focal_ratio"] == pytest.approx(1.1)
    assert "novel_views" not in written


def test_an_output_is_replaced_only_if_asked(scene: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = scene / "eval.json"
    output.write_text("mine")
    arguments = (scene / "refined", scene / "scene", "--output", output)
    with pytest.raises(SystemExit, match=r"sparseags: error: .*eval\.json exists already"):
        run(monkeypatch, *arguments)
    assert output.read_text() == "mine"
    run(monkeypatch, *arguments, "--overwrite")
    assert "cameras" in json.loads(output.read_text())


@pytest.mark.parametrize(
    "predicted, truth, complaint",
    [
        ("nowhere", "scene", "no such file or folder: .*nowhere"),
        ("refined", "nowhere", "no such file or folder: .*nowhere"),
        ("refined", "refined", r"refined holds neither of gt/transforms\.json"),
        ("scene", "scene", r"scene holds neither of sparseags/transforms\.json, cameras\.json, transforms\.json"),
        ("notes.txt", "scene", "is not JSON"),
    ],
)
def test_unusable_input_ends_in_one_sentence(scene: Path, predicted: str, truth: str, complaint: str) -> None:
    (scene / "notes.txt").write_text("hello")
    with pytest.raises(ValueError, match=complaint):
        Eval(scene / predicted, scene / truth).run()
