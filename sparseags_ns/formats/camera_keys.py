"""What the keys of a `transforms.json` say of the camera: its size, focal lengths, principal point and distortion.

Programs write these under many keys, and often under several at once: `fl_x`, `fx`, `K`, `intrinsics`, `fov_x`,
`camera_angle_x`, `principal_point`, ... All that is said of a quantity must agree. What a frame says goes before what
the file says of all frames. Lengths are in pixels of the photo, angles in radians; `_from_angle` tells their units in
the file.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch

from sparseags_ns.formats.frame import FOCAL_SIDES, Distortion, PoseFileError
from sparseags_ns.formats.json_entries import Entry, plain_key, shortened
from sparseags_ns.geometry import se3

Statements = dict[str, dict[str, float]]
"""Values by quantity (`w`, `fl_x`, `angle_x`, `k1`, ...) and by the key that states them."""

_NUMBERS = {
    "w": ("w", "width", "imagewidth", "imgwidth", "imgw"),
    "h": ("h", "height", "imageheight", "imgheight", "imgh"),
    "fl_x": ("flx", "fx", "focalx", "focallengthx"),
    "fl_y": ("fly", "fy", "focaly", "focallengthy"),
    "cx": ("cx", "principalpointx", "ppx"),
    "cy": ("cy", "principalpointy", "ppy"),
    "camera_angle_x": ("cameraanglex",),
    "camera_angle_y": ("cameraangley",),
    "pixel_width": ("pixelaspectx", "pixelaspect", "pixelaspectratio"),
    "pixel_height": ("pixelaspecty",),
    **{name: (name,) for name in Distortion().coefficients},
}
"""Quantities, and the keys of numbers that state them, in lower case without signs between the words."""
_ANGLES = ("angle_", "camera_angle_")
_SIDES = (("w", "width"), ("h", "height"))
_QUANTITY_OF = {key: quantity for quantity, keys in _NUMBERS.items() for key in keys}
_MAY_BE_NEGATIVE = {"cx", "cy", "camera_angle_x", "camera_angle_y", *Distortion().coefficients}

_MATRICES = {
    *("intrinsic", "intrinsics", "intrinsicmatrix", "intrinsicsmatrix", "intrinsicparameters", "kmatrix", "matrixk"),
    *("cameramatrix", "cameraintrinsic", "cameraintrinsics", "calibrationmatrix", "camintrinsic", "camintrinsics"),
    *("camk", "camerak", "cameraintrinsicmatrix", "cameraintrinsicsmatrix"),
}
"""Keys of camera matrices, of their four numbers, or of an object that holds what the frame itself might."""
_POINT = {"principalpoint", "principalpointpx"}

_AXES = {"x": "x", "h": "x", "w": "x", "horizontal": "x", "width": "x"}
_AXES |= {"y": "y", "v": "y", "vertical": "y", "height": "y", "d": "d", "diag": "d", "diagonal": "d", "": ""}
_AXIS = "|".join(sorted(filter(None, _AXES), key=len, reverse=True))
_ANGLE = re.compile(rf"(?:camera|cam)?({_AXIS}|)(?:fov|fieldofview|angleofview)({_AXIS}|)(deg|degrees|rad|radians|)")

_PARAMS = ("k1", "k2", "k3", "k4", "p1", "p2")
"""Coefficients in `distortion_params`, in nerfstudio's order."""

_PINHOLE_WORDS = {"", "none", "persp", "perspective", "pinhole", "simple_pinhole", "opencv", "global", "frame"}
"""Words for a pinhole camera, in lower case."""

_SAME_ANGLE = 0.01
"""Largest relative difference of focal lengths, one of which is computed from an angle."""
_SAME_LENGTH = 2e-3, 0.51
"""Largest difference of lengths, relative and in pixels: rounding to pixels, and pixels counted from their middle."""
_SAME_COEFFICIENT = 1e-3, 1e-5
"""Largest difference of coefficients, relative and absolute."""


def is_camera_key(key: str) -> bool:
    """Whether a key is read here."""
    return _reader(key) is not None


def says_nothing(value: object) -> bool:
    """Whether the value of a key that is about the camera leaves it as it is: null, false, zeros, a word for it."""
    if isinstance(value, list | dict):
        return all(map(says_nothing, value.values() if isinstance(value, dict) else value))
    return value.lower() in _PINHOLE_WORDS if isinstance(value, str) else not value


