"""Initial cameras and points from files of another program.

Frames: `world`, as the file has it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch

from sparseags_ns.console import announce, warn
from sparseags_ns.formats.colmap import MODEL_FOLDERS, ColmapPoints, is_colmap_model, read_colmap_points
from sparseags_ns.formats.frame import (
    MAX_COORDINATE,
    PHOTO_FOLDERS,
    Frame,
    PoseFileError,
    find_image,
    path_ends,
    photo_like,
    require_plausible_lens,
)
from sparseags_ns.formats.json_entries import Entry, read_json
from sparseags_ns.formats.mask_keys import DYNAMIC_MASK_KEY, MASK_KEY, NamedMask, mask_key, mentions_mask
from sparseags_ns.formats.ply import point_colors, read_ply
from sparseags_ns.formats.poses import POINTS_KEY, held_out_files, points_candidates, read_poses
from sparseags_ns.formats.splat_cameras import is_splat_cameras
from sparseags_ns.pose_init.base import InitialPoses, point_confidence
from sparseags_ns.preprocess.masks import find_mask
from sparseags_ns.preprocess.photo_files import listed, read_photo_file
from sparseags_ns.preprocess.store import FOLDER
from sparseags_ns.views import PointCloud

POSE_FILES = ("cameras.json", "transforms.json")
"""Files of a scene's folder that hold its cameras, the preferred one first."""

_NOTABLE_ERROR_PX = 2.0
"""Reprojection errors below it are usual, whatever a file states."""
TRAINING_FILE, LLFF_FILE = "transforms_train.json", "poses_bounds.npy"
"""Files of NeRF's synthetic scenes, whose other transforms_*.json are not for training, and of LLFF."""

_MODEL_DEPTH = 4
"""Folders below the scene's in which models are looked for, as in colmap/dense/0/sparse."""
_MADE_HERE = ("export.json", "config.yml")
"""Files by which exports and runs are known: their models are results, not where a run begins."""


