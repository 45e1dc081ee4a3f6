"""A scene on disk: its folder, its photo files, and their initial cameras, from a pose file or an initialiser.

Unregistered photographs get stand-in cameras, which stay untrusted until the outlier search registers them. Cameras of
which the initialiser is not sure are refused unless they are allowed, or chosen among the alternatives.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import torch
from jaxtyping import Float
from torch import Tensor
from tyro.conf import arg

from sparseags_ns.console import announce, warn
from sparseags_ns.formats.colmap import Observations
from sparseags_ns.formats.companions import companions, is_companion_folder
from sparseags_ns.formats.frame import (
    PHOTO_ENDINGS,
    PHOTO_FOLDERS,
    Frame,
    PoseFileError,
    file_labels,
    intrinsics_matrix,
    photo_names,
)
from sparseags_ns.formats.mask_keys import NamedMask
from sparseags_ns.geometry import se3
from sparseags_ns.geometry.alignment import AlignmentError, axes_meeting_point
from sparseags_ns.pose_init.base import (
    FOCAL_GUESS,
    LEAST_CONFIDENCE,
    MIN_REGISTERED,
    InitialPoses,
    MatchOn,
    PoseInitError,
)
from sparseags_ns.pose_init.estimation import PoseInitName, estimate_poses
from sparseags_ns.pose_init.files import FromFiles, find_pose_file
from sparseags_ns.pose_init.photo_orientation import decide_orientations
from sparseags_ns.preprocess.mask_plan import MASKS_FOLDER, Masks
from sparseags_ns.preprocess.masks import mask_files
from sparseags_ns.preprocess.photo_files import PhotoFile, list_photo_files, listed, read_photo_file, warn_of_skipped
from sparseags_ns.preprocess.posed_photo_files import PosedPhotoFile, posed_photo_file
from sparseags_ns.preprocess.store import Store
from sparseags_ns.views import PointCloud

MIN_VIEWS = 2
"""Fewer views are refused."""
FEW_VIEWS = 3
"""Fewer views are warned of."""
MANY_VIEWS = 24
"""More views are announced to take long."""
MAX_VIEWS = 64
"""More views are refused."""

MissingPoses = Literal["refuse", "leave-out", "search"]
"""What happens to photographs without a pose in the pose file: the scene is refused, they are left out, or training
searches for their poses."""

Uncertain = Literal["refuse", "allow"]
"""What happens to cameras of which the initialiser is not sure: they are refused, or used with a warning."""

LOW_CONFIDENCE = 0.5
"""Views with less confidence are named where cameras are refused."""

UNREGISTERED = "unregistered"
"""Key in `Frame.extra` of a stand-in camera."""

_ADVICE = (
    "they must show one scene that stands still, each with much in common with another; take more photographs "
    "in between, give the poses in a file, or ask for another initialiser (pose-init = dust3r or features; for one "
    "object, cut out or with masks in masks/, ab-initio or id-pose)"
)


class SceneError(ValueError):
    """The folder of a scene cannot be used."""


@dataclass
class FindingOptions:
    """Where the photographs of a scene and their initial cameras come from."""

    poses: Path | None = None
    """A cameras.json, transforms.json or folder of a COLMAP model to take the initial cameras from, relative to the
    working folder or else to the scene; None looks for one in the scene's folder."""
    pose_init: PoseInitName = "auto"
    """Source of the initial cameras: files, dust3r, features, ab-initio or id-pose; auto takes a file where there is
    one, else dust3r where its package and weights are here, else features where it places all photographs, else
    ab-initio where masks tell the object."""
    pose_weights: str = "auto"
    """Weights for dust3r (a checkpoint, its folder or name) or id-pose (as for the prior); auto looks where they
    usually lie."""
    pose_init_uncertain: Uncertain = "refuse"
    """What happens to cameras of which the initialiser is not sure: refuse them, or allow them with a warning."""
    pose_init_alternative: int = 1
    """Which of several arrangements of cameras that explain the photographs is used: 1 is the best, 2 the next; a
    choice of another than the best is never refused."""
    pose_init_time_budget: Annotated[float | None, arg(aliases=("--time-budget",))] = None
    """Seconds that ab-initio may take to arrange the photographs on idle cores, about; turned into a number of random
    starts once, which decides the result. None for its usual length."""
    pose_init_match_on: Annotated[MatchOn, arg(aliases=("--match-on",))] = "auto"
    """Which part of the photographs features matches: everything; the object, by its masks, where it has moved before
    its background (turntable, handheld); auto also tries the object where everything leaves photographs out or
    contradicts the object."""
    missing_poses: MissingPoses = "refuse"
    """What happens to photographs without a pose in the pose file: refuse the scene, leave-out the photographs, or
    search: training searches for their poses."""
    masks: Masks = "auto"
    """Where the object's masks come from: given (transparency or the masks/ folder), rembg, background (by colours,
    where backgrounds are plain), or none, for whole photographs; auto takes the first that applies."""
    masks_drop: bool = False
    """Whether the masks of the masks/ folder are white where photographs are to be left out (VGGSfM)."""
    num_frames: int = 12
    """Number of frames that are taken of a video."""
    cache_dir: Path | None = None
    """Where computed poses, masks and key frames are kept; None for `sparseags/` in the scene's folder."""


