"""The initialiser `ab-initio` on photo files: its messages, its cameras, and how it resumes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sparseags_ns.geometry import se3
from sparseags_ns.geometry.pose_errors import pairwise_rotation_errors_deg
from sparseags_ns.optimization.observer import Observer, observed_by
from sparseags_ns.pose_init.ab_initio import refinement
from sparseags_ns.pose_init.ab_initio.ab_initio import (
    FOCAL_GUESS,
    AbInitio,
    capture_orders,
    check_different,
    check_number,
)
from sparseags_ns.pose_init.ab_initio.arrangement import Arrangement, Effort, joint_fit, looking_from
from sparseags_ns.pose_init.ab_initio.crops import Crops
from sparseags_ns.pose_init.ab_initio.search import ArrangementSearch, SearchSettings
from sparseags_ns.pose_init.base import InitialPoses, PoseInitError
from sparseags_ns.preprocess.photo import Photo
from sparseags_ns.preprocess.store import Store

TINY = SearchSettings(
    explore=Effort(12, 40, 80, pose_lr=2e-2, pose_lr_end=0.2),
    polish=Effort(12, 80, 80, pose_lr=2e-2),
    decide=Effort(12, 500, 80, pose_lr=2e-2),
    climbs=1,
    starts=4,
    ordered_climbs=1,
    polished=1,
    decided=1,
    rounds=4,
)
pytestmark = pytest.mark.usefixtures("short_refinement")

EXIF_IFD, DATE_TIME_ORIGINAL = 0x8769, 0x9003
AZIMUTHS_DEG, ELEVATIONS_DEG = [180.0, 0.0, 300.0, 120.0, 60.0, 240.0], [30.0, 10.0, 20.0, 10.0, 30.0, 40.0]
AWAY = [[0.1, -0.12], [0.0, 0.0], [-0.1, 0.1], [0.0, 0.12], [0.1, 0.0], [-0.1, -0.1]]
"""Rotations by which the cameras look past the object."""


@pytest.fixture(scope="module")
def photo_files(tmp_path_factory: pytest.TempPathFactory, photograph: Callable[..., list[Photo]]) -> list[Path]:
    """RGBA files of the toy, not in the order of a walk around it, off the middle of most photographs."""
    folder = tmp_path_factory.mktemp("toy")
    photos = photograph(AZIMUTHS_DEG, ELEVATIONS_DEG, 3.0, AWAY, side=160)
    paths = [folder / f"{name}.png" for name in "abcdef"]
    for path, photo in zip(paths, photos, strict=True):
        rgba = torch.cat([photo.rgb, photo.mask[..., None]], dim=-1)
        Image.fromarray((rgba * 255).round().byte().numpy()).save(path)
    return paths


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The store of the first run."""
    return Store(tmp_path_factory.mktemp("kept"))


def estimate(photo_files: Sequence[Path], store: Store) -> InitialPoses:
    return AbInitio(store, photo_files[0].parent, settings=TINY).estimate(photo_files)


@pytest.fixture(scope="module")
def first(photo_files: list[Path], kept: Store, short_refinement: None) -> InitialPoses:
    """The result of a run from beginning to end."""
    return estimate(photo_files, kept)


def poses(initial: InitialPoses) -> torch.Tensor:
    return torch.stack([frame.T_camera_world for frame in initial.frames if frame is not None])


def climbs(store: Store) -> dict[str, int]:
    """Names of the climbs that are kept, with the time at which each was written."""
    files = (store.folder / "ab_initio").glob("*.npz")
    return {path.stem.partition("-")[2]: path.stat().st_mtime_ns for path in files}