@dataclass(frozen=True)
class FromFiles:
    """The cameras of a scene as a `cameras.json`, a `transforms.json` or the folder of a COLMAP model has them."""

    scene: Path
    """Folder of the scene, in which the photo files that the pose file names are looked for."""
    pose_file: Path

    @cached_property
    def _all_frames(self) -> tuple[Frame, ...]:
        frames = tuple(read_poses(self.pose_file, self.scene))
        scales = [frame.matrix_scale for frame in frames if frame.matrix_scale != 1]
        if scales:
            factors = f"{min(scales):.3g}" + ("" if max(scales) - min(scales) < 1e-3 else f" to {max(scales):.3g}")
            warn(
                f"a scale of {factors} is taken out of {len(scales)} of {len(frames)} rotations in {self.pose_file}",
                "a camera has none; positions stay as they are",
            )
        for note in dict.fromkeys(note for frame in frames for note in frame.notes):
            warn(*note)
        return frames

    @cached_property
    def frames(self) -> tuple[Frame, ...]:
        """Entries of the pose file that are to be trained on, in its order."""
        held_out = held_out_files(self.pose_file, self._all_frames)
        return tuple(frame for frame in self._all_frames if frame.file_path not in held_out)

    def left_out_photographs(self) -> set[Path]:
        """The scene's photo files of entries that are not to be trained on, which are announced."""
        used = {frame.file_path for frame in self.frames}
        others = [frame for frame in self._all_frames if frame.file_path not in used]
        found = {path for frame in others if (path := self._find(frame.file_path)) is not None}
        if others:
            names = listed([frame.file_path for frame in others])
            announce(f"not trained on: {names}", f"the lists of files in {self.pose_file} leave them out")
        return found

    def masks(self) -> dict[Path, NamedMask]:
        """Masks that the pose file names, by photo file; one that is not there has the path where it is expected.

        What else the file says of masks is named.
        """
        found: dict[Path, NamedMask] = {}
        unused: dict[str, None] = {}
        for path, frame in self.named_photographs.items():
            key = mask_key(frame.extra)
            if key is not None:
                written = Entry(self.pose_file, frame.extra, frame.name).path(key)
                found[path] = NamedMask(key, self._find_mask(written, path), self.pose_file)
            read = None if key is None else frame.extra[key]
            unused |= {k: None for k, value in frame.extra.items() if mentions_mask(k, value) and value != read}
        if unused:
            why = f"masks of photographs are read from '{MASK_KEY}', 'mask_file' and '{DYNAMIC_MASK_KEY}', one for each"
            warn(f"not used: {listed([repr(key) for key in unused])} in {self.pose_file}", why)
        self._say_if_outside("masks", (mask.path for mask in found.values()))
        return found

    def readable_photographs(self) -> dict[Path, NamedMask | None]:
        """The photo files that a JSON file names, with their masks, as far as it can be read: without its cameras."""
        try:
            content = read_json(self.pose_file)
        except PoseFileError:
            return {}
        found: dict[Path, NamedMask | None] = {}
        frames = content.get("frames")
        for frame in filter(lambda frame: isinstance(frame, dict), frames if isinstance(frames, list) else []):
            key = mask_key(frame) or mask_key(content) or MASK_KEY
            written = {"file_path": frame.get("file_path"), key: frame.get(key, content.get(key))}
            with suppress(PoseFileError):
                path = self._find(Entry(self.pose_file, written).path("file_path"))
                if path is not None:
                    found[path] = None
                    mask = self._find_mask(Entry(self.pose_file, written).path(key), path)
                    found[path] = NamedMask(key, mask, self.pose_file)
        self._say_if_outside("photographs", found)
        self._say_if_outside("masks", (mask.path for mask in found.values() if mask is not None))
        return found

    def _find_mask(self, written: str, photograph: Path) -> Path:
        """The mask of a photograph that the pose file names; endings and case may differ, as with photographs.

        What is named may be a folder of masks.
        """
        # A file name alone could be that of the photograph itself.
        ends = [Path(written.replace("\\", "/")), *path_ends(written)[:-1]]
        for end in ends:
            places = [folder / end for folder in (self.pose_file.parent, self.scene)]
            found = next((place for place in places if os.path.exists(place)), None)
            alike = (other for place in places if (other := photo_like(place)) not in (None, *self.named_photographs))
            found = found or next(alike, None)
            if found is not None and found.is_dir():
                return find_mask(photograph, found) or found / f"{photograph.stem}.png"
            if found is not None:
                return found
        return self.scene / ends[0]

    @cached_property
    def named_photographs(self) -> dict[Path, Frame]:
        """Entries of the pose file by the scene's photo file that they name; entries without a photo file are left out.

        Photo files are looked for in the scene even where the pose file lies elsewhere, beside other ones of the same
        names.

        Raises:
            PoseFileError: two entries name the same photo file.
        """
        found: dict[Path, Frame] = {}
        for frame in self.frames:
            path = self._find(frame.file_path)
            if path in found:
                problem = f"means the same photograph as view '{found[path].name}': {path}"
                raise PoseFileError(self.pose_file, problem, frame.name)
            if path is not None:
                found[path] = frame
        self._say_if_outside("photographs", found)
        return found

    def _say_if_outside(self, what: str, paths: Iterable[Path]) -> None:
        """Name files that the pose file names and that lie outside of its own folder and of that around the scene's."""
        near = [os.path.abspath(folder) for folder in (self.scene / "..", self.pose_file.parent)]
        whole = [Path(os.path.abspath(path)) for path in paths]
        outside = [str(path) for path in whole if not any(path.is_relative_to(folder) for folder in near)]
        if outside:
            where = f"outside of the scene and of the folder that it lies in: {listed(outside)}"
            warn(f"{len(outside)} {what} are {where}", f"{self.pose_file} names them; they are read")

    def _find(self, written: str) -> Path | None:
        """The scene's photo file that an entry names. A model's own folder of photographs goes before the scene's."""
        folders = [folder / name for folder in _folders_between(self.pose_file, self.scene) for name in PHOTO_FOLDERS]
        return find_image(written, self.scene / self.pose_file.name, self.scene, folders)

    def require_photographs(self, present: Sequence[Path]) -> None:
        """Check that there are photo files of the pose file's entries; announce missing ones, and other paths.

        A pose file often covers more photographs than are wanted. The scene's photo files are `present`.

        Raises:
            PoseFileError: all are missing; names them.
        """
        found = {frame.name for frame in self.named_photographs.values()}
        missing = [frame.file_path for frame in self.frames if frame.name not in found]
        pairs = [(frame.file_path, path) for path, frame in self.named_photographs.items()]
        elsewhere = [f"{path.name} for {written}" for written, path in pairs if not _is_as_written(written, path)]
        if elsewhere:
            announce(
                f"{len(elsewhere)} photographs have other folders or endings than {self.pose_file} writes",
                f"found: {listed(elsewhere)}",
            )
        if missing and found:
            announce(
                f"{len(missing)} of the {len(self.frames)} cameras in {self.pose_file} are not used",
                f"their photographs are not in {self.scene}: {listed(missing)}",
            )
        elif missing and present and not found:
            named, there = [Path(name).name for name in missing], [path.name for path in present]
            raise PoseFileError(
                self.pose_file,
                f"names none of the {len(present)} photographs in {present[0].parent}: it names {listed(named)}; there "
                f"are {listed(there)}. Name the folder with the photographs that the file was made for, give these "
                "photographs the names that it uses if they are the same, or do without the file",
            )
        elif missing:
            raise PoseFileError(
                self.pose_file,
                f"names {len(missing)} of {len(self.frames)} photographs that are not in {self.scene}: "
                f"{listed(missing)}. Put them there",
            )

    def initial_poses(self, photo_files: Sequence[Path]) -> InitialPoses:
        """Cameras of the photo files, None for those that the pose file does not name, and that file's points, if any.

        Where the photographs show the points of a COLMAP model comes with them: a camera is fixed as far as the points
        support it (`point_support`).
        """
        frames = tuple(self.named_photographs.get(path) for path in photo_files)
        for path, frame in zip(photo_files, frames, strict=True):
            if frame is not None and (frame.width is None or frame.height is None):
                require_plausible_lens(self.pose_file, frame, read_photo_file(path).upright_size)
        confidence = torch.tensor([0.0 if frame is None else 1.0 for frame in frames])
        model = read_colmap_points(self.pose_file) if self.pose_file.is_dir() else None
        if model is None:
            candidates = points_candidates(self.pose_file, self.scene)
            found = next((path for path in candidates if path.is_file()), None)
            self._say_if_outside("files of points", filter(None, [found]))
            if candidates and found is None and not self.pose_file.is_dir():
                warn(f"no points: there is no {candidates[0]}", f"'{POINTS_KEY}' in {self.pose_file} names it")
            return InitialPoses(frames, confidence, found and read_points(found, self.pose_file))
        for note in set(model.notes).difference(*(frame.notes for frame in self._all_frames)):
            warn(*note)
        self._compare_errors(model)
        points = PointCloud(model.positions, model.colors, point_confidence(model.track_lengths, model.errors_px))
        return InitialPoses(frames, confidence, points, observations=model.observations)

    def _compare_errors(self, model: ColmapPoints) -> None:
        """Warn where the errors that the model states for its points are much smaller than they are."""
        seen = model.observations.points.unique()
        stated, found = (float(errors[seen].median()) for errors in (model.stated_errors_px, model.errors_px))
        if len(seen) and 0 < stated < found / 2 and found > _NOTABLE_ERROR_PX:
            warn(
                f"the points of {self.pose_file} are off by {found:.1f} pixels, not by {stated:.1f} as it states",
                "medians; found from where its cameras show them, which is what counts here",
            )


