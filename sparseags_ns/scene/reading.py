"""From the folder of a scene to its `Views`.

A folder holds `cameras.json` with the photographs in `processed/` or `images/`; `transforms.json` with the photographs
where it says; a COLMAP model with them; photographs alone; or a video. Photographs are RGBA, or opaque with masks of
the same names in `masks/`, or opaque without masks, which are then computed (`preprocess.mask_plan`). If photographs
were padded, images of the same names in `valid/` tell which pixels they cover (white), or boxes in the pose file do.

Nothing in the folder is changed. What is computed (poses, masks, key frames) is kept in `sparseags/` inside it.

Frames: `world`, that of the pose file or the initialiser; `geometry.alignment` brings it to the normalised world.
Units: pixels of the images as returned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.console import announce
from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.pose_init.estimation import PoseInitName
from sparseags_ns.preprocess.framing import working_size
from sparseags_ns.preprocess.mask_plan import MASKS_FOLDER, MaskPlan, Masks, plan_masks
from sparseags_ns.preprocess.posed_photo_files import (
    PosedPhotoFile,
    announce_framing,
    announce_orientation,
    check_intrinsics,
    shared_focal_scales,
)
from sparseags_ns.preprocess.read_photos import read_photos
from sparseags_ns.preprocess.store import store_of
from sparseags_ns.preprocess.video import photographs_folder
from sparseags_ns.scene.finding import UNREGISTERED, MissingPoses, find_scene, find_unposed_scene
from sparseags_ns.views import Views

MIN_RESOLUTION = 16
_READ_PER_RESOLUTION = 8
"""Photographs are reduced on reading to this many working resolutions: an object that fills an eighth of its photograph
then still has all the pixels that the working resolution can show."""
_MIN_READ_PX = 2048
"""Photographs are never reduced below this longer side on reading."""

FixCameras = Literal["auto", "all", "none"]
"""`auto`: cameras that were fitted to many points and, for whole photographs, all with a trusted pose."""


@dataclass
class ReadingOptions:
    """How a scene's folder is read."""

    poses: Path | None = None
    """A cameras.json, transforms.json or folder of a COLMAP model to take the initial cameras from, relative to the
    working folder or else to the scene; None looks for one in the scene's folder."""
    pose_init: PoseInitName = "auto"
    """Source of the initial cameras: files, dust3r, features or id-pose; auto takes a file where there is one, else
    dust3r where its package and weights are here, else features."""
    pose_weights: str = "auto"
    """Weights for dust3r (a checkpoint, its folder or name) or id-pose (as for the prior); auto looks where they
    usually lie."""
    resolution: int = 256
    """Side of the working images in pixels (paper: 256); longer side of whole photographs."""
    masks: Masks = "auto"
    """Where the object's masks come from: given (transparency or the masks/ folder), rembg, background (by colours,
    where backgrounds are plain), or none, for whole photographs; auto takes the first that applies."""
    masks_drop: bool = False
    """Whether the masks of the masks/ folder are white where photographs are to be left out (VGGSfM)."""
    missing_poses: MissingPoses = "refuse"
    """What happens to photographs without a pose in the pose file: refuse the scene, leave-out the photographs, or
    search: training searches for their poses."""
    num_frames: int = 12
    """Number of frames that are taken of a video."""
    fix_cameras: FixCameras = "auto"
    """Which cameras are fixed, that is, not refined: auto fixes those that were fitted to many points and, where
    photographs are reconstructed whole, without masks, all that have a pose; all; or none."""
    cache_dir: Path | None = None
    """Where computed poses, masks and key frames are kept; None for `sparseags/` in the scene's folder."""


@dataclass(frozen=True)
class ReadScene:
    """Views of a scene, and how their poses and masks were found."""

    views: Views
    confidence: Float[Tensor, " views"]
    """Confidence in each pose: 1 if it was given, 0 if there is none."""
    pose_source: str
    """Where the poses come from, in a few words; "none" if there are none."""
    mask_plan: MaskPlan


