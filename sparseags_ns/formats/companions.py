"""Masks, depth maps and the like that lie beside a photograph and are named after it.

`000_mask.png`, `mask_000.png`, `000.alpha.png` and instant-ngp's `dynamic_mask_000.png` (white where something moves,
so that it is to be left out) belong to `000.png`, and `r_0_depth_0001.png` to `r_0.png`. A photograph of a mask is no
such file: there must be another photograph that it is named after.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sparseags_ns.formats.frame import list_photos

MASK_WORDS = frozenset(
    {"mask", "masks", "alpha", "matte", "silhouette", "silhouettes", "seg", "segmentation", "segmentations"}
)
MAP_WORDS = frozenset({"depth", "depths", "disparity", "normal", "normals"})
_INVERTED = "dynamic"
_PHOTOGRAPH_WORDS = frozenset({"rgb", "color", "colour", "image", "img", "frame", "photo"})
"""Words by which a photograph's name may differ from its companions', as in `rgb_000.png` and `depth_000.png`."""
_WORDS = re.compile(r"[^\W\d_]+|\d+")


@dataclass(frozen=True)
class Companion:
    """A file that is named after a photograph."""

    path: Path
    photograph: Path
    is_mask: bool
    """True for a mask, false for depth and the like."""
    is_inverted: bool = False
    """Whether a mask is white where the photograph is to be left out."""


def companions(paths: Sequence[Path]) -> list[Companion]:
    """The files among those of one folder that are named after others of them, in their order."""
    by_name: dict[tuple[str, ...], Path] = {}
    for path in paths:
        by_name.setdefault(_words(path), path)
        by_name.setdefault(_plain(_words(path)), path)
    return [found for path in paths if (found := _companion(path, by_name)) is not None]


def list_photographs(folder: Path) -> list[Path]:
    """Entries of a folder that are named as photos and not after others of them, sorted by name.

    Raises:
        OSError: the folder cannot be read.
    """
    photos = list_photos(folder)
    named_after_others = {found.path for found in companions(photos)}
    return [path for path in photos if path not in named_after_others]


def is_companion_folder(folder: Path) -> bool:
    """Whether a folder is named as one of masks, depth maps or the like."""
    return not (MASK_WORDS | MAP_WORDS).isdisjoint(_words(folder))


def is_mask_folder(folder: Path) -> bool:
    """Whether a folder is named as one of masks."""
    return not MASK_WORDS.isdisjoint(_words(folder))


def masks_by_words(masks: Sequence[Path]) -> dict[tuple[str, ...], Path]:
    """The masks of a folder of masks by the words of their names, apart from such as in `000_mask.png`."""
    found: dict[tuple[str, ...], Path] = {}
    for mask in masks:
        found.setdefault(tuple(word for word in _words(mask) if word not in MASK_WORDS), mask)
    return found


def mask_of(photograph: Path, by_words: Mapping[tuple[str, ...], Path]) -> Path | None:
    """The mask that is named as a photograph, of `masks_by_words`."""
    words = _words(photograph)
    return by_words.get(words) or by_words.get(_plain(words))


def _companion(path: Path, by_name: dict[tuple[str, ...], Path]) -> Companion | None:
    words = _words(path)
    for index, word in enumerate(words):
        if word not in MASK_WORDS | MAP_WORDS:
            continue
        is_inverted = word in MASK_WORDS and words[index - 1 : index] == (_INVERTED,)
        before, after = words[: index - is_inverted], words[index + 1 :]
        # What follows may count the files, as in r_0_depth_0001.
        for name in (before + after, before):
            photograph = by_name.get(name) or by_name.get(_plain(name))
            if name and photograph not in (None, path):
                return Companion(path, photograph, word in MASK_WORDS, is_inverted)
    return None


def _words(path: Path) -> tuple[str, ...]:
    """Words and numbers of a file name without its ending, in lower case."""
    return tuple(_WORDS.findall(path.stem.lower()))


def _plain(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word for word in words if word not in _PHOTOGRAPH_WORDS)