@dataclass(frozen=True)
class FoundScene:
    """The photo files of a scene with their initial cameras, sorted by file name."""

    files: tuple[PosedPhotoFile, ...]
    points: PointCloud | None
    pose_source: str
    initial: InitialPoses | None = None
    """Result of the initialiser, with its alternatives and doubt, stand-in cameras included; None for a pose file."""
    estimate: InitialPoses | None = None
    """What the initialiser returned: its best cameras even where an alternative is used; no stand-in cameras."""
    alternative: int = 1
    """Number of the arrangement that is used: 1 for the best, 2 for the first alternative."""
    observations: Observations | None = None
    """Where the photographs show the points of a pose file, by the paths that the file writes."""

    @property
    def paths(self) -> list[Path]:
        """Paths of the photo files."""
        return [file.path for file in self.files]


def find_scene(scene: Path, options: FindingOptions, store: Store) -> FoundScene:
    """Find the photo files of a scene and their initial cameras.

    Args:
        scene: the folder.
        options: where cameras come from; a video is taken apart before.
        store: where estimated cameras are kept.

    Raises:
        SceneError: the folder has no photographs that can be used.
        PoseInitError, PoseFileError: there are no initial cameras, or they are refused; `find_unposed_scene` works
            without them.
        PhotoError: a photo file cannot be read or does not fit its camera.
    """
    _require_folder(scene)
    pose_init = options.pose_init
    pose_file = find_pose_file(scene, options.poses) if pose_init in ("auto", "files") else None
    if pose_file is not None:
        _check_alternative(options.pose_init_alternative, 0, str(pose_file))
        return _find_with_pose_file(scene, pose_file, options.missing_poses)
    if options.poses is not None:
        raise SceneError(f"poses from {options.poses} and from {pose_init} were both asked for; ask for one of them")
    paths = _find_photo_files(scene)
    _check_number(len(paths), scene)
    initial = estimate_poses(
        paths,
        pose_init,
        weights=options.pose_weights,
        scene=scene,
        store=store,
        masks=options.masks,
        masks_drop=options.masks_drop,
        time_budget=options.pose_init_time_budget,
        match_on=options.pose_init_match_on,
    )
    estimate, alternative = initial, options.pose_init_alternative
    initial = with_alternative(estimate, alternative)
    require_sure(paths, initial, options.pose_init_uncertain)
    initial = with_stand_ins(paths, initial, initial.source)
    source = f"the initialiser {initial.source}{f', alternative {alternative}' if alternative > 1 else ''}"
    return FoundScene(_posed(paths, initial), initial.points, source, initial, estimate, alternative)


