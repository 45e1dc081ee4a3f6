"""From the folder of a scene to its `Views`.

Shapes of a folder: `cameras.json` with the photographs in `processed/` or `images/`; `transforms.json` with the
photographs where it says; a COLMAP model with them; nothing but photographs, or a video. Photographs are RGBA, or
opaque with masks of the same names in `masks/`, or opaque without: then masks are looked for (`preprocess.mask_ways`).
Where photographs were padded, images of the same names in `valid/` say which pixels they cover (white), or boxes in the
pose file do.

Nothing in the folder is changed. What had to be found out (poses, masks, key frames) is kept in `sparseags/` inside it.

Frames: `world`, as the pose file or the initialiser has it; bringing it to the world of the method is a step of its own
(`geometry.alignment`). Units: pixels of the pictures as returned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.pose_init.choice import PoseInitName
from sparseags_ns.preprocess.framing import working_size
from sparseags_ns.preprocess.mask_ways import MASKS_FOLDER, MaskPlan, Masks, Source, plan_masks
from sparseags_ns.preprocess.picture import Picture
from sparseags_ns.preprocess.pictures import Planes, read_pictures
from sparseags_ns.preprocess.rasters import Raster, announce_framing, announce_turns, check_intrinsics, raster_of
from sparseags_ns.preprocess.shared_intrinsics import shared_focal_scales
from sparseags_ns.preprocess.store import Store, store_of
from sparseags_ns.scene.finding import FoundScene, find_bare_scene, find_scene
from sparseags_ns.scene.fixed_cameras import Hold, pose_lr_scales
from sparseags_ns.scene.unregistered import UNPLACED, MissingPoses
from sparseags_ns.scene.videos import photographs_folder
from sparseags_ns.views import Views

LOWEST_RESOLUTION = 16
# An object that fills an eighth of its photograph still has all the pixels that the working resolution can show.
_PHOTOGRAPH_PER_RESOLUTION = 8
_LEAST_READ_PX = 2048


@dataclass(frozen=True)
class ReadingOptions:
    """How a scene's folder is read."""

    poses: Path | None = None
    """A cameras.json, transforms.json or folder of a COLMAP model to take the initial cameras from, relative to the
    working folder or else to the scene; None looks for one in the scene's folder."""
    pose_init: PoseInitName = "auto"
    """Who finds the initial cameras: files, dust3r, features or id-pose; auto takes a file where there is one, else
    dust3r where its package and weights are here, else features."""
    pose_weights: str = "auto"
    """Weights for dust3r (a checkpoint, its folder or name) or id-pose (as for the prior); auto looks where they
    usually lie."""
    resolution: int = 256
    """Side of the pictures in pixels; longer side of whole photographs."""
    masks: Masks = "auto"
    """Where the objects' masks come from."""
    masks_drop: bool = False
    """Whether the masks of the masks/ folder are white where photographs are to be left out (VGGSfM)."""
    missing_poses: MissingPoses = "refuse"
    """What becomes of photographs that the pose file has no pose for: refuse the scene, leave-out the photographs, or
    search: training looks for their places."""
    num_frames: int = 12
    """How many frames of a video are taken."""
    hold: Hold = "auto"
    """Which cameras stay as they are: auto holds those that were fitted to many points and, where photographs are
    reconstructed whole, without masks, all that have a pose; all; or none, which refines all."""
    cache_dir: Path | None = None
    """Where poses, masks and key frames that were found are kept; None for `sparseags/` in the scene's folder."""


@dataclass(frozen=True)
class ReadScene:
    """All that was found out about a scene."""

    views: Views
    confidence: Float[Tensor, " views"]
    """How sure the initialiser is of each pose: 1 where it was given, 0 where it could not tell."""
    pose_source: str
    """Where the poses come from, in a few words; "none" where nothing was found."""
    mask_plan: MaskPlan


