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

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.console import announce, warn
from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.pose_init.base import InitialPoses
from sparseags_ns.preprocess.framing import compose, has_valid_box, reframe, working_size
from sparseags_ns.preprocess.mask_plan import MASKS_FOLDER, MaskPlan, plan_masks, read_with_mask
from sparseags_ns.preprocess.masks import mask_complaints, read_valid
from sparseags_ns.preprocess.photo import Photo, box_coverage
from sparseags_ns.preprocess.photo_files import listed
from sparseags_ns.preprocess.posed_photo_files import (
    PosedPhotoFile,
    announce_colours,
    announce_framing,
    check_intrinsics,
    shared_focal_scales,
)
from sparseags_ns.preprocess.store import Store, store_of
from sparseags_ns.preprocess.straight_cuts import straight_cuts
from sparseags_ns.preprocess.video import photographs_folder
from sparseags_ns.scene.finding import UNREGISTERED, FindingOptions, FoundScene, find_scene, find_unposed_scene
from sparseags_ns.views import Views

MIN_RESOLUTION = 16
VALID_FOLDER = "valid"
_READ_PER_RESOLUTION = 8
"""Photographs are reduced on reading to this many working resolutions: an object that fills an eighth of its photograph
then still has all the pixels that the working resolution can show."""
_MIN_READ_PX = 2048
"""Photographs are never reduced below this longer side on reading."""

FixCameras = Literal["auto", "all", "none"]
"""Which cameras are not refined. `auto`: those that were fitted to many points and, for whole photographs, all with a
trusted pose; `all`: all with a trusted pose; `none`: no camera."""


@dataclass
class ReadingOptions(FindingOptions):
    """How a scene's folder is read."""

    resolution: int = 256
    """Side of the working images in pixels (paper: 256); longer side of whole photographs."""
    fix_cameras: FixCameras = "auto"
    """Which cameras are fixed, that is, not refined: auto fixes those that were fitted to many points and, where
    photographs are reconstructed whole, without masks, all that have a pose; all; or none."""


@dataclass(frozen=True)
class ReadScene:
    """Views of a scene, and how their poses and masks were found."""

    views: Views
    confidence: Float[Tensor, " views"]
    """Confidence in each pose: 1 if it was given, 0 if there is none."""
    pose_source: str
    """Where the poses come from, in a few words; "none" if there are none."""
    mask_plan: MaskPlan
    initial: InitialPoses | None = None
    """Result of the initialiser, with its alternatives and doubt; None where there was none."""
    estimate: InitialPoses | None = None
    """What the initialiser returned: its best cameras even where an alternative is used; no stand-in cameras."""
    alternative: int = 1
    """Number of the arrangement that is used: 1 for the best, 2 for the first alternative."""


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


def find_cameras(data: Path, options: FindingOptions) -> FoundScene:
    """Find the photo files of a scene, or the key frames of a video, and the cameras that training starts from.

    Raises:
        ValueError: as `read_scene`, except for masks that only reading needs.
    """
    return _find(data, options)[2]


def read_unposed_scene(data: Path, options: ReadingOptions) -> ReadScene:
    """Read the photographs and masks of a scene without cameras, to look at them.

    Returns:
        Views that are all unposed, with stand-in cameras; no training can start from them.

    Raises:
        ValueError: the photographs or masks cannot be used (SceneError, PhotoError, StoreError).
    """
    return _read(data, options, posed=False)


def _find(data: Path, options: FindingOptions, posed: bool = True) -> tuple[Path, Store, FoundScene]:
    """Folder, store, and photo files of a scene or a video, with or without cameras."""
    scene = Path(data).expanduser()
    store = store_of(scene, options.cache_dir)
    scene = photographs_folder(scene, store, options.num_frames)
    return scene, store, find_scene(scene, options, store) if posed else find_unposed_scene(scene)