def find_unposed_scene(scene: Path, options: FindingOptions | None = None) -> FoundScene:
    """Find the photo files of a scene for which no cameras are known; all have stand-in cameras and confidence 0.

    What a pose file says of photographs and masks counts, although its cameras cannot be used. Where it names masks,
    photographs that have none are left out.
    """
    options = options or FindingOptions()
    _require_folder(scene)
    named, others, masks = _named_without_cameras(scene, options)
    paths = _find_photo_files(scene, named, others)
    if masks and options.masks in ("auto", "given"):
        files = [replace(read_photo_file(path), mask=masks.get(path)) for path in paths]
        masked = mask_files(files, scene / MASKS_FOLDER)
        bare = [file.path for file in files if not file.has_alpha and file.path not in masked]
        if bare:
            warn(f"not shown: {listed(file_labels(bare))}", "the pose file names masks, and these have none")
        paths = tuple(path for path in paths if path not in bare)
    _check_number(len(paths), scene)
    here = torch.eye(4, dtype=torch.float64)
    files = tuple(posed_photo_file(path, _stand_in(path, here, FOCAL_GUESS), 0.0) for path in paths)
    return FoundScene(_with_masks(files, masks), None, "none")


def _named_without_cameras(scene: Path, options: FindingOptions) -> tuple[set[Path], set[Path], dict[Path, NamedMask]]:
    """Photographs that the scene's pose file names, files that it says are none, and masks by photograph."""
    try:
        pose_file = find_pose_file(scene, options.poses) if options.pose_init in ("auto", "files") else None
    except PoseFileError:
        pose_file = None
    if pose_file is None:
        return set(), set(), {}
    given = FromFiles(scene, pose_file)
    try:
        masks = given.masks()
        return set(given.named_photographs), given.left_out_photographs() | _files(masks), masks
    except PoseFileError:
        named = {} if pose_file.is_dir() else given.readable_photographs()
        masks = {path: mask for path, mask in named.items() if mask is not None}
        return set(named), _files(masks), masks


def _find_with_pose_file(scene: Path, pose_file: Path, missing_poses: MissingPoses) -> FoundScene:
    given = FromFiles(scene, pose_file)
    masks = given.masks()
    paths = _find_photo_files(scene, given.named_photographs, given.left_out_photographs() | _files(masks))
    given.require_photographs(paths)
    initial = given.initial_poses(paths)
    if missing_poses == "search":
        initial = with_stand_ins(paths, initial, str(pose_file))
    missing = [name for name, frame in zip(file_labels(paths), initial.frames, strict=True) if frame is None]
    if missing and missing_poses == "refuse":
        raise PoseInitError(
            f"{pose_file} has no pose for {len(missing)} of the {len(paths)} photographs in {paths[0].parent}: "
            f"{listed(missing)}. Add their poses, have training search for them with the option missing-poses = "
            "search, or leave the photographs out with missing-poses = leave-out"
        )
    if missing:
        warn(f"left out: {listed(missing)}", f"no pose in {pose_file}")
    _check_number(len(paths) - len(missing), scene)
    _check_trust(paths, initial.frames, pose_file)
    photo_files = [read_photo_file(path) for path in paths]
    posed = _posed(photo_files, initial, decide_orientations(photo_files, initial, pose_file))
    try:
        cameras = [file.frame.T_camera_world for file in posed if not file.frame.extra.get(UNREGISTERED)]
        axes_meeting_point(se3.inverse(torch.stack(cameras)))
    except AlignmentError as error:
        raise PoseInitError(f"{pose_file}: {error}") from error
    files = _with_masks(posed, masks)
    return FoundScene(files, initial.points, str(pose_file), observations=initial.observations)


def _files(masks: Mapping[Path, NamedMask]) -> set[Path]:
    """Files that a pose file names as masks, which may lie among the photographs and are none."""
    return {Path(os.path.normpath(mask.path)) for mask in masks.values()}


def _require_folder(scene: Path) -> None:
    """Raise a SceneError if the scene is not a folder that can be read."""
    if not os.path.exists(scene):
        raise SceneError(f"no such folder: {scene}; expected the folder of a scene, with photographs in it")
    if not scene.is_dir():
        raise SceneError(f"{scene} is a file; expected the folder of a scene, with photographs in it")
    if not os.access(scene, os.R_OK | os.X_OK):
        raise SceneError(f"cannot read the folder {scene}: permission denied; make it readable")


