"""Decisions of outlier repair in plain words, with the numbers behind each named."""

from __future__ import annotations

import math
from dataclasses import replace

from sparseags_ns.report.content import Fact, Mark, Step
from sparseags_ns.runs.record import Action, Decision, RunRecord

ACTIONS: dict[Action, tuple[Mark, str, str]] = {
    "suspect": (
        "note",
        "{view} is suspected",
        "A quick search looked for the pose that fits this photograph best, on a left-out fit: a splat "
        "refined without the photograph itself.",
    ),
    "drop": (
        "bad",
        "{view} is left out until its pose is found",
        "The object was reconstructed again from the other photographs alone, and this one was searched all around it.",
    ),
    "doubt": (
        "note",
        "{view} is in doubt",
        "Neither pose is clearly better, so a whole reconstruction with the other pose has to decide.",
    ),
    "restore": ("good", "{view} is cleared", "Its pose was kept."),
    "correct": ("good", "{view} is corrected", "From here on the run uses the pose that the search found."),
    "register": (
        "good",
        "{view} is registered",
        "It was searched on the splat of the others and joined to them on trial.",
    ),
    "reject": (
        "bad",
        "{view} is rejected",
        "No pose was found that is consistent with the others. It takes no part in the splat.",
    ),
    "fall back": (
        "note",
        "{view} goes back to its given pose",
        "The refinement had moved it far; its given pose was tried again, refined with all the others.",
    ),
    "declare": (
        "good",
        "{view} was given a wrong pose",
        "No search was needed: the refinement alone had corrected it.",
    ),
    "restart": (
        "note",
        "All begins anew from the corrected poses",
        "All was reconstructed once more from scratch, without what had been joined from parts.",
    ),
    "re-search": (
        "note",
        "{view} is searched again",
        "The object was reconstructed from all other photographs, whose poses are known better by now.",
    ),
    "rearrange": (
        "good",
        "All are arranged anew",
        "Photographs that fitted nowhere were placed around the object together with all others, trusting no pose.",
    ),
    "finish": ("good", "The search ends", ""),
    "trust": ("note", "{view} is trusted", ""),
    "leave out": ("note", "{view} is left out", ""),
}
"""Mark, title and explanation of each action."""

NUMBERS = {
    "elsewhere": "best fit far away, over best fit near its own pose",
    "error_over_median": "error over the median",
    "others_factor": "the others' error without it, over with it",
    "sum_before": "sum of all errors before",
    "sum_after": "sum of all errors after",
    "sum_given": "sum of all errors, given poses",
    "sum_recovered": "sum of all errors, recovered poses",
    "sum_refined": "sum of all errors, refined pose",
    "sum_own": "sum of all errors, its own pose",
    "sum_found": "sum of all errors, the pose found",
    "rotated_by_deg": "rotated against its last pose (degrees)",
    "rotation_deg": "rotated against its given pose (degrees)",
    "limit_deg": "limit above which a rotation is suspicious (degrees)",
    "loss_given": "its error near its given pose, on a splat without it",
    "loss_refined": "its error near its refined pose, on a splat without it",
    "loss": "its error now",
    "loss_over_median": "its error over the median of the others",
    "loss_over_arbitrary": "its error over that at an arbitrary pose",
    "before_over_arbitrary": "its error before it was joined, over that at an arbitrary pose",
    "before_over_next_best": "its error before it was joined, over that at the best pose elsewhere",
    "limit": "limit above which it would be rejected",
    "falls_by": "the others' mean error falls by",
    "threshold": "needed",
}


def steps(record: RunRecord) -> tuple[Step, ...]:
    """All decisions in their order: those of outlier repair, then those made in the viewer."""
    made = [_step(decision, record.names) for decision in record.decisions]
    for event in record.events:
        step = _step(event.decision, record.names)
        made.append(replace(step, title=f"By hand, at step {event.step}: {step.title}"))
    return tuple(made)


def _step(decision: Decision, names: tuple[str, ...]) -> Step:
    mark, title, meaning = ACTIONS[decision.action]
    why = decision.why
    sentences = (meaning, f"{why[:1].upper()}{why[1:]}." if why else "")
    return Step(
        mark,
        title.format(view="All views" if decision.view is None else names[decision.view]),
        " ".join(sentence for sentence in sentences if sentence),
        # `none` where there was nothing to measure.
        tuple(
            Fact(NUMBERS.get(key, key), f"{value:.3g}" if math.isfinite(value) else "none")
            for key, value in decision.numbers.items()
        ),
    )
