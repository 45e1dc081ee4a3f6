"""Poses from what photographs have in common: matches into COLMAP, and the whole way on real photographs."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sparseags_ns.formats.frame import Frame, intrinsics_matrix
from sparseags_ns.formats.poses import read_poses
from sparseags_ns.geometry import se3
from sparseags_ns.geometry.cameras import orbit
from sparseags_ns.geometry.pose_errors import pose_errors
from sparseags_ns.pose_init.base import InitialPoses, PoseInitError
from sparseags_ns.pose_init.features import features
from sparseags_ns.pose_init.features.features import Features, missing_packages
from sparseags_ns.pose_init.features.mapping import VIRTUAL_PX, Shot, map_shots
from sparseags_ns.pose_init.features.matching import KeyPoints, MatchingSettings, ScoredMatches, pairs_to_match
from sparseags_ns.preprocess.store import Store
from sparseags_ns.scene.finding import UNREGISTERED, with_stand_ins
from sparseags_ns.scene.reading import ReadingOptions, read_scene

FOCAL = 1100.0
SIZE = (800, 600)

needs_colmap = pytest.mark.skipif(find_spec("pycolmap") is None, reason="needs pycolmap (the extra `features`)")
needs_all = pytest.mark.skipif(missing_packages() is not None, reason=f"features: {missing_packages()}")


def ring(count: int) -> torch.Tensor:
    steps = torch.arange(count).double()
    return orbit(15.0 * steps, 10.0 + 8.0 * (steps % 3), 3.0)


def seen(T: torch.Tensor, points: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Where a camera of 800 x 600 pixels sees the points, in virtual pixels."""
    camera = points @ T[:3, :3].numpy().T + T[:3, 3].numpy()
    focal = FOCAL * VIRTUAL_PX / SIZE[0]
    return camera[:, :2] / camera[:, 2:] * focal + np.array([VIRTUAL_PX, VIRTUAL_PX * 3 / 4]) / 2 + noise


def shots_of(poses: torch.Tensor, stranger: bool) -> tuple[list[Shot], dict[tuple[int, int], np.ndarray]]:
    """Photographs that all see the same 200 points, and one more that sees none of them."""
    generator = np.random.default_rng(0)
    points, colors = generator.uniform(-0.5, 0.5, (200, 3)), np.full((200, 3), 0.25)
    shots = [
        Shot(Path(f"{i}.png"), SIZE, FOCAL, seen(T, points, generator.normal(0, 0.3, (200, 2))), colors)
        for i, T in enumerate(poses)
    ]
    same = np.stack([np.arange(200)] * 2, axis=1)
    matches = dict.fromkeys(combinations(range(len(shots)), 2), same)
    if stranger:
        shots.append(Shot(Path("stranger.png"), SIZE, FOCAL, generator.uniform(0, 600, (200, 2)), colors))
        matches |= {(i, len(poses)): same[:40] for i in range(len(poses))}
    return shots, matches


@needs_colmap
def test_cameras_are_found_from_matches_with_their_intrinsics() -> None:
    poses = ring(5)
    initial = map_shots(*shots_of(poses, stranger=False), seed=0)
    assert all(frame is not None for frame in initial.frames) and (initial.confidence > 0.7).all()
    assert initial.pose_lr_scale is not None and (initial.pose_lr_scale == 0).all(), "nothing is left to be refined"
    errors = pose_errors(torch.stack([frame.T_camera_world for frame in initial.frames if frame is not None]), poses)
    assert errors.pairs_rotation_deg.max() < 0.2 and errors.center.max() < 0.01
    first = initial.frames[0]
    assert first is not None and (first.name, first.width, first.height) == ("0", *SIZE)
    assert first.intrinsics[:2] == pytest.approx((FOCAL, FOCAL), rel=0.02)
    assert first.intrinsics[2:] == pytest.approx((400, 300), abs=1)
    assert initial.points is not None and len(initial.points.positions) == 200
    assert torch.allclose(initial.points.colors, torch.tensor(0.25).double())
    # The points are in the world of the cameras: they project where they were seen.
    T = first.T_camera_world
    depths = initial.points.positions @ T[2, :3] + T[2, 3]
    assert (depths > 0).all()


@needs_colmap
def test_the_same_matches_give_the_same_cameras() -> None:
    first, again = (map_shots(*shots_of(ring(4), stranger=False), seed=0) for _ in range(2))
    for a, b in zip(first.frames, again.frames, strict=True):
        assert a is not None and b is not None and torch.equal(a.T_camera_world, b.T_camera_world)