def _find_photo_files(scene: Path, named: Collection[Path] = (), left_out: Collection[Path] = ()) -> tuple[Path, ...]:
    """All photo files of the folders of the named ones; if none are named, of the first usual folder with any.

    Files that are named after photographs, as masks or depth maps, are none, unless they are `named`.

    Args:
        left_out: photographs that are not to be used.
    """
    usual = [*(scene / name for name in PHOTO_FOLDERS), scene]
    folders = sorted({path.parent for path in named}) or next(filter(None, map(_photo_folders, usual)), [])
    listing = {folder: list_photo_files(folder) for folder in folders}
    others = {c.path for files in listing.values() for c in companions(files)} - set(named)
    paths = [path for files in listing.values() for path in files if path not in others and path not in left_out]
    for folder in folders or [folder for folder in usual if folder.is_dir()]:
        warn_of_skipped(folder)
    if not paths:
        below = [folder.name for folder in _folders_below(scene, depth=1)[1:] if list_photo_files(folder)]
        found = f". There are photographs in {listed(below)}: name one of these, or put them into images/"
        raise SceneError(
            f"no photographs in {scene}: looked there and in {', '.join(f'{name}/' for name in PHOTO_FOLDERS)} for "
            f"files that end in {', '.join(PHOTO_ENDINGS)}{found if below else ''}"
        )
    if others:
        names = listed(sorted(path.name for path in others))
        announce(f"no photographs: {names}", "they are named as masks or maps of photographs beside them")
    roots = {root for folder in folders for root in (folder, *folder.parents) if root.name in PHOTO_FOLDERS}
    within = [folder for root in roots if root.is_relative_to(scene) for folder in _folders_below(root)]
    for folder in sorted({folder for folder in within if folder not in listing}):
        if unused := list_photo_files(folder):
            what = "the pose file names none of them" if named else f"those in {folders[0]} are taken"
            announce(f"not used: {len(unused)} photographs in {folder}", what)
    return tuple(_one_of_each_name(paths, named))


def _one_of_each_name(paths: Sequence[Path], named: Collection[Path]) -> list[Path]:
    """The photo files without those that differ in their endings alone from ones that a pose file names.

    Raises:
        SceneError: no pose file tells which of them are photographs.
    """
    by_name: dict[Path, list[Path]] = {}
    for path in paths:
        by_name.setdefault(path.with_suffix(""), []).append(path)
    chosen = {path.with_suffix("") for path in named}
    unused = [path for path in paths if path.with_suffix("") in chosen and path not in named]
    if unused:
        announce(f"not used: {listed([path.name for path in unused])}", "the pose file names photographs beside them")
    alike = [files for files in by_name.values() if len(files) > 1]
    if alike and not named:
        groups = [" and ".join(path.name for path in files) for files in alike]
        raise SceneError(
            f"files in {alike[0][0].parent} differ in their endings alone: {listed(groups)}. Where they are one "
            "photograph in several formats, or were made from it, move all but one of them to another folder; rename "
            "those that are different photographs. A pose file that names them with their endings decides, too"
        )
    return [path for path in paths if path not in unused]


def _photo_folders(root: Path) -> list[Path]:
    """The folder itself if photo files lie in it, else those below one of `PHOTO_FOLDERS` in which any lie."""
    if not root.is_dir():
        return []
    if list_photo_files(root):
        return [root]
    return [folder for folder in _folders_below(root) if list_photo_files(folder)] if root.name in PHOTO_FOLDERS else []


def _folders_below(root: Path, depth: int = 3) -> list[Path]:
    """The folder and those below it that may hold photographs, sorted: none of masks or maps, no hidden one."""
    if depth == 0 or not os.access(root, os.R_OK | os.X_OK):
        return [root]
    inner = [path for path in sorted(root.iterdir()) if path.is_dir() and path.name[0] != "."]
    below = [f for path in inner if not is_companion_folder(path) for f in _folders_below(path, depth - 1)]
    return [root, *below]


