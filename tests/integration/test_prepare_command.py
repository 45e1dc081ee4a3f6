"""`sparseags prepare` as a user calls it: all that it says where nobody can find poses, and two calls at once.

The printed text is compared with messages.snap, in which SCENE stands for the folder and KEY for the key of the masks.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sparseags_ns.cli import main
from sparseags_ns.formats.frame import Frame, intrinsics_matrix
from sparseags_ns.formats.transforms_json import write_transforms_json
from sparseags_ns.geometry.cameras import orbit
from sparseags_ns.pose_init.features.features import PACKAGES

SIZE = 96
COMMAND = "from sparseags_ns.cli import main; main()"
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8", "COLUMNS": "100"}


def write_photographs(folder: Path) -> None:
    """A ball, a box and a diamond of different colours, before a plain background."""
    rows, columns = np.mgrid[:SIZE, :SIZE] + 0.5
    down, across = np.abs(rows - SIZE / 2), np.abs(columns - SIZE / 2)
    ball, box, diamond = (
        np.hypot(down, across) < SIZE / 4,
        np.maximum(down, across) < SIZE / 4,
        down + across < SIZE / 4,
    )
    colors = [(200, 40, 30), (30, 60, 200), (20, 140, 40)]
    for index, (shape, color) in enumerate(zip((ball, box, diamond), colors, strict=True)):
        pixels = np.where(shape[..., None], np.array(color), np.array([210, 208, 200])).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{index}.png")


def write_scene(folder: Path) -> None:
    """The photographs with poses."""
    write_photographs(folder)
    Ts = orbit(torch.tensor([0.0, 40, 80]), torch.full((3,), 20.0), 2.0, target=torch.zeros(3)).double()
    K = intrinsics_matrix(100, 100, SIZE / 2, SIZE / 2)
    frames = [Frame(f"{index}", f"{index}.png", T, K, SIZE, SIZE) for index, T in enumerate(Ts)]
    write_transforms_json(folder / "transforms.json", frames)


@pytest.mark.skipif(any(find_spec(name) is None for name in PACKAGES), reason="needs the packages of `features`")
def test_photographs_that_features_cannot_place(tmp_path: Path, snapshot: Callable[..., None]) -> None:
    write_photographs(tmp_path)
    flags = ["--pose-init", "features", "--masks", "background"]
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, "prepare", str(tmp_path), *flags],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=ENVIRONMENT,
    )
    ours = [line for line in done.stderr.splitlines() if line.startswith("sparseags:")]
    printed = "\n".join([f"{done.stdout}--- error stream", *ours])
    snapshot(re.sub(r"masks-[0-9a-f]{20}", "masks-KEY", printed), SCENE=tmp_path)
    assert done.returncode == 1
    assert {path.name for path in tmp_path.glob("sparseags/*.png")} == {"masks.png", "prepare.png"}
    assert len(list(tmp_path.glob("sparseags/masks-*/[0-9].png"))) == 3


def test_two_at_once_on_one_folder_both_succeed_and_leave_nothing_temporary(tmp_path: Path) -> None:
    write_scene(tmp_path)
    started = [
        subprocess.Popen(
            [sys.executable, "-c", COMMAND, "prepare", str(tmp_path), "--masks", "background"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=ENVIRONMENT,
        )
        for _ in range(2)
    ]
    for process in started:
        printed, _ = process.communicate(timeout=300)
        assert process.returncode == 0, printed
    assert len(list(tmp_path.glob("sparseags/masks-*/[0-9].png"))) == 3
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith(".") or path.suffix == ".part"]


@pytest.mark.parametrize("name", ["a[/b]", "[draft] shoes", "[bold]:smiley:"])
def test_names_with_brackets_are_printed_as_they_are(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = tmp_path / name
    scene.mkdir(parents=True)
    write_scene(scene)
    main(["prepare", str(scene), "--masks", "background"])
    printed = capsys.readouterr()
    assert f"Picture:     {scene}/sparseags/prepare.png" in printed.out
    assert f"Poses from:  {scene}/transforms.json" in printed.out
    assert f"kept in {scene}/sparseags/masks-" in printed.err