@pytest.fixture
def climbed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one at each climb that is computed."""
    counted: list[int] = []
    climb = ArrangementSearch._climb

    def count(*arguments: object) -> Arrangement:
        counted.append(1)
        return climb(*arguments)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(ArrangementSearch, "_climb", count)
    return counted


def test_cameras_of_whole_photographs(first: InitialPoses) -> None:
    """Poses and intrinsics are those of the photographs, though the search sees crops."""
    assert [frame.name for frame in first.frames if frame is not None] == list("abcdef")
    true = se3.exp(torch.tensor([[0.0, 0, 0, x, y, 0] for x, y in AWAY]).double())[:, :3, :3]
    R = true @ torch.from_numpy(looking_from(*(np.array(a) for a in (AZIMUTHS_DEG, ELEVATIONS_DEG, [0.0] * 6))))
    errors = pairwise_rotation_errors_deg(poses(first), se3.pose(R, torch.zeros(6, 3).double()))
    assert errors.max() < 15
    focals = set()
    # The point that all cameras look at is where the object is, off the middle of the photographs.
    centre = nearest_to_rays(first)
    for frame, (x, y) in zip(first.frames, AWAY, strict=True):
        assert frame is not None and (frame.width, frame.height) == (160, 160)
        assert frame.file_path == f"{frame.name}.png" and frame.trusted
        focal = float(frame.K[0, 0])
        assert frame.K[:2, 2].tolist() == [80, 80] and focal == float(frame.K[1, 1])
        assert focal == pytest.approx(FOCAL_GUESS * 160, rel=0.1)
        focals.add(focal)
        shown = frame.K @ (frame.T_camera_world @ centre)[:3]
        expected = [80 + 272 * np.tan(y) / 1, 80 - 272 * np.tan(x) / np.cos(y)]
        assert (shown[:2] / shown[2]).tolist() == pytest.approx(expected, abs=6)
    assert len(focals) == 1, "shared intrinsics"
    assert first.jointly_fitted and (first.confidence > 0).all()


def nearest_to_rays(initial: InitialPoses) -> torch.Tensor:
    """The point, homogeneous, nearest to the rays on which the cameras see the object's middle."""
    A, b = torch.zeros(3, 3).double(), torch.zeros(3).double()
    for T, (x, y) in zip(poses(initial), AWAY, strict=True):
        world_camera = se3.inverse(T)
        axis = torch.tensor([np.tan(y), -np.tan(x) / np.cos(y), 1.0]).double()
        ray = torch.nn.functional.normalize(world_camera[:3, :3] @ axis, dim=0)
        across = torch.eye(3).double() - ray[:, None] * ray
        A, b = A + across, b + across @ world_camera[:3, 3]
    return torch.cat([torch.linalg.solve(A, b), torch.ones(1).double()])


