"""How sure an arrangement is: whether it explains the photographs, and whether another explains them as well.

The thresholds were set on sample scenes (benchmarks/ab_initio).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from sparseags_ns.pose_init.ab_initio.refinement import MOST_STRANGERS, Refined
from sparseags_ns.pose_init.base import LEAST_CONFIDENCE
from sparseags_ns.preprocess.photo_files import listed

EXPLAINED_LOSS = 0.004
"""Loss of an arrangement (mean of its views at 64 pixels) up to which photographs count as explained: right ones reach
0.001 to 0.003, wrong ones seldom less than 0.005."""
CLEAR_RATIO = 1.25
"""An arrangement is clear if the best different one has this many times its loss."""
FEW_VIEWS, FEW_CLEAR_RATIO = 5, 2.0
"""So few photographs constrain a shape little: a wrong arrangement of four real ones was 1.41 times better than the
next, so a clear one must be this many times better."""


@dataclass(frozen=True)
class Verdict:
    """What the losses say about the best arrangement."""

    sure: bool
    statement: str
    why: str
    confidence: Float[Tensor, " views"]
    """0 for views that do not fit to the others."""


def judge(refined: Sequence[Refined], names: Sequence[str]) -> Verdict:
    """The verdict on arrangements that differ, best first; `names` are those of the photographs."""
    best = refined[0]
    ratio = refined[1].loss / best.loss if len(refined) > 1 else math.inf
    strangers = [name for name, fits in zip(names, best.fits.tolist(), strict=True) if not fits]
    worst = [name for name, loss in zip(names, best.losses.tolist(), strict=True) if loss > EXPLAINED_LOSS]
    explained, clear = min(EXPLAINED_LOSS / max(best.loss, 1e-9), 1.0), 1 - 1 / (1 + 4 * max(ratio - 1, 0.0))
    typical = best.losses[best.fits].median()
    confidence = (explained * clear * (2 * typical / best.losses.clamp_min(1e-9)).clamp(max=1)).clamp(
        LEAST_CONFIDENCE, 1
    )
    confidence = confidence.cpu().float() * best.fits
    why = f"mean loss {best.loss:.4f}, up to {EXPLAINED_LOSS:g} counts as explained; "
    why += "no other arrangement came near" if math.isinf(ratio) else f"the best other one has {ratio:.2f} times that"
    if best.loss > EXPLAINED_LOSS:
        statement = "no arrangement of cameras around one object explains these photographs"
        statement += f"; worst explained: {listed(worst)}" if worst else ""
    elif ratio < (FEW_CLEAR_RATIO if int(best.fits.sum()) <= FEW_VIEWS else CLEAR_RATIO):
        statement = "two different arrangements explain these photographs, and neither much better than the other"
    elif best.moving.any():
        moved = [name for name, moves in zip(names, best.moving.tolist(), strict=True) if moves]
        statement = f"the poses of some photographs change from fit to fit, as little holds them: {listed(moved)}"
    elif len(strangers) > MOST_STRANGERS * len(names) / 2:
        statement = f"{len(strangers)} of {len(names)} photographs do not fit to the others: {listed(strangers)}"
    else:
        statement = f"{len(names) - len(strangers)} photographs are arranged around the object"
        verb = "does" if len(strangers) == 1 else "do"
        statement += f"; {listed(strangers)} {verb} not fit to the others" if strangers else ""
        return Verdict(True, statement, why, confidence)
    return Verdict(False, statement, why, confidence)