def _posed(
    photos: Sequence[Path] | Sequence[PhotoFile], initial: InitialPoses, upright: Sequence[bool] | None = None
) -> tuple[PosedPhotoFile, ...]:
    """The photo files that have a camera; `upright`: whether each camera means the upright photograph, None for all."""
    upright = [True] * len(photos) if upright is None else upright
    rows = zip(photos, initial.frames, initial.confidence.tolist(), initial.pose_lr_scales, upright, strict=True)
    return tuple(posed_photo_file(photo, frame, c, s, up) for photo, frame, c, s, up in rows if frame is not None)


def _with_masks(files: Sequence[PosedPhotoFile], masks: Mapping[Path, NamedMask]) -> tuple[PosedPhotoFile, ...]:
    """The photo files with the masks that a pose file names for them."""
    photo_files = [replace(file.photo_file, mask=masks.get(file.path)) for file in files]
    return tuple(replace(file, photo_file=photo_file) for file, photo_file in zip(files, photo_files, strict=True))


def _check_number(views: int, scene: Path) -> None:
    """Raise a SceneError for too few or too many views; warn of few and announce many."""
    if not MIN_VIEWS <= views <= MAX_VIEWS:
        raise SceneError(
            f"{views} {'photograph' if views == 1 else 'photographs'} in {scene}; expected {MIN_VIEWS} to "
            f"{MAX_VIEWS}, 4 to 16 views from all around the object are best"
        )
    if views < FEW_VIEWS:
        warn(f"{views} views", "fewer than 3 seldom fix both shape and poses")
    elif views > MANY_VIEWS:
        announce(f"{views} views", "every view is rendered in every step, so the time grows in proportion to them")


def _check_trust(paths: Sequence[Path], frames: Sequence[Frame | None], pose_file: Path) -> None:
    """Announce the views that the pose file does not trust; raise a PoseInitError if too few others remain."""
    pairs = zip(photo_names(paths), frames, strict=True)
    given = {name: frame for name, frame in pairs if frame is not None and not frame.extra.get(UNREGISTERED)}
    untrusted = [name for name, frame in given.items() if not frame.trusted]
    trusted = len(given) - len(untrusted)
    if trusted < MIN_VIEWS:
        raise PoseInitError(
            f"{pose_file} trusts only {trusted} of its {len(given)} views ('flag' is 0 for the others); expected at "
            f"least {MIN_VIEWS}"
        )
    if untrusted:
        announce(f"not trusted: {listed(untrusted)}", f"'flag' is 0 in {pose_file}")


def with_alternative(initial: InitialPoses, number: int) -> InitialPoses:
    """The initial poses with the cameras of one of the alternatives: 1 is the best, 2 the first alternative.

    The confidence in an alternative is that in the best cameras divided by the relative loss. Who chooses one has
    decided: it is without doubt.

    Raises:
        PoseInitError: there are not so many.
    """
    _check_alternative(number, len(initial.alternatives), initial.source)
    if number == 1:
        return initial
    chosen = initial.alternatives[number - 2]
    announce(f"poses: alternative {number} of {initial.source}", f"asked for; {chosen.loss:.2f} times the best's loss")
    confidence = (initial.confidence / chosen.loss).clamp(min=LEAST_CONFIDENCE)
    return replace(initial, frames=chosen.frames, confidence=confidence, points=None, pose_lr_scale=None, doubt=None)


def _check_alternative(number: int, alternatives: int, source: str) -> None:
    """Raise a PoseInitError for the number of an alternative that does not exist."""
    if not 1 <= number <= 1 + alternatives:
        there = f"1 to {1 + alternatives} can be chosen" if alternatives else "leave it out, there is no other"
        raise PoseInitError(
            f"pose-init-alternative is {number}, and {source} has {alternatives or 'no'} "
            f"alternative{'' if alternatives == 1 else 's'} to its cameras: {there}"
        )


def describe_alternatives(initial: InitialPoses) -> str:
    """Numbers and losses of the alternatives, for people who choose one; empty where there are none."""
    numbered = enumerate(initial.alternatives, start=2)
    losses = [f"{number} ({one.loss:.2f} times the loss of 1)" for number, one in numbered]
    return f"{', '.join(losses)}; choose with --pose-init-alternative 2" if losses else ""


