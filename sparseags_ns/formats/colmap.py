"""COLMAP's sparse models, text and binary: the format of COLMAP, VGGSfM, VGGT, MASt3R-SfM and InstantSplat.

A model is a folder with `cameras`, `images` and, where points were found, `points3D`, all `.bin` or all `.txt`. Where
both are there, `.bin` is read, and `.txt` if that is damaged. Cameras are world-to-camera with OpenCV axes, quaternions
w x y z, and pixels are ours: (0, 0) is the corner of the photo. COLMAP 3.12 and later also write `rigs` and `frames`,
which repeat the content of `images`: they are neither read nor written, and COLMAP makes them itself where they are
missing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from sparseags_ns.formats.colmap_records import CameraRecord, ImageRecord, PointRecord, read_records, write_records
from sparseags_ns.formats.frame import (
    MAX_COORDINATE,
    Distortion,
    Frame,
    PoseFileError,
    default_names,
    intrinsics_matrix,
    require_path,
    require_plausible_lens,
    require_plausible_pose,
)
from sparseags_ns.formats.projection import project_points
from sparseags_ns.geometry import se3

MODEL_FOLDERS = ("sparse/0", "sparse", "colmap/sparse/0", "colmap/sparse", "colmap")
"""Folders of a scene that may hold its model, in the order in which they are tried."""

_QUATERNION_ROUNDING = 1e-3
"""Largest deviation of a quaternion's length from 1 that passes for rounding."""

