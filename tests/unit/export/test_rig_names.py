"""Views of one name in several folders: runs, exports of cameras, depth and masks keep their folders apart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sparseags_ns.export import maps
from sparseags_ns.export.cameras import write_cameras
from sparseags_ns.export.orientation import oriented
from sparseags_ns.formats.poses import read_poses
from sparseags_ns.runs.opening import OpenedRun, open_run

RIG = ("left/0", "left/1", "right/0", "right/1")


@pytest.fixture
def run(make_run: Callable[..., Path]) -> OpenedRun:
    """A run of four views, renamed as those of a rig are; one has a valid region."""
    folder = make_run(4, names=RIG)
    outputs = folder / "sparseags"
    (outputs / "valid/right").mkdir(parents=True)
    Image.new("L", (32, 32), 0).save(outputs / "valid/right/1.png")
    return open_run(folder)


def test_a_run_of_a_rig_comes_back(run: OpenedRun) -> None:
    assert run.views.names == RIG
    for name, image in zip(RIG, run.views.images, strict=True):
        pixels = np.asarray(Image.open(run.outputs / f"images/{name}.png"), np.float32)[..., :3] / 255
        assert torch.allclose(image, torch.from_numpy(pixels))
    assert [float(valid.mean()) for valid in run.views.valid] == [1, 1, 1, 0]


@pytest.mark.parametrize("file", ["transforms.json", "cameras.json", "sparse/0", "sparse_text/0"])
def test_every_format_names_photographs_of_a_rig_by_their_folders(run: OpenedRun, tmp_path: Path, file: str) -> None:
    (tmp_path / "cameras").mkdir()
    write_cameras(tmp_path / "cameras", oriented(run, "world"))
    folder = "" if "sparse" in file else "images/"
    assert [frame.file_path for frame in read_poses(tmp_path / "cameras" / file)] == [f"{folder}{n}.png" for n in RIG]
    assert all((tmp_path / f"cameras/images/{name}.png").is_file() for name in RIG)


def test_maps_of_a_rig_lie_in_its_folders(run: OpenedRun, tmp_path: Path) -> None:
    maps.write_depths(tmp_path / "depth", oriented(run, "world"), range(4), None)
    maps.write_masks(tmp_path / "masks", oriented(run, "world"), range(4), "photographs", False, None)
    for name in RIG:
        assert (tmp_path / f"depth/{name}.png").is_file() and (tmp_path / f"masks/{name}.png").is_file()