def require_sure(photo_files: Sequence[Path], initial: InitialPoses, uncertain: Uncertain) -> None:
    """Refuse cameras of which the initialiser is not sure, or warn of them in one line where they are allowed.

    Raises:
        PoseInitError: they are refused; states the doubt, the views in question, and what to do.
    """
    if initial.doubt is None:
        return
    rows = list(zip(file_labels(photo_files), initial.confidence.tolist(), strict=True))
    low = [f"{name} ({sure:.2f})" for name, sure in rows if 0 < sure < LOW_CONFIDENCE]
    missing = [name for name, sure in rows if sure == 0]
    parts = [f"low confidence in {listed(low)}"] if low else []
    parts += [f"no pose for {listed(missing)}"] if missing else []
    what, views = f"{initial.source} is not sure of its cameras: {initial.doubt}", "; ".join(parts)
    if uncertain == "allow":
        warn(what, views or "no view more than the others")
        return
    others = len(initial.alternatives)
    choose = f"choose another arrangement with pose-init-alternative = 2{f' to {1 + others}' if others > 1 else ''}, "
    raise PoseInitError(
        f"{what}{f'. Views in question: {views}' if views else ''}. Look at the picture that sparseags prepare draws "
        "(prepare.png). More photographs in between or better masks may help, and poses in a file do; "
        f"{choose if others else ''}or go on all the same with pose-init-uncertain = allow"
    )


def with_stand_ins(photo_files: Sequence[Path], initial: InitialPoses, source: str) -> InitialPoses:
    """The initial poses with a stand-in for each missing camera.

    A stand-in has the pose of the most confident camera and, unless EXIF tells the focal length, the median focal
    length of the registered ones.

    Args:
        source: of the poses, for messages.

    Raises:
        PoseInitError: fewer than two photographs are registered, or their cameras do not look at one place.
    """
    missing = [name for name, frame in zip(file_labels(photo_files), initial.frames, strict=True) if frame is None]
    registered = f"{initial.num_registered} of the {len(photo_files)} photographs in {photo_files[0].parent}"
    if initial.num_registered < MIN_REGISTERED:
        raise PoseInitError(f"{source} could register {registered}: {_ADVICE}")
    try:
        axes_meeting_point(se3.inverse(torch.stack([f.T_camera_world for f in initial.frames if f is not None])))
    except AlignmentError as error:
        raise PoseInitError(f"{source} registered {registered}, but to no use ({error}): {_ADVICE}") from error
    if not missing:
        return initial
    warn(
        f"no pose from {source} for {listed(missing)}",
        f"{len(missing)} of {len(photo_files)} photographs; they start untrusted, without a pose of their own",
    )
    relative_focal = _median_relative_focal(photo_files, initial)
    surest = initial.frames[int(initial.confidence.argmax())]
    assert surest is not None, "some photographs are registered, and only those have any confidence"
    frames = tuple(
        _stand_in(path, surest.T_camera_world, relative_focal) if frame is None else frame
        for path, frame in zip(photo_files, initial.frames, strict=True)
    )
    return replace(initial, frames=frames)


def _median_relative_focal(photo_files: Sequence[Path], initial: InitialPoses) -> float:
    """Median focal length of the registered photographs, in longer sides."""
    relative_focals = []
    for path, frame in zip(photo_files, initial.frames, strict=True):
        if frame is not None:
            size = read_photo_file(path).upright_size
            width, height = frame.width or size[0], frame.height or size[1]
            relative_focals.append((frame.intrinsics[0] + frame.intrinsics[1]) / 2 / max(width, height))
    return float(torch.tensor(relative_focals).median())


def _stand_in(path: Path, T_camera_world: Float[Tensor, "4 4"], relative_focal: float) -> Frame:
    """A camera with the focal length from EXIF, else of `relative_focal` longer sides."""
    photo_file = read_photo_file(path)
    width, height = photo_file.upright_size
    focal = photo_file.focal_px or max(width, height) * relative_focal
    return Frame(
        name=path.stem,
        file_path=path.name,
        T_camera_world=T_camera_world,
        K=intrinsics_matrix(focal, focal, width / 2, height / 2),
        width=width,
        height=height,
        trusted=False,
        extra={UNREGISTERED: True},
    )
