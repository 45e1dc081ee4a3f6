"""Search for the poses that minimise the error of a view-conditioned model (ID-Pose, arXiv 2306.17140); pure.

1. Probe: for each photograph, paired with the reference (the first photograph) in both directions, the error of poses
   on a coarse grid; the best are moved by gradient, and the best of those kept as candidates.
2. Select: one candidate for each photograph, such that the photographs are consistent among themselves too (the paper's
   triangles). The paper adds up, greedily for each photograph, its best triangles; here the sum over all pairs is
   minimised.
3. Refine: all poses together, by gradient through the model's camera embedding.

Poses are those of `noise_error.py`. Units: degrees, and the model's distances.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sparseags_ns.pose_init.id_pose.noise_error import RADIUS, NoiseSamples, PosedPairs, PoseError

_UNITS = (1.0, 1.0, 0.005)
"""Change of azimuth, elevation and distance for one degree of the optimiser's step."""
_MAX_ELEVATION_DEG = 85.0
_MIN_RADIUS, _MAX_RADIUS = 1.2, 2.6
_GRADIENT_SCALE = 1024.0
"""Factor on the error that keeps gradients of some hundredths above the least number of 16 bits; Adam is invariant."""
_GRADIENT_PAIRS = 4
"""Pairs whose activations are kept at a time: a full-size model takes a gigabyte or so for each."""


@dataclass(frozen=True)
class SearchSettings:
    """Settings of the search; the paper's are given as (ID-Pose: ...)."""

    azimuths: int = 12
    """Number of azimuths that are probed (ID-Pose: 8)."""
    elevations_deg: tuple[float, ...] = (-10.0, 15.0, 40.0, 65.0)
    """Elevations that are probed."""
    reference_elevations_deg: tuple[float, ...] = (20.0, 0.0, 45.0)
    """Elevations of the reference: the first where the model cannot tell, else the one with the least error."""
    samples: int = 8
    """Samples of noise for errors that are compared (ID-Pose: 16)."""
    gradient_samples: int = 2
    """Samples of noise for gradients, where fewer suffice."""
    times: tuple[float, float] = (0.2, 0.21)
    """Interval of the noise's times, as shares of the model's diffusion steps (ID-Pose's code: 0.2 to 0.21)."""
    nudged: int = 12
    """Number of probed poses that are moved by gradient (ID-Pose: half of them)."""
    nudges: int = 10
    """Gradient steps of each of those (ID-Pose: 10)."""
    kept: int = 5
    """Number of candidates of each photograph in the selection (ID-Pose: 5)."""
    steps: int = 300
    """Steps of the refinement for each photograph besides the reference (ID-Pose: 600)."""
    batch: int = 4
    """Pairs in each step of the refinement."""
    lr_deg: float = 2.0
    """Learning rate of all gradient steps at their start."""
    seed: int = 0

    def noise(self, count: int) -> NoiseSamples:
        """Samples of noise at `count` evenly spread times."""
        low, high = self.times
        return NoiseSamples(tuple(low + (high - low) * (k + 0.5) / count for k in range(count)), self.seed)


@dataclass(frozen=True)
class Candidates:
    """Candidate poses of one photograph, the best first."""

    poses: Float[Tensor, "candidates 4"]
    errors: Float[Tensor, " candidates"]
    typical: float
    """Median error of the whole grid: the error of a wrong pose."""


def grid(azimuths: int, elevations_deg: Sequence[float], radius: float = RADIUS) -> Float[Tensor, "candidates 4"]:
    """Upright cameras all around the object."""
    around = torch.arange(azimuths) * (360.0 / azimuths)
    azimuth, elevation = torch.meshgrid(around, torch.tensor(elevations_deg, dtype=torch.float32), indexing="ij")
    zero = torch.zeros_like(azimuth)
    return torch.stack([azimuth, elevation, zero + radius, zero], dim=-1).flatten(0, 1)


def pair_errors(
    error: PoseError,
    photographs: tuple[int, int],
    first: Float[Tensor, "trials 4"],
    second: Float[Tensor, "trials 4"],
    samples: NoiseSamples,
) -> Float[Tensor, " trials"]:
    """Errors of two photographs in several trial poses: the mean of both directions."""
    a, b = (torch.full((len(first),), index) for index in photographs)
    forth, back = error(PosedPairs(a, b, first, second), samples), error(PosedPairs(b, a, second, first), samples)
    return (forth + back) / 2


