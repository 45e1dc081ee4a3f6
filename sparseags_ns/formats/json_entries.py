"""Reading of JSON files, and checked access to the fields of one JSON object.

Every error message names the file, the view and what was expected.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.formats.frame import PoseFileError, read_text, require_content, require_path
from sparseags_ns.geometry import se3

ROTATION_TOLERANCE = 0.01
"""Largest entry of |R R^T - I| of a matrix that is accepted as a rotation, and replaced by the nearest one."""

_LEAST_SCALE = 1e-6
"""Smallest uniform scale that is divided out of a matrix."""
_MAX_DEPTH = 64
"""Most lists and objects of a file that lie inside one another."""
_INTEGER_DIGITS = 18
"""Integers with more digits, which are no measurements, are read as numbers with a point."""


@dataclass(frozen=True)
class Entry:
    """One JSON object of a pose file, with the file and the view that it belongs to."""

    file: Path
    fields: dict[str, Any]
    view: str | None = None

    def error(self, problem: str) -> PoseFileError:
        """An error about this entry, to be raised by the caller."""
        return PoseFileError(self.file, problem, self.view)

    def get(self, key: str) -> Any:
        """The value of a required key."""
        if key not in self.fields:
            raise self.error(f"'{key}' is missing; found {', '.join(map(repr, self.fields)) or 'nothing'}")
        return self.fields[key]

    def text(self, key: str) -> str:
        """A string, not empty."""
        value = self.get(key)
        if not isinstance(value, str) or not value:
            raise self.error(f"'{key}' must be a string, is {shortened(value)}")
        return value

    def path(self, key: str) -> str:
        """A path that a file can have, not empty."""
        return require_path(self.file, self.text(key), self.view)

    def number(self, key: str) -> float:
        """A finite number."""
        return float(self.numbers(key))

    def numbers(self, key: str, *shape: int) -> Float[Tensor, "*shape"]:
        """Finite numbers, in nested lists of the given shape."""
        value = self.get(key)
        expected = f"{' x '.join(map(str, shape))} numbers" if shape else "a number"
        if not _are_numbers(value, shape):
            raise self.error(f"'{key}' must be {expected}, is {shortened(value)}")
        tensor = torch.tensor(value, dtype=torch.float64)
        if not torch.isfinite(tensor).all():
            raise self.error(f"'{key}' holds NaN or infinity: {shortened(value)}")
        return tensor

    def positive(self, key: str) -> float:
        """A finite number above zero."""
        value = self.number(key)
        if value <= 0:
            raise self.error(f"'{key}' must be above zero, is {value:g}")
        return value

    def pixels(self, key: str) -> int | None:
        """A whole number of pixels, written as 540 or 540.0; None if the key is absent."""
        if self.fields.get(key) is None:
            return None
        value = self.positive(key)
        if value != int(value):
            raise self.error(f"'{key}' must be a whole number of pixels, is {value:g}")
        return int(value)

    def flag(self, key: str, default: bool) -> bool:
        """A Boolean, written as true, false, 1 or 0."""
        value = self.fields.get(key, default)
        if not isinstance(value, (bool, int, float)) or value not in (0, 1):
            raise self.error(f"'{key}' must be 1 or 0, is {shortened(value)}")
        return bool(value)

    def rotation(self, key: str, matrix: Float[Tensor, "3 3"]) -> tuple[Float[Tensor, "3 3"], float]:
        """The rotation nearest to the matrix under `key`, and the uniform scale by which the matrix differs from it.

        Blender and others leave the scale of an object in it. A scale within `ROTATION_TOLERANCE` of 1 counts as 1.

        Raises:
            PoseFileError: no scaled rotation is within `ROTATION_TOLERANCE`.
        """
        deviation = float(se3.orthogonality_error(matrix))
        determinant = float(torch.det(matrix))
        scale = max(determinant, 0.0) ** (1 / 3)
        if deviation > ROTATION_TOLERANCE and scale > _LEAST_SCALE:
            unscaled = matrix / scale
            if float(se3.orthogonality_error(unscaled)) <= ROTATION_TOLERANCE:
                return se3.nearest_rotation(unscaled), scale
        if deviation > ROTATION_TOLERANCE or determinant < 0:
            raise self.error(
                f"'{key}' holds no rotation: R R^T differs from the identity by {deviation:.3g} (tolerance "
                f"{ROTATION_TOLERANCE:g}), its determinant is {determinant:.3g} (expected 1)"
            )
        return se3.nearest_rotation(matrix), 1.0


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object of a file.

    Raises:
        PoseFileError: the file cannot be read, is not JSON or no object, or a key occurs twice in an object.
    """
    content = _load(path)
    if not isinstance(content, dict):
        raise PoseFileError(path, f"must hold a JSON object {{...}}, holds {shortened(content)}")
    return content


def read_json_list(path: Path) -> list[Any]:
    """The JSON list of a file.

    Raises:
        PoseFileError: as `read_json`.
    """
    content = _load(path)
    if not isinstance(content, list):
        raise PoseFileError(path, f"must hold a JSON list [...], holds {shortened(content)}")
    return content


def _load(path: Path) -> Any:
    """The content of a JSON file."""
    require_content(path)

    def without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        counts = Counter(key for key, _ in pairs)
        listed = ", ".join(sorted(shortened(key) for key, count in counts.items() if count > 1))
        if listed:
            raise PoseFileError(path, f"the name {listed} occurs more than once in one object; names must differ")
        return dict(pairs)

    try:
        content = json.loads(read_text(path), object_pairs_hook=without_duplicates, parse_int=_integer)
    except OSError as error:
        raise PoseFileError(path, f"cannot be read: {error.strerror or error}") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise PoseFileError(path, f"is not JSON: {error}") from error
    except RecursionError as error:
        raise PoseFileError(path, _TOO_DEEP) from error
    level = [content]  # the values at one depth
    for _ in range(_MAX_DEPTH):
        holders = [value for value in level if isinstance(value, dict | list)]
        level = [inner for one in holders for inner in (one.values() if isinstance(one, dict) else one)]
    if level:
        raise PoseFileError(path, _TOO_DEEP)
    return content


_TOO_DEEP = f"has more than {_MAX_DEPTH} lists and objects inside one another, as no pose file has"


def _integer(digits: str) -> float:
    return int(digits) if len(digits) <= _INTEGER_DIGITS else float(digits)


def _are_numbers(value: object, shape: tuple[int, ...]) -> bool:
    if not shape:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(value, list) and len(value) == shape[0] and all(_are_numbers(v, shape[1:]) for v in value)


def plain_key(key: str) -> str:
    """A key in lower case without signs between its words, since programs write one in several ways."""
    return re.sub(r"[\W_]", "", key.lower())


def shortened(value: object) -> str:
    """A value for a message, cut to 80 characters."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
