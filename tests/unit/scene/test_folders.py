"""Photographs in sub-folders, of one name in several folders, and models wherever they lie in a scene."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from sparseags_ns.export.found_cameras import write_found_cameras
from sparseags_ns.formats.cameras_json import write_cameras_json
from sparseags_ns.formats.colmap import SeenPoints, write_colmap
from sparseags_ns.formats.frame import Frame, PoseFileError
from sparseags_ns.formats.ply import point_columns, write_ply
from sparseags_ns.formats.transforms_json import write_transforms_json
from sparseags_ns.pose_init.base import InitialPoses, PoseInitError
from sparseags_ns.preprocess.photo_files import PhotoError
from sparseags_ns.scene.finding import SceneError
from sparseags_ns.scene.reading import ReadingOptions, find_cameras, read_scene
from sparseags_ns.views import Views

SIZE = 32
NAMES = ["000", "001", "002", "003"]
RIG = ["left/000", "left/001", "right/000", "right/001"]


def read_views(folder: Path, **options: Any) -> Views:
    return read_scene(folder, ReadingOptions(resolution=SIZE, **options)).views


def relative(views: Views, scene: Path) -> list[str]:
    return [path.relative_to(scene).as_posix() for path in views.paths]


def model(folder: Path, frames: Sequence[Frame]) -> None:
    """A COLMAP model without points."""
    nothing = SeenPoints(
        torch.zeros(0, 3), torch.zeros(0, 3), torch.zeros(len(frames), 0, 2), torch.zeros(len(frames), 0).bool()
    )
    folder.mkdir(parents=True)
    write_colmap(folder, frames, nothing, "bin")


def only_models(scene: Path, make_frames: Callable[..., list[Frame]], *places: str) -> None:
    """Leave no pose file but COLMAP models of all photographs in these folders."""
    (scene / "transforms.json").unlink()
    for place in places:
        model(scene / place, make_frames(NAMES, ""))


@pytest.fixture
def rig(tmp_path: Path, save_photograph: Callable[..., None]) -> Path:
    """Photographs of the same names in two folders, without poses."""
    for name in RIG:
        save_photograph(tmp_path / f"images/{name}.png")
    return tmp_path


@pytest.mark.parametrize("windows", [False, True])
def test_photographs_of_a_rig_get_the_cameras_of_their_own_folders(
    rig: Path, make_frames: Callable[..., list[Frame]], windows: bool
) -> None:
    frames = make_frames(RIG[::-1], "")
    named = [Frame(f.name, f.file_path.replace("/", "\\"), f.T_camera_world, f.K, SIZE, SIZE) for f in frames]
    model(rig / "sparse/0", named if windows else frames)
    views = read_views(rig)
    assert views.names == tuple(RIG)
    assert relative(views, rig) == [f"images/{name}.png" for name in RIG]
    assert torch.allclose(views.cameras.T_camera_world, torch.stack([f.T_camera_world for f in frames[::-1]]))


def test_the_photographs_in_the_written_folder_are_used_and_others_named(
    tmp_path: Path,
    save_photograph: Callable[..., None],
    make_frames: Callable[..., list[Frame]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in NAMES:
        save_photograph(tmp_path / f"images/{name}.png")
        save_photograph(tmp_path / f"images/hires/{name}.png", 48, 48)
    model(tmp_path / "sparse/0", make_frames(NAMES, "hires/", 48, 48))
    assert relative(read_views(tmp_path), tmp_path) == [f"images/hires/{name}.png" for name in NAMES]
    assert f"not used: 4 photographs in {tmp_path / 'images'} (the pose file names none of them)" in (
        capsys.readouterr().err
    )


def test_photographs_found_under_other_paths_are_announced(
    scene: Path, make_frames: Callable[..., list[Frame]], capsys: pytest.CaptureFixture[str]
) -> None:
    write_transforms_json(scene / "transforms.json", make_frames(NAMES, "elsewhere/"))
    read_views(scene)
    said = capsys.readouterr().err
    assert "4 photographs have other folders or endings than" in said and "000.png for elsewhere/000.png" in said


def test_sub_folders_of_photographs_need_no_pose_file(rig: Path, use_initialiser: Callable[..., None]) -> None:
    asked: list[Path] = []

    def none_found(photo_files: Sequence[Path]) -> InitialPoses:
        asked.extend(photo_files)
        return InitialPoses((None,) * len(photo_files), torch.zeros(len(photo_files)))

    use_initialiser(none_found)
    (rig / "images/masks").mkdir()
    Image.new("L", (SIZE, SIZE)).save(rig / "images/masks/000.png")
    with pytest.raises(PoseInitError):
        read_views(rig)
    assert asked == [rig / f"images/{name}.png" for name in RIG]


def test_photographs_in_a_folder_of_another_name_are_pointed_out(
    tmp_path: Path, save_photograph: Callable[..., None]
) -> None:
    save_photograph(tmp_path / "left/000.png")
    with pytest.raises(SceneError, match="There are photographs in left: name one of these, or put them into images/"):
        read_views(tmp_path)


def test_two_photographs_of_one_name_in_one_folder_are_refused(rig: Path, save_photograph: Callable[..., None]) -> None:
    save_photograph(rig / "images/left/000.webp", mode="RGB")
    with pytest.raises(SceneError, match=r"in .*left differ in their endings alone: 000\.png and 000\.webp\. Where"):
        read_views(rig, pose_init="features")


@pytest.fixture
def write_poses(tmp_path: Path, make_frames: Callable[..., list[Frame]]) -> Callable[[str, Sequence[str]], list[Frame]]:
    """`write_poses(kind, names)`: a pose file that names photographs with their endings."""

    def write(kind: str, names: Sequence[str]) -> list[Frame]:
        folder = "" if kind == "sparse/0" else "images/"
        frames = [replace(f, file_path=f"{folder}{f.name}") for f in make_frames(names)]
        writers = {"transforms.json": write_transforms_json, "cameras.json": write_cameras_json, "sparse/0": model}
        writers[kind](tmp_path / kind, frames)
        return frames

    return write


@pytest.mark.parametrize("kind", ["transforms.json", "cameras.json", "sparse/0"])
def test_files_that_differ_in_their_endings_from_named_photographs_are_not_used(
    tmp_path: Path,
    kind: str,
    write_poses: Callable[..., list[Frame]],
    save_photograph: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = [f"{k}.jpg" for k in range(4)]
    write_poses(kind, names)
    for k in range(4):
        save_photograph(tmp_path / f"images/{k}.jpg", mode="RGB")
        save_photograph(tmp_path / f"images/{k}.png", mode="RGBA")
        save_photograph(tmp_path / f"images/{k}.webp", mode="RGB", width=8, height=8)
    views = read_views(tmp_path, masks="none")
    assert [path.name for path in views.paths] == names
    assert "not used: 0.png, 0.webp, 1.png, 1.webp, 2.png, 2.webp, 3.png, 3.webp (the pose" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["transforms.json", "cameras.json", "sparse/0"])
def test_photographs_that_differ_in_their_endings_are_all_used_where_the_pose_file_names_them(
    tmp_path: Path, kind: str, write_poses: Callable[..., list[Frame]], save_photograph: Callable[..., None]
) -> None:
    names = ["0.jpg", "0.png", "1.jpg", "2.png"]
    write_poses(kind, names)
    for name in names:
        save_photograph(tmp_path / f"images/{name}", mode="RGB")
    views = read_views(tmp_path, masks="none")
    assert [path.name for path in views.paths] == names and views.names == ("0.jpg", "0.png", "1", "2")


def test_masks_that_the_pose_file_names_among_the_photographs_are_no_photographs(
    tmp_path: Path,
    write_poses: Callable[..., list[Frame]],
    save_photograph: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    frames = write_poses("transforms.json", [f"{k}.jpg" for k in range(4)])
    frames = [replace(f, extra={"mask_path": f"./images/../images/{k}.png"}) for k, f in enumerate(frames)]
    write_transforms_json(tmp_path / "transforms.json", frames)
    for k in range(4):
        save_photograph(tmp_path / f"images/{k}.jpg", mode="RGB")
        disc(6 + k).save(tmp_path / f"images/{k}.png")
    views = read_views(tmp_path)
    assert views.names == ("0", "1", "2", "3")
    assert views.masks.mean(dim=(1, 2)).tolist() == pytest.approx([area(6 + k) for k in range(4)])
    assert "not used" not in capsys.readouterr().err


def disc(radius: float) -> Image.Image:
    rows, columns = np.mgrid[:SIZE, :SIZE] + 0.5
    inside = np.hypot(rows - SIZE / 2, columns - SIZE / 2) < radius
    return Image.fromarray(np.where(inside, 255, 0).astype(np.uint8))


def area(radius: float) -> float:
    return float(np.asarray(disc(radius)).mean()) / 255


@pytest.fixture
def opaque_rig(rig: Path, save_photograph: Callable[..., None], make_frames: Callable[..., list[Frame]]) -> Path:
    """The photographs of a rig, opaque, with a transforms.json."""
    for name in RIG:
        save_photograph(rig / f"images/{name}.png", mode="RGB")
    write_transforms_json(rig / "transforms.json", make_frames(RIG))
    return rig


def test_masks_lie_in_the_same_sub_folders_as_photographs(opaque_rig: Path) -> None:
    for k, name in enumerate(RIG):
        (opaque_rig / f"masks/{name}").parent.mkdir(parents=True, exist_ok=True)
        disc(6 + k).save(opaque_rig / f"masks/{name}.PNG")
    means = read_views(opaque_rig).masks.mean(dim=(1, 2)).tolist()
    assert means == pytest.approx([area(6 + k) for k in range(4)])


def test_one_mask_for_two_photographs_is_refused(opaque_rig: Path) -> None:
    (opaque_rig / "masks").mkdir()
    for name in ("000", "001"):
        disc(8).save(opaque_rig / f"masks/{name}.png")
    with pytest.raises(
        PhotoError, match=r"masks/000\.png would be the mask of both .*left/000\.png and .*right/000\.p"
    ):
        read_views(opaque_rig)


def test_computed_masks_are_kept_apart_for_photographs_of_one_name(
    opaque_rig: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sparseags_ns.preprocess.rembg_masks.missing", lambda: "not installed")
    for k, name in enumerate(RIG):
        pixels = np.where(np.asarray(disc(6 + k))[..., None] > 0, [200, 40, 30], [210, 208, 200])
        Image.fromarray(pixels.astype(np.uint8)).resize((96, 96)).save(opaque_rig / f"images/{name}.png")
    scene = read_scene(opaque_rig, ReadingOptions(resolution=SIZE))
    folder = scene.mask_plan.folder
    assert folder is not None
    areas = [float(np.asarray(Image.open(folder / f"{name}.png")).mean()) / 255 for name in RIG]
    assert areas == pytest.approx([area(6 + k) for k in range(4)], rel=0.15) and len(set(areas)) == 4


def test_exported_cameras_of_a_rig_name_each_photograph_by_its_folder(
    opaque_rig: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = json.loads((opaque_rig / "transforms.json").read_text())
    for frame in content["frames"]:
        frame["mask_path"] = frame["file_path"].replace("images", "segmentations")
        (opaque_rig / frame["mask_path"]).parent.mkdir(parents=True, exist_ok=True)
        disc(8).save(opaque_rig / frame["mask_path"])
    (opaque_rig / "transforms.json").write_text(json.dumps(content))
    written = tmp_path_factory.mktemp("cameras")
    write_found_cameras(written, find_cameras(opaque_rig, ReadingOptions()), written)
    for pose_file in ("transforms.json", "sparse/0", "cameras.json"):
        views = read_views(opaque_rig, poses=written / pose_file, masks="none")
        assert views.names == tuple(RIG)
    assert read_views(opaque_rig, poses=written / "transforms.json").masks.mean() == pytest.approx(area(8))


def test_exported_cameras_mean_the_photographs_that_they_were_found_for(
    tmp_path: Path, save_photograph: Callable[..., None], make_frames: Callable[..., list[Frame]]
) -> None:
    for name in NAMES:
        save_photograph(tmp_path / f"images/{name}.png")
        save_photograph(tmp_path / f"images/hires/{name}.png", 48, 48)
    model(tmp_path / "sparse/0", make_frames(NAMES, "hires/", 48, 48))
    written = tmp_path / "found"
    written.mkdir()
    write_found_cameras(written, find_cameras(tmp_path, ReadingOptions()), written)
    for pose_file in ("transforms.json", "sparse/0", "cameras.json"):
        views = read_views(tmp_path, poses=written / pose_file)
        assert relative(views, tmp_path) == [f"images/hires/{name}.png" for name in NAMES]


@pytest.mark.parametrize("place", ["sparse/1", "sparse_8/0", "colmap/sparse/2", "dense/sparse", "mine/model/0"])
def test_of_several_models_that_naming_most_photographs_is_taken(
    scene: Path, make_frames: Callable[..., list[Frame]], place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (scene / "transforms.json").unlink()
    model(scene / "sparse/0", make_frames(NAMES[:2], ""))
    model(scene / place, make_frames(NAMES, ""))
    found = read_scene(scene, ReadingOptions(resolution=SIZE))
    assert found.pose_source == str(scene / place) and len(found.views) == 4
    said = capsys.readouterr().err
    assert f"poses: {place} (of 2 models it names most of the photographs, 4; sparse/0 2)" in said


def test_of_equal_models_the_usual_place_goes_before_others(
    scene: Path, make_frames: Callable[..., list[Frame]], capsys: pytest.CaptureFixture[str]
) -> None:
    only_models(scene, make_frames, "distorted/sparse/0", "sparse/0")
    assert read_scene(scene, ReadingOptions(resolution=SIZE)).pose_source == str(scene / "sparse/0")
    assert "poses: sparse/0 (it goes before distorted/sparse/0; name a file" in capsys.readouterr().err


def test_a_damaged_model_is_named_and_another_taken(
    scene: Path, make_frames: Callable[..., list[Frame]], capsys: pytest.CaptureFixture[str]
) -> None:
    only_models(scene, make_frames, "sparse/0", "sparse/1")
    (scene / "sparse/0/images.bin").write_bytes(b"")
    assert read_scene(scene, ReadingOptions(resolution=SIZE)).pose_source == str(scene / "sparse/1")
    assert f"warning: {scene / 'sparse/0'} is not used" in capsys.readouterr().err


def test_a_model_is_of_the_photographs_in_its_own_folder(
    scene: Path, save_photograph: Callable[..., None], make_frames: Callable[..., list[Frame]]
) -> None:
    """COLMAP's image_undistorter writes straight photographs and their model beside the original ones."""
    (scene / "transforms.json").unlink()
    for name in NAMES:
        save_photograph(scene / f"dense/images/{name}.png")
    model(scene / "dense/sparse", make_frames(NAMES, ""))
    assert relative(read_views(scene), scene) == [f"dense/images/{name}.png" for name in NAMES]


