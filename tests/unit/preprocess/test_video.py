"""Key frames of a video in place of photographs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from sparseags_ns.preprocess.store import Store
from sparseags_ns.preprocess.video import VideoError, choose_frames, photographs_folder

FRAMES = 40


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """A view of a large image that is still for 20 frames, then moves; every third frame is blurred."""
    picture = np.random.default_rng(0).integers(0, 255, (24, 60, 3), dtype=np.uint8).repeat(4, 0).repeat(4, 1)
    path = tmp_path / "walk.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (96, 96))
    for index in range(FRAMES):
        left = max(0, index - 20) * 7
        frame = np.ascontiguousarray(picture[:, left : left + 96])
        writer.write(cv2.GaussianBlur(frame, (0, 0), 3) if index % 3 == 0 else frame)
    writer.release()
    return path


def test_sharp_frames_are_spread_along_the_way(tmp_path: Path, video: Path) -> None:
    folder = photographs_folder(video, Store(tmp_path / "sparseags"), 6)
    places = [int(path.stem.removeprefix("frame_")) for path in sorted(folder.iterdir())]
    assert len(places) == 6
    assert all(place % 3 for place in places), "blurred ones are passed over"
    assert sum(place >= 20 for place in places) >= 4, "half the frames stand still and show little"
    assert cv2.imread(str(next(folder.iterdir()))).shape == (96, 96, 3)


def test_a_video_is_decoded_once(
    tmp_path: Path, video: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(tmp_path / "sparseags")
    folder = photographs_folder(video, store, 4)
    monkeypatch.setattr("sparseags_ns.preprocess.video.write_key_frames", None)
    assert photographs_folder(video, store, 4) == folder
    assert "photographs: 4 key frames of walk.avi" in capsys.readouterr().err


def test_the_only_video_of_a_folder_without_photographs_is_meant(tmp_path: Path, video: Path) -> None:
    store = Store(tmp_path / "sparseags")
    assert photographs_folder(tmp_path, store, 4) == photographs_folder(video, store, 4)
    cv2.imwrite(str(tmp_path / "photo.png"), np.zeros((4, 4, 3), np.uint8))
    assert photographs_folder(tmp_path, store, 4) == tmp_path


def test_several_videos_are_refused(tmp_path: Path, snapshot: Callable[..., None]) -> None:
    for name in ("a.mp4", "b.MOV"):
        (tmp_path / name).touch()
    with pytest.raises(VideoError) as error:
        photographs_folder(tmp_path, Store(tmp_path / "sparseags"), 4)
    snapshot(str(error.value), SCENE=tmp_path)


def test_a_damaged_video_is_refused(tmp_path: Path, snapshot: Callable[..., None]) -> None:
    (tmp_path / "a.mp4").write_bytes(b"nothing")
    with pytest.raises(VideoError) as error:
        photographs_folder(tmp_path, Store(tmp_path / "sparseags"), 4)
    snapshot(str(error.value), SCENE=tmp_path)


def test_a_video_with_too_few_frames_is_refused(tmp_path: Path, video: Path, snapshot: Callable[..., None]) -> None:
    with pytest.raises(VideoError) as error:
        photographs_folder(video, Store(tmp_path / "sparseags"), 50)
    snapshot(str(error.value), SCENE=tmp_path)
    assert not list((tmp_path / "sparseags").glob("frames-*")), "nothing half done stays"


def test_one_frame_is_refused(tmp_path: Path, video: Path) -> None:
    with pytest.raises(VideoError, match="1 of a video's frames make no scene; ask for 2 or more"):
        photographs_folder(video, Store(tmp_path / "sparseags"), 1)


def test_each_part_of_the_way_gives_its_sharpest_frame() -> None:
    sharpness = np.array([1.0, 5, 1, 1, 1, 9, 3, 1, 1, 1, 1, 7])
    assert choose_frames(sharpness, np.ones(12), 3) == [1, 5, 11]


def test_a_jump_does_not_lose_frames() -> None:
    steps = np.array([0.0, 0, 0, 0, 100, 0, 0, 0])
    chosen = choose_frames(np.ones(8), steps, 6)
    assert len(set(chosen)) == 6 and chosen == sorted(chosen)


def test_frames_of_a_still_image_are_spread_over_time() -> None:
    assert choose_frames(np.ones(100), np.zeros(100), 4) == pytest.approx([12, 37, 62, 87], abs=13)
    assert choose_frames(np.ones(3), np.zeros(3), 3) == [0, 1, 2]
