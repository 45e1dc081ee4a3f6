"""Checks of plain values from a file: their types, as dataclasses declare them, and their numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

LARGEST = 1e12
"""Largest absolute value of a number in a run's record: no step, second, error or coordinate comes near it."""


def require_numbers(content: Any) -> None:
    """Raise a ValueError if a number in nested lists and mappings is NaN or beyond `LARGEST`."""
    for number in _numbers(content):
        if not abs(number) <= LARGEST:
            raise ValueError(f"it holds the number {str(number)[:40]}")


def _numbers(content: Any) -> Iterator[float]:
    if isinstance(content, int | float):
        yield content
    elif isinstance(content, list | tuple | Mapping):
        for inner in content.values() if isinstance(content, Mapping) else content:
            yield from _numbers(inner)


def require_type(value: Any, hint: Any, name: str) -> None:
    """Raise a TypeError unless a value is of a type, and so is everything in it.

    Args:
        hint: a dataclass, whose fields are checked by their annotations; a class; a list, tuple of any length, dict,
            literal or union of such types. Integers must not be negative, and count as numbers, but booleans do not.
        name: of the value, for the message.
    """
    if not _is_of_type(value, hint):
        raise TypeError(f"'{name}' must be {getattr(hint, '__name__', hint)}, is {repr(value)[:80]}")
    if is_dataclass(hint):
        for field, inner in _hints(hint).items():
            require_type(getattr(value, field), inner, field)
    elif get_origin(hint) in (list, tuple):
        for one in value:
            require_type(one, get_args(hint)[0], name)


@cache
def _hints(dataclass: Any) -> dict[str, Any]:
    hints = get_type_hints(dataclass)
    return {field.name: hints[field.name] for field in fields(dataclass)}


def _is_of_type(value: Any, hint: Any) -> bool:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return any(_is_whole(value, one) for one in inner)
    if origin is Literal:
        return isinstance(value, str) and value in inner
    if origin is dict:
        return isinstance(value, dict) and all(
            _is_of_type(key, inner[0]) and _is_of_type(one, inner[1]) for key, one in value.items()
        )
    if hint in (int, float):
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and (hint is float or (isinstance(value, int) and value >= 0))
    return isinstance(value, origin or hint)


def _is_whole(value: Any, hint: Any) -> bool:
    try:
        require_type(value, hint, "")
    except TypeError:
        return False
    return True