def _read(data: Path, options: ReadingOptions, posed: bool) -> ReadScene:
    """Find the photo files of a scene or the key frames of a video, with or without cameras, and read them."""
    if options.resolution < MIN_RESOLUTION:
        raise ValueError(f"resolution must be at least {MIN_RESOLUTION} pixels, is {options.resolution}")
    scene, store, found = _find(data, options, posed)
    files = found.files
    masks = plan_masks(
        [file.photo_file for file in files], scene / MASKS_FOLDER, store, options.masks, options.masks_drop
    )
    whole = masks.source == "none"
    check_intrinsics(files)
    size, recentred = working_size([file.size for file in files], options.resolution, masked=not whole)
    announce_framing(files, size, recentred)
    announce_colours(files)
    max_px = max(_MIN_READ_PX, _READ_PER_RESOLUTION * options.resolution)
    photos = _read_photos(files, scene, masks, size, recentred, max_px)
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
        jointly_fitted=found.initial is not None and found.initial.jointly_fitted,
        focal_scale=shared_focal_scales(files, photos),
    )
    confidence = torch.tensor([file.confidence for file in files])
    return ReadScene(
        views, confidence, found.pose_source, masks, found.initial, found.estimate, alternative=found.alternative
    )


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


def _read_photos(
    files: Sequence[PosedPhotoFile], scene: Path, masks: MaskPlan, size: tuple[int, int], recentred: bool, max_px: int
) -> list[Photo]:
    """All photos of a scene at the working size, read one after the other, since they may be large.

    A valid region is read from the scene's `valid/` if there is that folder. If nothing in the scene tells valid
    regions, they are guessed from straight cuts of given masks.

    Args:
        size: (width, height) of the photos in pixels.
        recentred: whether photos are cropped around their objects.
        max_px: photographs with a longer side are reduced on reading.

    Raises:
        PhotoError: a photograph, a mask or a valid region cannot be used.
    """
    folder = scene / VALID_FOLDER
    # Computed masks keep away from the photograph's edge, so a straight end there means nothing.
    guess = not folder.is_dir() and masks.source == "given" and not any(has_valid_box(file.frame) for file in files)
    photos: list[Photo] = []
    mask_sources, with_valid, with_cuts = Counter[str](), list[str](), list[str]()
    for file in files:
        pixels, mask, mask_source = read_with_mask(file.photo_file, masks, max_px)
        mask_sources[mask_source] += 1
        valid = read_valid(file.photo_file, folder, max_px=max_px)
        if valid is not None:
            with_valid.append(file.path.name)
        elif guess and mask is not None and (box := straight_cuts(mask)) is not None:
            valid = box_coverage(box, *mask.shape[::-1])
            with_cuts.append(file.path.name)
        # An empty mask is an error, which `compose` raises.
        if mask is not None and float(mask.max()) >= 0.5 and (complaints := mask_complaints(mask)):
            warn(f"the mask of {file.path.name} {' and '.join(complaints)}", "it may be wrong; look at it")
        photos.append(reframe(compose(pixels, mask, file.frame, valid), size, recentred))
    _announce_masks(mask_sources, masks)
    if with_valid:
        rest = "" if len(with_valid) == len(files) else "; the others are covered wholly"
        announce(
            f"valid regions: {VALID_FOLDER}/ for {len(with_valid)} of {len(files)} photographs",
            f"the scene has that folder{rest}",
        )
    if with_cuts:
        announce(
            f"cut by the photograph's edge: {listed(with_cuts)}",
            "their masks end in a straight line; what lies beyond it counts as unknown, not as background",
        )
    large = [file.path.name for file in files if max(file.size) > max_px]
    if large:
        announce(f"read at {max_px} pixels: {listed(large)}", "more would be averaged away at the working resolution")
    return photos


def _announce_masks(sources: Counter[str], masks: MaskPlan) -> None:
    if sources["alpha"]:
        unused = masks.folder is not None and masks.folder.is_dir() and not sources["folder"]
        why = f"it goes before {MASKS_FOLDER}/, which is not used" if unused else "they are cut out already"
        announce(f"masks: transparency of {sources['alpha']} photographs", why)
    if sources["folder"]:
        why = "they are opaque; white is what is left out" if masks.drop else "they are opaque"
        announce(f"masks: {MASKS_FOLDER}/ for {sources['folder']} photographs", why)
