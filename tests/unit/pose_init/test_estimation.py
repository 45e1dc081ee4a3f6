"""Estimated poses are kept, and estimated anew when anything that they depend on changes."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from PIL import Image

from sparseags_ns.formats.frame import Distortion, Frame, intrinsics_matrix
from sparseags_ns.geometry.cameras import orbit
from sparseags_ns.pose_init.base import Alternative, InitialPoses, PoseInitError, PoseRequest, stored_arrays
from sparseags_ns.pose_init.estimation import cache_key, estimate_or_load, estimate_poses
from sparseags_ns.preprocess import store as store_module
from sparseags_ns.preprocess.store import Store, StoreError, fingerprint, store_of
from sparseags_ns.views import PointCloud


def frame(path: Path, azimuth: float) -> Frame:
    T = orbit(torch.tensor(azimuth).double(), torch.tensor(10.0).double(), 2.0)
    K = intrinsics_matrix(400.5, 401.25, 127.0, 129.0)
    return Frame(path.stem, path.name, T, K, 256, 250, False, Distortion(k1=0.1, fisheye=True), {"note": [1, "x"]})


@dataclass(frozen=True)
class Fake:
    """Registers all photographs but the last, and counts its calls."""

    name: ClassVar[str] = "fake"
    automatic: ClassVar[bool] = True
    uses_masks: ClassVar[bool] = False

    setting: float = 1.0
    calls: list[int] = field(default_factory=list, compare=False)

    @staticmethod
    def missing(request: PoseRequest) -> str | None:
        return None

    @staticmethod
    def create(request: PoseRequest) -> Fake:
        return Fake()

    @property
    def details(self) -> str:
        return ""

    def estimate(self, photo_files: Sequence[Path]) -> InitialPoses:
        self.calls.append(len(photo_files))
        frames = [frame(path, 40.0 * index) for index, path in enumerate(photo_files)]
        frames[-1] = None  # pyright: ignore[reportArgumentType, reportCallIssue]
        confidence = torch.full((len(photo_files),), 0.75)
        confidence[-1] = 0
        points = PointCloud(torch.rand(5, 3), torch.rand(5, 3), torch.rand(5))
        return InitialPoses(tuple(frames), confidence, points, 1 - confidence)


@pytest.fixture
def photographs(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{name}.png" for name in "abc"]
    for index, path in enumerate(paths):
        Image.new("RGB", (4, 4), (index, 0, 0)).save(path)
    return paths


@pytest.fixture
def choose(monkeypatch: pytest.MonkeyPatch) -> Callable[[Fake | None], None]:
    """Sets which initialiser is chosen from now on; None stands for a machine on which none can work."""

    def choose(initialiser: Fake | None) -> None:
        def choose_initialiser(pose_init: str, request: PoseRequest) -> Fake:
            if initialiser is None:
                raise PoseInitError("not installed")
            return initialiser

        monkeypatch.setattr("sparseags_ns.pose_init.estimation.choose_initialiser", choose_initialiser)

    return choose


def test_a_result_is_loaded_as_it_was_estimated(
    tmp_path: Path, photographs: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    fake, store = Fake(), Store(tmp_path / "sparseags")
    first = estimate_or_load(fake, photographs, store)
    again = estimate_or_load(Fake(calls=fake.calls), photographs, store)
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


def test_alternatives_and_doubt_are_loaded_as_they_were_estimated(tmp_path: Path, photographs: list[Path]) -> None:
    class Doubtful(Fake):
        def estimate(self, photo_files: Sequence[Path]) -> InitialPoses:
            others = tuple(frame(path, 70.0 - 30 * index) for index, path in enumerate(photo_files))
            alternatives = Alternative(others, 1.125), Alternative(others[::-1], 2.5)
            initial = super().estimate(photo_files)
            return replace(initial, alternatives=alternatives, doubt="two arrangements", jointly_fitted=True)

    fake, store = Doubtful(), Store(tmp_path / "sparseags")
    first = estimate_or_load(fake, photographs, store)
    again = estimate_or_load(fake, photographs, store)
    assert fake.calls == [3] and (again.doubt, again.jointly_fitted) == ("two arrangements", True)
    assert [one.loss for one in again.alternatives] == [1.125, 2.5]
    for one, other in zip(first.alternatives, again.alternatives, strict=True):
        for a, b in zip(one.frames, other.frames, strict=True):
            assert torch.equal(a.T_camera_world, b.T_camera_world) and torch.equal(a.K, b.K)
            assert (a.name, a.distortion, a.extra) == (b.name, b.distortion, b.extra)
    plain = estimate_or_load(Fake(3.0), photographs, store)
    assert plain.doubt is None and plain.alternatives == () and not plain.jointly_fitted


def test_any_change_that_matters_means_a_new_estimate(tmp_path: Path, photographs: list[Path]) -> None:
    fake, store = Fake(), Store(tmp_path / "sparseags")
    estimate_or_load(fake, photographs, store)
    Image.new("RGB", (4, 4), (9, 9, 9)).save(photographs[0])
    estimate_or_load(fake, photographs, store)
    estimate_or_load(fake, photographs[1:], store)
    estimate_or_load(Fake(2.0, fake.calls), photographs, store)
    assert fake.calls == [3, 3, 2, 3]
    estimate_or_load(fake, photographs, store)
    assert len(fake.calls) == 4, "older results stay good"


def test_an_equal_request_has_the_same_result_whatever_is_installed_by_then(
    tmp_path: Path, photographs: list[Path], choose: Callable[[Fake | None], None]
) -> None:
    fake = Fake()
    choose(fake)
    first = estimate_poses(photographs)
    choose(None)
    again = estimate_poses(photographs, scene=tmp_path, store=Store(tmp_path / "sparseags"))
    assert first.source == again.source == "fake" and len(fake.calls) == 1
    assert torch.equal(first.confidence, again.confidence)
    with pytest.raises(PoseInitError):
        estimate_poses(photographs, "features")
    with pytest.raises(PoseInitError):
        estimate_poses(photographs, weights="others")
    Image.new("RGB", (4, 4), (9, 9, 9)).save(photographs[0])
    with pytest.raises(PoseInitError):
        estimate_poses(photographs)


def test_masks_make_another_request_for_an_initialiser_that_uses_them(
    tmp_path: Path, photographs: list[Path], choose: Callable[[Fake | None], None]
) -> None:
    choose(Fake())
    for name in ("dust3r", "id-pose"):
        estimate_poses(photographs, name)
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks/a.png").write_bytes(b"1")
    choose(None)
    estimate_poses(photographs, "dust3r")
    with pytest.raises(PoseInitError):
        estimate_poses(photographs, "id-pose")


def test_no_photographs_are_refused() -> None:
    with pytest.raises(PoseInitError, match="no photographs to estimate poses for"):
        estimate_poses([])


@dataclass(frozen=True)
class Fails(Fake):
    """Registers one photograph, from which nothing can start."""

    name: ClassVar[str] = "fails"

    def estimate(self, photo_files: Sequence[Path]) -> InitialPoses:
        self.calls.append(len(photo_files))
        rest = len(photo_files) - 1
        return InitialPoses((frame(photo_files[0], 0.0), *(None,) * rest), torch.tensor([0.5] + [0.0] * rest))


def test_a_failure_is_kept_but_another_initialiser_may_take_its_place(
    photographs: list[Path], choose: Callable[[Fake | None], None]
) -> None:
    fails = Fails()
    choose(fails)
    for _ in range(2):
        initial = estimate_poses(photographs)
        assert initial.source == "fails" and initial.num_registered == 1 and len(fails.calls) == 1
    choose(Fake())
    assert estimate_poses(photographs).source == "fake"
    choose(fails)
    assert estimate_poses(photographs).source == "fake"


def test_a_request_whose_result_is_lost_or_damaged_is_met_anew(
    tmp_path: Path, photographs: list[Path], choose: Callable[[Fake | None], None]
) -> None:
    fake, folder = Fake(), tmp_path / "sparseags"
    choose(fake)
    estimate_poses(photographs)
    (file,) = folder.glob("poses-fake-*.json")
    file.unlink()
    estimate_poses(photographs)
    (request_file,) = folder.glob("request-*.json")
    request_file.write_text("[]")
    estimate_poses(photographs)
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


def test_a_damaged_result_is_estimated_anew(
    tmp_path: Path, photographs: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    fake, store = Fake(), Store(tmp_path / "sparseags")
    estimate_or_load(fake, photographs, store)
    (file,) = store.folder.glob("poses-fake-*.json")
    file.write_text(file.read_text()[:100])
    estimate_or_load(fake, photographs, store)
    assert len(fake.calls) == 2 and f"warning: {file} is damaged and is made anew" in capsys.readouterr().err
    points = file.with_suffix(".npz")
    for damage in (lambda: points.unlink(), lambda: points.write_bytes(b""), lambda: points.write_bytes(b"PK" * 99)):
        calls = len(fake.calls)
        damage()
        estimate_or_load(fake, photographs, store)
        assert len(fake.calls) == calls + 1


def test_a_digit_that_has_changed_in_a_result_is_noticed(
    tmp_path: Path, photographs: list[Path], choose: Callable[[Fake | None], None]
) -> None:
    fake = Fake()
    choose(fake)
    for pattern, old, new in (("poses-fake-*.json", "400.5", "400.6"), ("request-*.json", "fake-", "take-")):
        estimate_poses(photographs)
        calls = len(fake.calls)
        (file,) = (tmp_path / "sparseags").glob(pattern)
        file.write_text(file.read_text().replace(old, new, 1))
        estimate_poses(photographs)
        assert file.read_text().count(new) == 0 and len(fake.calls) == calls + (pattern[0] == "p")


def test_photographs_of_any_name_are_estimated_once(
    tmp_path: Path, photographs: list[Path], choose: Callable[[Fake | None], None]
) -> None:
    fake = Fake()
    choose(fake)
    names = ("#a b.png", "c\nd.png", os.fsdecode(b"\xff.png"))
    renamed = [path.rename(path.with_name(name)) for path, name in zip(photographs, names, strict=True)]
    first, again = estimate_poses(renamed), estimate_poses(renamed)
    assert len(fake.calls) == 1
    for one, other in zip(first.frames, again.frames, strict=True):
        assert (one and one.name) == (other and other.name)


@pytest.mark.parametrize("damage", ["empty", "cut", "bits", "other", "pickle", "names"])
def test_damaged_arrays_are_computed_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str) -> None:
    store, calls = Store(tmp_path), []

    def compute() -> dict[str, np.ndarray]:
        calls.append(1)
        return {"positions": np.arange(200.0), "scores": np.zeros(3)}

    stored_arrays(store, "a/points.npz", compute)
    file = tmp_path / "a/points.npz"
    content = file.read_bytes()
    damaged = {
        "empty": b"",
        "cut": content[: len(content) // 2],
        "bits": content[:300] + bytes([content[300] ^ 1]) + content[301:],
        "other": b"\x93NUMPY\x01\x00",
        "pickle": b"\x80\x04N.",
        "names": content.replace(b"scores", b"scares", 1),
    }
    file.write_bytes(damaged[damage])
    found = stored_arrays(store, "a/points.npz", compute)
    assert len(calls) == 2 and found["positions"].tolist() == list(range(200))
    assert f"warning: {file} is damaged and is made anew" in capsys.readouterr().err
    assert file.read_bytes() == content and stored_arrays(store, "a/points.npz", compute).keys() == found.keys()
    assert len(calls) == 2


def test_a_store_that_cannot_be_written_is_noticed_before_the_estimate(tmp_path: Path, photographs: list[Path]) -> None:
    fake = Fake()
    (tmp_path / "sparseags").touch()
    with pytest.raises(StoreError, match="or name another folder with the option cache-dir"):
        estimate_or_load(fake, photographs, Store(tmp_path / "sparseags"))
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
