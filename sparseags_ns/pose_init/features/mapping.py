"""Cameras and points from matched key points, with COLMAP's incremental mapper (pycolmap).

Frames: `world`, as the mapper leaves it. Units: `virtual` pixels, those of a photograph scaled so that its longer side
is `VIRTUAL_PX`; photographs of one shape (and one focal length, where EXIF tells) share a camera there.
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
from jaxtyping import Float

from sparseags_ns.formats.frame import Distortion, Frame, intrinsics_matrix
from sparseags_ns.pose_init.base import FOCAL_GUESS, InitialPoses, point_confidence, pose_lr_scale_from_points
from sparseags_ns.pose_init.features.matching import PairMatches
from sparseags_ns.views import PointCloud

VIRTUAL_PX = 1024


@dataclass(frozen=True)
class MappingSettings:
    """Thresholds of COLMAP's mapper; the defaults of COLMAP suit hundreds of photographs.

    A handful of photographs has fewer points, fewer images and smaller baselines.
    """

    min_num_matches: int = 15
    """Fewest verified matches of a pair that is used (COLMAP: 15)."""
    min_model_size: int = 2
    """Fewest photographs of a model (COLMAP: 10)."""
    init_min_num_inliers: int = 50
    """Fewest inliers of the first pair (COLMAP: 100)."""
    init_min_tri_angle_deg: float = 6.0
    """Smallest triangulation angle of the first pair (COLMAP: 16)."""
    abs_pose_min_num_inliers: int = 20
    """Fewest inliers of a further photograph's pose (COLMAP: 30)."""
    half_confidence_points: float = 50.0
    """Number of observed points at which the confidence in a pose is 0.5."""


@dataclass(frozen=True)
class Shot:
    """One photograph with its key points."""

    path: Path
    size: tuple[int, int]
    """(width, height) of the upright photograph."""
    focal_px: float | None
    """First guess of the focal length in the photograph's own pixels; None where EXIF does not tell."""
    positions: Float[np.ndarray, "points 2"]
    """Virtual pixels."""
    colors: Float[np.ndarray, "points 3"]
    """sRGB, 0 to 1."""

    @property
    def scale(self) -> float:
        """Virtual pixels for each of the photograph's."""
        return VIRTUAL_PX / max(self.size)

    @property
    def virtual_size(self) -> tuple[int, int]:
        """(width, height) in virtual pixels."""
        return round(self.size[0] * self.scale), round(self.size[1] * self.scale)


def map_shots(
    shots: Sequence[Shot], matches: PairMatches, seed: int, settings: MappingSettings = MappingSettings()
) -> InitialPoses:
    """Cameras of the largest set of photographs that fit together; None for the others."""
    colmap = import_module("pycolmap")
    # Its one error that does not raise, that nothing fits together, is reported by the caller.
    colmap.logging.minloglevel = colmap.logging.Level.FATAL.value
    with tempfile.TemporaryDirectory(prefix="sparseags-") as folder:
        database, ids = _write_database(colmap, Path(folder), shots, matches, seed)
        models = colmap.incremental_mapping(database, folder, folder, _options(colmap, seed, settings))
    if not models:
        return InitialPoses((None,) * len(shots), torch.zeros(len(shots)))
    model = max(models.values(), key=lambda candidate: (candidate.num_reg_images(), candidate.num_points3D()))
    frames: list[Frame | None] = []
    observed: list[int] = []
    for shot, number in zip(shots, ids, strict=True):
        registered = number in model.images and model.images[number].has_pose
        frames.append(_frame(shot, model.images[number]) if registered else None)
        observed.append(model.images[number].num_points3D if registered else 0)
    confidence = torch.tensor([count / (count + settings.half_confidence_points) for count in observed])
    pose_lr_scale = torch.tensor([pose_lr_scale_from_points(count) for count in observed])
    points = _points(dict(zip(ids, shots, strict=True)), model)
    return InitialPoses(tuple(frames), confidence, points, pose_lr_scale)


