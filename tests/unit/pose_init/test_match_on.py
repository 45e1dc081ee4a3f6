"""Features on moving objects: which part of the photographs is matched, and which cameras are used.

A fake network sees points of a ball and of a wall behind it, and matches them by their numbers; COLMAP is the real one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from jaxtyping import Float
from PIL import Image, ImageDraw
from torch import Tensor

from sparseags_ns.geometry import se3
from sparseags_ns.geometry.cameras import orbit
from sparseags_ns.geometry.pose_errors import pose_errors
from sparseags_ns.pose_init.base import FOCAL_GUESS, InitialPoses, MatchOn, NoMasksError, PoseInitError, PoseRequest
from sparseags_ns.pose_init.estimation import cache_key, estimate_poses
from sparseags_ns.pose_init.features import features
from sparseags_ns.pose_init.features.features import Features
from sparseags_ns.pose_init.features.mapping import VIRTUAL_PX
from sparseags_ns.pose_init.features.matching import KeyPoints, ScoredMatches, pairs_to_match
from sparseags_ns.pose_init.features.on_object import MARGIN_PX, MIN_EVIDENCE, points_on_object, share_kept
from sparseags_ns.preprocess import rembg_masks
from sparseags_ns.preprocess.mask_plan import MaskPlan
from sparseags_ns.preprocess.photo_files import read_photo_file
from sparseags_ns.preprocess.store import Store

needs_colmap = pytest.mark.skipif(find_spec("pycolmap") is None, reason="needs pycolmap (the extra `features`)")

SIZE = (160, 120)
VIEWS, RADIUS, DISTANCE = 4, 0.4, 3.0
ON_BALL, ON_WALL = 120, 240
STEP_DEG = 14.0


@dataclass
class Scene:
    """Photographs of a ball before a wall, and what a network would find in them."""

    folder: Path
    T_camera_wall: Float[Tensor, "views 4 4"]
    T_camera_ball: Float[Tensor, "views 4 4"]
    ball_score: float = 0.9
    wall_score: float = 0.9
    wall_noise_px: float = 0.3
    matched: list[int] = field(default_factory=list)
    """Number of matches of each pair that the network has matched."""

    def __post_init__(self) -> None:
        self.paths = [self.folder / f"{view}.png" for view in range(VIEWS)]
        for view, path in enumerate(self.paths):
            Image.new("RGB", SIZE, (view, 90, 90)).save(path)

    def draw_masks(self, folder: str = "masks") -> None:
        (self.folder / folder).mkdir()
        for path, T in zip(self.paths, self.T_camera_ball, strict=True):
            scale = SIZE[0] / VIRTUAL_PX
            (x, y), radius = project(T, np.zeros((1, 3)))[0] * scale, FOCAL_GUESS * SIZE[0] * RADIUS / DISTANCE * 1.05
            mask = Image.new("L", SIZE)
            ImageDraw.Draw(mask).ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
            mask.save(self.folder / folder / path.name)

    def key_points(self, path: Path) -> KeyPoints:
        view = self.paths.index(path)
        generator = np.random.default_rng(0)
        ball = generator.normal(size=(ON_BALL, 3))
        ball *= RADIUS * generator.uniform(0.7, 1, (ON_BALL, 1)) / np.linalg.norm(ball, axis=1, keepdims=True)
        # The wall is uneven, and beside the ball.
        wall = generator.uniform((-1.4, -1.0, -1.0), (1.4, 1.0, -0.3), (ON_WALL, 3))
        wall[:, 0] += np.sign(wall[:, 0]) * 0.7
        noise = np.random.default_rng(view).normal(size=(ON_BALL + ON_WALL, 2))
        noise *= np.repeat([0.3, self.wall_noise_px], (ON_BALL, ON_WALL))[:, None]
        seen = (
            np.concatenate([project(self.T_camera_ball[view], ball), project(self.T_camera_wall[view], wall)]) + noise
        )
        count = len(seen)
        # The first descriptor says which point it is.
        numbers = np.arange(count, dtype=np.float32)[:, None]
        size = np.array([VIRTUAL_PX, VIRTUAL_PX * 3 / 4], np.float32)
        colors = np.full((count, 3), 0.5, np.float32)
        return KeyPoints(seen.astype(np.float32), numbers, np.ones(count, np.float32), colors, size)

    def match(self, first: KeyPoints, second: KeyPoints) -> ScoredMatches:
        _, *indices = np.intersect1d(first.descriptors[:, 0], second.descriptors[:, 0], return_indices=True)
        pairs = np.stack(indices, axis=1)
        on_ball = first.descriptors[pairs[:, 0], 0] < ON_BALL
        self.matched.append(len(pairs))
        return ScoredMatches(pairs, np.where(on_ball, self.ball_score, self.wall_score).astype(np.float32))

    def error_deg(self, initial: InitialPoses, true: Float[Tensor, "views 4 4"]) -> float:
        """Largest error of the relative rotations; all photographs must have a camera."""
        poses = [frame.T_camera_world for frame in initial.frames if frame is not None]
        assert len(poses) == VIEWS
        return float(pose_errors(torch.stack(poses), true).pairs_rotation_deg.max())


def project(T: Tensor, points: np.ndarray) -> np.ndarray:
    """Where a camera with the focal length of the first guess sees the points, in virtual pixels."""
    camera = points @ T[:3, :3].numpy().T + T[:3, 3].numpy()
    return camera[:, :2] / camera[:, 2:] * FOCAL_GUESS * VIRTUAL_PX + np.array([VIRTUAL_PX, VIRTUAL_PX * 3 / 4]) / 2


@pytest.fixture
def make_scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Scene]:
    """`make_scene(camera_deg, ball_deg)`: steps of the camera around the scene, and of the ball on the spot."""

    def make(camera_deg: float, ball_deg: float, masks: bool = True, **options: Any) -> Scene:
        steps = torch.arange(VIEWS).double()
        T_camera_wall = orbit(camera_deg * steps, torch.full((VIEWS,), 15.0).double(), DISTANCE)
        turns = torch.zeros(VIEWS, 6, dtype=torch.float64)
        turns[:, 4] = torch.deg2rad(ball_deg * steps)
        scene = Scene(tmp_path, T_camera_wall, T_camera_wall @ se3.exp(turns), **options)
        if masks:
            scene.draw_masks()
        monkeypatch.setattr(features, "missing_packages", lambda: None)
        monkeypatch.setattr(rembg_masks, "missing", lambda: "the package rembg is not installed")
        monkeypatch.setattr(Features, "_extract", lambda self, path: scene.key_points(path))
        monkeypatch.setattr(Features, "_match", lambda self, first, second: scene.match(first, second))
        return scene

    return make


@needs_colmap
@pytest.mark.parametrize("camera_deg, ball_deg", [(0, STEP_DEG), (STEP_DEG, -2 * STEP_DEG)], ids=["turntable", "hand"])
def test_cameras_around_an_object_that_moves_come_from_the_object(
    make_scene: Callable[..., Scene], capsys: pytest.CaptureFixture[str], camera_deg: float, ball_deg: float
) -> None:
    scene = make_scene(camera_deg, ball_deg)
    everything = estimate_poses(scene.paths, "features", match_on="everything")
    assert everything.num_usable < VIEWS or scene.error_deg(everything, scene.T_camera_ball) > 20
    capsys.readouterr()
    for match_on in ("auto", "object"):
        initial = estimate_poses(scene.paths, "features", match_on=match_on)
        assert scene.error_deg(initial, scene.T_camera_ball) < 1 and initial.doubt is None
    lines = [line for line in capsys.readouterr().err.splitlines() if "features: matched" in line]
    assert len(lines) == 1 and "matched on the object alone, which places 4 (everything places" in lines[0]
    assert "it has moved before its background)" in lines[0]


@needs_colmap
def test_where_nothing_moves_everything_is_matched_and_nothing_else(
    make_scene: Callable[..., Scene], capsys: pytest.CaptureFixture[str]
) -> None:
    scene = make_scene(STEP_DEG, 0)
    initial = estimate_poses(scene.paths, "features")
    assert scene.error_deg(initial, scene.T_camera_wall) < 0.5 and initial.doubt is None
    assert scene.matched == [ON_BALL + ON_WALL] * 6
    assert "features: matched" not in capsys.readouterr().err


@needs_colmap
def test_the_object_is_matched_where_everything_leaves_photographs_out(
    make_scene: Callable[..., Scene], capsys: pytest.CaptureFixture[str]
) -> None:
    """The wall looks so much alike everywhere that the matcher is unsure of whole photographs."""
    scene = make_scene(STEP_DEG, 0, wall_score=0.3, wall_noise_px=100)
    initial = estimate_poses(scene.paths, "features")
    assert scene.error_deg(initial, scene.T_camera_ball) < 1
    assert "which places 4 (everything places 0 of 4 photographs)" in capsys.readouterr().err


@needs_colmap
def test_an_object_that_has_moved_and_cannot_be_matched_leaves_a_doubt(make_scene: Callable[..., Scene]) -> None:
    scene = make_scene(STEP_DEG, -2 * STEP_DEG, ball_score=0.3)
    initial = estimate_poses(scene.paths, "features")
    assert initial.num_registered == VIEWS and initial.doubt is not None
    assert initial.doubt.endswith("it has moved before its background; the object alone places 0")


@needs_colmap
@pytest.mark.parametrize("share", [0.0, 0.95])
def test_masks_that_hold_none_or_nearly_all_of_the_key_points_ask_for_nothing_more(
    make_scene: Callable[..., Scene], monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    scene = make_scene(0, STEP_DEG)

    def first(photo_files: object, points: Sequence[KeyPoints], plan: MaskPlan) -> list[np.ndarray]:
        return [np.arange(len(found.positions)) < share * len(found.positions) for found in points]

    monkeypatch.setattr(features, "points_on_object", first)
    estimate_poses(scene.paths, "features")
    assert len(scene.matched) == 6, "each pair was matched once"


@needs_colmap
@pytest.mark.parametrize("with_masks", [True, False])
def test_without_usable_masks_auto_stays_with_everything(
    make_scene: Callable[..., Scene], capsys: pytest.CaptureFixture[str], with_masks: bool
) -> None:
    scene = make_scene(0, STEP_DEG, masks=with_masks)
    if with_masks:
        (scene.folder / "masks/2.png").unlink()
    estimate_poses(scene.paths, "features")
    assert max(scene.matched) == ON_BALL + ON_WALL and len(scene.matched) == 6
    said = capsys.readouterr().err
    assert ("features: matched on everything (nothing tells the object" in said) == with_masks
    assert ("masks: none" in said) != with_masks


def test_matching_on_the_object_without_masks_is_refused(
    make_scene: Callable[..., Scene], snapshot: Callable[..., None]
) -> None:
    scene = make_scene(0, STEP_DEG, masks=False)
    with pytest.raises(NoMasksError) as error:
        estimate_poses(scene.paths, "features", match_on="object")
    snapshot(str(error.value), "none_found", SCENE=scene.folder)
    with pytest.raises(PoseInitError) as error:
        estimate_poses(scene.paths, "auto", match_on="object")
    snapshot(str(error.value), "automatic", SCENE=scene.folder)
    with pytest.raises(PoseInitError) as error:
        estimate_poses(scene.paths, "features", match_on="object", masks="none")
    snapshot(str(error.value), "switched_off", SCENE=scene.folder)
    with pytest.raises(PoseInitError) as error:
        estimate_poses(scene.paths, "ab-initio", match_on="object")
    snapshot(str(error.value), "another_initialiser", SCENE=scene.folder)


def test_results_are_filed_by_what_was_matched_and_by_the_masks(make_scene: Callable[..., Scene]) -> None:
    scene = make_scene(0, STEP_DEG)
    request = PoseRequest(scene.paths, scene.folder, Store(scene.folder / "store"))

    choices: tuple[MatchOn, ...] = ("auto", "everything", "object")

    def keys() -> dict[str, str]:
        made = {one: Features.create(replace(request, match_on=one)) for one in choices}
        return {one: cache_key(initialiser, scene.paths) for one, initialiser in made.items()}

    before = keys()
    assert len(set(before.values())) == 3
    Image.new("L", SIZE, 255).save(scene.folder / "masks/0.png")
    changed = {one for one, key in keys().items() if key != before[one]}
    assert changed == {"auto", "object"}, "masks do not matter where everything is matched"


def test_key_points_beside_the_mask_count_as_the_object_up_to_a_margin(tmp_path: Path) -> None:
    (tmp_path / "masks").mkdir()
    Image.new("RGB", (512, 384)).save(tmp_path / "0.png")
    mask = Image.new("L", (512, 384))
    ImageDraw.Draw(mask).rectangle((100, 100, 199, 199), fill=255)  # 200 to 400 in virtual pixels
    mask.save(tmp_path / "masks/0.png")
    x = np.array([300, 400 + MARGIN_PX - 1, 400 + MARGIN_PX + 1, 199 - MARGIN_PX, 1024, 0], np.float32)
    positions = np.stack([x, np.full(len(x), 300, np.float32)], axis=1)
    blank = np.zeros((len(x), 3), np.float32)
    points = KeyPoints(positions, blank, blank[:, 0], blank, np.array([1024, 768], np.float32))
    photo_file = read_photo_file(tmp_path / "0.png")
    (found,) = points_on_object([photo_file], [points], MaskPlan("given", tmp_path / "masks"))
    assert found.tolist() == [True, True, False, False, False, False]


def test_the_share_kept_counts_pairs_that_are_known_twice_and_needs_some_matches() -> None:
    matches = np.stack([np.arange(60)] * 2, axis=1)
    everything = {(0, 1): matches[:15], (0, 2): matches[:0]}
    assert share_kept(everything, {(0, 1): matches, (0, 2): matches}) == 0.25
    assert share_kept(everything, {(0, 1): matches[: MIN_EVIDENCE - 1], (0, 2): matches}) is None


def test_a_photograph_without_key_points_has_no_likely_neighbours() -> None:
    generator = np.random.default_rng(0)

    def points(count: int) -> KeyPoints:
        blank = np.zeros((count, 3), np.float32)
        descriptors = generator.normal(size=(count, 8)).astype(np.float32)
        return KeyPoints(blank[:, :2], descriptors, blank[:, 0], blank, np.array([1024, 768], np.float32))

    settings = Features(Store(Path())).matching
    assert len(pairs_to_match([points(0), *(points(5) for _ in range(24))], settings)) > 0
