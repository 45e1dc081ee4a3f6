"""Cameras of which the initialiser is not sure, and alternatives to them: refused, allowed, chosen, shown.

Messages are compared with messages.snap, in which SCENE stands for the folder.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from sparseags_ns.cli import main
from sparseags_ns.cli.prepare import Prepare
from sparseags_ns.formats.transforms_json import read_transforms_json
from sparseags_ns.geometry import se3
from sparseags_ns.plugin.dataparser import SparseAGSDataParserConfig
from sparseags_ns.pose_init.base import Alternative, InitialPoses, PoseInitError
from sparseags_ns.runs.record import PoseInitRecord
from sparseags_ns.scene.finding import describe_alternatives, require_sure, with_alternative
from sparseags_ns.scene.origin import pose_init_record
from sparseags_ns.scene.reading import ReadingOptions, ReadScene, read_scene

SIZE = 32
DOUBT = "two different arrangements explain the photographs about equally well"


@pytest.fixture
def doubtful(scene: Path, use_initialiser: Callable[..., None]) -> Path:
    """The scene without its pose file; the cameras found leave the last photograph out and have two alternatives."""
    (scene / "transforms.json").rename(scene / "kept.json")

    def estimate(photo_files: Sequence[Path]) -> InitialPoses:
        frames = read_transforms_json(scene / "kept.json")
        poses = [frame.T_camera_world for frame in frames]
        swapped, mirrored = ([poses[k] for k in order] for order in ((1, 0, 2, 3), (0, 3, 2, 1)))
        alternatives = tuple(
            Alternative(tuple(replace(f, T_camera_world=T) for f, T in zip(frames, other, strict=True)), loss)
            for other, loss in ((swapped, 1.25), (mirrored, 1.8))
        )
        confidence = torch.tensor([0.9, 0.3, 0.2, 0.0])
        return InitialPoses((*frames[:3], None), confidence, alternatives=alternatives, doubt=DOUBT)

    use_initialiser(estimate)
    return scene


def read(scene: Path, **options: Any) -> ReadScene:
    return read_scene(scene, ReadingOptions(resolution=SIZE, **options))


def test_doubtful_cameras_are_refused_with_the_views_and_what_to_do(
    doubtful: Path, snapshot: Callable[..., None]
) -> None:
    with pytest.raises(PoseInitError) as error:
        read(doubtful)
    snapshot(str(error.value), SCENE=doubtful)


def test_doubtful_cameras_may_be_allowed_with_one_warning(doubtful: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = read(doubtful, pose_init_uncertain="allow")
    assert found.initial is not None and found.initial.doubt == DOUBT
    assert found.views.unposed == (3,) and found.pose_source == "the initialiser fake"
    lines = [line for line in capsys.readouterr().err.splitlines() if DOUBT in line]
    assert lines == [
        f"sparseags: warning: fake is not sure of its cameras: {DOUBT} (low confidence in 001.png (0.30), 002.png "
        "(0.20); no pose for 003.png)"
    ]


@pytest.mark.parametrize("number, loss", [(2, 1.25), (3, 1.8)])
def test_an_alternative_is_used_without_refusal(
    doubtful: Path, number: int, loss: float, capsys: pytest.CaptureFixture[str]
) -> None:
    found = read(doubtful, pose_init_alternative=number)
    assert found.initial is not None and found.initial.doubt is None and found.views.unposed == ()
    expected = [frame.T_camera_world for frame in found.initial.alternatives[number - 2].frames]
    assert torch.equal(found.views.cameras.T_camera_world, torch.stack(expected))
    assert found.confidence.tolist() == pytest.approx([0.9 / loss, 0.3 / loss, 0.2 / loss, 0.01])
    assert found.pose_source == f"the initialiser fake, alternative {number}"
    assert f"poses: alternative {number} of fake (asked for; {loss:.2f} times the best's loss)" in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize("number", [0, 4])
def test_an_alternative_that_does_not_exist_is_refused(
    doubtful: Path, number: int, snapshot: Callable[..., None]
) -> None:
    with pytest.raises(PoseInitError) as error:
        read(doubtful, pose_init_alternative=number)
    snapshot(str(error.value), str(number))


def test_a_pose_file_has_no_alternatives(scene: Path, snapshot: Callable[..., None]) -> None:
    with pytest.raises(PoseInitError) as error:
        read(scene, pose_init_alternative=2)
    snapshot(str(error.value), SCENE=scene)
    assert read(scene).initial is None


def test_sure_cameras_are_never_refused(doubtful: Path) -> None:
    found = read(doubtful, pose_init_uncertain="allow").initial
    assert found is not None
    sure = replace(found, doubt=None)
    require_sure([Path(f"{k}.png") for k in range(4)], sure, "refuse")
    assert with_alternative(sure, 1) is sure
    assert describe_alternatives(replace(sure, alternatives=())) == ""


def test_prepare_shows_doubtful_cameras_and_ends_with_the_doubt(
    doubtful: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(PoseInitError, match=f"fake is not sure of its cameras: {DOUBT}"):
        Prepare(doubtful, ReadingOptions(resolution=SIZE)).run()
    printed = capsys.readouterr().out
    rows = {line.split()[1]: line for line in printed.splitlines() if " 00" in line}
    assert "trusted" in rows["000"] and "0.90" in rows["000"] and "none" in rows["003"]
    assert "Alternatives: 2 (1.25 times the loss of 1), 3 (1.80 times the loss of 1); choose with" in printed
    picture = np.asarray(Image.open(doubtful / "sparseags/prepare.png")).astype(int)
    drawings = picture[-480:]
    assert (np.abs(drawings - np.array([48, 139, 50])).max(-1) < 30).sum() > 20, "a camera of high confidence, green"


@pytest.mark.parametrize("flags", [["--pose-init-uncertain", "allow"], ["--pose-init-alternative", "2"]])
def test_prepare_ends_well_where_the_user_has_decided(doubtful: Path, flags: list[str]) -> None:
    main(["prepare", str(doubtful), "--resolution", str(SIZE), *flags])
    with pytest.raises(SystemExit) as end:
        main(["prepare", str(doubtful), "--resolution", str(SIZE)])
    assert str(end.value.code).startswith("sparseags: error: fake is not sure of its cameras")


def recorded(scene: Path, **options: Any) -> tuple[PoseInitRecord, np.ndarray, np.ndarray]:
    """What training takes from the dataparser: the record, and the cameras' centres and viewing directions."""
    outputs = SparseAGSDataParserConfig(data=scene, resolution=SIZE, **options).setup().outputs
    poses = se3.inverse(outputs.metadata["views"].cameras.T_camera_world).numpy()
    return outputs.metadata["pose_init"], poses[:, :3, 3], poses[:, :3, 2]


