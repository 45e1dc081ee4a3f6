"""COLMAP's sparse models, text and binary: what COLMAP itself, VGGSfM, VGGT, MASt3R-SfM and InstantSplat write.

A model is a folder with `cameras`, `images` and, where points were found, `points3D`, all `.bin` or all `.txt`. Its
cameras are world-to-camera with OpenCV axes, quaternions w x y z, and its pixels are ours: (0, 0) is the corner of the
photograph. Newer versions add `rigs` and `frames`, which repeat what `images` says and are not read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sparseags_ns.formats.colmap_records import CameraRecord, ImageRecord, PointRecord, read_records
from sparseags_ns.formats.frame import Distortion, Frame, PoseFileError, intrinsics_matrix

MODEL_FOLDERS = ("sparse/0", "sparse", "colmap/sparse/0", "colmap/sparse", "colmap")
"""Where a scene's model may lie, in the order in which it is looked for."""

_QUATERNION_TOLERANCE = 1e-2

# Model -> (number of focal lengths, names of what follows the principal point, whether it is a fisheye lens).
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


AGREE = 3
EXACT_PX = 2.0


@dataclass(frozen=True)
class ColmapPoints:
    """The points of a model, in its world."""

    positions: Float[Tensor, "points 3"]
    colors: Float[Tensor, "points 3"]
    """sRGB, 0 to 1."""
    errors_px: Float[Tensor, " points"]
    """Mean reprojection errors."""
    track_lengths: Int[Tensor, " points"]
    """How many photographs show each point."""
    support: dict[str, int]
    """How many points hold each photograph in its place, by its path: those that at least `AGREE` photographs show,
    with an error of at most `EXACT_PX`; an error of exactly 0 was not measured."""


def is_colmap_model(folder: Path) -> bool:
    """Whether a folder holds a model, text or binary."""
    return _ending(folder) is not None


def read_colmap(folder: Path) -> list[Frame]:
    """The cameras of a model, by the names of their photographs.

    Raises:
        PoseFileError: a file is damaged, or a camera is of a kind that cannot be straightened.
    """
    ending = _require_ending(folder)
    cameras_file, images_file = folder / f"cameras{ending}", folder / f"images{ending}"
    cameras = {record.id: record for record in read_records(cameras_file, CameraRecord)}
    images = read_records(images_file, ImageRecord)
    if not images:
        raise PoseFileError(images_file, "holds no photographs")
    names = _names(images_file, [image.name for image in images])
    frames = []
    for image, name in zip(images, names, strict=True):
        if image.camera_id not in cameras:
            raise PoseFileError(
                images_file, f"has camera {image.camera_id}, which {cameras_file.name} lacks", image.name
            )
        frames.append(_frame(images_file, image, name, cameras_file, cameras[image.camera_id]))
    return sorted(frames, key=lambda frame: frame.file_path)


def read_colmap_points(folder: Path) -> ColmapPoints | None:
    """The points of a model, None where it has none."""
    ending = _require_ending(folder)
    file = folder / f"points3D{ending}"
    points = read_records(file, PointRecord) if file.is_file() else []
    if not points:
        return None
    sure = [point for point in points if len(point.seen_by) >= AGREE and 0 < point.error_px <= EXACT_PX]
    counts = Counter(number for point in sure for number in set(point.seen_by))
    images = read_records(folder / f"images{ending}", ImageRecord)
    return ColmapPoints(
        positions=torch.tensor([point.position for point in points], dtype=torch.float64),
        colors=torch.tensor([point.color for point in points], dtype=torch.float64) / 255,
        errors_px=torch.tensor([point.error_px for point in points], dtype=torch.float64),
        track_lengths=torch.tensor([len(point.seen_by) for point in points]),
        support={image.name: counts[image.id] for image in images},
    )


def _ending(folder: Path) -> str | None:
    for ending in (".bin", ".txt"):
        if all((folder / f"{name}{ending}").is_file() for name in ("cameras", "images")):
            return ending
    return None


