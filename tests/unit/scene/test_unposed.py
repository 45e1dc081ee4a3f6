"""Unregistered photographs: how they are read, shown, and handed on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch

from sparseags_ns.cli.prepare import Prepare
from sparseags_ns.formats.transforms_json import read_transforms_json
from sparseags_ns.geometry.alignment import normalizing_similarity
from sparseags_ns.plugin.dataparser import SparseAGSDataParserConfig
from sparseags_ns.pose_init.base import InitialPoses, PoseInitError
from sparseags_ns.scene.reading import ReadingOptions, read_scene

SIZE = 32


@pytest.fixture
def plain(scene: Path, use_initialiser: Callable[..., None]) -> Path:
    """The scene without its pose file, and an initialiser that registers all photographs but the last."""
    (scene / "transforms.json").rename(scene / "kept.json")

    def all_but_the_last(photo_files: Sequence[Path]) -> InitialPoses:
        frames = read_transforms_json(scene / "kept.json")[: len(photo_files) - 1]
        confidence = torch.tensor([0.9, 0.5, 0.5, 0.0])
        return InitialPoses((*frames, None), confidence, None, torch.tensor([0.0, 0.5, 0.5, 1.0]))

    use_initialiser(all_but_the_last)
    return scene


def test_a_view_without_a_pose_is_marked_and_not_trusted(plain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    views = read_scene(plain, ReadingOptions(resolution=SIZE)).views
    assert views.unposed == (3,) and views.posed.tolist() == [True, True, True, False]
    assert views.trusted.tolist() == [True, True, True, False]
    assert views.pose_lr_scale is not None and views.pose_lr_scale.tolist() == [0.0, 0.5, 0.5, 1.0]
    assert views.fixed.tolist() == [True, False, False, False]
    said = capsys.readouterr().err
    assert (
        "no pose from fake for 003.png" in said
        and "1 of 4 cameras are fixed (each was fitted to a hundred points or more" in said
    )


def test_cameras_of_whole_scenes_are_fixed_unless_asked(plain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    views = read_scene(plain, ReadingOptions(resolution=SIZE, masks="none")).views
    assert views.fixed.tolist() == [True, True, True, False], "what has no pose must be free to find one"
    assert "3 of 4 cameras are fixed (whole photographs" in capsys.readouterr().err
    assert read_scene(plain, ReadingOptions(resolution=SIZE, fix_cameras="all")).views.fixed.tolist() == [True] * 3 + [
        False
    ]
    freely = read_scene(plain, ReadingOptions(resolution=SIZE, masks="none", fix_cameras="none")).views
    assert not freely.fixed.any()


def test_stand_in_cameras_do_not_affect_the_normalised_world(plain: Path) -> None:
    parser = SparseAGSDataParserConfig(data=plain, resolution=SIZE).setup()
    outputs = parser.get_dataparser_outputs("train")
    views = read_scene(plain, ReadingOptions(resolution=SIZE)).views
    registered = normalizing_similarity(views.cameras.T_camera_world[:3])
    assert outputs.dataparser_scale == pytest.approx(float(registered.scale))
    assert outputs.metadata["views"].unposed == (3,)


def test_cached_poses_need_no_initialiser(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = read_scene(plain, ReadingOptions(resolution=SIZE)).views

    def uninstalled(*_: object) -> None:
        raise PoseInitError("nothing is installed")

    monkeypatch.setattr("sparseags_ns.pose_init.estimation.choose_initialiser", uninstalled)
    again = read_scene(plain, ReadingOptions(resolution=SIZE)).views
    assert torch.equal(first.cameras.T_camera_world, again.cameras.T_camera_world) and again.unposed == (3,)
    with pytest.raises(PoseInitError):
        read_scene(plain, ReadingOptions(resolution=SIZE, pose_init="features"))


def test_the_table_shows_fixed_trusted_and_missing_cameras(plain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Prepare(plain, ReadingOptions(resolution=SIZE)).run()
    rows = {line.split()[1]: line for line in capsys.readouterr().out.splitlines() if " 00" in line}
    assert "fixed" in rows["000"] and "trusted" in rows["001"]
    assert "none" in rows["003"] and "training searches" in rows["003"]


def test_photographs_missing_from_the_pose_file_may_be_searched_for(
    scene: Path, save_photograph: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    save_photograph(scene / "images/extra.png")
    found = read_scene(scene, ReadingOptions(resolution=SIZE, missing_poses="search"))
    assert found.views.names[-1] == "extra" and found.views.unposed == (4,)
    assert found.views.trusted.tolist() == [True] * 4 + [False]
    assert found.confidence.tolist() == [1.0] * 4 + [0.0]
    given, searched = found.views.cameras.K[0], found.views.cameras.K[4]
    assert float(searched[0, 0]) == pytest.approx(float(given[0, 0]), rel=0.02), "the others' angle of view"
    assert "transforms.json for extra.png (1 of 5 photographs; they start untrusted" in capsys.readouterr().err
