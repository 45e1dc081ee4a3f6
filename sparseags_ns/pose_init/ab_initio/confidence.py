"""How sure an arrangement is: whether it explains the photographs, and whether another explains them as well.

Thresholds were set on sample scenes (benchmarks/ab_initio).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.pose_init.ab_initio.refinement import Refined

EXPLAINED_LOSS = 0.004
"""Mean loss of a view at 64 pixels up to which photographs count as explained: right arrangements reach 0.0015 to
0.003, wrong ones seldom less than 0.005."""
CLEAR_RATIO = 1.25
"""An arrangement is clear if the best different one has this many times its loss."""
STRANGER_RATIO, STRANGER_LOSS = 4.0, 0.008
"""A view does not fit to the others if its loss is at least so many times their median, and at least this."""


@dataclass(frozen=True)
class Verdict:
    """What the losses say about the best arrangement."""

    sure: bool
    statement: str
    why: str
    confidence: Float[Tensor, " views"]
    """0 for views that are not explained."""
    explained: tuple[bool, ...]


def judge(refined: Sequence[Refined]) -> Verdict:
    """The verdict on different arrangements, best first."""
    losses = refined[0].losses
    median = float(losses.median())
    explained = (losses < max(STRANGER_RATIO * median, STRANGER_LOSS)).tolist()
    strangers = len(losses) - sum(explained)
    mean = float(losses[torch.tensor(explained)].mean())
    ratio = refined[1].loss / refined[0].loss if len(refined) > 1 else math.inf
    confidence = min(EXPLAINED_LOSS / max(mean, 1e-9), 1.0) * (1 - 1 / (1 + 4 * max(ratio - 1, 0.0)))
    each = torch.tensor([confidence * min(2 * median / max(float(loss), 1e-9), 1.0) for loss in losses])
    each = each.clamp(0.01, 1.0) * torch.tensor(explained)
    why = f"mean loss {mean:.4f}, {EXPLAINED_LOSS:g} or less counts as explained; "
    why += "no other arrangement came close" if math.isinf(ratio) else f"the best other one has {ratio:.2f} times that"
    if mean > EXPLAINED_LOSS:
        statement = "no arrangement of cameras around one object explains these photographs"
    elif ratio < CLEAR_RATIO:
        statement = "two different arrangements explain the photographs about equally well"
    elif strangers:
        statement = f"{strangers} photographs do not fit to the others"
    else:
        return Verdict(True, "the photographs are arranged around the object", why, each, tuple(explained))
    return Verdict(False, statement, why, each, tuple(explained))