def read_scene(data: Path, options: ReadingOptions | None = None) -> ReadScene:
    """Read the photographs of a scene, with their masks and initial cameras, each given or computed.

    Args:
        data: the folder of the photographs, or a video.
        options: how to read it; None for the defaults.

    Returns:
        Views sorted by file name. Images, masks and valid regions are float32; cameras and points are float64 and in
        the world of the pose file or initialiser, so that they lose nothing before they are normalised.

    Raises:
        ValueError: the input cannot be used (SceneError, PoseFileError, PhotoError, PoseInitError, StoreError).
    """
    return _read(data, options or ReadingOptions(), posed=True)


def read_unposed_scene(data: Path, options: ReadingOptions) -> ReadScene:
    """Read the photographs and masks of a scene without cameras, to look at them.

    Returns:
        Views that are all unposed, with stand-in cameras; no training can start from them.

    Raises:
        ValueError: the photographs or masks cannot be used (SceneError, PhotoError, StoreError).
    """
    return _read(data, options, posed=False)


def _read(data: Path, options: ReadingOptions, posed: bool) -> ReadScene:
    """Find the photo files of a scene or the key frames of a video, with or without cameras, and read them."""
    if options.resolution < MIN_RESOLUTION:
        raise ValueError(f"resolution must be at least {MIN_RESOLUTION} pixels, is {options.resolution}")
    scene = Path(data).expanduser()
    store = store_of(scene, options.cache_dir)
    scene = photographs_folder(scene, store, options.num_frames)
    if posed:
        found = find_scene(
            scene, options.poses, options.missing_poses, options.pose_init, store, pose_weights=options.pose_weights
        )
    else:
        found = find_unposed_scene(scene)
    files = found.files
    masks = plan_masks(
        [file.photo_file for file in files], scene / MASKS_FOLDER, store, options.masks, options.masks_drop
    )
    whole = masks.source == "none"
    check_intrinsics(files)
    size, recentred = working_size([file.size for file in files], options.resolution, masked=not whole)
    announce_orientation(files)
    announce_framing(files, size, recentred)
    max_px = max(_MIN_READ_PX, _READ_PER_RESOLUTION * options.resolution)
    photos = read_photos(files, scene, masks, size, recentred, max_px)
    views = Views(
        names=tuple(file.path.stem for file in files),
        paths=tuple(file.path for file in files),
        images=torch.stack([photo.rgb for photo in photos]),
        masks=torch.stack([photo.mask for photo in photos]),
        valid=torch.stack([photo.valid for photo in photos]),
        cameras=Cameras(
            T_camera_world=torch.stack([file.frame.T_camera_world for file in files]),
            K=torch.stack([photo.K for photo in photos]),
            width=size[0],
            height=size[1],
        ),
        trusted=torch.tensor([file.frame.trusted for file in files]),
        points=found.points,
        unposed=tuple(row for row, file in enumerate(files) if file.frame.extra.get(UNREGISTERED)),
        pose_lr_scale=_pose_lr_scales(files, whole, options.fix_cameras),
        focal_scale=shared_focal_scales(files, photos),
    )
    return ReadScene(views, torch.tensor([file.confidence for file in files]), found.pose_source, masks)


def _pose_lr_scales(files: Sequence[PosedPhotoFile], whole: bool, fix_cameras: FixCameras) -> Float[Tensor, " views"]:
    """Learning-rate scale of each camera's pose, 0 for fixed ones, which are announced.

    Cameras of whole photographs are fixed by default: there is always a wrong arrangement of cameras in which a few
    coarse Gaussians reproduce whole photographs better (exact poses of the fox, eight views: 11.5 degrees off after
    refinement; benchmarks/photos).

    Args:
        whole: whether the photographs are reconstructed whole, without masks.
    """
    scales = torch.ones(len(files))
    if fix_cameras == "none":
        return scales
    if fix_cameras == "auto" and not whole:
        scales = torch.tensor([file.pose_lr_scale for file in files])
        why = "each was fitted to a hundred points or more, with errors far below a working pixel"
    else:
        scales[[file.frame.trusted for file in files]] = 0.0
        asked = fix_cameras == "all"
        why = "asked for" if asked else "whole photographs, of which refinement would make exact poses worse"
    fixed = int((scales <= 0).sum())
    if fixed:
        announce(f"{fixed} of {len(files)} cameras are fixed", f"{why}; fix-cameras = none refines them")
    return scales
