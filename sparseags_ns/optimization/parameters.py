"""Learned parameters of a splat: activated for rendering, taken from a splat, split in two.

Parameters have splatfacto's names and forms: `means`, `scales` (logarithms), `quats`, `features_dc`, `features_rest`
(coefficients of spherical harmonics), `opacities` (logits).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from sparseags_ns.geometry import se3
from sparseags_ns.optimization.settings import SPLIT_SPREAD
from sparseags_ns.rasterizer.constants import SH_C0
from sparseags_ns.rasterizer.types import Gaussians


def activate(params: Mapping[str, Tensor] | nn.ParameterDict) -> Gaussians:
    """Gaussians of these parameters, ready to render; differentiable."""
    return Gaussians(
        means=params["means"],
        quats=params["quats"],
        scales=params["scales"].exp(),
        opacities=params["opacities"].sigmoid().squeeze(-1),
        colors=torch.cat([params["features_dc"][:, None], params["features_rest"]], dim=1),
    )


def deactivate(gaussians: Gaussians, num_bases: int) -> nn.ParameterDict:
    """Parameters of these Gaussians: the inverse of `activate`, except that colour bands above the first become zero.

    Colours are plain RGB or spherical harmonics; the parameters have room for `num_bases` of the latter.
    """
    rgb = gaussians.colors if gaussians.colors.ndim == 2 else SH_C0 * gaussians.colors[:, 0] + 0.5
    values = {
        "means": gaussians.means,
        "scales": gaussians.scales.log(),
        "quats": gaussians.quats,
        "features_dc": (rgb - 0.5) / SH_C0,
        "features_rest": rgb.new_zeros(len(rgb), num_bases - 1, 3),
        # Opacity 0 and 1 have no finite logit, and their gradients would vanish.
        "opacities": gaussians.opacities.clamp(1e-4, 1 - 1e-4).logit()[:, None],
    }
    return nn.ParameterDict({name: nn.Parameter(value.detach().clone()) for name, value in values.items()})


@torch.no_grad()
def split_all(
    params: nn.ParameterDict,
    optimizers: dict[str, torch.optim.Optimizer],
    *,
    min_opacity: float,
    generator: torch.Generator,
) -> None:
    """Replace every Gaussian by two smaller ones drawn from it, and drop those fainter than `min_opacity`.

    Parameters and the optimizers' state (one optimizer for each entry) change together, in place: children inherit
    Adam's moments, so that no parameter jumps at the next step. If all Gaussians are faint, all are kept: an empty
    scene could not recover. The generator is on the CPU.
    """
    visible = torch.sigmoid(params["opacities"].flatten()) >= min_opacity
    if not visible.any():
        visible = torch.ones_like(visible)
    parents = visible.nonzero().flatten().repeat_interleave(2)
    noise = torch.randn(len(parents), 3, generator=generator).to(params["means"])
    axes = se3.rotations_from_quats(params["quats"][parents])
    offsets = (axes @ (params["scales"][parents].exp() * noise * SPLIT_SPREAD)[..., None])[..., 0]
    for name, param in list(params.items()):
        value = param[parents].clone()
        if name == "means":
            value += offsets
        elif name == "scales":
            # Each axis shrinks by 2^(-1/2), so that two children cover the area of their parent on screen.
            value -= math.log(2) / 2
        params[name] = nn.Parameter(value)
        optimizers[name].param_groups[0]["params"] = [params[name]]
        moments = optimizers[name].state.pop(param, {})
        if moments:
            # Adam's `step` is a count and stays; its moments have one row for each Gaussian.
            optimizers[name].state[params[name]] = {
                key: moment if key == "step" else moment[parents].clone() for key, moment in moments.items()
            }
