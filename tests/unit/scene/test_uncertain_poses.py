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
from sparseags_ns.pose_init.base import Alternative, InitialPoses, PoseInitError
from sparseags_ns.scene.finding import describe_alternatives, require_sure, with_alternative
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
