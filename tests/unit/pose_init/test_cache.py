"""Estimated poses are kept, and found anew when anything that they depend on changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from PIL import Image

from sparseags_ns.formats.frame import Distortion, Frame, intrinsics_matrix
from sparseags_ns.geometry.cameras import orbit
from sparseags_ns.pose_init.base import InitialPoses, PoseInitError
from sparseags_ns.pose_init.cache import cache_key, place_as_asked, place_or_recall
from sparseags_ns.preprocess import store as store_module
from sparseags_ns.preprocess.store import Store, StoreError, fingerprint, store_of
from sparseags_ns.views import PointCloud


def frame(path: Path, azimuth: float) -> Frame:
    T = orbit(torch.tensor(azimuth).double(), torch.tensor(10.0).double(), 2.0)
    K = intrinsics_matrix(400.5, 401.25, 127.0, 129.0)
    return Frame(path.stem, path.name, T, K, 256, 250, False, Distortion(k1=0.1, fisheye=True), {"note": [1, "x"]})


@dataclass(frozen=True)
class Fake:
    """Places all photographs but the last, and counts how often it is asked."""

    setting: float = 1.0
    calls: list[int] = field(default_factory=list, compare=False)

    @property
    def name(self) -> str:
        return "fake"

    def place(self, photographs: Sequence[Path]) -> InitialPoses:
        self.calls.append(len(photographs))
        frames = [frame(path, 40.0 * index) for index, path in enumerate(photographs)]
        frames[-1] = None  # pyright: ignore[reportArgumentType, reportCallIssue]
        confidence = torch.full((len(photographs),), 0.75)
        confidence[-1] = 0
        points = PointCloud(torch.rand(5, 3), torch.rand(5, 3), torch.rand(5))
        return InitialPoses(tuple(frames), confidence, points, 1 - confidence)


@pytest.fixture
def photographs(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{name}.png" for name in "abc"]
    for index, path in enumerate(paths):
        Image.new("RGB", (4, 4), (index, 0, 0)).save(path)
    return paths


def test_what_was_found_once_is_recalled_whole(
    tmp_path: Path, photographs: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    fake, store = Fake(), Store(tmp_path / "sparseags")
    first = place_or_recall(fake, photographs, store)
    again = place_or_recall(Fake(calls=fake.calls), photographs, store)
    assert fake.calls == [3]
    assert "poses: fake, from" in capsys.readouterr().err
    for a, b in zip(first.frames[:2], again.frames[:2], strict=True):
        assert a is not None and b is not None
        assert torch.equal(a.T_camera_world, b.T_camera_world) and torch.equal(a.K, b.K)
        assert (a.name, a.file_path, a.width, a.height, a.trusted) == (
            b.name,
            b.file_path,
            b.width,
            b.height,
            b.trusted,
        )
        assert (a.distortion, a.extra) == (b.distortion, b.extra)
    assert again.frames[2] is None and torch.equal(first.confidence, again.confidence)
    assert (
        first.pose_lr_scale is not None
        and again.pose_lr_scale is not None
        and torch.equal(first.pose_lr_scale, again.pose_lr_scale)
    )
    assert first.points is not None and again.points is not None
    for name in ("positions", "colors", "confidence"):
        assert torch.equal(getattr(first.points, name), getattr(again.points, name))


def test_any_change_that_matters_means_work(tmp_path: Path, photographs: list[Path]) -> None:
    fake, store = Fake(), Store(tmp_path / "sparseags")
    place_or_recall(fake, photographs, store)
    Image.new("RGB", (4, 4), (9, 9, 9)).save(photographs[0])
    place_or_recall(fake, photographs, store)
    place_or_recall(fake, photographs[1:], store)
    place_or_recall(Fake(2.0, fake.calls), photographs, store)
    assert fake.calls == [3, 3, 2, 3]
    place_or_recall(fake, photographs, store)
    assert len(fake.calls) == 4, "older results stay good"


def test_what_answered_before_answers_again_whatever_is_installed_by_then(
    tmp_path: Path, photographs: list[Path]
) -> None:
    fake, store = Fake(), Store(tmp_path / "sparseags")

    def uninstalled() -> Fake:
        raise PoseInitError("not installed")

    first, name = place_as_asked("auto", photographs, store, lambda: fake)
    again, same = place_as_asked("auto", photographs, store, uninstalled)
    assert name == same == "fake" and len(fake.calls) == 1 and torch.equal(first.confidence, again.confidence)
    with pytest.raises(PoseInitError):
        place_as_asked("another", photographs, store, uninstalled)
    Image.new("RGB", (4, 4), (9, 9, 9)).save(photographs[0])
    with pytest.raises(PoseInitError):
        place_as_asked("auto", photographs, store, uninstalled)


@dataclass(frozen=True)
class Fails(Fake):
    """Places one photograph, from which nothing can start."""

    @property
    def name(self) -> str:
        return "fails"

    def place(self, photographs: Sequence[Path]) -> InitialPoses:
        self.calls.append(len(photographs))
        rest = len(photographs) - 1
        return InitialPoses((frame(photographs[0], 0.0), *(None,) * rest), torch.tensor([0.5] + [0.0] * rest))


def test_a_failure_is_kept_but_is_no_answer_another_initialiser_may_take_over(
    tmp_path: Path, photographs: list[Path]
) -> None:
    fails, fake, store = Fails(), Fake(), Store(tmp_path / "sparseags")
    for _ in range(2):
        initial, name = place_as_asked("auto", photographs, store, lambda: fails)
        assert name == "fails" and initial.placed == 1 and len(fails.calls) == 1
    assert place_as_asked("auto", photographs, store, lambda: fake)[1] == "fake"
    assert place_as_asked("auto", photographs, store, lambda: fails)[1] == "fake"


def test_an_answer_whose_result_is_lost_or_damaged_is_found_anew(tmp_path: Path, photographs: list[Path]) -> None:
    fake, store = Fake(), Store(tmp_path / "sparseags")
    place_as_asked("auto", photographs, store, lambda: fake)
    (file,) = store.folder.glob("poses-fake-*.json")
    file.unlink()
    place_as_asked("auto", photographs, store, lambda: fake)
    (answer,) = store.folder.glob("asked-*.json")
    answer.write_text("[]")
    place_as_asked("auto", photographs, store, lambda: fake)
    assert len(fake.calls) == 2


def test_the_key_depends_on_settings_names_bytes_and_version(
    photographs: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = {cache_key(Fake(), photographs), cache_key(Fake(2.0), photographs), cache_key(Fake(), photographs[:2])}
    keys.add(cache_key(Fake(), photographs[::-1]))
    renamed = photographs[2].rename(photographs[2].with_name("d.png"))
    keys.add(cache_key(Fake(), [*photographs[:2], renamed]))
    renamed.rename(photographs[2])
    assert len(keys) == 5
    assert cache_key(Fake(calls=[1, 2]), photographs) in keys
    monkeypatch.setattr(store_module, "__version__", "another")
    assert cache_key(Fake(), photographs) not in keys


def test_a_damaged_result_is_found_anew(
    tmp_path: Path, photographs: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    fake, store = Fake(), Store(tmp_path / "sparseags")
    place_or_recall(fake, photographs, store)
    (file,) = store.folder.glob("poses-fake-*.json")
    file.write_text(file.read_text()[:100])
    place_or_recall(fake, photographs, store)
    assert len(fake.calls) == 2 and "is damaged and found out anew" in capsys.readouterr().err
    file.with_suffix(".npz").unlink()
    place_or_recall(fake, photographs, store)
    assert len(fake.calls) == 3


def test_a_store_that_cannot_be_written_is_noticed_before_the_work(tmp_path: Path, photographs: list[Path]) -> None:
    fake = Fake()
    (tmp_path / "sparseags").touch()
    with pytest.raises(StoreError, match="or name another folder with the option cache-dir"):
        place_or_recall(fake, photographs, Store(tmp_path / "sparseags"))
    assert fake.calls == []


def test_the_store_lies_in_the_scene_unless_another_is_named(tmp_path: Path) -> None:
    video = tmp_path / "a.mp4"
    video.touch()
    assert store_of(tmp_path, None).folder == store_of(video, None).folder == tmp_path / "sparseags"
    assert store_of(tmp_path, Path("~/kept")).folder == Path("~/kept").expanduser()
    assert not (tmp_path / "sparseags").exists()


def test_fingerprints_keep_their_parts_apart(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("ab")
    assert fingerprint("ab", "c") != fingerprint("a", "bc")
    assert fingerprint(tmp_path / "a") != fingerprint("ab")
    before = fingerprint(tmp_path / "a")
    (tmp_path / "a").write_text("cd")
    assert fingerprint(tmp_path / "a") != before