def test_the_second_run_loads_all_climbs_and_says_what_it_guessed(
    photo_files: list[Path], kept: Store, first: InitialPoses, climbed: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    before = climbs(kept)
    assert {"explore-0", "explore-1", "polish-0", "decide"} <= set(before)
    again = estimate(photo_files, kept)
    assert climbed == [] and climbs(kept) == before
    assert torch.equal(poses(again), poses(first)) and torch.equal(again.confidence, first.confidence)
    lines = capsys.readouterr().err.splitlines()
    assert any("focal length of 6 photographs: a first guess of 1.7 longer sides" in line for line in lines)
    assert any(line.startswith("sparseags: ab-initio: ") and "mean loss" in line for line in lines)


class InterruptionError(Exception):
    """Raised as by the user, in the middle of the work."""


class Interrupter(Observer):
    """Stops the work at its second pause after the first climb has been kept."""

    def __init__(self, store: Store) -> None:
        self._store, self._pauses = store, 0

    def pause(self) -> None:
        self._pauses += bool(climbs(self._store))
        if self._pauses == 2:
            raise InterruptionError


def test_an_interrupted_run_goes_on_where_it_was(
    photo_files: list[Path], kept: Store, first: InitialPoses, climbed: list[int], tmp_path: Path
) -> None:
    """The result is that of a run from beginning to end, in every bit."""
    store = Store(tmp_path)
    with observed_by(Interrupter(store)), pytest.raises(InterruptionError):
        estimate(photo_files, store)
    before = climbs(store)
    assert before and "decide" not in before
    climbed.clear()
    again = estimate(photo_files, store)
    after = climbs(store)
    assert before.items() <= after.items(), "earlier climbs were not computed again"
    assert set(after) == set(climbs(kept)) and len(climbed) == len(after) - len(before)
    assert torch.equal(poses(again), poses(first)) and torch.equal(again.confidence, first.confidence)


def test_other_settings_and_other_photographs_do_not_share_climbs(
    photo_files: list[Path], kept: Store, first: InitialPoses, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys: list[str] = []

    def solve(self: AbInitio, crops: Crops, orders: object, key: str) -> list[refinement.Refined]:
        keys.append(key)
        raise InterruptionError

    monkeypatch.setattr(AbInitio, "solve", solve)
    scene = photo_files[0].parent
    plain = AbInitio(kept, scene, settings=TINY)
    for one, files in [
        (plain, photo_files),
        (replace(plain, settings=replace(TINY, climbs=2)), photo_files),
        (replace(plain, masks="others"), photo_files),
        (plain, photo_files[:4]),
        (plain, photo_files[::-1]),
    ]:
        with pytest.raises(InterruptionError):
            one.estimate(files)
    assert len(set(keys)) == 5
    known = {path.name[: len(keys[0])] for path in (kept.folder / "ab_initio").iterdir()}
    assert known == {keys[0]}


def test_too_few_photographs(snapshot: Callable[..., None]) -> None:
    check_number(3)
    with pytest.raises(PoseInitError) as error:
        check_number(2)
    snapshot(str(error.value))


def test_copies_are_no_other_photographs(crops: Crops, snapshot: Callable[..., None]) -> None:
    paths = [Path(f"photos/{name}.jpg") for name in "abcdef"]
    check_different(crops, paths)
    check_different(crops[[0, 1, 1, 2]], paths[:4])
    noisy = replace(crops.photos[1], rgb=(crops.photos[1].rgb + 0.01).clamp(max=1))
    with pytest.raises(PoseInitError) as error:
        check_different(Crops((crops.photos[0], crops.photos[1], noisy, crops.photos[1])), paths[:4])
    assert "b.jpg, c.jpg, d.jpg" in str(error.value) and "a.jpg" not in str(error.value)
    snapshot(str(error.value))


def test_cameras_on_one_side_are_no_arrangement(
    crops: Crops,
    orientations: np.ndarray,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    snapshot: Callable[..., None],
) -> None:
    same = np.tile(orientations[:1], (len(crops), 1, 1))
    nothing = joint_fit(crops, same, Effort(12, 0, 50))
    monkeypatch.setattr(ArrangementSearch, "run", lambda self: [nothing])
    with pytest.raises(PoseInitError) as error:
        AbInitio(Store(tmp_path), tmp_path).solve(crops, [], "key")
    snapshot(str(error.value))


def photo_file(path: Path, time: str | None) -> Path:
    exif = Image.Exif()
    if time is not None:
        exif[EXIF_IFD] = {DATE_TIME_ORIGINAL: time}
    Image.new("RGB", (4, 4)).save(path, exif=exif)
    return path


def test_photographs_are_in_the_order_of_their_numbers_or_of_the_clock(tmp_path: Path) -> None:
    numbers, times = (10, 9, 1, 100), ("08:00:00", "09:30:00", "07:00:00", "09:00:00")
    paths = [
        photo_file(tmp_path / f"IMG_{number}.jpg", f"2024:05:01 {time}")
        for number, time in zip(numbers, times, strict=True)
    ]
    assert capture_orders(paths) == [[2, 1, 0, 3], [2, 0, 3, 1]]


@pytest.mark.parametrize(
    "times",
    [
        ("07:00:00", None, "09:00:00"),
        ("07:00:00", "08:00:00", "08:00:00"),
        ("07:00:00", "08:00:00", "09:00:00"),
        (None, None, None),
    ],
)
def test_times_that_do_not_tell_an_order_of_their_own_are_left_out(
    tmp_path: Path, times: tuple[str | None, ...]
) -> None:
    """One lacks a time, two are equal, the order is that of the names, or there are no times at all."""
    paths = [
        photo_file(tmp_path / f"{name}.jpg", None if time is None else f"2024:05:01 {time}")
        for name, time in zip("abc", times, strict=True)
    ]
    assert capture_orders(paths) == [[0, 1, 2]]


def test_known_cameras_are_a_part_whatever_their_world(first: InitialPoses, tmp_path: Path) -> None:
    initialiser = AbInitio(store=Store(tmp_path), scene=tmp_path)
    known = [frame if number in (0, 2, 3) else None for number, frame in enumerate(first.frames)]
    part = dict(initialiser.starting_from(known).part)
    assert list(part) == [0, 2, 3]
    R = torch.tensor([part[number] for number in (0, 2, 3)]).reshape(3, 3, 3).double()
    true = torch.stack([frame.T_camera_world[:3, :3] for frame in known if frame is not None])
    assert torch.allclose(R @ R[0].T, true @ true[0].T, atol=1e-6)
    assert initialiser.starting_from([known[0], None]) is initialiser