@pytest.mark.parametrize("result", ["sparseags", "exported", "runs/one"])
def test_models_that_this_package_made_are_no_pose_files(
    scene: Path, make_frames: Callable[..., list[Frame]], result: str, use_initialiser: Callable[..., None]
) -> None:
    (scene / "transforms.json").unlink()
    model(scene / result / "sparse/0", make_frames(NAMES, ""))
    (scene / result / ("config.yml" if "runs" in result else "export.json")).touch()
    use_initialiser(lambda files: InitialPoses((None,) * len(files), torch.zeros(len(files))))
    with pytest.raises(PoseInitError, match="fake could register 0"):
        read_views(scene)


def test_points_of_a_model_may_be_a_ply_file(scene: Path, make_frames: Callable[..., list[Frame]]) -> None:
    (scene / "transforms.json").unlink()
    model(scene / "sparse/0", make_frames(NAMES, ""))
    positions = torch.tensor([[0.1, 0.2, 0.3], [0.0, -0.1, 0.0]])
    write_ply(scene / "sparse/0/points3D.ply", point_columns(positions, torch.tensor([[1.0, 0, 0], [0, 1, 0]])), [])
    views = read_views(scene)
    assert views.points is not None and torch.allclose(views.points.positions.float(), positions)
    assert views.points.colors[0].tolist() == [1, 0, 0]
    assert not views.fixed.any(), "points without tracks fix no camera"


