"""`sparseags prepare` as a user calls it, on photographs whose poses nobody can find: all that it says, and its status.

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
from PIL import Image

from sparseags_ns.pose_init.features.features import PACKAGES

SIZE = 96
COMMAND = "from sparseags_ns.cli import main; main()"


@pytest.mark.skipif(any(find_spec(name) is None for name in PACKAGES), reason="needs the packages of `features`")
def test_photographs_that_features_cannot_place(tmp_path: Path, snapshot: Callable[..., None]) -> None:
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
        Image.fromarray(pixels).save(tmp_path / f"{index}.png")
    flags = ["--pose-init", "features", "--masks", "background"]
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, "prepare", str(tmp_path), *flags],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8", "COLUMNS": "100"},
    )
    ours = [line for line in done.stderr.splitlines() if line.startswith("sparseags:")]
    printed = "\n".join([f"{done.stdout}--- error stream", *ours])
    snapshot(re.sub(r"masks-[0-9a-f]{20}", "masks-KEY", printed), SCENE=tmp_path)
    assert done.returncode == 1
    assert {path.name for path in tmp_path.glob("sparseags/*.png")} == {"masks.png", "prepare.png"}
    assert len(list(tmp_path.glob("sparseags/masks-*/[0-9].png"))) == 3