def verified_matches(shots: Sequence[Shot], matches: PairMatches, seed: int) -> PairMatches:
    """The matches of each pair that one geometry of two views explains; none where no geometry explains enough."""
    colmap = import_module("pycolmap")
    with tempfile.TemporaryDirectory(prefix="sparseags-") as folder:
        path, ids = _write_database(colmap, Path(folder), shots, matches, seed)
        with colmap.Database.open(path) as database:
            verified = {}
            for first, second in matches:
                pair = ids[first], ids[second]
                found = database.read_two_view_geometry(*pair).inlier_matches
                verified[first, second] = np.array(found, np.int64).reshape(-1, 2)
    return verified


def _write_database(
    colmap: Any, folder: Path, shots: Sequence[Shot], matches: PairMatches, seed: int
) -> tuple[Path, list[int]]:
    """COLMAP's database of verified matches, and the photographs' numbers in it."""
    path, pairs = folder / "database.db", folder / "pairs.txt"
    colmap.set_random_seed(seed)
    with colmap.Database.open(path) as database:
        cameras: dict[tuple[int, int, int], int] = {}
        ids = []
        for index, shot in enumerate(shots):
            # Photographs of one shape, and one focal length within a percent or so, share a camera.
            focal = None if shot.focal_px is None else shot.focal_px * shot.scale
            width, height = shot.virtual_size
            key = width, height, 0 if focal is None else round(100 * np.log(focal))
            if key not in cameras:
                params = [FOCAL_GUESS * VIRTUAL_PX if focal is None else focal, width / 2, height / 2, 0.0]
                camera = colmap.Camera(model="SIMPLE_RADIAL", width=width, height=height, params=params)
                camera.has_prior_focal_length = focal is not None
                cameras[key] = database.write_camera(camera)
            ids.append(database.write_image(colmap.Image(name=str(index), camera_id=cameras[key])))
            database.write_keypoints(ids[-1], shot.positions.astype(np.float32))
        for (first, second), found in matches.items():
            database.write_matches(ids[first], ids[second], found.astype(np.uint32))
    pairs.write_text("\n".join(f"{a} {b}" for a, b in matches) + "\n")
    verification = colmap.TwoViewGeometryOptions()
    verification.ransac.random_seed = seed
    colmap.verify_matches(path, pairs, verification)
    return path, ids


def _options(colmap: Any, seed: int, settings: MappingSettings) -> Any:
    options = colmap.IncrementalPipelineOptions()
    options.random_seed = options.mapper.random_seed = options.triangulation.random_seed = seed
    options.num_threads = 1  # more would make the result depend on their order
    options.extract_colors = False
    options.min_num_matches, options.min_model_size = settings.min_num_matches, settings.min_model_size
    options.mapper.init_min_num_inliers = settings.init_min_num_inliers
    options.mapper.init_min_tri_angle = settings.init_min_tri_angle_deg
    options.mapper.abs_pose_min_num_inliers = settings.abs_pose_min_num_inliers
    return options


def _frame(shot: Shot, image: Any) -> Frame:
    """Camera of a registered photograph, in its own pixels."""
    width, height = shot.size
    focal, cx, cy, k = image.camera.params
    # The virtual size is rounded, so the two axes differ a little in scale; the focal length has one scale for both.
    across, down = width / shot.virtual_size[0], height / shot.virtual_size[1]
    T = torch.eye(4, dtype=torch.float64)
    T[:3] = torch.from_numpy(image.cam_from_world().matrix())
    K = intrinsics_matrix(focal / shot.scale, focal / shot.scale, cx * across, cy * down)
    return Frame(shot.path.stem, shot.path.name, T, K, width, height, distortion=Distortion(k1=float(k)))


def _points(shots: Mapping[int, Shot], model: Any) -> PointCloud | None:
    """Points of the model, in the mean colour of the key points that show them."""
    points = list(model.points3D.values())
    if not points:
        return None
    track_lengths = torch.tensor([float(point.track.length()) for point in points], dtype=torch.float64)
    errors_px = torch.tensor([float(point.error) for point in points], dtype=torch.float64)
    seen = ([shots[e.image_id].colors[e.point2D_idx] for e in point.track.elements] for point in points)
    colors = np.array([np.mean(some, axis=0) for some in seen])
    positions = np.array([point.xyz for point in points])
    confidence = point_confidence(track_lengths, errors_px)
    return PointCloud(torch.from_numpy(positions).double(), torch.from_numpy(colors).double(), confidence)