@pytest.fixture
def synthetic(tmp_path: Path, save_photograph: Callable[..., None], make_frames: Callable[..., list[Frame]]) -> Path:
    """A scene as NeRF's synthetic ones: three JSON files without sizes, paths without endings, depth and normals."""
    for part in ("train", "val", "test"):
        frames = []
        for k, frame in enumerate(make_frames(NAMES)):
            save_photograph(tmp_path / part / f"r_{k}.png")
            if part == "test":
                for kind in ("depth", "normal"):
                    save_photograph(tmp_path / part / f"r_{k}_{kind}_0001.png", mode="RGB")
            frames.append(frame)
        write_transforms_json(tmp_path / f"transforms_{part}.json", frames)
        content = json.loads((tmp_path / f"transforms_{part}.json").read_text())
        entries = [
            {"file_path": f"./{part}/r_{k}", "rotation": 0.01, "transform_matrix": entry["transform_matrix"]}
            for k, entry in enumerate(content["frames"])
        ]
        (tmp_path / f"transforms_{part}.json").write_text(json.dumps({"camera_angle_x": 0.69, "frames": entries}))
    return tmp_path


def test_nerfs_synthetic_scenes_are_trained_on_their_training_part(
    synthetic: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert relative(read_views(synthetic), synthetic) == [f"train/r_{k}.png" for k in range(4)]
    assert (
        "poses: transforms_train.json (the photographs of transforms_test.json, transforms_val.json are not trained on)"
    ) in capsys.readouterr().err


def test_depth_and_normals_are_no_photographs(synthetic: Path, capsys: pytest.CaptureFixture[str]) -> None:
    views = read_views(synthetic, poses=Path("transforms_test.json"))
    assert relative(views, synthetic) == [f"test/r_{k}.png" for k in range(4)]
    assert "no photographs: r_0_depth_0001.png, r_0_normal_0001.png" in capsys.readouterr().err


def test_the_cameras_of_a_splat_yield_to_other_pose_files_and_are_read_where_they_are_the_only_ones(
    scene: Path, make_frames: Callable[..., list[Frame]], capsys: pytest.CaptureFixture[str]
) -> None:
    expected = read_views(scene).cameras
    Ts = expected.T_world_camera
    entries = [
        {"id": k, "img_name": name, "width": SIZE, "height": SIZE, "fx": 40.0, "fy": 40.0}
        | {"position": T[:3, 3].tolist(), "rotation": T[:3, :3].tolist()}
        for k, (name, T) in enumerate(zip(NAMES, Ts, strict=True))
    ]
    (scene / "cameras.json").write_text(json.dumps(entries))
    capsys.readouterr()
    read_views(scene)
    assert "poses: transforms.json (it goes before cameras.json; name a file" in capsys.readouterr().err
    (scene / "transforms.json").unlink()
    model(scene / "sparse/0", make_frames(NAMES, ""))
    read_views(scene)
    assert "poses: sparse/0 (it goes before cameras.json; name a file" in capsys.readouterr().err
    for path in (scene / "sparse/0").iterdir():
        path.unlink()
    cameras = read_views(scene).cameras
    assert f"poses: cameras.json (the only pose file in {scene})" in capsys.readouterr().err
    assert torch.allclose(cameras.T_camera_world, expected.T_camera_world) and torch.equal(cameras.K, expected.K)


def test_pose_files_may_cover_more_photographs_than_there_are(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = json.loads((scene / "transforms.json").read_text())
    for frame in content["frames"]:
        for key in ("fl_x", "fl_y", "cx", "cy", "w", "h"):
            del frame[key]
    (scene / "transforms.json").write_text(json.dumps({**content, "camera_angle_x": 0.69}))
    (scene / "images/000.png").unlink()
    assert read_views(scene).names == ("001", "002", "003")
    assert "1 of the 4 cameras in" in capsys.readouterr().err


def test_photographs_of_a_test_list_are_left_out(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = json.loads((scene / "transforms.json").read_text())
    (scene / "transforms.json").write_text(json.dumps({**content, "test_filenames": ["images/002.png"]}))
    assert read_views(scene).names == ("000", "001", "003")
    assert "not trained on: images/002.png (the lists of files in" in capsys.readouterr().err


def test_names_as_long_as_files_can_have(
    tmp_path: Path, save_photograph: Callable[..., None], make_frames: Callable[..., list[Frame]]
) -> None:
    names = [f"{k}{'x' * 250}" for k in range(3)]
    for name in names:
        save_photograph(tmp_path / f"images/{name}.png")
    write_transforms_json(tmp_path / "transforms.json", make_frames(names))
    assert read_views(tmp_path).names == tuple(names)


def test_a_model_that_names_nothing_here_is_refused(scene: Path, make_frames: Callable[..., list[Frame]]) -> None:
    (scene / "transforms.json").unlink()
    model(scene / "sparse/0", make_frames(["a", "b"], ""))
    with pytest.raises(PoseFileError, match="names none of the 4 photographs"):
        read_views(scene)
