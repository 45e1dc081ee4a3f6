"""The cameras that training would start from, for programs that train by themselves.

    transforms.json       nerfstudio and Blender-style readers; names the photographs by paths relative to the folder
    cameras.json          the authors' format
    sparse/0/*.bin        COLMAP model of the photographs as stored, as COLMAP reads them, with their own names
    sparse_text/0/*.txt   the COLMAP model as text
    points.ply            the initialiser's points, where it has any
    export.json           source of the cameras, its doubt, the confidence in each view, and the views left out

Nothing is cropped, scaled or copied: intrinsics, lens distortion included, are those of the original photographs.
Views without a trusted pose are left out, because other programs would trust them.

Frames: `world`, that of the pose file or initialiser. Units: pixels of the photographs; confidence from 0 to 1.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from sparseags_ns.console import warn
from sparseags_ns.export.cameras import write_pose_files
from sparseags_ns.formats.colmap import SeenPoints
from sparseags_ns.formats.frame import Frame, file_labels, intrinsics_matrix, photo_names
from sparseags_ns.formats.mask_keys import DYNAMIC_MASK_KEY, MASK_KEY, states_mask
from sparseags_ns.pose_init.photo_orientation import EXIF_APPLIED
from sparseags_ns.preprocess.photo_files import QUARTER_TURNS, listed
from sparseags_ns.preprocess.posed_photo_files import PosedPhotoFile
from sparseags_ns.scene.finding import UNREGISTERED, FoundScene
from sparseags_ns.views import PointCloud

CONFIDENCE_KEY = "confidence"
"""Key of a view's confidence in both JSON files."""


def write_found_cameras(folder: Path, found: FoundScene, destination: Path) -> dict[str, Any]:
    """Write the cameras of a scene into an existing folder; returns its part of `export.json`.

    Args:
        destination: where the folder will lie, to which paths of photographs are relative.
    """
    kept = [file for file in found.files if file.frame.trusted]
    names = dict(zip(found.paths, photo_names(found.paths), strict=True))
    frames = [photograph_frame(file, destination, names[file.path]) for file in kept]
    labels = dict(zip(found.paths, file_labels(found.paths), strict=True))
    rotated = [file for file in kept if _is_rotated(file)]
    if rotated:
        warn(
            f"cameras of the upright photographs: {listed([labels[file.path] for file in rotated])}",
            f"in transforms.json and cameras.json, where {EXIF_APPLIED} says so; the COLMAP models are of the "
            "photographs as stored. Most programs ignore the rotation that EXIF asks for: give them these models, or "
            "photographs that are saved upright",
        )
    mirrored = [labels[file.path] for file in rotated if file.photo_file.orientation not in QUARTER_TURNS]
    if mirrored:
        warn(
            f"COLMAP models mean the upright photographs: {listed(mirrored)}",
            "EXIF mirrors them, and no camera takes the stored rasters; save them upright, without the tag",
        )
    stored = [
        stored_raster_frame(frame, file.photo_file.orientation) if _is_rotated(file) else frame
        for frame, file in zip(frames, kept, strict=True)
    ]
    write_pose_files(folder, frames, _points(found.points, len(frames)), "sparseags poses", stored)
    return {
        "source": found.pose_source,
        "doubt": None if found.initial is None else found.initial.doubt,
        "views": {names[file.path]: round(file.confidence, 4) for file in kept},
        "left_out_without_trusted_pose": [names[file.path] for file in found.files if not file.frame.trusted],
        "alternatives": [] if found.initial is None else [one.loss for one in found.initial.alternatives],
        "images": "the original photographs, upright as their EXIF tags ask unless listed in stored_rasters; in COLMAP "
        "models as stored",
        "stored_rasters": [file.path.name for file in kept if not file.photo_file.upright],
    }


def photograph_frame(file: PosedPhotoFile, destination: Path, name: str) -> Frame:
    """Pose file entry of a photograph as it lies on disk, with the confidence in its pose and the mask that it has."""
    width, height = file.size
    across, down = width / (file.frame.width or width), height / (file.frame.height or height)
    fx, fy, cx, cy = file.frame.intrinsics
    extra = {key: value for key, value in file.frame.extra.items() if key != UNREGISTERED}
    if file.photo_file.has_rotation:
        extra[EXIF_APPLIED] = file.photo_file.upright
    if file.photo_file.mask is not None:
        mask = file.photo_file.mask
        extra = {key: value for key, value in extra.items() if not states_mask(key)}
        extra[DYNAMIC_MASK_KEY if mask.is_inverted else MASK_KEY] = _relative(mask.path, destination)
    return replace(
        file.frame,
        name=name,
        file_path=_relative(file.path, destination),
        K=intrinsics_matrix(fx * across, fy * down, cx * across, cy * down),
        width=width,
        height=height,
        extra=extra | {CONFIDENCE_KEY: round(file.confidence, 4)},
    )


def stored_raster_frame(frame: Frame, orientation: int) -> Frame:
    """The camera of the raster as stored, of that of the photograph which an EXIF orientation rotates upright.

    The camera is rolled about its optical axis by quarter turns. Mirrorings, which no camera makes, leave it as it is.
    """
    for _ in range(QUARTER_TURNS.get(orientation, 0)):
        frame = _rolled(frame)
    return frame


def _rolled(frame: Frame) -> Frame:
    """The camera of the photograph rotated clockwise by a quarter turn: the point (x, y) lies at (height - y, x)."""
    assert frame.width is not None and frame.height is not None, "found cameras have the size of their photographs"
    roll = torch.eye(4, dtype=frame.T_camera_world.dtype)
    roll[:2, :2] = roll.new_tensor([[0, -1], [1, 0]])
    fx, fy, cx, cy = frame.intrinsics
    return replace(
        frame,
        T_camera_world=roll @ frame.T_camera_world,
        K=intrinsics_matrix(fy, fx, frame.height - cy, cx),
        width=frame.height,
        height=frame.width,
        # (p2, p1) is a vector in the image; the other coefficients are radial.
        distortion=replace(frame.distortion, p2=-frame.distortion.p1, p1=frame.distortion.p2),
    )


def _is_rotated(file: PosedPhotoFile) -> bool:
    """Whether a photograph's camera belongs to it after its EXIF rotation, which COLMAP does not apply."""
    return file.photo_file.upright and file.photo_file.has_rotation


def _relative(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path.absolute(), folder.absolute())).as_posix()


def _points(cloud: PointCloud | None, views: int) -> SeenPoints:
    """Points without tracks: which photographs show them is not known any more."""
    positions = torch.zeros(0, 3) if cloud is None else cloud.positions
    colors = torch.zeros(0, 3) if cloud is None else cloud.colors
    count = len(positions)
    return SeenPoints(positions, colors, torch.zeros(views, count, 2), torch.zeros(views, count, dtype=torch.bool))