def read_points(path: Path, pose_file: Path) -> PointCloud:
    """Read a PLY file; points without colours are grey, points that no scene has are left out with a warning.

    Raises:
        PoseFileError: the file cannot be read or holds no such points.
    """
    advice = f"make it again, or take its entry out of {pose_file}"
    try:
        columns = read_ply(path)
        positions = torch.stack([torch.from_numpy(columns[axis].astype("f8")) for axis in "xyz"], dim=-1)
        if not len(positions):
            raise ValueError("it has no points")
    except OSError as error:
        raise PoseFileError(path, f"the points cannot be read: {error.strerror or error}; {advice}") from error
    except (ValueError, LookupError, ArithmeticError) as error:
        raise PoseFileError(path, f"is no whole PLY file with points in it ({error}); {advice}") from error
    usable = (positions.abs() <= MAX_COORDINATE).all(-1)
    beyond = f"NaN, infinite or beyond {MAX_COORDINATE:g}"
    if not usable.any():
        raise PoseFileError(path, f"all its points are {beyond}; {advice}")
    if not usable.all():
        warn(f"left out: {int((~usable).sum())} of {len(usable)} points of {path}", f"they are {beyond}")
    return PointCloud(positions, point_colors(columns), torch.ones(len(positions), dtype=torch.float64))[usable]


