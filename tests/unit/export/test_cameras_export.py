"""Exported cameras: all formats hold equal cameras, pycolmap reads the models, points project to their 2D points."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from PIL import Image
from plyfile import PlyData

from sparseags_ns.export.cameras import write_cameras
from sparseags_ns.export.destination import ExportError
from sparseags_ns.export.orientation import oriented
from sparseags_ns.export.visible import seen_points
from sparseags_ns.formats.colmap import read_colmap, read_colmap_points, write_colmap
from sparseags_ns.formats.frame import Distortion, Frame, intrinsics_matrix
from sparseags_ns.formats.poses import points_candidates, read_poses
from sparseags_ns.geometry.cameras import project
from sparseags_ns.pose_init.files import read_points
from sparseags_ns.runs.opening import OpenedRun, open_run


@pytest.fixture
def run(make_run: Callable[..., Path]) -> OpenedRun:
    """A run with different intrinsics in every view, off the centre; one view is not trusted."""
    opened = open_run(make_run(untrusted=(2,)))
    K = opened.refined.K.clone()
    K[:, 0, 2] += torch.arange(5) * 0.37
    K[:, 1, 1] *= 1.01
    return replace(opened, refined=replace(opened.refined, K=K))


@pytest.fixture
def folder(run: OpenedRun, tmp_path: Path) -> Path:
    target = tmp_path / "cameras"
    target.mkdir()
    write_cameras(target, oriented(run, "world"))
    return target


@pytest.mark.parametrize("file", ["transforms.json", "cameras.json", "sparse/0", "sparse_text/0"])
def test_every_format_holds_the_refined_cameras_exactly(run: OpenedRun, folder: Path, file: str) -> None:
    frames = read_poses(folder / file)
    assert [frame.stem for frame in frames] == ["000", "001", "003", "004"], "the untrusted view is left out"
    kept = run.refined.to(dtype=torch.float64)[[0, 1, 3, 4]]
    torch.testing.assert_close(torch.stack([f.K for f in frames]), kept.K, atol=1e-9, rtol=0)
    # A quaternion and a rotation of float32 agree to seven digits.
    torch.testing.assert_close(torch.stack([f.T_camera_world for f in frames]), kept.T_camera_world, atol=3e-7, rtol=0)
    assert {(frame.width, frame.height) for frame in frames} == {(32, 32)}


@pytest.mark.parametrize("kind", ["sparse", "sparse_text"])
def test_pycolmap_reads_cameras_points_and_tracks(run: OpenedRun, folder: Path, kind: str) -> None:
    pycolmap = pytest.importorskip("pycolmap")
    model = pycolmap.Reconstruction(str(folder / kind / "0"))
    assert (model.num_images(), model.num_cameras()) == (4, 4) and model.num_points3D() > 10
    kept = [0, 1, 3, 4]
    for image in model.images.values():
        view = run.views.names.index(Path(image.name).stem)
        assert view in kept and (folder / "images" / image.name).is_file()
        pose = np.array(image.cam_from_world().matrix())
        np.testing.assert_allclose(pose, run.refined.T_camera_world[view, :3].numpy(), atol=1e-6)
        K = np.array(model.cameras[image.camera_id].calibration_matrix())
        np.testing.assert_allclose(K, run.refined.K[view].numpy(), atol=1e-5)
    for point in model.points3D.values():
        assert point.track.length() >= 2
        for element in point.track.elements:
            image = model.images[element.image_id]
            written = image.points2D[element.point2D_idx]
            np.testing.assert_allclose(image.project_point(point.xyz), written.xy, atol=1e-3)


def test_text_and_binary_hold_the_same_points(folder: Path) -> None:
    text, binary = read_colmap_points(folder / "sparse_text" / "0"), read_colmap_points(folder / "sparse" / "0")
    assert text is not None and binary is not None
    assert torch.equal(text.positions, binary.positions) and torch.equal(text.colors, binary.colors)
    assert torch.equal(text.track_lengths, binary.track_lengths) and int(binary.track_lengths.min()) >= 2


def test_stated_errors_are_those_of_the_observations_and_hold_no_camera(folder: Path) -> None:
    points = read_colmap_points(folder / "sparse" / "0")
    assert points is not None and 0 <= float(points.stated_errors_px.max()) < 1e-3
    torch.testing.assert_close(points.stated_errors_px, points.errors_px, atol=1e-5, rtol=0)
    assert not points.observations.measured.any(), "projections of the splat's own points measure nothing"


def test_transforms_json_refers_to_points_in_its_own_world(run: OpenedRun, folder: Path) -> None:
    candidates = points_candidates(folder / "transforms.json")
    points = PlyData.read(str(candidates[0]))["vertex"]
    model = read_colmap_points(folder / "sparse" / "0")
    assert model is not None
    place = np.stack([points[axis] for axis in "xyz"], axis=1)
    np.testing.assert_allclose(place, model.positions.numpy(), atol=1e-6)
    colors = np.stack([points[name] for name in ("red", "green", "blue")], axis=1)
    np.testing.assert_allclose(colors / 255, model.colors.numpy(), atol=1e-6)


def test_points_of_a_georeferenced_world_keep_their_digits(
    georeferenced: OpenedRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for orient in ("world", "given"):
        (tmp_path / orient).mkdir()
        write_cameras(tmp_path / orient, oriented(georeferenced, orient))
    assert capsys.readouterr().err.count("warning: points.ply holds float64, but most programs read") == 1
    here, there = (read_colmap_points(tmp_path / orient / "sparse/0") for orient in ("world", "given"))
    assert here is not None and there is not None
    to_given = oriented(georeferenced, "given").from_world
    torch.testing.assert_close(there.positions, to_given.apply_to_points(here.positions), atol=1e-6, rtol=0)
    assert float(there.errors_px.max()) < 1e-3, "cameras and points fit each other"
    points = PlyData.read(str(tmp_path / "given/points.ply"))["vertex"]
    np.testing.assert_allclose(np.stack([points[axis] for axis in "xyz"], axis=1), there.positions, atol=1e-6)
    read = read_points(tmp_path / "given/points.ply", tmp_path / "given/transforms.json")
    torch.testing.assert_close(read.positions, there.positions, atol=1e-6, rtol=0)


def test_a_hidden_gaussian_is_not_exported_as_a_point(run: OpenedRun) -> None:
    # One opaque shell in front of everything else, for all cameras.
    means = torch.nn.functional.normalize(run.gaussians.means, dim=-1) * 0.3
    inner = torch.zeros(1, 3)
    more = {name: torch.cat([value, value[:1]]) for name, value in vars(run.gaussians).items()}
    shell = replace(run.gaussians, **{**more, "means": torch.cat([means, inner]), "scales": torch.full((61, 3), 0.08)})
    shell.scales[-1] = 0.01
    seen = seen_points(shell, run.refined, 2)
    assert float(seen.positions.norm(dim=-1).min()) > 0.2 and len(seen) > 30


def test_2d_points_are_projections_of_the_points(run: OpenedRun) -> None:
    points = seen_points(run.gaussians, run.refined, 2)
    pixels, _ = project(run.refined, points.positions)
    torch.testing.assert_close(points.pixels, pixels)
    inside = points.pixels[points.seen]
    assert float(inside.min()) >= 0 and float(inside.max()) < 32


def test_untrusted_views_can_be_kept_and_are_marked(run: OpenedRun, tmp_path: Path) -> None:
    record = write_cameras(tmp_path, oriented(run, "world"), untrusted=True)
    for name in ("transforms.json", "cameras.json"):
        assert [frame.trusted for frame in read_poses(tmp_path / name)] == [True, True, False, True, True]
    assert record["left_out_as_untrusted"] == [] and len(read_colmap(tmp_path / "sparse" / "0")) == 5


def test_exported_photographs_are_those_trained_on(run: OpenedRun, folder: Path) -> None:
    for file in ("transforms.json", "cameras.json"):
        for frame in read_poses(folder / file):
            trained = Image.open(run.outputs / "images" / f"{frame.name}.png")
            assert np.array_equal(np.array(Image.open(folder / frame.file_path)), np.array(trained))


@pytest.mark.parametrize("background, corner", [("white", (255,) * 3), ("black", (0,) * 3), ("photograph", None)])
def test_the_background_can_be_chosen(run: OpenedRun, tmp_path: Path, background: str, corner: object) -> None:
    write_cameras(tmp_path, oriented(run, "world"), background=background)  # type: ignore[arg-type]
    image = Image.open(tmp_path / "images" / "000.png")
    assert image.mode == "RGB" and (corner is None or image.getpixel((0, 0)) == corner)


def test_whole_photographs_have_no_transparency(run: OpenedRun, tmp_path: Path) -> None:
    whole = replace(run, views=replace(run.views, masks=torch.ones_like(run.views.masks)))
    write_cameras(tmp_path, oriented(whole, "world"))
    assert Image.open(tmp_path / "images" / "000.png").mode == "RGB"


def test_an_empty_splat_is_refused(run: OpenedRun, tmp_path: Path) -> None:
    faint = replace(run, gaussians=replace(run.gaussians, opacities=torch.full((60,), 0.01)))
    with pytest.raises(ExportError, match="nothing solid"):
        write_cameras(tmp_path, oriented(faint, "world"))


def test_a_model_of_photographs_without_a_size_or_with_an_unknown_distortion_is_refused(
    run: OpenedRun, tmp_path: Path
) -> None:
    points = seen_points(run.gaussians, run.refined[:1], 2)
    frame = Frame("a", "a.png", torch.eye(4, dtype=torch.float64), intrinsics_matrix(9, 9, 4, 4))
    with pytest.raises(ValueError, match="view 'a' must have a size"):
        write_colmap(tmp_path, [frame], points, "bin")
    with pytest.raises(ValueError, match="no camera model has the distortion k4 of view 'a'"):
        write_colmap(tmp_path, [replace(frame, width=8, height=8, distortion=Distortion(k4=0.1))], points, "bin")


@pytest.mark.parametrize(
    "distortion",
    [
        Distortion(k1=0.1, k2=-0.05, p1=0.001, p2=0.002),
        Distortion(k1=0.1, k3=0.02),
        Distortion(k1=0.1, k2=0.2, k3=0.3, k4=0.4, fisheye=True),
    ],
)
@pytest.mark.parametrize("kind", ["bin", "txt"])
def test_the_distortion_of_a_lens_is_written_and_read(
    run: OpenedRun, tmp_path: Path, distortion: Distortion, kind: Literal["bin", "txt"]
) -> None:
    K = intrinsics_matrix(9, 10, 4, 3)
    frame = Frame("a", "a.png", torch.eye(4, dtype=torch.float64), K, 8, 6, distortion=distortion)
    write_colmap(tmp_path, [frame], seen_points(run.gaussians, run.refined[:1], 2), kind)
    (read,) = read_colmap(tmp_path)
    assert read.distortion == distortion and torch.equal(read.K, K)


def test_readers_that_know_only_the_public_keys_find_them(folder: Path) -> None:
    content = json.loads((folder / "transforms.json").read_text())
    assert content["camera_model"] == "OPENCV" and content["ply_file_path"] == "points.ply"
    assert {"fl_x", "fl_y", "cx", "cy", "w", "h", "file_path", "transform_matrix"} <= set(content["frames"][0])