LENSES: dict[str, tuple[int, tuple[str, ...], bool]] = {
    "SIMPLE_PINHOLE": (1, (), False),
    "PINHOLE": (2, (), False),
    "SIMPLE_RADIAL": (1, ("k1",), False),
    "RADIAL": (1, ("k1", "k2"), False),
    "OPENCV": (2, ("k1", "k2", "p1", "p2"), False),
    "FULL_OPENCV": (2, ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6"), False),
    "OPENCV_FISHEYE": (2, ("k1", "k2", "k3", "k4"), True),
    "SIMPLE_FISHEYE": (1, (), True),
    "FISHEYE": (2, (), True),
    "SIMPLE_RADIAL_FISHEYE": (1, ("k1",), True),
    "RADIAL_FISHEYE": (1, ("k1", "k2"), True),
}
"""Supported camera models: number of focal lengths, names of the parameters that follow the principal point, fisheye or
not."""

_EXACT_PX = 1e-3
"""An observation that is off by less, of a point whose stated error is less, is a projection and no measurement."""


@dataclass(frozen=True)
class Observations:
    """Where photos show points: one entry for each photo and point, in no particular order."""

    file_paths: tuple[str, ...]
    """Paths of the model's photos."""
    photos: Int[Tensor, " observations"]
    """Index of the photo in `file_paths`."""
    points: Int[Tensor, " observations"]
    """Index of the point."""
    errors_px: Float[Tensor, " observations"]
    """Distance of the point's projection from where the photo shows it, in pixels of the photo that the model was made
    of; the largest one where the photo shows the point several times, infinite for a point behind the camera."""
    measured: Bool[Tensor, " observations"]
    """False for 2D points that are themselves projections of their points, which tell nothing about the camera."""


@dataclass(frozen=True)
class ColmapPoints:
    """The points of a model, in the model's world."""

    positions: Float[Tensor, "points 3"]
    colors: Float[Tensor, "points 3"]
    """sRGB, 0 to 1."""
    stated_errors_px: Float[Tensor, " points"]
    """Mean reprojection errors that the file states; many programs write a constant."""
    errors_px: Float[Tensor, " points"]
    """Mean reprojection errors of the observations; the stated ones where the model does not hold these."""
    track_lengths: Int[Tensor, " points"]
    """Number of different photos that show each point."""
    observations: Observations
    notes: tuple[tuple[str, str], ...] = ()
    """As those of `Frame`."""


@dataclass(frozen=True)
class SeenPoints:
    """Points to be written, and where the photos show them."""

    positions: Float[Tensor, "points 3"]
    colors: Float[Tensor, "points 3"]
    """sRGB, 0 to 1."""
    pixels: Float[Tensor, "views points 2"]
    """Column and row in each photo; undefined where the point is not seen."""
    seen: Bool[Tensor, "views points"]

    def __len__(self) -> int:
        return len(self.positions)


def is_colmap_model(folder: Path) -> bool:
    """Whether a folder holds a model, text or binary."""
    return bool(_endings(folder))


def read_colmap(folder: Path) -> list[Frame]:
    """The cameras of a model, sorted by the paths of their photos.

    Raises:
        PoseFileError: a file is damaged, or a camera has lens distortion that cannot be undone.
    """
    return sorted(_frames(_read_model(folder, with_points=False)), key=lambda frame: frame.file_path)


@dataclass(frozen=True)
class _Model:
    """The records of a model's files, in their order."""

    folder: Path
    ending: str
    cameras: list[CameraRecord]
    images: list[ImageRecord]
    points: list[PointRecord]
    notes: tuple[tuple[str, str], ...] = ()


def _read_model(folder: Path, with_points: bool) -> _Model:
    """The records of a model, of its text files where the binary ones are damaged; its points on request."""
    endings = _endings(folder)
    if not endings:
        raise PoseFileError(folder, "no COLMAP model: expected cameras.bin and images.bin there, or both as .txt")
    try:
        return _read_files(folder, endings[0], with_points)
    except PoseFileError as error:
        for ending in endings[1:]:
            with suppress(PoseFileError):
                model = _read_files(folder, ending, with_points)
                note = f"the {ending} files of the model {folder} are read", str(error)
                return replace(model, notes=(note, *model.notes))
        raise


def _read_files(folder: Path, ending: str, with_points: bool) -> _Model:
    cameras = read_records(folder / f"cameras{ending}", CameraRecord)
    images = read_records(folder / f"images{ending}", ImageRecord)
    if not images:
        raise PoseFileError(folder / f"images{ending}", "holds no photographs")
    points_file = folder / f"points3D{ending}"
    points = read_records(points_file, PointRecord) if with_points and points_file.is_file() else []
    usable = [point for point in points if all(abs(value) <= MAX_COORDINATE for value in point.position)]
    notes: tuple[tuple[str, str], ...] = ()
    if len(usable) < len(points):
        what = f"left out: {len(points) - len(usable)} of {len(points)} points of {points_file}"
        notes = ((what, f"they are NaN, infinite or beyond {MAX_COORDINATE:g}"),)
    return _Model(folder, ending, cameras, images, usable, notes)


def _frames(model: _Model) -> list[Frame]:
    """The cameras of a model's images, in the order of the file."""
    cameras_file, images_file = (model.folder / f"{name}{model.ending}" for name in ("cameras", "images"))
    cameras = {record.id: record for record in model.cameras}
    paths = [require_path(images_file, image.name) for image in model.images]
    repeated = [path for path, count in Counter(paths).items() if count > 1]
    if repeated:
        raise PoseFileError(images_file, "occurs more than once; names must differ", repeated[0])
    frames = []
    for image, name in zip(model.images, default_names(paths), strict=True):
        if image.camera_id not in cameras:
            problem = f"has camera {image.camera_id}, which {cameras_file.name} lacks"
            raise PoseFileError(images_file, problem, image.name)
        frame = _frame(images_file, image, name, cameras_file, cameras[image.camera_id])
        require_plausible_pose(images_file, frame)
        require_plausible_lens(cameras_file, frame)
        frames.append(replace(frame, notes=model.notes))
    return frames


def read_colmap_points(folder: Path) -> ColmapPoints | None:
    """The points of a model with their reprojection errors, which are computed; None where it has no points.

    Raises:
        PoseFileError: as `read_colmap`.
    """
    model = _read_model(folder, with_points=True)
    points = model.points
    if not points:
        return None
    images = list(zip(model.images, _frames(model), strict=True))
    positions = torch.tensor([point.position for point in points], dtype=torch.float64)
    stated = torch.tensor([point.error_px for point in points], dtype=torch.float64).nan_to_num(nan=-1.0)
    # Rows of (image id, index of its 2D point, index of the point).
    rows = [(*pair, k) for k, p in enumerate(points) for pair in zip(p.track[::2], p.track[1::2], strict=True)]
    tracks = torch.tensor(rows, dtype=torch.int64).reshape(-1, 3)
    tracks = tracks[tracks[:, 0].argsort()]
    shown = torch.unique(tracks[:, [0, 2]], dim=0)[:, 1]
    parts = []
    for index, (image, frame) in enumerate(images):
        first, last = torch.searchsorted(tracks[:, 0].contiguous(), torch.tensor([image.id, image.id + 1])).tolist()
        _, places, seen = tracks[first:last].unbind(-1)
        known = (places >= 0) & (places < len(image.points))
        pixels = torch.from_numpy(image.points)[places[known], :2]
        errors = (project_points(frame, positions[seen[known]]) - pixels).norm(dim=-1)
        unique, which = torch.unique(seen[known], return_inverse=True)
        errors = errors.new_zeros(len(unique)).scatter_reduce(0, which, errors, "amax")
        parts.append((torch.full_like(unique, index), unique, errors))
    photos, observed, errors = (torch.cat(part) for part in zip(*parts, strict=True))
    count = torch.bincount(observed, minlength=len(points))
    mean = torch.bincount(observed, weights=errors, minlength=len(points)) / count
    projected = (errors < _EXACT_PX) & (stated[observed].abs() < _EXACT_PX)
    return ColmapPoints(
        positions=positions,
        colors=(torch.tensor([point.color for point in points], dtype=torch.float64) / 255).clamp(0, 1),
        stated_errors_px=stated,
        errors_px=torch.where(count > 0, mean, stated),
        track_lengths=torch.bincount(shown, minlength=len(points)),
        observations=Observations(tuple(frame.file_path for _, frame in images), photos, observed, errors, ~projected),
        notes=model.notes,
    )


def write_colmap(folder: Path, frames: Sequence[Frame], points: SeenPoints, kind: Literal["bin", "txt"]) -> None:
    """Write a model into a folder, with a camera for each photo, since each has its own intrinsics.

    Cameras are of the model PINHOLE, or of OpenCV's where the lens distorts. The frames' file paths become the images'
    names. A point's error is the mean distance of its 2D points from its projections; -1, COLMAP's sign for an unknown
    error, where no photo shows it.

    Raises:
        ValueError: a photo's size is not known, or no model has its distortion.
    """
    cameras = []
    for number, frame in enumerate(frames, start=1):
        if frame.width is None or frame.height is None:
            raise ValueError(f"cannot write {folder}: view '{frame.name}' must have a size")
        model, params = _lens_params(folder, frame)
        cameras.append(CameraRecord(number, model, frame.width, frame.height, params))
    # Images and points refer to each other; ids count from 1, and image i has camera i.
    tracks: list[list[int]] = [[] for _ in range(len(points))]
    images = []
    errors = points.positions.new_zeros(len(points), dtype=torch.float64)
    for view, frame in enumerate(frames):
        shown = points.seen[view].nonzero().flatten().tolist()
        places = points.pixels[view, points.seen[view]].double()
        errors[shown] += (project_points(frame, points.positions[shown].double()) - places).norm(dim=-1)
        for index, point in enumerate(shown):
            tracks[point] += (view + 1, index)
        T = frame.T_camera_world.double()
        quaternion = tuple(se3.quats_from_rotations(T[:3, :3]).tolist())
        points_2d = torch.cat([places, torch.tensor(shown)[:, None] + 1], dim=1).numpy()
        images.append(ImageRecord(view + 1, frame.file_path, view + 1, quaternion, tuple(T[:3, 3].tolist()), points_2d))
    counts = points.seen.sum(0)
    errors = torch.where(counts > 0, errors / counts, -1.0).tolist()
    positions = points.positions.double().tolist()
    colors = (points.colors.clamp(0, 1) * 255).round().to(torch.uint8).tolist()
    point_records = [
        PointRecord(number, tuple(position), tuple(color), error, tuple(track))
        for number, (position, color, error, track) in enumerate(
            zip(positions, colors, errors, tracks, strict=True), start=1
        )
    ]
    for name, records in (("cameras", cameras), ("images", images), ("points3D", point_records)):
        write_records(folder / f"{name}.{kind}", records)


def _endings(folder: Path) -> list[str]:
    """Endings of a folder's model, `.bin` first; empty where there is none."""
    return [e for e in (".bin", ".txt") if all((folder / f"{name}{e}").is_file() for name in ("cameras", "images"))]


def _frame(file: Path, image: ImageRecord, name: str, cameras_file: Path, camera: CameraRecord) -> Frame:
    K, distortion = _lens(cameras_file, camera)
    q, t = torch.tensor(image.quaternion, dtype=torch.float64), torch.tensor(image.translation, dtype=torch.float64)
    if not (torch.isfinite(q).all() and torch.isfinite(t).all()):
        raise PoseFileError(file, "its pose holds NaN or infinity", image.name)
    length = float(q.norm())
    if length == 0:
        raise PoseFileError(file, "its quaternion is 0 0 0 0, which is no rotation", image.name)
    pose = se3.pose(se3.rotations_from_quats(q / length), t)
    scale = 1.0 if abs(length - 1) <= _QUATERNION_ROUNDING else length
    return Frame(name, image.name, pose, K, camera.width, camera.height, distortion=distortion, matrix_scale=scale)


def _lens_params(folder: Path, frame: Frame) -> tuple[str, tuple[float, ...]]:
    """The camera model that has a frame's lens distortion, and its parameters."""
    lens = frame.distortion
    if lens.is_none:
        return "PINHOLE", frame.intrinsics
    if lens.fisheye:
        return "OPENCV_FISHEYE", (*frame.intrinsics, lens.k1, lens.k2, lens.k3, lens.k4)
    if lens.k4:
        raise ValueError(f"cannot write {folder}: no camera model has the distortion k4 of view '{frame.name}'")
    model = "FULL_OPENCV" if lens.k3 else "OPENCV"
    rest = (lens.k3, 0.0, 0.0, 0.0) if lens.k3 else ()
    return model, (*frame.intrinsics, lens.k1, lens.k2, lens.p1, lens.p2, *rest)


def _lens(file: Path, camera: CameraRecord) -> tuple[Float[Tensor, "3 3"], Distortion]:
    """K and lens distortion of a camera, whose parameters are checked."""
    if camera.model not in LENSES:
        raise PoseFileError(
            file,
            f"camera {camera.id} is of model {camera.model}, which cannot be straightened here; supported are "
            f"{', '.join(LENSES)}. Undistort the photographs with COLMAP's image_undistorter, and use its model",
        )
    focals, names, fisheye = LENSES[camera.model]
    label, expected = f"camera {camera.id} ({camera.model})", focals + 2 + len(names)
    if len(camera.params) != expected:
        raise PoseFileError(file, f"{label} must have {expected} parameters, has {len(camera.params)}")
    if not torch.isfinite(torch.tensor(camera.params, dtype=torch.float64)).all() or min(camera.params[:focals]) <= 0:
        problem = f"must have finite parameters and focal lengths above zero: {list(camera.params)}"
        raise PoseFileError(file, f"camera {camera.id} {problem}")
    values = dict(zip(names, camera.params[focals + 2 :], strict=True))
    rational = [name for name in ("k4", "k5", "k6") if not fisheye and values.pop(name, 0.0) != 0]
    if rational:
        raise PoseFileError(
            file,
            f"{label} uses {', '.join(rational)}, which cannot be straightened here; "
            "undistort the photographs with COLMAP's image_undistorter, and use its model",
        )
    cx, cy = camera.params[focals : focals + 2]
    K = intrinsics_matrix(camera.params[0], camera.params[focals - 1], cx, cy)
    return K, Distortion(**values, fisheye=fisheye)