def camera_statements(entry: Entry) -> Statements:
    """All that the keys of an object say of the camera.

    Raises:
        PoseFileError: a value cannot be used.
    """
    found: Statements = {}
    for key, value in entry.fields.items():
        read = _reader(key)
        if read is not None and value is not None:
            for quantity, label, number in read(entry, key):
                found.setdefault(quantity, {})[label] = number
    return found


@dataclass(frozen=True)
class CameraKeys:
    """What a frame and its file say of the frame's camera.

    Each method raises a PoseFileError where statements contradict each other or cannot be meant.
    """

    entry: Entry
    """The frame, for messages."""
    own: Statements
    shared: Statements
    """What the file says of all frames; it counts where the frame itself says nothing."""

    def size(self) -> tuple[int | None, int | None]:
        """Width and height in pixels, None where they are not stated."""
        width, height = (self._agreed(self._of(side), what, (0.0, 0.0)) for side, what in _SIDES)
        return None if width is None else int(width), None if height is None else int(height)

    def are_complete(self) -> bool:
        """Whether the intrinsics are stated without regard to the size of the photo."""
        if not any(self._of(f"{kind}{axis}") for kind in ("fl_", *_ANGLES) for axis in ("x", "y", "d", "")):
            problem = "no focal length: expected 'fl_x' or 'camera_angle_x', in the frame or for the whole file"
            raise self.entry.error(problem)
        return all(map(self._of, ("fl_x", "cx", "cy")))

    def state_angles(self) -> bool:
        """Whether fields of view are stated, which only the size of the photo makes comparable to focal lengths."""
        return any(self._of(f"angle_{axis}") for axis in ("x", "y", "d", ""))

    def intrinsics(self, width: int | None, height: int | None) -> tuple[float, float, float, float]:
        """fx, fy, cx, cy in pixels; the size may be None if they are complete."""
        size = None if width is None or height is None else (width, height)
        fx = self._focal("x", size)
        fx = self._focal("y", size) if fx is None else fx
        fx = self._focal_of_no_axis(size) if fx is None else fx
        fy = self._focal("y", size, fx)
        fy = fx if fy is None else fy
        self._check_fields_of_view(size, fx, fy)
        cx, cy = (self._agreed(self._of(name), "principal point") for name in ("cx", "cy"))
        is_share = cx is not None and cy is not None and 0 < min(cx, cy) and max(cx, cy) < 1
        if size is not None and fx < FOCAL_SIDES[0] * size[0] and (is_share or cx is None):
            raise self.entry.error(
                f"a focal length of {fx:g} cannot be meant for a photograph that is {size[0]} pixels wide: write "
                "'fl_x', 'fl_y', 'cx' and 'cy' in pixels, not as shares of its size"
            )
        if is_share:
            key = next(iter(self._of("cx")))
            raise self.entry.error(
                f"a principal point at {cx:g}, {cy:g} ('{key}') cannot be meant: it must be in pixels from the upper "
                "left corner, not a share of the photograph's size; take it out if it is the middle"
            )
        return fx, fy, (width or 0) / 2 if cx is None else cx, (height or 0) / 2 if cy is None else cy

    def coefficients(self) -> dict[str, float]:
        """Coefficients of the lens distortion by name, those that are stated."""
        named = {name: self._agreed(self._of(name), "coefficient", _SAME_COEFFICIENT) for name in _PARAMS}
        return {name: value for name, value in named.items() if value is not None}

    def notes(self, width: int | None, height: int | None) -> list[tuple[str, str]]:
        """As those of `Frame`: a `camera_angle_x` that contradicts `fl_x` is left aside.

        Many files hold the focal lengths of their photos beside the angles that belong to another size of these.
        """
        found = []
        for axis, side in (("x", width), ("y", height)):
            pairs = product(self._of(f"camera_angle_{axis}").items(), self._of(f"fl_{axis}").items())
            for (angle, value), (key, focal) in pairs:
                if side is None or (0 < value < math.pi and _alike(_focal(side, value), focal, (_SAME_ANGLE, 0.0))):
                    continue
                found.append(
                    (f"'{angle}' in {self.entry.file} is not used", f"it contradicts '{key}', which goes before it")
                )
        return found

    def _of(self, quantity: str) -> dict[str, float]:
        return self.own.get(quantity) or self.shared.get(quantity) or {}

    def _focal(self, axis: str, size: tuple[int, int] | None, fx: float | None = None) -> float | None:
        """Focal length along one axis; None where none is stated."""
        pixels, angle = f"fl_{axis}", f"angle_{axis}"
        level = next((one for one in (self.own, self.shared) if one.get(pixels) or one.get(angle)), {})
        self._agreed(level.get(pixels, {}), "focal length")
        focals = dict(list(level.get(pixels, {}).items())[:1])
        if size is not None:
            side, angles = size[axis == "y"], level.get(angle, {})
            if not self._of("fl_x"):
                angles = {**self._of(f"camera_angle_{axis}"), **angles}
            focals |= {key: _focal(side, self._below_half_turn(key, value)) for key, value in angles.items()}
        if fx is not None and (shape := self._of("pixel_width") | self._of("pixel_height")):
            wide, high = (next(iter(self._of(name).values()), 1.0) for name in ("pixel_width", "pixel_height"))
            focals[next(iter(shape))] = fx * wide / high
        return self._agreed(focals, "focal length", (_SAME_ANGLE, 0.0))

    def _below_half_turn(self, key: str, angle: float) -> float:
        if not 0 < angle < math.pi:
            raise self.entry.error(f"'{key}' must be in radians, above 0 and below pi, is {angle:g}")
        return angle

    def _focal_of_no_axis(self, size: tuple[int, int] | None) -> float:
        """Focal length from a field of view along the diagonal, or along an axis that the file does not name."""
        assert size is not None, "the intrinsics are not complete"
        if diagonal := self._of("angle_d"):
            return _focal(math.hypot(*size), next(iter(diagonal.values())))
        key, angle = next(iter(self._of("angle_").items()))
        if size[0] != size[1]:
            raise self.entry.error(
                f"'{key}' does not say whether it is along the width or the height of {size[0]}x{size[1]} pixels; "
                "write 'fl_x' (in pixels) or 'camera_angle_x' (along the width, in radians) in its place"
            )
        return _focal(size[0], angle)

    def _check_fields_of_view(self, size: tuple[int, int] | None, fx: float, fy: float) -> None:
        """Check those along the diagonal, and those along an axis that the file does not name."""
        if size is None:
            return
        diagonal = (math.hypot(*size), (fx + fy) / 2)
        sides = [(size[0], fx), (size[1], fy), diagonal]
        cases = [(*item, [diagonal]) for item in self._of("angle_d").items()]
        cases += [(*item, sides) for item in self._of("angle_").items()]
        for key, angle, possible in cases:
            if not any(_alike(_focal(side, angle), focal, (_SAME_ANGLE, 0.0)) for side, focal in possible):
                side, focal = possible[0]
                stated = (self._of(f"{kind}{axis}") for axis in "xy" for kind in ("fl_", *_ANGLES))
                other = next((name for names in stated for name in names), "the other field of view")
                raise self._contradiction("focal length", (other, focal), (key, _focal(side, angle)))

    def _agreed(
        self, values: dict[str, float], what: str, tolerance: tuple[float, float] = _SAME_LENGTH
    ) -> float | None:
        """The first of the values that several keys state, None for none."""
        stated = list(values.items())
        for other in stated[1:]:
            if not _alike(stated[0][1], other[1], tolerance):
                raise self._contradiction(what, stated[0], other)
        return stated[0][1] if stated else None

    def _contradiction(self, what: str, first: tuple[str, float], second: tuple[str, float]) -> PoseFileError:
        values = [f"{value:.6g}" if what == "coefficient" else f"{value:.1f}" for _, value in (first, second)]
        unit = "" if what == "coefficient" else " pixels"
        return self.entry.error(
            f"'{second[0]}' contradicts the other {what}: {values[0]} and {values[1]}{unit} by '{first[0]}' and "
            f"'{second[0]}'; remove the wrong one"
        )


