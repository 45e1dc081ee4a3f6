"""From the folder of a scene to its `Views`.

A folder holds `cameras.json` with the photographs in `processed/` or `images/`; `transforms.json` with the photographs
where it says; a COLMAP model with them; photographs alone, perhaps in sub-folders of `images/`; or a video. Photographs
are RGBA, or opaque with masks that the pose file names, of the same names in `masks/` or beside them, or opaque without
masks, which are then computed (`preprocess.mask_plan`). If photographs were padded, images of the same names in
`valid/` tell which pixels they cover (white), or boxes in the pose file do.

Nothing in the folder is changed. What is computed (poses, masks, key frames) is kept in `sparseags/` inside it.

Frames: `world`, that of the pose file or the initialiser; `geometry.alignment` brings it to the normalised world.
Units: pixels of the images as returned.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.console import announce, warn, without_repeats
from sparseags_ns.formats.colmap import Observations
from sparseags_ns.formats.frame import file_labels, photo_names
from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.pose_init.base import FIXED_MIN_POINTS, InitialPoses, pose_lr_scale_from_points
from sparseags_ns.pose_init.point_support import MAX_ERROR, MIN_PHOTOGRAPHS, supporting_points
from sparseags_ns.preprocess.framing import compose, has_valid_box, reframe, working_size
from sparseags_ns.preprocess.mask_plan import MASKS_FOLDER, MaskPlan, covered_share, plan_masks, read_with_mask
from sparseags_ns.preprocess.masks import Listings, mask_complaints, read_valid
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

MIN_COVERED = 0.5
"""Masks that cover less of what stands out from a plain background are named."""

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
    mask_sources: Mapping[str, int] = field(default_factory=dict)
    """Number of photographs by where their masks come from, as `read_with_mask` tells."""


@without_repeats()
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


@without_repeats()
def find_cameras(data: Path, options: FindingOptions) -> FoundScene:
    """Find the photo files of a scene, or the key frames of a video, and the cameras that training starts from.

    Raises:
        ValueError: as `read_scene`, except for masks that only reading needs.
    """
    return _find(data, options)[2]


@without_repeats()
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
    return scene, store, find_scene(scene, options, store) if posed else find_unposed_scene(scene, options)


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
    photos, mask_sources = _read_photos(files, scene, masks, size, recentred, max_px)
    views = Views(
        names=tuple(photo_names(found.paths)),
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
        pose_lr_scale=_pose_lr_scales(found, photos, whole, options.fix_cameras),
        jointly_fitted=found.initial is not None and found.initial.jointly_fitted,
        focal_scale=shared_focal_scales(files, photos),
    )
    confidence = torch.tensor([file.confidence for file in files])
    return ReadScene(
        views, confidence, found.pose_source, masks, found.initial, found.estimate, found.alternative, mask_sources
    )


def _pose_lr_scales(
    found: FoundScene, photos: Sequence[Photo], whole: bool, fix_cameras: FixCameras
) -> Float[Tensor, " views"]:
    """Learning-rate scale of each camera's pose, 0 for fixed ones, which are announced.

    Cameras of whole photographs are fixed by default: there is always a wrong arrangement of cameras in which a few
    coarse Gaussians reproduce whole photographs better (exact poses of the fox, eight views: 11.5 degrees off after
    refinement; benchmarks/photos).

    Args:
        photos: photos at the working size.
        whole: whether the photographs are reconstructed whole, without masks.
    """
    files = found.files
    scales = torch.ones(len(files))
    if fix_cameras == "none":
        return scales
    if fix_cameras == "auto" and not whole:
        scales = torch.tensor([file.pose_lr_scale for file in files])
        if found.observations is not None:
            scales *= _scales_from_points(files, photos, found.observations)
        why = "each was fitted to a hundred points or more, with errors far below a working pixel"
    else:
        scales[[file.frame.trusted for file in files]] = 0.0
        asked = fix_cameras == "all"
        why = "asked for" if asked else "whole photographs, of which refinement would make exact poses worse"
    fixed = int((scales <= 0).sum())
    if fixed:
        announce(f"{fixed} of {len(files)} cameras are fixed", f"{why}; fix-cameras = none refines them")
    return scales


def _scales_from_points(
    files: Sequence[PosedPhotoFile], photos: Sequence[Photo], observations: Observations
) -> Float[Tensor, " views"]:
    """Learning-rate scale of each camera by the points of its pose file that support it.

    The model may have more photos than the scene; theirs count, too, at the median scale of the others.
    """
    written = {path: number for number, path in enumerate(observations.file_paths)}
    numbers = torch.tensor([written.get(file.frame.file_path, -1) for file in files])
    rows = zip(files, photos, strict=True)
    per_px = torch.stack([photo.K[0, 0] / file.frame.K[0, 0] for file, photo in rows])
    working_px = per_px.median().repeat(len(written))
    working_px[numbers[numbers >= 0]] = per_px[numbers >= 0]
    support = supporting_points(observations, working_px)
    points = [int(support[number]) if number >= 0 else 0 for number in numbers]
    scales = torch.tensor([pose_lr_scale_from_points(count) for count in points])
    free = int((scales > 0).sum())
    if free:
        errors = observations.errors_px * working_px[observations.photos]
        found = "it does not tell where the photographs show its points"
        if len(errors):
            found = f"its points are off by {float(errors.median()):.1f} working pixels, median"
        announce(
            f"{free} of {len(files)} cameras of the model are refined",
            f"{found}; {FIXED_MIN_POINTS} points within {MAX_ERROR:g}, in {MIN_PHOTOGRAPHS} photographs, fix a camera",
        )
    return scales


def _read_photos(
    files: Sequence[PosedPhotoFile], scene: Path, masks: MaskPlan, size: tuple[int, int], recentred: bool, max_px: int
) -> tuple[list[Photo], Counter[str]]:
    """All photos of a scene at the working size, read one after the other, since they may be large.

    Their number by where their masks come from is returned, too.

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
    listings = Listings()
    photos: list[Photo] = []
    mask_sources, with_valid, with_cuts = Counter[str](), list[str](), list[str]()
    covered: dict[str, float | None] = {}
    for name, file in zip(file_labels([file.path for file in files]), files, strict=True):
        pixels, mask, mask_source = read_with_mask(file.photo_file, masks, max_px)
        mask_sources[mask_source] += 1
        valid = read_valid(file.photo_file, folder, max_px=max_px, listings=listings)
        if valid is not None:
            with_valid.append(name)
        elif guess and mask is not None and (box := straight_cuts(mask)) is not None:
            valid = box_coverage(box, *mask.shape[::-1])
            with_cuts.append(name)
        # An empty mask is an error, which `compose` raises.
        if mask is not None and float(mask.max()) >= 0.5 and (complaints := mask_complaints(mask)):
            warn(f"the mask of {name} {' and '.join(complaints)}", "it may be wrong; look at it")
        if mask is not None and masks.source != "background":
            covered[name] = covered_share(pixels.rgb, mask)
        photos.append(reframe(compose(pixels, mask, file.frame, valid), size, recentred))
    keys = listed(list(dict.fromkeys(file.photo_file.mask.key for file in files if file.photo_file.mask is not None)))
    _announce_masks(mask_sources, masks, keys)
    short = [f"{name} ({share:.0%})" for name, share in covered.items() if share is not None and share < MIN_COVERED]
    if short:
        warn(
            f"masks that cover far less than the photographs suggest: {listed(short)}",
            "shares of the piece that stands out from the plain background; look at them: they may be of something "
            "else, or white where photographs are left out (masks-drop)",
        )
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
    return photos, mask_sources


def _announce_masks(sources: Counter[str], masks: MaskPlan, keys: str) -> None:
    if sources["alpha"]:
        unused = masks.folder is not None and masks.folder.is_dir() and not sources["folder"]
        why = f"it goes before {MASKS_FOLDER}/, which is not used" if unused else "they are cut out already"
        announce(f"masks: transparency of {sources['alpha']} photographs", why)
    dropped = "; white is what is left out" if masks.drop else ""
    if sources["folder"]:
        announce(f"masks: {MASKS_FOLDER}/ for {sources['folder']} photographs", f"they are opaque{dropped}")
    if sources["pose file"]:
        announce(f"masks: {keys} for {sources['pose file']} photographs", f"the pose file names them{dropped}")
    if sources["beside"]:
        why = "they are named after them; dynamic_mask files are white where photographs are left out"
        announce(f"masks: files beside {sources['beside']} photographs", why)
