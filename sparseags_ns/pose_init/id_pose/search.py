"""Poses of photographs by the error of a view-conditioned model alone (ID-Pose, arXiv 2306.17140), pure.

Three steps. Probe: for each photograph, seen from the reference (the first one) and the other way round, the error of
poses on a coarse grid; the best are nudged by gradient and the best of those kept. Select: one kept pose for each
photograph, so that also the photographs among themselves fit (the paper's triangles). Refine: all poses together, by
gradient through the model's camera embedding.

The paper adds up, greedily for each photograph, its best triangles; here the sum over all pairs is minimised.

Poses and rows are those of `id_pose_error.py`. Units: degrees, and the model's distances.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from sparseags_ns.pose_init.id_pose.noise_error import RADIUS, Ask, Questions, Samples

Pairs = Sequence[tuple[int, int]]

# What a degree of the optimiser's step means in each number of a pose.
_UNITS = (1.0, 1.0, 0.005, 1.0)
_ROLL = 3
_HIGHEST_DEG = 85.0
_NEAREST, _FARTHEST = 1.2, 2.6
# So that gradients of an error of some hundredths do not vanish in 16 bits; Adam does not mind.
_GRADIENT_SCALE = 1024.0
# Passes of the model whose activations are kept at a time: a full-size one takes a gigabyte or so for each.
_GRADIENT_ROWS = 4


@dataclass(frozen=True)
class Candidates:
    """Poses that one photograph may have, the best first."""

    poses: Float[Tensor, "candidates 4"]
    errors: Float[Tensor, " candidates"]
    typical: float
    """Median error of the whole grid, which says what a wrong pose costs."""


def grid(azimuths: int, elevations_deg: Sequence[float], radius: float = RADIUS) -> Float[Tensor, "candidates 4"]:
    """Upright cameras all around."""
    around = torch.arange(azimuths) * (360.0 / azimuths)
    azimuth, elevation = torch.meshgrid(around, torch.tensor(elevations_deg, dtype=torch.float32), indexing="ij")
    still = torch.zeros_like(azimuth)
    return torch.stack([azimuth, elevation, still + radius, still], dim=-1).flatten(0, 1)


def pair_errors(
    ask: Ask,
    photographs: tuple[int, int],
    first: Float[Tensor, "rows 4"],
    second: Float[Tensor, "rows 4"],
    samples: Samples,
) -> Float[Tensor, " rows"]:
    """Errors of two photographs in several pairs of poses, both ways round, as the mean of both."""
    a, b = (torch.full((len(first),), index) for index in photographs)
    forth, back = ask(Questions(a, b, first, second), samples), ask(Questions(b, a, second, first), samples)
    return (forth + back) / 2


def probe(
    ask: Ask,
    photograph: int,
    reference: Float[Tensor, " 4"],
    candidates: Float[Tensor, "candidates 4"],
    samples: Samples,
    moving_samples: Samples,
    *,
    nudged: int,
    nudges: int,
    kept: int,
    lr_deg: float,
) -> Candidates:
    """The best poses of a photograph, seen from the reference.

    Args:
        moving_samples: for the gradient, fewer than for the errors that are compared.
        nudged: how many of the grid's best are moved, `nudges` steps each.
        kept: how many of those come back.
    """
    errors = pair_errors(ask, (0, photograph), reference.expand_as(candidates), candidates, samples)
    typical = float(errors.median())
    chosen = candidates[errors.argsort()[:nudged]]
    rows = torch.cat([reference[None], chosen])
    indices = torch.tensor([0] + [photograph] * len(chosen))
    pairs = [pair for k in range(1, len(rows)) for pair in ((0, k), (k, 0))]
    moving = torch.arange(len(rows)) > 0
    moved = refine(ask, indices, rows, moving, pairs, moving_samples, steps=nudges, lr_deg=lr_deg)[1:]
    # A nudge that made it worse is taken back.
    both = torch.cat([moved, chosen])
    errors = pair_errors(ask, (0, photograph), reference.expand_as(both), both, samples)
    better = errors[: len(chosen)] < errors[len(chosen) :]
    poses = torch.where(better[:, None], moved, chosen)
    errors = torch.minimum(errors[: len(chosen)], errors[len(chosen) :])
    order = errors.argsort()[:kept]
    return Candidates(poses[order], errors[order], typical)


def select(
    single: Sequence[Float[Tensor, " candidates"]], pairs: Mapping[tuple[int, int], Float[Tensor, "one other"]]
) -> list[int]:
    """One candidate for each photograph, so that the sum of single and pairwise errors is least.

    Each photograph in turn takes the best candidate for what the others have, until nothing changes; started once from
    every candidate of every photograph, since such descents end where they began to.
    """
    best: tuple[float, list[int]] | None = None
    for first in range(len(single)):
        for candidate in range(len(single[first])):
            choice = [int(errors.argmin()) for errors in single]
            choice[first] = candidate
            choice = _settle(choice, first, single, pairs)
            cost = _cost(choice, single, pairs)
            if best is None or cost < best[0]:
                best = cost, choice
    assert best is not None, "there is at least one photograph besides the reference"
    return best[1]


def refine(
    ask: Ask,
    photographs: Int[Tensor, " rows"],
    poses: Float[Tensor, "rows 4"],
    moving: Bool[Tensor, " rows"],
    pairs: Pairs,
    samples: Samples,
    *,
    steps: int,
    lr_deg: float,
    batch: int | None = None,
    on_step: Callable[[], None] = lambda: None,
) -> Float[Tensor, "rows 4"]:
    """Poses moved by gradient so that the error of the pairs falls; the step falls to zero.

    Args:
        photographs: which photograph stands at each pose.
        pairs: rows of condition and target.
        samples: their times; each step draws its own noise.
        batch: pairs of each step, drawn at random; None takes all.
    """
    units = torch.tensor([*_UNITS[:_ROLL], _UNITS[_ROLL] * ask.rolls])
    shift = torch.zeros_like(poses, requires_grad=True)
    optimizer = torch.optim.Adam([shift], lr=lr_deg, betas=(0.9, 0.99))
    generator = torch.Generator().manual_seed(samples.seed)
    every = torch.tensor(pairs)
    for done in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = lr_deg * (1 - done / steps)
        drawn = every if batch is None else every[torch.randint(len(every), (batch,), generator=generator)]
        optimizer.zero_grad()
        for part in drawn.split(_GRADIENT_ROWS):
            one, other = part.unbind(-1)
            for time in samples.times:
                now = _within_reach(poses + torch.where(moving[:, None], shift, 0.0) * units)
                questions = Questions(photographs[one], photographs[other], now[one], now[other])
                errors = ask(questions, Samples((time,), samples.seed + 1 + done))
                (_GRADIENT_SCALE * errors.sum()).backward()
        optimizer.step()
        on_step()
    return _within_reach(poses + torch.where(moving[:, None], shift.detach(), 0.0) * units)


def _within_reach(poses: Float[Tensor, "rows 4"]) -> Float[Tensor, "rows 4"]:
    """Not over the poles, and not nearer or farther than the model knows."""
    azimuth, elevation, radius, roll = poses.unbind(-1)
    held = elevation.clamp(-_HIGHEST_DEG, _HIGHEST_DEG), radius.clamp(_NEAREST, _FARTHEST)
    return torch.stack([azimuth, *held, roll], dim=-1)


def _settle(
    choice: list[int],
    held: int,
    single: Sequence[Tensor],
    pairs: Mapping[tuple[int, int], Tensor],
) -> list[int]:
    """Descent from a choice; `held` moves only after all others have."""
    order = [row for row in range(len(single)) if row != held] + [held]
    changed = True
    while changed:
        changed = False
        for row in order:
            errors = single[row].clone()
            for (i, j), table in pairs.items():
                if row in (i, j):
                    errors = errors + (table[:, choice[j]] if row == i else table[choice[i]])
            best = int(errors.argmin())
            if errors[best] < errors[choice[row]]:
                choice[row], changed = best, True
    return choice


def _cost(choice: Sequence[int], single: Sequence[Tensor], pairs: Mapping[tuple[int, int], Tensor]) -> float:
    alone = sum(float(errors[k]) for errors, k in zip(single, choice, strict=True))
    return alone + sum(float(table[choice[i], choice[j]]) for (i, j), table in pairs.items())