def _alike(a: float, b: float, tolerance: tuple[float, float]) -> bool:
    """Whether two values differ by no more than a relative and an absolute tolerance together."""
    return abs(a - b) <= tolerance[0] * min(abs(a), abs(b)) + tolerance[1]


def _focal(side: float, angle: float) -> float:
    """Focal length in pixels of a field of view, in radians, along a side of the photo."""
    return side / 2 / math.tan(angle / 2)


Reader = Callable[[Entry, str], Iterator[tuple[str, str, float]]]
"""Gives quantity, key and value of each statement that a key of an entry makes."""


def _reader(key: str) -> Reader | None:
    """How a key is read; None for keys that say nothing of the camera, or are read by others."""
    plain = plain_key(key)
    if key == "K" or plain in _MATRICES:
        return _from_matrix
    if plain in _POINT:
        return _from_point
    if plain == "distortionparams":
        return _from_params
    if _ANGLE.fullmatch(plain):
        return _from_angle
    return _from_number if plain in _QUANTITY_OF else None


def _from_number(entry: Entry, key: str) -> Iterator[tuple[str, str, float]]:
    quantity = _QUANTITY_OF[plain_key(key)]
    if quantity in ("w", "h"):
        pixels = entry.pixels(key)
        assert pixels is not None, "keys without a value are passed over"
        yield quantity, key, float(pixels)
    else:
        yield quantity, key, entry.number(key) if quantity in _MAY_BE_NEGATIVE else entry.positive(key)


