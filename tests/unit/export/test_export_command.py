"""`sparseags export`: every kind from the command line, its default path, and its errors."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sparseags_ns.cli import main
from sparseags_ns.export.reprojection import reprojection_frames, sheet
from sparseags_ns.runs.opening import open_run


def export(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["sparseags", "export", *map(str, arguments)])
    main()


@pytest.mark.parametrize(
    "kind, options, place, said",
    [
        ("cameras", ["--background", "white"], "cameras", "4 cameras"),
        ("splat", ["--orient", "y-down"], "splat.ply", "60 Gaussians, y-down frame"),
        ("video", ["--seconds", "0.2", "--size", "32"], "turntable.mp4", "6 frames, 32x32 pixels"),
        ("depth", ["--untrusted"], "depth", "5 views"),
        ("masks", ["--source", "splat"], "masks", "4 masks of the splat"),
        ("reprojection", ["--seconds", "0.1"], "reprojection.mp4", "5 views: photograph, render, difference"),
        ("mesh", ["--resolution", "24", "--viewpoints", "8"], "mesh.glb", "closed, world frame"),
    ],
)
def test_every_kind_has_a_default_path_and_is_replaced_only_on_request(
    make_run: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    kind: str,
    options: list[str],
    place: str,
    said: str,
) -> None:
    folder = make_run(untrusted=(1,))
    export(monkeypatch, folder, kind, *options)
    printed = capsys.readouterr()
    assert (
        (folder / "exports" / place).exists() and said in printed.out and str(folder / "exports" / place) in printed.out
    )
    assert ("left out: 001" in printed.err) == (kind in ("cameras", "masks"))
    with pytest.raises(SystemExit, match="exists already: name another --output, or add --overwrite to replace it"):
        export(monkeypatch, folder, kind, *options)
    if kind in ("splat", "masks"):
        export(monkeypatch, folder, kind, *options, "--overwrite")
        assert said in capsys.readouterr().out
    assert [path.name for path in (folder / "exports").iterdir()] == [place], "nothing else is left behind"


def test_the_ending_gif_makes_an_animated_gif(
    make_run: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    export(monkeypatch, make_run(3), "reprojection", "--output", tmp_path / "there" / "compare.gif")
    with Image.open(tmp_path / "there" / "compare.gif") as image:
        assert (image.n_frames, image.info["duration"], image.info["loop"]) == (3, 1500, 0)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "arguments, complaint",
    [
        (["nowhere", "splat"], "no such run: nowhere"),
        (["RUN", "splat", "--output", "splat.spz"], r"splat\.spz must end in \.ply"),
        (["RUN", "mesh", "--output", "mesh.stl"], r"mesh\.stl must end in \.glb or \.obj or \.ply"),
        (
            ["RUN", "cameras", "--output", "notes"],
            "notes holds other files than an earlier export|notes exists already",
        ),
    ],
)
def test_an_export_that_cannot_be_written_ends_with_one_sentence(
    make_run: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str], complaint: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("mine")
    folder = make_run(3)
    with pytest.raises(SystemExit, match=f"sparseags: error: .*({complaint})"):
        export(monkeypatch, *(str(folder) if argument == "RUN" else argument for argument in arguments))
    assert (tmp_path / "notes" / "mine.txt").read_text() == "mine"


def test_photograph_render_and_difference_are_side_by_side(make_run: Callable[..., Path]) -> None:
    run = open_run(make_run(2, 64, untrusted=()))
    first = next(iter(reprojection_frames(run)))
    height, width = first.shape[:2]
    assert (height % 2, width % 2) == (0, 0) and width > 3 * 256
    panels = [first[28:284, left : left + 256].astype(float) for left in (0, 262, 524)]
    # The toy's photographs have no higher harmonics, the splat has a little of them.
    assert np.abs(panels[0] - panels[1]).mean() < 12 and panels[2].mean() > 240


def test_a_view_that_is_not_trusted_is_labelled_in_red() -> None:
    panel = torch.ones(64, 64, 3)
    good, bad = (sheet([panel], "000", trusted)[:28].astype(int) for trusted in (True, False))
    assert not (good[..., 0] > good[..., 1] + 50).any() and (bad[..., 0] > bad[..., 1] + 50).any()