@needs_colmap
def test_a_photograph_of_something_else_is_not_registered() -> None:
    initial = map_shots(*shots_of(ring(4), stranger=True), seed=0)
    assert [frame is None for frame in initial.frames] == [False] * 4 + [True]
    assert initial.confidence[4] == 0
    assert initial.pose_lr_scale is not None and initial.pose_lr_scale[4] == 1


@needs_colmap
def test_photographs_that_have_nothing_in_common_are_not_registered() -> None:
    shots, _ = shots_of(ring(3), stranger=False)
    none = {pair: np.zeros((0, 2), np.int64) for pair in combinations(range(3), 2)}
    assert map_shots(shots, none, seed=0).frames == (None,) * 3


def points_of(descriptors: np.ndarray) -> KeyPoints:
    count = len(descriptors)
    ones = np.ones(count, np.float32)
    size = np.array([1024.0, 768.0], np.float32)
    return KeyPoints(np.zeros((count, 2), np.float32), descriptors, ones, np.zeros((count, 3), np.float32), size)


def test_few_photographs_are_all_compared_and_many_with_their_likeliest_neighbours() -> None:
    generator = np.random.default_rng(0)
    families = [np.linalg.qr(generator.normal(size=(64, 64)))[0][:20].astype(np.float32) for _ in range(2)]
    assert len(pairs_to_match([points_of(families[0])] * 5, MatchingSettings())) == 10
    # 24 photographs of two objects.
    points = [points_of(families[i % 2] + generator.normal(0, 0.02, (20, 64)).astype(np.float32)) for i in range(24)]
    pairs = pairs_to_match(points, MatchingSettings())
    assert len(pairs) < 24 * 23 / 2
    assert all(a % 2 == b % 2 for a, b in pairs)
    assert all(a < b for a, b in pairs)


def test_an_interrupted_search_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [tmp_path / f"{name}.png" for name in "abc"]
    for index, path in enumerate(paths):
        Image.new("RGB", (16, 16), (index, 0, 0)).save(path)
    work: list[str] = []

    def extract(self: Features, path: Path) -> KeyPoints:
        work.append(path.name)
        return points_of(np.zeros((3, 8), np.float32))

    def match(self: Features, first: KeyPoints, second: KeyPoints) -> ScoredMatches:
        work.append("pair")
        if work.count("pair") == 2:
            raise KeyboardInterrupt
        return ScoredMatches(np.zeros((0, 2), np.int64), np.zeros(0, np.float32))

    monkeypatch.setattr(Features, "_extract", extract)
    monkeypatch.setattr(Features, "_match", match)
    unregistered = InitialPoses((None,) * 3, torch.zeros(3))
    monkeypatch.setattr(features, "map_shots", lambda shots, matches, seed: unregistered)
    with pytest.raises(KeyboardInterrupt):
        Features(Store(tmp_path / "kept")).estimate(paths)
    assert work == ["a.png", "b.png", "c.png", "pair", "pair"]
    work[:] = ["pair"] * 3
    Features(Store(tmp_path / "kept")).estimate(paths)
    assert work == ["pair"] * 5, "two pairs were left, and no photograph"


def registered(paths: list[Path], count: int) -> InitialPoses:
    frames = [
        Frame(path.stem, path.name, T, intrinsics_matrix(120.0, 120.0, 50.0, 40.0), 100, 80)
        for path, T in zip(paths[:count], ring(count), strict=True)
    ]
    sure = torch.tensor([0.5, 0.9, *[0.4] * 10])[:count]
    rest = len(paths) - count
    return InitialPoses((*frames, *[None] * rest), torch.cat([sure, torch.zeros(rest)]))