def probe(error: PoseError, photograph: int, reference: Float[Tensor, " 4"], settings: SearchSettings) -> Candidates:
    """The best poses of a photograph relative to the reference."""
    poses, samples = grid(settings.azimuths, settings.elevations_deg), settings.noise(settings.samples)
    errors = pair_errors(error, (0, photograph), reference.expand_as(poses), poses, samples)
    typical = float(errors.median())
    chosen = poses[errors.argsort()[: settings.nudged]]
    start = torch.cat([reference[None], chosen])
    indices = torch.tensor([0] + [photograph] * len(chosen))
    pairs = [pair for k in range(1, len(start)) for pair in ((0, k), (k, 0))]
    moved = refine(error, indices, start, pairs, settings, steps=settings.nudges)[1:]
    # Moves that increased the error are undone.
    both = torch.cat([moved, chosen])
    errors = pair_errors(error, (0, photograph), reference.expand_as(both), both, samples)
    better = errors[: len(chosen)] < errors[len(chosen) :]
    best = torch.where(better[:, None], moved, chosen)
    errors = torch.minimum(errors[: len(chosen)], errors[len(chosen) :])
    order = errors.argsort()[: settings.kept]
    return Candidates(best[order], errors[order], typical)


def select(
    single: Sequence[Float[Tensor, " candidates"]], pairs: Mapping[tuple[int, int], Float[Tensor, "one other"]]
) -> list[int]:
    """One candidate for each photograph, such that the sum of single and pairwise errors is least.

    Coordinate descent, which ends in a local minimum; it is therefore started from every candidate of every photograph.
    """

    def cost(choice: list[int]) -> float:
        alone = sum(float(errors[k]) for errors, k in zip(single, choice, strict=True))
        return alone + sum(float(table[choice[i], choice[j]]) for (i, j), table in pairs.items())

    best = [int(errors.argmin()) for errors in single]
    starts = [(row, candidate) for row, errors in enumerate(single) for candidate in range(len(errors))]
    ends = [_descend([*best[:row], start, *best[row + 1 :]], row, single, pairs) for row, start in starts]
    return min(ends, key=cost)


def refine(
    error: PoseError,
    photographs: Int[Tensor, " poses"],
    poses: Float[Tensor, "poses 4"],
    pairs: Sequence[tuple[int, int]],
    settings: SearchSettings,
    *,
    steps: int,
    batch: int | None = None,
    on_step: Callable[[], None] = lambda: None,
) -> Float[Tensor, "poses 4"]:
    """Poses after gradient descent on the error of the pairs; the learning rate falls linearly to zero.

    Args:
        photographs: index of the photograph in each pose.
        poses: the first one, that of the reference, is fixed.
        pairs: indices of the poses of condition and target.
        batch: number of pairs in each step, drawn at random; None takes all.
    """
    units = torch.tensor([*_UNITS, 1.0 if error.depends_on_roll else 0.0])
    shift = torch.zeros_like(poses, requires_grad=True)
    free = torch.arange(len(poses))[:, None] > 0
    optimizer = torch.optim.Adam([shift], lr=settings.lr_deg, betas=(0.9, 0.99))
    generator = torch.Generator().manual_seed(settings.seed)
    every = torch.tensor(pairs)
    for done in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = settings.lr_deg * (1 - done / steps)
        drawn = every if batch is None else every[torch.randint(len(every), (batch,), generator=generator)]
        optimizer.zero_grad()
        for part in drawn.split(_GRADIENT_PAIRS):
            one, other = part.unbind(-1)
            for time in settings.noise(settings.gradient_samples).times:
                now = _clamped(poses + torch.where(free, shift, 0.0) * units)
                trial = PosedPairs(photographs[one], photographs[other], now[one], now[other])
                # Each step draws its own noise, the same for all pairs.
                errors = error(trial, NoiseSamples((time,), settings.seed + 1 + done))
                (_GRADIENT_SCALE * errors.sum()).backward()
        optimizer.step()
        on_step()
    return _clamped(poses + torch.where(free, shift.detach(), 0.0) * units)


def _clamped(poses: Float[Tensor, "poses 4"]) -> Float[Tensor, "poses 4"]:
    """Poses away from the poles and within the distances of the model's training."""
    azimuth, elevation, radius, roll = poses.unbind(-1)
    elevation = elevation.clamp(-_MAX_ELEVATION_DEG, _MAX_ELEVATION_DEG)
    return torch.stack([azimuth, elevation, radius.clamp(_MIN_RADIUS, _MAX_RADIUS), roll], dim=-1)


def _descend(
    choice: list[int], last: int, single: Sequence[Tensor], pairs: Mapping[tuple[int, int], Tensor]
) -> list[int]:
    """Coordinate descent from a choice; the photograph `last` changes only after all others have."""
    order = [row for row in range(len(single)) if row != last] + [last]
    changed = True
    while changed:
        changed = False
        for row in order:
            errors = single[row]
            for (i, j), table in pairs.items():
                if row in (i, j):
                    errors = errors + (table[:, choice[j]] if row == i else table[choice[i]])
            best = int(errors.argmin())
            if errors[best] < errors[choice[row]]:
                choice[row], changed = best, True
    return choice