def array(vectors: list[list[float] | None]) -> np.ndarray:
    """The vectors of all views, NaN where there is none."""
    return np.array([[np.nan] * 3 if vector is None else vector for vector in vectors])


def test_all_arrangements_are_recorded_in_the_world_of_the_run(doubtful: Path) -> None:
    record, centers, forward = recorded(doubtful, pose_init_uncertain="allow")
    assert (record.source, record.estimated, record.doubt, record.alternative) == ("fake", True, DOUBT, 1)
    assert record.confidence == pytest.approx((0.9, 0.3, 0.2, 0.0))
    assert [one.loss for one in record.arrangements] == [1.0, 1.25, 1.8]
    best = record.arrangements[0]
    assert best.camera_centers[3] is None and best.camera_forward[3] is None, "a stand-in is no camera"
    assert np.allclose(array(best.camera_centers)[:3], centers[:3], atol=1e-5)
    assert np.allclose(array(best.camera_forward)[:3], forward[:3], atol=1e-5)


def test_the_best_arrangement_stays_recorded_where_another_is_used(doubtful: Path) -> None:
    allowed = recorded(doubtful, pose_init_uncertain="allow")[0]
    record, centers, _ = recorded(doubtful, pose_init_alternative=2)
    assert (record.alternative, record.doubt) == (2, DOUBT) and len(record.arrangements) == 3
    assert record.confidence == pytest.approx((0.72, 0.24, 0.16, 0.01))
    assert np.allclose(array(record.arrangements[1].camera_centers), centers, atol=1e-5)
    assert allowed.arrangements[0].camera_centers[3] is record.arrangements[0].camera_centers[3] is None


def test_other_arrangements_are_rotated_to_where_most_views_agree(doubtful: Path) -> None:
    used, swapped, _ = recorded(doubtful, pose_init_alternative=1, pose_init_uncertain="allow")[0].arrangements
    azimuths = [np.arctan2(*array(one.camera_centers)[:3, [0, 2]].T) for one in (used, swapped)]
    apart = np.abs(azimuths[0] - azimuths[1])
    assert apart[2] < 0.2 < min(apart[:2]), "the first two are exchanged, the third is where it was"


def test_the_record_of_a_cached_result_is_the_same(doubtful: Path) -> None:
    first, second = (recorded(doubtful, pose_init_uncertain="allow")[0] for _ in range(2))
    assert first == second


def test_of_a_pose_file_the_record_tells_the_name_only(scene: Path) -> None:
    record = pose_init_record(read(scene))
    assert record == PoseInitRecord(str(scene / "transforms.json"), estimated=False)