@needs_all
@pytest.mark.parametrize(("width", "seen_width"), [(1500, 1024), (1024, 1024), (640, 1024), (200, 400)])
def test_key_points_are_looked_for_at_one_size_whatever_the_photographs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: int, seen_width: int
) -> None:
    """A fake network that finds the brightest spot and says how large a photograph it was shown."""
    widths: list[int] = []

    def brightest(data: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        image = data["image"][0].mean(0)
        widths.append(image.shape[1])
        rows, columns = (image > 0.9 * image.max()).nonzero().float().mean(0)
        return {
            "keypoints": torch.stack([columns, rows])[None, None],
            "descriptors": torch.zeros(1, 1, 4),
            "keypoint_scores": torch.ones(1, 1),
        }

    class Brightest(Features):
        _extractor = property(lambda _: brightest)  # pyright: ignore[reportAssignmentType]

    height = width * 3 // 4
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[
        height // 3 - width // 40 : height // 3 + width // 40, width // 4 - width // 40 : width // 4 + width // 40
    ] = 255
    Image.fromarray(pixels).save(tmp_path / "0.png")
    found = Brightest(Store(tmp_path / "store"))._points(tmp_path / "0.png", "key")
    assert widths == [seen_width]
    assert found.positions[0] == pytest.approx([VIRTUAL_PX / 4, VIRTUAL_PX / 4], abs=2.5)
    assert found.size == pytest.approx([VIRTUAL_PX, 0.75 * VIRTUAL_PX])


def test_photographs_that_could_not_be_registered_start_untrusted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [tmp_path / f"{name}.png" for name in "abcd"]
    for path in paths:
        Image.new("RGB", (200, 160)).save(path)
    initial = with_stand_ins(paths, registered(paths, 3), "features")
    stand_in = initial.frames[3]
    assert stand_in is not None and not stand_in.trusted and stand_in.extra == {UNREGISTERED: True}
    assert stand_in.intrinsics == pytest.approx((240.0, 240.0, 100.0, 80.0))
    surest = initial.frames[1]
    assert surest is not None and torch.equal(stand_in.T_camera_world, surest.T_camera_world)
    assert initial.confidence[3] == 0
    assert "no pose from features for d.png" in capsys.readouterr().err


def test_too_few_registered_photographs_are_refused(tmp_path: Path, snapshot: Callable[..., None]) -> None:
    paths = [tmp_path / f"{name}.png" for name in "abcd"]
    with pytest.raises(PoseInitError) as error:
        with_stand_ins(paths, registered(paths, 1), "features")
    snapshot(str(error.value), SCENE=tmp_path)


def test_cameras_side_by_side_that_look_the_same_way_are_refused(tmp_path: Path, snapshot: Callable[..., None]) -> None:
    """The mapper finds such cameras where something moves before a still background."""
    paths = [tmp_path / f"{name}.png" for name in "abcd"]
    initial = registered(paths, 4)
    rotated = [frame and replace(frame, T_camera_world=torch.eye(4).double()) for frame in initial.frames]
    for index, frame in enumerate(rotated):
        assert frame is not None
        frame.T_camera_world[:3, :3] = se3.exp(torch.tensor([0, 0, 0, 0, 0.01 * index, 0]).double())[:3, :3]
    with pytest.raises(PoseInitError) as error:
        with_stand_ins(paths, replace(initial, frames=tuple(rotated)), "features")
    snapshot(str(error.value), SCENE=tmp_path)


@pytest.fixture
def fox(shared_data: Path, tmp_path: Path) -> Callable[[], tuple[Path, dict[str, Frame]]]:
    """Four neighbouring photographs, one of them at half its size and one rotated by EXIF; their true cameras."""

    def make() -> tuple[Path, dict[str, Frame]]:
        source = shared_data / "photos/fox"
        truth = {Path(frame.file_path).name: frame for frame in read_poses(source / "transforms.json")}
        names = ["0001.jpg", "0006.jpg", "0012.jpg", "0018.jpg"]
        for name in names:
            shutil.copy(source / "images" / name, tmp_path / name)
        half = Image.open(tmp_path / names[1])
        half.resize((half.width // 2, half.height // 2), Image.Resampling.BOX).save(tmp_path / names[1], quality=95)
        exif = Image.Exif()
        exif[0x0112] = 8  # the stored raster is to be rotated by a quarter, counter-clockwise
        turned = Image.open(tmp_path / names[2]).transpose(Image.Transpose.ROTATE_270)
        turned.save(tmp_path / names[2], quality=95, exif=exif)
        return tmp_path, {Path(name).stem: truth[name] for name in names}

    return make


@needs_all
@pytest.mark.slow
def test_real_photographs_of_several_sizes_and_orientations_are_registered_and_read(
    fox: Callable[[], tuple[Path, dict[str, Frame]]],
) -> None:
    scene, truth = fox()
    found = read_scene(scene, ReadingOptions(masks="none", resolution=96))
    views = found.views
    assert (found.confidence > 0.5).all() and views.trusted.all() and views.points is not None
    true = torch.stack([truth[name].T_camera_world for name in views.names])
    errors = pose_errors(views.cameras.T_camera_world, true)
    assert errors.pairs_rotation_deg.max() < 2 and errors.center.max() < 0.1
    assert views.images.shape == (4, 96, 54, 3)
    focals = views.cameras.K[:, 0, 0]
    assert focals.max() / focals.min() < 1.02, "one camera took them all"
