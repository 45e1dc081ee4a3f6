"""Checks of the inputs of `rasterize` and `score_poses`, and the choice of the back end."""

from __future__ import annotations

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.rasterizer.constants import SH_DEGREE_MAX
from sparseags_ns.rasterizer.types import Gaussians

Backend = Literal["auto", "cpu", "cuda", "reference"]
"""Which rasterizer to use; "auto" chooses by the device of the tensors."""


class RasterizerInputError(ValueError):
    """Inputs that cannot be rendered."""


def check_backend(backend: Backend, device: torch.device) -> Literal["cpu", "cuda", "reference"]:
    """The back end for tensors on a device.

    Raises:
        RasterizerInputError: the named back end does not support the device.
    """
    if backend == "auto":
        if device.type not in ("cpu", "cuda"):
            raise RasterizerInputError(
                f"no rasterizer for tensors on {device}; move them to cpu or cuda, or name backend='reference'"
            )
        return device.type  # pyright: ignore[reportReturnType]
    if backend not in ("cpu", "cuda", "reference"):
        raise RasterizerInputError(f"unknown backend {backend!r}; choose 'auto', 'cpu', 'cuda' or 'reference'")
    if backend != "reference" and device.type != backend:
        raise RasterizerInputError(
            f"backend={backend!r} was named, but the Gaussians are on {device}; move them, or use backend='auto'"
        )
    return backend


def check_inputs(gaussians: Gaussians, cameras: Cameras, sh_degree: int | None) -> None:
    """Check shapes, and that all tensors share one device and dtype.

    Raises:
        RasterizerInputError: they do not.
    """
    _check_shapes(gaussians, cameras)
    _check_sh_degree(gaussians.colors, sh_degree)
    means = gaussians.means
    if means.dtype not in (torch.float32, torch.float64):
        raise RasterizerInputError(f"the Gaussians are {means.dtype}; expected float32 or float64")
    for name, tensor in _named(gaussians, cameras).items():
        if tensor.device != means.device or tensor.dtype != means.dtype:
            raise RasterizerInputError(
                f"{name} is {tensor.dtype} on {tensor.device}, but means is {means.dtype} on {means.device}; "
                "bring all to one device and dtype"
            )


def expand_background(
    background: Float[Tensor, " 3"] | Float[Tensor, "views 3"] | None, like: Tensor, views: int
) -> Float[Tensor, "views 3"]:
    """One background colour for each view; black if none is given."""
    if background is None:
        return torch.zeros((views, 3), dtype=like.dtype, device=like.device)
    if background.shape not in ((3,), (views, 3)):
        raise RasterizerInputError(f"background has shape {tuple(background.shape)}; expected (3,) or ({views}, 3)")
    if background.device != like.device or background.dtype != like.dtype:
        raise RasterizerInputError(
            f"background is {background.dtype} on {background.device}; expected {like.dtype} on {like.device}"
        )
    return background.expand(views, 3)


def _named(gaussians: Gaussians, cameras: Cameras) -> dict[str, Tensor]:
    return {
        "quats": gaussians.quats,
        "scales": gaussians.scales,
        "opacities": gaussians.opacities,
        "colors": gaussians.colors,
        "T_camera_world": cameras.T_camera_world,
        "K": cameras.K,
    }


def _check_shapes(gaussians: Gaussians, cameras: Cameras) -> None:
    n, views = gaussians.means.shape[0], cameras.T_camera_world.shape[0]
    expected = {"quats": (n, 4), "scales": (n, 3), "opacities": (n,), "T_camera_world": (views, 4, 4)}
    expected |= {"means": (n, 3), "K": (views, 3, 3)}
    tensors = {"means": gaussians.means, **_named(gaussians, cameras)}
    for name, shape in expected.items():
        if tuple(tensors[name].shape) != shape:
            raise RasterizerInputError(f"{name} has shape {tuple(tensors[name].shape)}; expected {shape}")
    colors = tuple(gaussians.colors.shape)
    if colors[0] != n or colors[-1] != 3 or len(colors) not in (2, 3):
        raise RasterizerInputError(f"colors has shape {colors}; expected ({n}, 3) or ({n}, bases, 3)")
    if cameras.width < 1 or cameras.height < 1:
        raise RasterizerInputError(f"the images are {cameras.width} x {cameras.height} pixels; expected 1 or more")


def _check_sh_degree(colors: Tensor, sh_degree: int | None) -> None:
    if colors.dim() == 2:
        if sh_degree is not None:
            raise RasterizerInputError(f"sh_degree={sh_degree}, but colors are RGB; expected coefficients [N bases 3]")
        return
    bases = colors.shape[1]
    held = math.isqrt(bases) - 1
    if (held + 1) ** 2 != bases or not 0 <= held <= SH_DEGREE_MAX:
        raise RasterizerInputError(f"colors hold {bases} bases; expected 1, 4, 9 or 16 (degree 0 to {SH_DEGREE_MAX})")
    if sh_degree is not None and not 0 <= sh_degree <= held:
        raise RasterizerInputError(f"sh_degree={sh_degree}, but colors hold {bases} bases: degree 0 to {held}")
