"""From matched key points to cameras and points, with COLMAP's incremental mapper (pycolmap).

Units: `virtual` pixels, those of a photograph scaled so that its longer side is `VIRTUAL_PX`; photographs of one shape
(and one focal length, where EXIF tells) share a camera there. Frames: `world`, as the mapper leaves it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from sparseags_ns.formats.frame import Distortion, Frame, intrinsics_matrix
from sparseags_ns.pose_init.base import InitialPoses, pose_lr_scale_by
from sparseags_ns.views import PointCloud

VIRTUAL_PX = 1024

# COLMAP's own first guess where nothing is known.
_FOCAL_GUESS = 1.2
# A handful of photographs has fewer points, fewer images and smaller baselines than the mapper's defaults ask for.
_FEWEST_MATCHES = 15
_SMALLEST_MODEL = 2
_INIT_INLIERS = 50
_INIT_ANGLE_DEG = 6.0
_POSE_INLIERS = 20
# Observed points at which a pose is as sure as not.
_HALF_SURE = 50.0


@dataclass(frozen=True)
class Shot:
    """One photograph with its key points."""

    path: Path
    size: tuple[int, int]
    """(width, height) of the upright photograph."""
    focal_px: float | None
    """First guess in the photograph's own pixels."""
    positions: Float[np.ndarray, "points 2"]
    colors: Float[np.ndarray, "points 3"]

    @property
    def scale(self) -> float:
        """Virtual pixels for each of the photograph's."""
        return VIRTUAL_PX / max(self.size)

    @property
    def virtual_size(self) -> tuple[int, int]:
        """(width, height) in virtual pixels."""
        return round(self.size[0] * self.scale), round(self.size[1] * self.scale)


def map_shots(
    shots: Sequence[Shot], matches: Mapping[tuple[int, int], Int[np.ndarray, "matches 2"]], seed: int
) -> InitialPoses:
    """Cameras of the largest set of photographs that fit together; None for the others."""
    colmap = import_module("pycolmap")
    # Its one error that does not raise, that nothing fits together, is said by whoever asked for the poses.
    colmap.logging.minloglevel = colmap.logging.Level.FATAL.value
    with tempfile.TemporaryDirectory(prefix="sparseags-") as folder:
        database, ids = _write_database(colmap, Path(folder), shots, matches, seed)
        models = colmap.incremental_mapping(database, folder, folder, _options(colmap, seed))
    if not models:
        nothing = (None,) * len(shots)
        return InitialPoses(nothing, torch.zeros(len(shots)))
    model = max(models.values(), key=lambda candidate: (candidate.num_reg_images(), candidate.num_points3D()))
    return _initial_poses(shots, ids, model)


def _write_database(
    colmap: Any,
    folder: Path,
    shots: Sequence[Shot],
    matches: Mapping[tuple[int, int], Int[np.ndarray, "matches 2"]],
    seed: int,
) -> tuple[Path, list[int]]:
    """COLMAP's database of verified matches, and the photographs' numbers in it."""
    path, pairs = folder / "database.db", folder / "pairs.txt"
    colmap.set_random_seed(seed)
    with colmap.Database.open(path) as database:
        cameras: dict[tuple[int, int, int], int] = {}
        ids = []
        for shot in shots:
            key = _camera_key(shot)
            if key not in cameras:
                cameras[key] = database.write_camera(_camera(colmap, shot))
            ids.append(database.write_image(colmap.Image(name=shot.path.name, camera_id=cameras[key])))
            database.write_keypoints(ids[-1], shot.positions.astype(np.float32))
        for (first, second), found in matches.items():
            database.write_matches(ids[first], ids[second], found.astype(np.uint32))
    names = [f"{shots[first].path.name} {shots[second].path.name}" for first, second in matches]
    pairs.write_text("\n".join(names) + "\n")
    verification = colmap.TwoViewGeometryOptions()
    verification.ransac.random_seed = seed
    colmap.verify_matches(path, pairs, verification)
    return path, ids


def _camera_key(shot: Shot) -> tuple[int, int, int]:
    """Photographs with the same key share a camera: same shape, same focal length within a percent or so."""
    focal = 0 if shot.focal_px is None else round(100 * np.log(shot.focal_px * shot.scale))
    return (*shot.virtual_size, focal)


def _camera(colmap: Any, shot: Shot) -> Any:
    width, height = shot.virtual_size
    known = shot.focal_px is not None
    focal = shot.focal_px * shot.scale if shot.focal_px is not None else _FOCAL_GUESS * VIRTUAL_PX
    params = [focal, width / 2, height / 2, 0.0]
    return colmap.Camera(model="SIMPLE_RADIAL", width=width, height=height, params=params, has_prior_focal_length=known)


def _options(colmap: Any, seed: int) -> Any:
    options = colmap.IncrementalPipelineOptions()
    options.random_seed = options.mapper.random_seed = options.triangulation.random_seed = seed
    options.num_threads = 1  # more would make the result depend on their order
    options.extract_colors = False
    options.min_num_matches = _FEWEST_MATCHES
    options.min_model_size = _SMALLEST_MODEL
    options.mapper.init_min_num_inliers = _INIT_INLIERS
    options.mapper.init_min_tri_angle = _INIT_ANGLE_DEG
    options.mapper.abs_pose_min_num_inliers = _POSE_INLIERS
    return options


def _initial_poses(shots: Sequence[Shot], ids: Sequence[int], model: Any) -> InitialPoses:
    frames: list[Frame | None] = []
    confidence, pose_lr_scale = [], []
    for shot, number in zip(shots, ids, strict=True):
        placed = number in model.images and model.images[number].has_pose
        frames.append(_frame(shot, model.images[number]) if placed else None)
        seen = model.images[number].num_points3D if placed else 0
        confidence.append(seen / (seen + _HALF_SURE))
        pose_lr_scale.append(pose_lr_scale_by(seen))
    points = _points(dict(zip(ids, shots, strict=True)), model)
    return InitialPoses(tuple(frames), torch.tensor(confidence), points, torch.tensor(pose_lr_scale))


def _frame(shot: Shot, image: Any) -> Frame:
    width, height = shot.size
    focal, cx, cy, k = image.camera.params
    across, down = width / shot.virtual_size[0], height / shot.virtual_size[1]
    T = torch.eye(4, dtype=torch.float64)
    T[:3] = torch.from_numpy(image.cam_from_world().matrix())
    return Frame(
        name=shot.path.stem,
        file_path=shot.path.name,
        T_camera_world=T,
        K=intrinsics_matrix(focal / shot.scale, focal / shot.scale, cx * across, cy * down),
        width=width,
        height=height,
        distortion=Distortion(k1=float(k)),
    )


def _points(shots: Mapping[int, Shot], model: Any) -> PointCloud | None:
    """The points, surer the more photographs show them and the better they agree."""
    points = list(model.points3D.values())
    if not points:
        return None
    seen = torch.tensor([float(point.track.length()) for point in points], dtype=torch.float64)
    errors = torch.tensor([float(point.error) for point in points], dtype=torch.float64).clamp(min=0)
    colors = [
        np.mean([shots[e.image_id].colors[e.point2D_idx] for e in point.track.elements], axis=0) for point in points
    ]
    return PointCloud(
        positions=torch.tensor(np.array([point.xyz for point in points]), dtype=torch.float64),
        colors=torch.tensor(np.array(colors), dtype=torch.float64),
        confidence=(1 - 1 / seen.clamp(min=1)) / (1 + errors),
    )
