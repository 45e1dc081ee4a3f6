"""Writing PLY files, binary and little-endian: splats as the 3DGS paper's code and nerfstudio write them, and points.

A splat's properties: x y z, nx ny nz (zero), f_dc_0..2, f_rest_0.. (all of red, then green, then blue), opacity
(logit), scale_0..2 (logarithms), rot_0..3 (w x y z). Comments in the header state the frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.storage import write_bytes

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


def _numbered(name: str, count: int) -> tuple[str, ...]:
    return tuple(f"{name}_{index}" for index in range(count))
