"""A scene on disk: its folder, its photographs, and the cameras they start with, given or estimated."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from sparseags_ns.console import announce, warn
from sparseags_ns.formats.frame import Frame
from sparseags_ns.formats.image_paths import PHOTO_ENDINGS, PHOTO_FOLDERS
from sparseags_ns.pose_init.base import InitialPoses, PoseInitError
from sparseags_ns.pose_init.cache import place_as_asked
from sparseags_ns.pose_init.choice import PoseInitName, choose_estimator
from sparseags_ns.pose_init.files import FromFiles, find_pose_file
from sparseags_ns.pose_init.id_pose.id_pose import masks_fingerprint
from sparseags_ns.preprocess.photographs import list_photographs, listed
from sparseags_ns.preprocess.store import Store
from sparseags_ns.scene.unregistered import UNPLACED, MissingPoses, all_unplaced, with_unplaced
from sparseags_ns.views import PointCloud

FEWEST_VIEWS = 2
FEW_VIEWS = 3
MANY_VIEWS = 24
MOST_VIEWS = 64


class SceneError(ValueError):
    """The folder of a scene cannot be used."""


@dataclass(frozen=True)
class PosedPhotograph:
    """A photograph on disk and what its pose file, or an initialiser, says of it."""

    path: Path
    frame: Frame
    confidence: float = 1.0
    """1 for a pose that was given, 0 for a photograph that no pose was found for."""
    pose_lr_scale: float = 1.0
    """How far refinement may move the camera (`Views.pose_lr_scale`)."""


@dataclass(frozen=True)
class FoundScene:
    """The photographs of a scene with their initial cameras, by file name."""

    photographs: tuple[PosedPhotograph, ...]
    points: PointCloud | None
    pose_source: str


def find_scene(
    scene: Path,
    poses: Path | None,
    missing_poses: MissingPoses,
    pose_init: PoseInitName,
    store: Store,
    *,
    pose_weights: str = "auto",
) -> FoundScene:
    """Find photographs and initial cameras.

    Args:
        scene: the folder.
        poses: the file to take the cameras from; None looks for one in the folder.
        missing_poses: what becomes of photographs that the file has no pose for.
        pose_init: who finds the cameras.
        store: where cameras that had to be estimated are kept.
        pose_weights: of the estimator, see `choose_estimator`.

    Raises:
        SceneError: there are no photographs that could be used.
        PoseInitError, PoseFileError: there are, but no cameras to start from; `find_bare_scene` finds the rest.
    """
    _require_folder(scene)
    pose_file = find_pose_file(scene, poses) if pose_init in ("auto", "files") else None
    if pose_file is not None:
        return _given(scene, pose_file, missing_poses)
    if poses is not None:
        raise SceneError(f"poses from {poses} and from {pose_init} were both asked for; ask for one of them")
    photographs = _photographs(scene, ())
    _check_number(len(photographs), scene)
    initial, name = place_as_asked(
        f"{pose_init} {pose_weights} {masks_fingerprint(scene) if pose_init == 'id-pose' else ''}",
        photographs,
        store,
        lambda: choose_estimator(pose_init, len(photographs), scene, store, pose_weights),
    )
    initial = with_unplaced(photographs, initial, name)
    posed = zip(photographs, initial.frames, initial.confidence.tolist(), initial.freedoms, strict=True)
    found = tuple(PosedPhotograph(path, frame, *rest) for path, frame, *rest in posed if frame is not None)
    return FoundScene(found, initial.points, f"the initialiser {name}")


def find_bare_scene(scene: Path) -> FoundScene:
    """The photographs of a scene whose cameras nobody knows: all unplaced, with a confidence of 0."""
    _require_folder(scene)
    photographs = _photographs(scene, ())
    _check_number(len(photographs), scene)
    bare = zip(photographs, all_unplaced(photographs), strict=True)
    return FoundScene(tuple(PosedPhotograph(path, frame, 0.0) for path, frame in bare), None, "none")


def _given(scene: Path, pose_file: Path, missing_poses: MissingPoses) -> FoundScene:
    """A scene whose cameras somebody else has written down."""
    initialiser = FromFiles(scene, pose_file)
    photographs = _photographs(scene, initialiser.named_photographs)
    initialiser.require_photographs(photographs)
    initial = initialiser.place(photographs)
    if missing_poses == "search":
        initial = with_unplaced(photographs, initial, str(pose_file))
    posed = _posed(photographs, initial, pose_file, missing_poses)
    _check_number(len(posed), scene)
    _check_trust(posed, pose_file)
    return FoundScene(posed, initial.points, str(pose_file))


def _require_folder(scene: Path) -> None:
    """Make sure that the scene is a folder which can be read."""
    if not os.path.exists(scene):
        raise SceneError(f"no such folder: {scene}; expected the folder of a scene, with photographs in it")
    if not scene.is_dir():
        raise SceneError(f"{scene} is a file; expected the folder of a scene, with photographs in it")
    if not os.access(scene, os.R_OK | os.X_OK):
        raise SceneError(f"cannot read the folder {scene}: permission denied; make it readable")


def _photographs(scene: Path, named: Collection[Path]) -> tuple[Path, ...]:
    """All photographs of the folders that the named ones lie in; where none is named, of the first likely folder."""
    likely = [folder for folder in (*(scene / name for name in PHOTO_FOLDERS), scene) if folder.is_dir()]
    if named:
        photographs = [path for folder in sorted({p.parent for p in named}) for path in list_photographs(folder)]
    else:
        photographs = next((found for folder in likely if (found := list_photographs(folder))), ())
    if not photographs:
        raise SceneError(
            f"no photographs in {scene}: looked there and in {', '.join(f'{name}/' for name in PHOTO_FOLDERS)} for "
            f"files that end in {', '.join(PHOTO_ENDINGS)}"
        )
    _check_names(photographs)
    return tuple(photographs)


def _posed(
    photographs: Sequence[Path], initial: InitialPoses, pose_file: Path, missing_poses: MissingPoses
) -> tuple[PosedPhotograph, ...]:
    """The photographs that have a pose, or a stand-in for one."""
    pairs = list(zip(photographs, initial.frames, initial.confidence.tolist(), initial.freedoms, strict=True))
    bare = [path.name for path, frame, *_ in pairs if frame is None]
    if bare and missing_poses == "refuse":
        raise PoseInitError(
            f"{pose_file} has no pose for {len(bare)} of the {len(pairs)} photographs in "
            f"{photographs[0].parent}: {listed(bare)}. Add their poses, have training look for their places "
            "with the option missing-poses = search, or leave them out with missing-poses = leave-out"
        )
    if bare:
        warn(f"left out: {listed(bare)}", f"no pose in {pose_file}")
    return tuple(PosedPhotograph(path, frame, *rest) for path, frame, *rest in pairs if frame is not None)


def _check_names(photographs: Sequence[Path]) -> None:
    """Refuse photographs that differ only in their ending or their folder."""
    first: dict[str, Path] = {}
    for path in photographs:
        if path.stem in first:
            raise SceneError(
                f"two photographs have the name '{path.stem}': {first[path.stem]} and {path}; rename one of them, or "
                "move it out of the way"
            )
        first[path.stem] = path


def _check_number(views: int, scene: Path) -> None:
    """Refuse too few and too many views; say what a borderline number means."""
    if not FEWEST_VIEWS <= views <= MOST_VIEWS:
        raise SceneError(
            f"{views} {'photograph' if views == 1 else 'photographs'} in {scene}; expected {FEWEST_VIEWS} to "
            f"{MOST_VIEWS}, 4 to 16 views from all around the object are best"
        )
    if views < FEW_VIEWS:
        warn(f"{views} views", "fewer than 3 seldom fix both shape and poses")
    elif views > MANY_VIEWS:
        announce(f"{views} views", "every view is rendered in every step, so the time grows in proportion to them")


def _check_trust(posed: Sequence[PosedPhotograph], pose_file: Path) -> None:
    """Say which views the pose file does not trust; refuse it if too few remain."""
    given = [photograph for photograph in posed if not photograph.frame.extra.get(UNPLACED)]
    doubted = [photograph.path.stem for photograph in given if not photograph.frame.trusted]
    if len(given) - len(doubted) < FEWEST_VIEWS:
        raise PoseInitError(
            f"{pose_file} trusts only {len(given) - len(doubted)} of its {len(given)} views ('flag' is 0 for the "
            f"others); expected at least {FEWEST_VIEWS}"
        )
    if doubted:
        announce(f"not trusted: {listed(doubted)}", f"'flag' is 0 in {pose_file}")
