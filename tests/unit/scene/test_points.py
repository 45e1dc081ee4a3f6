"""Point clouds that come with a transforms.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from plyfile import PlyData, PlyElement

from sparseags_ns.formats.frame import PoseFileError
from sparseags_ns.geometry.cameras import project
from sparseags_ns.plugin.dataparser import SparseAGSDataParserConfig
from sparseags_ns.scene.reading import ReadingOptions, read_scene
from sparseags_ns.views import Views

SIZE = 32
POSITIONS = np.array([[0.1, -0.2, 0.3], [0.0, 0.25, -0.1], [-0.3, 0.0, 0.05]])
COLORS = np.array([[255, 0, 0], [0, 51, 0], [10, 20, 30]])


def read_views(folder: Path, **options: Any) -> Views:
    return read_scene(folder, ReadingOptions(**options)).views


def name_points(scene: Path, name: str) -> None:
    content = json.loads((scene / "transforms.json").read_text())
    (scene / "transforms.json").write_text(json.dumps({**content, "ply_file_path": name}))


def save_ply(path: Path, positions: np.ndarray = POSITIONS, text: bool = False, coloured: bool = True) -> None:
    fields = [(axis, "f4") for axis in "xyz"] + [(c, "u1") for c in ("red", "green", "blue") if coloured]
    rows = [(*p, *c) if coloured else tuple(p) for p, c in zip(positions.tolist(), COLORS.tolist(), strict=True)]
    PlyData([PlyElement.describe(np.array(rows, dtype=fields), "vertex")], text=text).write(str(path))


@pytest.mark.parametrize("text", [True, False])
def test_points_are_read_in_the_world_of_the_file(scene: Path, text: bool) -> None:
    save_ply(scene / "sparse_pc.ply", text=text)
    name_points(scene, "sparse_pc.ply")
    points = read_views(scene, resolution=SIZE).points
    assert points is not None and len(points) == 3
    assert torch.allclose(points.positions, torch.from_numpy(POSITIONS), atol=1e-7)
    assert torch.allclose(points.colors, torch.from_numpy(COLORS / 255)) and points.confidence.tolist() == [1, 1, 1]


def test_points_without_colours_are_grey(scene: Path) -> None:
    save_ply(scene / "a.ply", coloured=False)
    name_points(scene, "a.ply")
    points = read_views(scene, resolution=SIZE).points
    assert points is not None and (points.colors == 0.5).all()


def test_points_keep_their_pixels_in_the_normalised_world(scene: Path) -> None:
    save_ply(scene / "a.ply")
    name_points(scene, "a.ply")
    given = read_views(scene, resolution=SIZE)
    views = SparseAGSDataParserConfig(data=scene, resolution=SIZE).setup().outputs.metadata["views"]
    assert given.points is not None and views.points.positions.dtype == torch.float32
    assert not torch.allclose(views.points.positions.double(), given.points.positions, atol=1e-3)
    pixels, before = (
        project(views.cameras, views.points.positions)[0],
        project(given.cameras, given.points.positions)[0],
    )
    assert torch.allclose(pixels.double(), before, atol=1e-3)


def test_a_scene_without_points_has_none(scene: Path) -> None:
    assert read_views(scene, resolution=SIZE).points is None


def test_missing_points_are_announced_and_not_used(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name_points(scene, "gone.ply")
    assert read_views(scene, resolution=SIZE).points is None
    why = f"'ply_file_path' in {scene / 'transforms.json'} names it"
    assert f"warning: no points: there is no {scene / 'gone.ply'} ({why})" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"not a ply file", b"ply\nformat ascii 1.0\nelement vertex 0\nend_header\n"])
def test_a_file_without_points_is_refused(scene: Path, content: bytes) -> None:
    (scene / "a.ply").write_bytes(content)
    name_points(scene, "a.ply")
    with pytest.raises(
        PoseFileError, match=r"a\.ply: is no whole PLY file .* take its entry out of .*transforms\.json"
    ):
        read_views(scene, resolution=SIZE)


def test_points_that_are_not_finite_are_left_out(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_ply(scene / "a.ply", np.where(np.eye(3)[:, :1] > 0, np.nan, POSITIONS))
    name_points(scene, "a.ply")
    points = read_views(scene, resolution=SIZE).points
    assert points is not None and len(points) == 2
    said = f"left out: 1 of 3 points of {scene / 'a.ply'} (they are NaN, infinite or beyond 1e+10)"
    assert said in capsys.readouterr().err


def test_points_may_lie_beside_the_scene_when_the_pose_file_lies_elsewhere(scene: Path, tmp_path: Path) -> None:
    save_ply(scene / "a.ply")
    name_points(scene, "a.ply")
    elsewhere = tmp_path / "poses"
    elsewhere.mkdir()
    (scene / "transforms.json").rename(elsewhere / "transforms.json")
    points = read_views(scene, resolution=SIZE, poses=elsewhere / "transforms.json").points
    assert points is not None and len(points) == 3
