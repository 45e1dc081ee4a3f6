"""What browsers may say: the messages of viser's page that mean something here, with values within bounds.

viser takes any message from anybody, writes any value into any element of the panel, and sets any property. Here each
message has a form, and each value the type and the bounds that its element shows in the browser.

Units: radians, viser's scene units.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct

Number = Annotated[float, Meta(ge=-1e6, le=1e6)]
Vector = tuple[Number, Number, Number]
Quaternion = tuple[Number, Number, Number, Number]
Name = Annotated[str, Meta(max_length=500)]

T = TypeVar("T")


class Camera(Struct, tag="ViewerCameraMessage"):
    """Where a browser looks from; its aspect sets the size of the picture that it gets."""

    wxyz: Quaternion
    position: Vector
    fov: Annotated[float, Meta(gt=0, lt=math.pi)]
    aspect: Annotated[float, Meta(ge=0.1, le=10)]
    look_at: Vector
    up_direction: Vector


class Value(Struct, forbid_unknown_fields=True):
    """The new value of an element; no other property can be set."""

    value: bool | int | float | Name | list[Number]


class Update(Struct, tag="GuiUpdateMessage"):
    """An element of the panel was used."""

    id: Name
    updates: Value


class Click(Struct, tag="SceneNodeClickMessage"):
    """An object in the scene was clicked."""

    name: Name
    instance_index: int | None
    ray_origin: Vector
    ray_direction: Vector
    screen_pos: tuple[Number, Number]


class Drag(Struct, tag="TransformControlsUpdateMessage"):
    """A handle in the scene was dragged."""

    name: Name
    wxyz: Quaternion
    position: Vector


_DECODER = msgspec.msgpack.Decoder(Camera | Update | Click | Drag)


def _read(message: str | bytes) -> Camera | Update | Click | Drag | None:
    """A message, or None for one that viser's page does not send."""
    if isinstance(message, str):
        return None
    try:
        read = _DECODER.decode(message)
    except (msgspec.DecodeError, RecursionError):
        return None
    if isinstance(read, Camera | Drag):
        numbers = (*read.wxyz, *read.position)
        numbers += (read.fov, read.aspect, *read.look_at, *read.up_direction) if isinstance(read, Camera) else ()
        if not (math.isfinite(sum(numbers)) and math.hypot(*read.wxyz) > 1e-3):
            return None
    return read


def is_permitted(message: str | bytes) -> bool:
    """Whether a message may be acted on."""
    return _read(message) is not None


def is_camera(message: str | bytes) -> bool:
    """Whether a message may be acted on and moves a camera, so that the next of its kind replaces it."""
    return isinstance(_read(message), Camera)


def bounded(value: Any, current: T, limits: Any, options: Sequence[str] | None) -> T | None:
    """The value that an element of the panel takes where a browser asks for `value`; None for no change.

    Args:
        value: bool, number, text, or list of numbers.
        current: the element's value.
        limits: of numbers: an object that may have `min` and `max`, like `current` or None.
        options: texts to choose from; None for a text that is typed, which becomes the name of a file.
    """
    if isinstance(current, bool) or isinstance(value, bool):
        return value if isinstance(current, bool) and isinstance(value, bool) else None  # type: ignore[return-value]
    if isinstance(current, str):
        text = value if isinstance(value, str) else None
        return text and (file_name(text) if options is None else text if text in options else None)  # type: ignore
    low, high = getattr(limits, "min", None), getattr(limits, "max", None)
    if isinstance(current, tuple):
        if not isinstance(value, list | tuple) or len(value) != len(current):
            return None
        lows, highs = (each or (None,) * len(current) for each in (low, high))
        numbers = [_clamped(*each) for each in zip(value, current, lows, highs, strict=True)]
        return None if None in numbers else tuple(numbers)  # type: ignore[return-value]
    return _clamped(value, current, low, high)


def _clamped(value: Any, current: Any, low: float | None, high: float | None) -> Any:
    if not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return type(current)(min(max(value, -1e9 if low is None else low), 1e9 if high is None else high))


def file_name(text: str) -> str:
    """A file's name without folders, and without what means something to a shell."""
    last = re.split(r"[/\\]", text.rstrip("/\\"))[-1]
    return re.sub(r"[^\w.]+", "-", last).strip("-.")[:100] or "unnamed"
