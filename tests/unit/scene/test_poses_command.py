"""`sparseags poses`: the cameras that training would start from, read back from every format."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sparseags_ns.cli import main
from sparseags_ns.cli.poses import Poses
from sparseags_ns.export.destination import ExportError
from sparseags_ns.formats.colmap import read_colmap_points
from sparseags_ns.formats.frame import Distortion, Frame, intrinsics_matrix
from sparseags_ns.formats.poses import points_candidates, read_poses
from sparseags_ns.formats.transforms_json import read_transforms_json, write_transforms_json
from sparseags_ns.pose_init.base import Alternative, InitialPoses, PoseInitError
from sparseags_ns.pose_init.files import FromFiles
from sparseags_ns.scene.finding import FindingOptions
from sparseags_ns.scene.reading import ReadingOptions, read_scene
from sparseags_ns.views import PointCloud

LENS = Distortion(k1=0.05)


@pytest.fixture
def plain(scene: Path, use_initialiser: Callable[..., None]) -> Path:
    """The scene without its pose file; the last photograph has no pose, the lens distorts, and there are points."""
    (scene / "transforms.json").rename(scene / "kept.json")

    def estimate(photo_files: Sequence[Path]) -> InitialPoses:
        frames = [replace(f, K=intrinsics_matrix(40.0, 41.0, 15.0, 17.5), distortion=LENS) for f in kept(scene)]
        points = PointCloud(torch.rand(7, 3).double(), torch.rand(7, 3).double(), torch.ones(7).double())
        return InitialPoses((*frames[:3], None), torch.tensor([0.9, 0.8, 0.75, 0.0]), points)

    use_initialiser(estimate)
    return scene


def kept(scene: Path) -> list[Frame]:
    return read_transforms_json(scene / "kept.json")


@pytest.mark.parametrize("file", ["transforms.json", "cameras.json", "sparse/0", "sparse_text/0"])
def test_every_format_holds_the_cameras_of_the_original_photographs(plain: Path, tmp_path: Path, file: str) -> None:
    target = tmp_path / "found/cameras"
    Poses(plain, target).run()
    frames = read_poses(target / file)
    assert [Path(frame.file_path).name for frame in frames] == ["000.png", "001.png", "002.png"], "the last has no pose"
    expected = torch.stack([frame.T_camera_world for frame in kept(plain)[:3]])
    torch.testing.assert_close(torch.stack([frame.T_camera_world for frame in frames]), expected, atol=1e-7, rtol=0)
    assert all(frame.intrinsics == (40.0, 41.0, 15.0, 17.5) and frame.distortion == LENS for frame in frames)
    assert {(frame.width, frame.height) for frame in frames} == {(32, 32)}
    if file.endswith(".json"):
        assert [frame.extra["confidence"] for frame in frames] == [0.9, 0.8, 0.75]
        assert all((target / frame.file_path).is_file() for frame in frames), "paths are relative to the folder"
    else:
        points = read_colmap_points(target / file)
        assert points is not None and len(points.positions) == 7
        assert points.stated_errors_px.tolist() == [-1.0] * 7, "no photograph is known to show them"


def test_the_folder_says_what_it_holds(plain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Poses(plain, tmp_path / "cameras").run()
    record = json.loads((tmp_path / "cameras/export.json").read_text())
    assert record["kind"] == "poses" and record["source"] == "the initialiser fake" and record["doubt"] is None
    assert record["views"] == {"000": 0.9, "001": 0.8, "002": 0.75}
    assert record["left_out_without_trusted_pose"] == ["003"]
    (named,) = points_candidates(tmp_path / "cameras/transforms.json")[:1]
    assert named == tmp_path / "cameras/points.ply" and named.is_file()
    said = capsys.readouterr()
    rows = {line.split()[1]: line for line in said.out.splitlines() if " 00" in line}
    assert "0.75" in rows["002.png"] and "none" in rows["003.png"] and "(3 cameras of the original" in said.out
    assert "left out: 003.png" in said.err


def test_training_starts_from_the_written_cameras(plain: Path, tmp_path: Path) -> None:
    found = read_scene(plain, ReadingOptions(resolution=32)).views
    Poses(plain, tmp_path / "cameras").run()
    for file in ("transforms.json", "sparse/0"):
        options = ReadingOptions(resolution=32, poses=tmp_path / "cameras" / file, missing_poses="search")
        again = read_scene(plain, options).views
        assert again.names == found.names and again.unposed == found.unposed
        close = torch.allclose(again.cameras.T_camera_world[:3], found.cameras.T_camera_world[:3], atol=1e-7)
        assert close and torch.allclose(again.cameras.K[:3], found.cameras.K[:3])


def test_pycolmap_reads_the_model(plain: Path, tmp_path: Path) -> None:
    pycolmap = pytest.importorskip("pycolmap")
    Poses(plain, tmp_path / "cameras").run()
    model = pycolmap.Reconstruction(str(tmp_path / "cameras/sparse/0"))
    assert (model.num_images(), model.num_points3D()) == (3, 7)
    for image in model.images.values():
        truth = next(frame for frame in kept(plain) if frame.stem == Path(image.name).stem)
        np.testing.assert_allclose(image.cam_from_world().matrix(), truth.T_camera_world[:3].numpy(), atol=1e-7)
        assert model.cameras[image.camera_id].model.name == "OPENCV"


def test_an_earlier_folder_is_replaced_only_on_request(plain: Path, tmp_path: Path) -> None:
    target = tmp_path / "cameras"
    Poses(plain, target).run()
    with pytest.raises(ExportError, match="exists already"):
        Poses(plain, target).run()
    Poses(plain, target, overwrite=True).run()
    with pytest.raises(ExportError, match="holds other files"):
        Poses(plain, plain, overwrite=True).run()


def test_intrinsics_of_a_pose_file_are_brought_to_the_photographs_and_views_without_trust_left_out(
    scene: Path, tmp_path: Path
) -> None:
    frames = read_transforms_json(scene / "transforms.json")
    half = [replace(f, K=intrinsics_matrix(20.0, 20.0, 8.0, 7.0), width=16, height=16) for f in frames]
    write_transforms_json(scene / "transforms.json", [*half[:3], replace(half[3], trusted=False)])
    Poses(scene, tmp_path / "cameras").run()
    written = FromFiles(scene, tmp_path / "cameras/sparse/0").frames
    assert [frame.intrinsics for frame in written] == [(40.0, 40.0, 16.0, 14.0)] * 3
    assert not (tmp_path / "cameras/points.ply").exists()


def test_doubtful_cameras_are_shown_and_written_only_if_allowed(
    plain: Path, tmp_path: Path, use_initialiser: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    def estimate(photo_files: Sequence[Path]) -> InitialPoses:
        frames = tuple(kept(plain))
        return InitialPoses(
            frames, torch.full((4,), 0.3), alternatives=(Alternative(frames[::-1], 1.1),), doubt="both ways round fit"
        )

    use_initialiser(estimate)
    target = tmp_path / "cameras"
    with pytest.raises(PoseInitError, match="fake is not sure of its cameras: both ways round fit"):
        Poses(plain, target).run()
    printed = capsys.readouterr().out
    assert "0.30" in printed and "Alternatives: 2 (1.10 times the loss of 1)" in printed and not target.exists()
    Poses(plain, target, FindingOptions(pose_init_uncertain="allow")).run()
    assert json.loads((target / "export.json").read_text())["doubt"] == "both ways round fit"
    main(["poses", str(plain), "--output", str(tmp_path / "other"), "--pose-init-alternative", "2"])
    record = json.loads((tmp_path / "other/export.json").read_text())
    assert record["source"] == "the initialiser fake, alternative 2" and record["doubt"] is None