def _from_point(entry: Entry, key: str) -> Iterator[tuple[str, str, float]]:
    value = entry.get(key)
    if isinstance(value, dict) and set(value) == {"x", "y"}:
        entry = Entry(entry.file, {key: [value["x"], value["y"]]}, entry.view)
    yield from zip(("cx", "cy"), (key, key), entry.numbers(key, 2).tolist(), strict=True)


def _from_params(entry: Entry, key: str) -> Iterator[tuple[str, str, float]]:
    """Coefficients; zeros of any number are those of no lens distortion."""
    value = entry.get(key)
    if says_nothing(value):
        yield from ((name, key, 0.0) for name in _PARAMS if value)
    else:
        yield from zip(_PARAMS, [key] * len(_PARAMS), entry.numbers(key, len(_PARAMS)).tolist(), strict=True)


def _from_angle(entry: Entry, key: str) -> Iterator[tuple[str, str, float]]:
    """A field of view, or two of them, along the width and the height.

    Its unit is what the key says; degrees for `x_fov` and `y_fov` of instant-ngp; else radians for numbers below pi, as
    3D Gaussian Splatting's `FovX`, and degrees for others.
    """
    before, after, unit = _ANGLE.fullmatch(plain_key(key)).groups()  # pyright: ignore[reportOptionalMemberAccess]
    axis = _AXES[before or after]
    if isinstance(entry.get(key), list) and not axis:
        angles = dict(zip("xy", entry.numbers(key, 2).tolist(), strict=True))
    else:
        angles = {axis: entry.positive(key)}
    for along, angle in angles.items():
        in_degrees = unit.startswith("deg") or key.lower() in ("x_fov", "y_fov") or (not unit and angle > math.pi)
        limit = 180 if in_degrees else math.pi
        if not 0 < angle < limit:
            words = "degrees, below 180" if in_degrees else "radians, below pi"
            raise entry.error(f"'{key}' must be in {words}, is {angle:g}")
        yield f"angle_{along}", key, math.radians(angle) if in_degrees else angle


def _from_matrix(entry: Entry, key: str) -> Iterator[tuple[str, str, float]]:
    """A camera matrix, row by row or column by column, nested or not, or fx, fy, cx, cy, or an object of other keys.

    A `camera_matrix` that is a pose says nothing here.
    """
    value = entry.get(key)
    if says_nothing(value):
        return
    if isinstance(value, dict):
        inner = camera_statements(Entry(entry.file, value, entry.view))
        if not inner:
            raise _unreadable(entry, key)
        for quantity, numbers in inner.items():
            yield from ((quantity, f"{key}.{name}", number) for name, number in numbers.items())
        return
    try:
        numbers = np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise _unreadable(entry, key) from None
    if numbers.shape == (4,):
        fx, fy, cx, cy = numbers.tolist()
    else:
        matrix = numbers.reshape(3, 3) if numbers.shape == (9,) else numbers
        matrix = matrix.reshape(4, 4) if matrix.shape == (16,) else matrix
        if matrix.shape not in ((3, 3), (3, 4), (4, 4)):
            raise _unreadable(entry, key)
        square = matrix[:3, :3]
        if matrix.shape[1] == 4 and float(se3.orthogonality_error(torch.from_numpy(square.copy()))) < _SAME_ANGLE:
            return
        square = square.T if square[2].tolist() != [0, 0, 1] else square
        (fx, skew, cx), (zero, fy, cy), last = square.tolist()
        if last != [0, 0, 1] or zero != 0 or abs(skew) > _SAME_LENGTH[0] * abs(fx) or np.any(matrix[:3, 3:]):
            raise _unreadable(entry, key)
    if not (np.isfinite(numbers).all() and fx > 0 and fy > 0):
        raise _unreadable(entry, key)
    yield from zip(("fl_x", "fl_y", "cx", "cy"), [key] * 4, (fx, fy, cx, cy), strict=True)


def _unreadable(entry: Entry, key: str) -> PoseFileError:
    return entry.error(
        f"'{key}' is no camera matrix [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] in pixels, is "
        f"{shortened(entry.get(key))}; write 'fl_x', 'fl_y', 'cx' and 'cy' in its place"
    )