def find_pose_file(scene: Path, poses: Path | None) -> Path | None:
    """The file, or folder of a COLMAP model, to take the cameras from; None if there is none.

    A file that was asked for, `poses`, is relative to the working folder or else to the scene's. Without it, a choice
    is made and announced: a `cameras.json`, a `transforms.json`, the COLMAP model that names most of the scene's
    photographs, and only then what 3D Gaussian Splatting and LLFF write.

    Raises:
        PoseFileError: the file that was asked for does not exist.
    """
    if poses is not None:
        found = next((path for path in (poses, scene / poses) if path.is_file() or is_colmap_model(path)), None)
        if found is None:
            raise PoseFileError(poses, f"no such file, neither in the working folder nor in {scene}")
        return found
    named = [scene / name for name in (*POSE_FILES, TRAINING_FILE) if (scene / name).is_file()]
    last = [scene / name for name in (POSE_FILES[0], LLFF_FILE) if (scene / name).is_file()]
    last = [path for path in last if path not in named or is_splat_cameras(path)]
    models = _ranked_models(scene)
    present = [*(path for path in named if path not in last), *models, *last]
    if not present:
        return None
    first, second = ([path.relative_to(scene).as_posix() for path in present] + [""])[:2]
    why = f"it goes before {second}; name a file to choose it instead" if second else f"the only pose file in {scene}"
    others = sorted(path.name for path in scene.glob("transforms_*.json") if path != present[0])
    if present[0].name == TRAINING_FILE and others:
        why = f"the photographs of {', '.join(others)} are not trained on"
    if present[0] in models and len(models) > 1 and models[present[0]] > models[present[1]]:
        others = [f"{path.relative_to(scene).as_posix()} {count}" for path, count in models.items()][1:]
        why = f"of {len(models)} models it names most of the photographs, {models[present[0]]}; {listed(others)}"
    announce(f"poses: {first}", why)
    return present[0]


def _ranked_models(scene: Path) -> dict[Path, int]:
    """The COLMAP models in a scene with the number of its photographs that each names, the best first.

    Those of equal numbers are in the order of `MODEL_FOLDERS`, other folders after them. A single model is not read.
    """
    folders = [folder for folder in _folders_inside(scene, _MODEL_DEPTH) if is_colmap_model(folder)]
    usual = [scene / name for name in MODEL_FOLDERS]
    folders.sort(key=lambda folder: (usual.index(folder) if folder in usual else len(usual), len(folder.parts), folder))
    counts = {folder: _count_photographs(scene, folder) if len(folders) > 1 else 0 for folder in folders}
    return dict(sorted(counts.items(), key=lambda item: -item[1]))


def _count_photographs(scene: Path, model: Path) -> int:
    """Number of a scene's photographs that a model names; 0, with a warning, for a model that cannot be read."""
    try:
        return len(FromFiles(scene, model).named_photographs)
    except PoseFileError as error:
        warn(f"{model} is not used", str(error))
        return 0


def _folders_inside(scene: Path, depth: int) -> Iterator[Path]:
    """The folders below the scene's, without hidden ones, runs, exports and the store of results."""
    if depth == 0 or not os.access(scene, os.R_OK | os.X_OK):
        return
    for folder in sorted(path for path in scene.iterdir() if path.is_dir()):
        is_result = folder.name == FOLDER or any((folder / name).is_file() for name in _MADE_HERE)
        if folder.name[0] != "." and not is_result:
            yield folder
            yield from _folders_inside(folder, depth - 1)


def _folders_between(model: Path, scene: Path) -> list[Path]:
    """The folder of a model in a scene, and those above it up to the scene's, which is left out."""
    model, scene = model.absolute(), scene.absolute()
    if not (model.is_dir() and model.is_relative_to(scene)):
        return []
    return [folder for folder in (model, *model.parents) if folder.is_relative_to(scene) and folder != scene]


def _is_as_written(written: str, path: Path) -> bool:
    """Whether a photo file has the name that a pose file writes, with or without an ending, and the same folder."""
    end = path_ends(written)[0]
    return end.name in (path.name, path.stem) and (len(end.parts) < 2 or end.parent.name == path.parent.name)
