"""Parameters of a splat: splitting all Gaussians."""

from __future__ import annotations

import math

import torch
from torch import nn

from sparseags_ns.optimization.parameters import split_all


def make(count: int = 5, *, stepped: bool = True) -> tuple[nn.ParameterDict, dict[str, torch.optim.Optimizer]]:
    generator = torch.Generator().manual_seed(0)
    shapes = {"means": 3, "scales": 3, "quats": 4, "features_dc": 3, "opacities": 1}
    params = nn.ParameterDict({k: nn.Parameter(torch.randn(count, n, generator=generator)) for k, n in shapes.items()})
    params["opacities"].data[:] = 2.0
    optimizers: dict[str, torch.optim.Optimizer] = {k: torch.optim.Adam([p], lr=0.1) for k, p in params.items()}
    if stepped:
        torch.stack([p.square().sum() for p in params.values()]).sum().backward()
        for optimizer in optimizers.values():
            optimizer.step()
    return params, optimizers


def split(params: nn.ParameterDict, optimizers: dict[str, torch.optim.Optimizer], seed: int = 1) -> None:
    split_all(params, optimizers, min_opacity=0.02, generator=torch.Generator().manual_seed(seed))


def test_every_gaussian_becomes_two_smaller_ones_near_it() -> None:
    params, optimizers = make()
    means, scales = params["means"].detach().clone(), params["scales"].detach().clone()
    split(params, optimizers)
    assert len(params["means"]) == 10
    torch.testing.assert_close(params["scales"].detach(), scales.repeat_interleave(2, 0) - math.log(2) / 2)
    offsets = params["means"].detach() - means.repeat_interleave(2, 0)
    assert (offsets.norm(dim=-1) < 5 * scales.exp().amax(-1).repeat_interleave(2, 0)).all() and offsets.abs().min() > 0


def test_optimizers_hold_the_new_parameters_with_inherited_moments() -> None:
    params, optimizers = make()
    old = optimizers["means"].state[params["means"]]["exp_avg"].clone()
    split(params, optimizers)
    for name, optimizer in optimizers.items():
        assert optimizer.param_groups[0]["params"][0] is params[name]
    torch.testing.assert_close(optimizers["means"].state[params["means"]]["exp_avg"], old.repeat_interleave(2, 0))
    before = params["means"].detach().clone()
    params["means"].square().sum().backward()
    optimizers["means"].step()
    assert not torch.equal(before, params["means"])


def test_faint_gaussians_are_dropped() -> None:
    params, optimizers = make()
    params["opacities"].data[1:3] = -8.0
    split(params, optimizers)
    assert len(params["means"]) == 6


def test_all_faint_gaussians_are_kept() -> None:
    params, optimizers = make()
    params["opacities"].data[:] = -8.0
    split(params, optimizers)
    assert len(params["means"]) == 10


def test_splits_before_the_first_step_work() -> None:
    params, optimizers = make(stepped=False)
    split(params, optimizers)
    assert len(params["means"]) == 10
    assert all(optimizer.param_groups[0]["params"][0] is params[name] for name, optimizer in optimizers.items())


def test_the_same_seed_splits_the_same_way() -> None:
    (a, oa), (b, ob), (c, oc) = make(), make(), make()
    split(a, oa)
    split(b, ob)
    split(c, oc, seed=2)
    assert torch.equal(a["means"], b["means"]) and not torch.equal(a["means"], c["means"])