def _require_ending(folder: Path) -> str:
    ending = _ending(folder)
    if ending is None:
        raise PoseFileError(folder, "no COLMAP model: expected cameras.bin and images.bin there, or both as .txt")
    return ending


def _names(file: Path, paths: Sequence[str]) -> list[str]:
    """A name for each photograph: its own without the ending; its path where photographs' names repeat."""
    repeated = [path for path, count in Counter(paths).items() if count > 1]
    if repeated:
        raise PoseFileError(file, "occurs more than once; names must differ", repeated[0])
    stems = [path.replace("\\", "/").rsplit("/", 1)[-1].rsplit(".", 1)[0] for path in paths]
    return stems if len(set(stems)) == len(stems) else list(paths)


def _frame(file: Path, image: ImageRecord, name: str, cameras_file: Path, camera: CameraRecord) -> Frame:
    fx, fy, cx, cy = _intrinsics(cameras_file, camera)
    return Frame(
        name=name,
        file_path=image.name,
        T_camera_world=_pose(file, image),
        K=intrinsics_matrix(fx, fy, cx, cy),
        width=camera.width,
        height=camera.height,
        distortion=_distortion(cameras_file, camera),
    )


def _pose(file: Path, image: ImageRecord) -> Float[Tensor, "4 4"]:
    q, t = torch.tensor(image.quaternion, dtype=torch.float64), torch.tensor(image.translation, dtype=torch.float64)
    if not (torch.isfinite(q).all() and torch.isfinite(t).all()):
        raise PoseFileError(file, "its pose holds NaN or infinity", image.name)
    if abs(float(q.norm()) - 1) > _QUATERNION_TOLERANCE:
        raise PoseFileError(file, f"its quaternion must have length 1, has {float(q.norm()):.3g}", image.name)
    w, x, y, z = (q / q.norm()).tolist()
    T = torch.eye(4, dtype=torch.float64)
    T[:3, :3] = torch.tensor(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ],
        dtype=torch.float64,
    )
    T[:3, 3] = t
    return T


def _lens(file: Path, camera: CameraRecord) -> tuple[int, tuple[str, ...], bool]:
    """What the camera's parameters mean, after making sure that they are all there."""
    if camera.model not in LENSES:
        raise PoseFileError(
            file,
            f"camera {camera.id} is of model {camera.model}, which cannot be straightened here; supported are "
            f"{', '.join(LENSES)}. Undistort the photographs with COLMAP's image_undistorter, and use its model",
        )
    focals, names, fisheye = LENSES[camera.model]
    expected = focals + 2 + len(names)
    if len(camera.params) != expected:
        raise PoseFileError(
            file, f"camera {camera.id} ({camera.model}) must have {expected} parameters, has {len(camera.params)}"
        )
    if not torch.isfinite(torch.tensor(camera.params)).all() or min(camera.params[:focals]) <= 0:
        raise PoseFileError(
            file, f"camera {camera.id} must have finite parameters and focal lengths above zero: {list(camera.params)}"
        )
    return focals, names, fisheye


def _intrinsics(file: Path, camera: CameraRecord) -> tuple[float, float, float, float]:
    focals, _, _ = _lens(file, camera)
    fx, fy = camera.params[0], camera.params[focals - 1]
    cx, cy = camera.params[focals : focals + 2]
    return fx, fy, cx, cy


def _distortion(file: Path, camera: CameraRecord) -> Distortion:
    focals, names, fisheye = _lens(file, camera)
    values = dict(zip(names, camera.params[focals + 2 :], strict=True))
    rational = [name for name in ("k4", "k5", "k6") if not fisheye and values.pop(name, 0.0) != 0]
    if rational:
        raise PoseFileError(
            file,
            f"camera {camera.id} ({camera.model}) uses {', '.join(rational)}, which cannot be straightened here; "
            "undistort the photographs with COLMAP's image_undistorter, and use its model",
        )
    return Distortion(**values, fisheye=fisheye)
