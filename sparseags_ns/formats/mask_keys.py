"""Masks that an entry of a pose file names: `mask_path` of nerfstudio, `mask_file`, `dynamic_mask_path` and kin."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sparseags_ns.formats.json_entries import plain_key

MASK_KEY, DYNAMIC_MASK_KEY = "mask_path", "dynamic_mask_path"
"""Keys of the path of a mask that is black, or white, where the photo is to be left out."""

_STATES_MASK = re.compile(
    r"(dynamic)?(object|foreground|fg|alpha|binary|image|img|frame)?masks?(image|img)?(path|file|filepath|filename|name|fname)?"
)
"""Keys that name the mask of a photo, in lower case without signs between the words."""


@dataclass(frozen=True)
class NamedMask:
    """A mask that a pose file names for a photo."""

    key: str
    """Key under which the file names it."""
    path: Path
    pose_file: Path

    @property
    def is_inverted(self) -> bool:
        """Whether it is white where the photo is to be left out, as instant-ngp's dynamic masks."""
        return plain_key(self.key).startswith("dynamic")


def states_mask(key: str) -> bool:
    """Whether a key names the mask of a photo, or the folder of all masks."""
    return _STATES_MASK.fullmatch(plain_key(key)) is not None


def mask_key(fields: Mapping[str, Any]) -> str | None:
    """The key of an entry that names its mask, None for none; `mask_path` before others, dynamic masks last."""
    keys = [key for key, value in fields.items() if states_mask(key) and (isinstance(value, str) and value)]
    keys += [MASK_KEY] if fields.get(MASK_KEY) is not None else []
    return min(keys, key=lambda key: (key != MASK_KEY, plain_key(key).startswith("dynamic")), default=None)


def mentions_mask(key: str, value: object) -> bool:
    """Whether a key is about masks and its value may name or hold one."""
    return "mask" in key.lower() and isinstance(value, str | list | dict) and bool(value)