def read_views(
    data: Path,
    *,
    poses: Path | None = None,
    resolution: int = 256,
    masks: Masks = "auto",
    missing_poses: MissingPoses = "refuse",
) -> Views:
    """The views of a scene, as `read_scene` finds them."""
    options = ReadingOptions(poses=poses, resolution=resolution, masks=masks, missing_poses=missing_poses)
    return read_scene(data, options).views


def read_scene(data: Path, options: ReadingOptions) -> ReadScene:
    """Read the photographs of a scene, find their masks and initial cameras.

    Returns:
        Views by file name. Images, masks and valid regions are float32; cameras and points are float64 and in the
        file's own world, so that they lose nothing before they are normalised.

    Raises:
        ValueError: the input cannot be used (SceneError, PoseFileError, PhotographError, PoseInitError, StoreError).
    """
    scene, store = _opened(data, options)
    found = find_scene(
        scene, options.poses, options.missing_poses, options.pose_init, store, pose_weights=options.pose_weights
    )
    return _read(scene, store, found, options)


def read_bare_scene(data: Path, options: ReadingOptions) -> ReadScene:
    """The same without cameras, for a scene that `read_scene` found none for: photographs and masks, to be looked at.

    Returns:
        Views which are all unposed, in one place; no training can start from them.

    Raises:
        ValueError: the photographs or masks cannot be used (SceneError, PhotographError, StoreError).
    """
    scene, store = _opened(data, options)
    return _read(scene, store, find_bare_scene(scene), options)


def _opened(data: Path, options: ReadingOptions) -> tuple[Path, Store]:
    """The folder of the photographs, key frames for a video, and the scene's store."""
    if options.resolution < LOWEST_RESOLUTION:
        raise ValueError(f"resolution must be at least {LOWEST_RESOLUTION} pixels, is {options.resolution}")
    scene = Path(data).expanduser()
    store = store_of(scene, options.cache_dir)
    return photographs_folder(scene, store, options.num_frames), store


def _read(scene: Path, store: Store, found: FoundScene, options: ReadingOptions) -> ReadScene:
    """Masks and pictures of the photographs that were found."""
    resolution = options.resolution
    rasters = [raster_of(photograph) for photograph in found.photographs]
    sources = [Source(raster.path, raster.upright) for raster in rasters]
    plan = plan_masks(sources, scene / MASKS_FOLDER, store, options.masks)
    check_intrinsics(rasters)
    size, recentred = working_size([raster.size for raster in rasters], resolution, masked=plan.way != "none")
    announce_turns(rasters)
    announce_framing(rasters, size, recentred)
    most_px = max(_LEAST_READ_PX, _PHOTOGRAPH_PER_RESOLUTION * resolution)
    planes = Planes.of(scene, rasters, plan, options.masks_drop, most_px)
    pictures = read_pictures(rasters, planes, size, recentred)
    confidence = torch.tensor([photograph.confidence for photograph in found.photographs])
    pose_lr_scale = pose_lr_scales(found.photographs, whole=plan.way == "none", hold=options.hold)
    views = _views(rasters, pictures, size)
    views = replace(
        views, points=found.points, pose_lr_scale=pose_lr_scale, focal_scale=shared_focal_scales(rasters, pictures)
    )
    return ReadScene(views, confidence, found.pose_source, plan)


def _views(rasters: Sequence[Raster], pictures: Sequence[Picture], size: tuple[int, int]) -> Views:
    """All pictures and cameras in one batch."""
    return Views(
        names=tuple(raster.path.stem for raster in rasters),
        paths=tuple(raster.path for raster in rasters),
        images=torch.stack([picture.rgb for picture in pictures]),
        masks=torch.stack([picture.mask for picture in pictures]),
        valid=torch.stack([picture.valid for picture in pictures]),
        cameras=Cameras(
            T_camera_world=torch.stack([raster.frame.T_camera_world for raster in rasters]),
            K=torch.stack([picture.K for picture in pictures]),
            width=size[0],
            height=size[1],
        ),
        trusted=torch.tensor([raster.frame.trusted for raster in rasters]),
        unposed=tuple(row for row, raster in enumerate(rasters) if raster.frame.extra.get(UNPLACED)),
    )
