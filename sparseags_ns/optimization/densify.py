"""Splitting every Gaussian at a stage's start, parameters and Adam state together.

Parameters are splatfacto's: `scales` are logarithms, `opacities` logits. Moved in the Gaussians' own frames.
"""

from __future__ import annotations

import math

import torch
from gsplat.strategy.ops import _update_param_with_optimizer
from gsplat.utils import normalized_quat_to_rotmat
from torch import Tensor, nn
from torch.nn import functional as F


@torch.no_grad()
def split_all(
    params: nn.ParameterDict,
    optimizers: dict[str, torch.optim.Optimizer],
    *,
    min_opacity: float,
    generator: torch.Generator,
) -> None:
    """Replace every Gaussian by two, drawn from it and smaller; those fainter than `min_opacity` go.

    The volume of a pair is its parent's (each axis shrinks by 2^(-1/2), as areas on screen halve). Adam's moments are
    inherited, so nothing jumps. If all Gaussians are faint, all are kept: an empty scene could not recover.
    """
    visible = torch.sigmoid(params["opacities"].flatten()) >= min_opacity
    if not visible.any():
        visible = torch.ones_like(visible)
    parents = visible.nonzero().flatten().repeat_interleave(2)
    noise = torch.randn(len(parents), 3, generator=generator).to(params["means"])
    axes = normalized_quat_to_rotmat(F.normalize(params["quats"][parents], dim=-1))
    offsets = (axes @ (params["scales"][parents].exp() * noise * 0.7)[..., None])[..., 0]

    def child(name: str, value: Tensor) -> nn.Parameter:
        value = value[parents].clone()
        if name == "means":
            value += offsets
        elif name == "scales":
            value -= math.log(2) / 2
        return nn.Parameter(value)

    names = list(params.keys())
    stepped = {name: optimizers[name] for name in names if optimizers[name].state}
    fresh = [name for name in names if name not in stepped]
    _update_param_with_optimizer(child, lambda _, value: value[parents].clone(), params, stepped, list(stepped))
    for name in fresh:
        params[name] = child(name, params[name])
        optimizers[name].param_groups[0]["params"] = [params[name]]
