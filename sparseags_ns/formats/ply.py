"""PLY files. Written, binary and little-endian: splats as the 3DGS paper's code and nerfstudio write them, and points.
Read: the vertices of any, text or binary.

A splat's properties: x y z, nx ny nz (zero), f_dc_0..2, f_rest_0.. (all of red, then green, then blue), opacity
(logit), scale_0..2 (logarithms), rot_0..3 (w x y z). Comments in the header state the frame.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.storage import write_bytes

_KINDS = {"ascii": None, "binary_little_endian": "<", "binary_big_endian": ">"}
"""Byte order of each kind of file; None for text."""
_TYPES = {"char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4"}
_TYPES |= {"int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4"}
_TYPES |= {"float": "f4", "float32": "f4", "double": "f8", "float64": "f8"}
"""NumPy's names of PLY's types of numbers."""
_HEADER_LINES, _LINE_BYTES = 1000, 1000
"""Most lines of a header, and bytes of one."""

MAX_ERROR_SHARE = 1e-5
"""Share of an object's extent by which rounding may move its points; a thousandth of a pixel in a photograph of it."""


def splat_columns(
    means: Float[Tensor, "n 3"],
    quats: Float[Tensor, "n 4"],
    scales: Float[Tensor, "n 3"],
    opacities: Float[Tensor, " n"],
    coefficients: Float[Tensor, "n bases 3"],
) -> dict[str, np.ndarray]:
    """Properties of activated Gaussians, in the order of the file."""
    groups = {
        ("x", "y", "z"): means,
        ("nx", "ny", "nz"): torch.zeros_like(means),
        _numbered("f_dc", 3): coefficients[:, 0],
        _numbered("f_rest", 3 * (coefficients.shape[1] - 1)): coefficients[:, 1:].transpose(1, 2).flatten(1),
        ("opacity",): opacities.double().logit(eps=1e-7)[:, None],
        _numbered("scale", 3): scales.double().log(),
        _numbered("rot", 4): quats,
    }
    return {
        name: column.numpy()
        for names, values in groups.items()
        for name, column in zip(names, values.detach().cpu().float().T, strict=True)
    }


def float32_error(positions: Float[Tensor, "n 3"]) -> tuple[float, float]:
    """How far float32 moves points at most, in world units and as a share of the extent of the points.

    Coordinates of a georeferenced world are so large that float32, which has seven digits, moves points visibly.
    """
    positions = positions.detach().double()
    error = float((positions.float().double() - positions).norm(dim=-1).max()) if len(positions) else 0.0
    extent = float((positions.amax(0) - positions.amin(0)).norm()) if len(positions) else 0.0
    return error, error / extent if extent else 0.0


def point_columns(positions: Float[Tensor, "n 3"], colors: Float[Tensor, "n 3"]) -> dict[str, np.ndarray]:
    """Properties of points with colours (sRGB, 0 to 1); coordinates are float64 where float32 is too coarse."""
    coarse = float32_error(positions)[1] > MAX_ERROR_SHARE
    positions = positions.double() if coarse else positions.float()
    bytes_ = (colors.detach().cpu().clamp(0, 1) * 255).round().to(torch.uint8)
    places = zip("xyz", positions.detach().cpu().T.numpy(), strict=True)
    return dict(places) | dict(zip(("red", "green", "blue"), bytes_.T.numpy(), strict=True))


def write_ply(path: Path, columns: dict[str, np.ndarray], comments: Sequence[str] = ()) -> None:
    """Write vertices, properties by name (float32, float64 or uint8, of one length), below a header with comments."""
    names = {np.dtype(np.float32): "float", np.dtype(np.float64): "double", np.dtype(np.uint8): "uchar"}
    count = len(next(iter(columns.values())))
    table = np.empty(count, dtype=[(name, column.dtype) for name, column in columns.items()])
    for name, column in columns.items():
        table[name] = column
    header = ["ply", "format binary_little_endian 1.0", *(f"comment {line}" for line in comments)]
    header += [f"element vertex {count}", *(f"property {names[c.dtype]} {name}" for name, c in columns.items())]
    write_bytes(path, "\n".join([*header, "end_header\n"]).encode("ascii") + table.tobytes())


def read_ply(path: Path) -> dict[str, np.ndarray]:
    """The properties of a file's vertices by name.

    Nothing is allocated for vertices that the header states and the file does not have.

    Raises:
        OSError: the file cannot be read.
        ValueError, LookupError, ArithmeticError: it is no PLY file, is cut off or damaged, or its vertices hold lists
            or come after lists.
    """
    with path.open("rb") as stream:
        order, before, (count, layout) = _read_header(stream)
        names = layout.names or ()
        if order is not None:
            stream.seek(sum(rows * other.itemsize for rows, other in before), os.SEEK_CUR)
            _require(count, (path.stat().st_size - stream.tell()) // max(layout.itemsize, 1))
            table = np.fromfile(stream, layout, count)
            return {name: table[name] for name in names}
        words = stream.read().split()
        del words[: sum(rows * len(other.names or ()) for rows, other in before)]
        _require(count, len(words) // max(len(names), 1))
        rows = np.array(words[: count * len(names)]).astype(np.float64).reshape(count, len(names))
        return {name: column.astype(layout[name]) for name, column in zip(names, rows.T, strict=True)}


def point_colors(columns: dict[str, np.ndarray]) -> Float[Tensor, "n 3"]:
    """Colours of points, sRGB from 0 to 1; grey where the properties hold none."""
    names = ("red", "green", "blue")
    if not set(names) <= set(columns):
        return torch.full((len(columns["x"]), 3), 0.5, dtype=torch.float64)
    channels = [columns[name] for name in names]
    scales = [np.iinfo(channel.dtype).max if channel.dtype.kind in "iu" else 1.0 for channel in channels]
    colors = np.stack([channel.astype("f8") / scale for channel, scale in zip(channels, scales, strict=True)], axis=-1)
    return torch.from_numpy(np.nan_to_num(colors, nan=0.5).clip(0, 1))


_Element = tuple[int, np.dtype]
"""Number of rows of a part of a PLY file, and what a row holds."""


def _read_header(stream: BinaryIO) -> tuple[str | None, list[_Element], _Element]:
    """Byte order, None for text; the elements before the vertices; and the vertices."""
    lines = [stream.readline(_LINE_BYTES).decode("latin-1").split()]
    while lines[-1] != ["end_header"] and len(lines) < _HEADER_LINES:
        lines.append(stream.readline(_LINE_BYTES).decode("latin-1").split())
    orders = [_KINDS[words[1]] for words in lines if words[:1] == ["format"]]
    starts = [number for number, words in enumerate(lines) if words[:1] == ["element"]]
    if lines[0] != ["ply"] or lines[-1] != ["end_header"] or not orders:
        raise ValueError("its header is not one")
    before: list[_Element] = []
    for first, last in zip(starts, [*starts[1:], len(lines)], strict=True):
        own = [words[1:] for words in lines[first:last] if words[:1] == ["property"]]
        _, name, count = lines[first]
        if int(count) < 0 or any(len(words) != 2 for words in own):
            raise ValueError(f"its '{name}' holds lists, or less than nothing")
        element = int(count), np.dtype([(words[1], (orders[0] or "") + _TYPES[words[0]]) for words in own])
        if name == "vertex":
            return orders[0], before, element
        before.append(element)
    raise ValueError("it has no points")


def _require(stated: int, there: int) -> None:
    if stated > there:
        raise ValueError(f"it states {stated} points, and has {there}")


def _numbered(name: str, count: int) -> tuple[str, ...]:
    return tuple(f"{name}_{index}" for index in range(count))
