"""The outlier search's decisions in plain words, with the numbers behind them named.

Reads `settled` of summary.json (outliers/pose_repair.py writes it). What it does not know yet it shows as it stands there.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sparseags_ns.report.content import Fact, Mark, Start, Step

TITLES: dict[str, tuple[Mark, str]] = {
    "suspect": ("note", "{view} is suspected"),
    "drop": ("bad", "{view} is left out until its place is found"),
    "doubt": ("note", "{view} is in doubt"),
    "restore": ("good", "{view} is cleared"),
    "correct": ("good", "{view} is put right"),
    "place": ("good", "{view} finds its place"),
    "keep": ("bad", "{view} stays out"),
    "fall back": ("note", "{view} goes back to its given pose"),
    "declare": ("good", "{view} was given a wrong pose"),
    "restart": ("note", "All begins anew from the corrected poses"),
    "replace": ("note", "{view} is searched again"),
    "finish": ("good", "The search ends"),
}

MEANINGS = {
    "suspect": "The splat was asked where this photograph fits best, after what the photograph had painted itself was "
    "faded out.",
    "drop": "The object was reconstructed again from the other photographs alone, and this one was searched all around "
    "it.",
    "doubt": "Neither pose is clearly better, so a whole reconstruction with the other pose has to decide.",
    "restore": "Its pose was kept.",
    "correct": "From here on the run uses the pose that the search found.",
    "place": "It was searched on the splat of the others and joined to them on trial.",
    "keep": "No pose was found from which it agrees with the others. It takes no part in the splat.",
    "fall back": "The refinement had carried it far away; its given pose was tried again, refined with all the others.",
    "declare": "No search was needed: the refinement had carried it to its place.",
    "restart": "All was reconstructed once more from scratch, without what had been joined from parts.",
    "replace": "The object was reconstructed from all other photographs, whose poses are known better by now.",
    "finish": "",
}

NUMBERS = {
    "elsewhere": "best fit far away, over best fit near its own pose",
    "error_over_median": "error over the median",
    "others_factor": "the others' error without it, over with it",
    "sum_before": "sum of all errors before",
    "sum_after": "sum of all errors after",
    "sum_given": "sum of all errors, given poses",
    "sum_recovered": "sum of all errors, recovered poses",
    "sum_refined": "sum of all errors, refined pose",
    "turned_by_deg": "turned against its last pose (degrees)",
    "rotation_deg": "turned against its given pose (degrees)",
    "limit_deg": "limit above which a turn is suspicious (degrees)",
    "loss_given": "its error near its given pose, on a splat without it",
    "loss_refined": "its error near its refined pose, on a splat without it",
    "loss": "its error now",
    "loss_over_median": "its error over the median of the others",
    "loss_over_arbitrary": "its error over that at an arbitrary pose",
    "before_over_arbitrary": "its error before it was joined, over that at an arbitrary pose",
    "before_over_next_best": "its error before it was joined, over that at the best pose elsewhere",
    "limit": "limit above which it would stay out",
    "falls_by": "the others' mean error falls by",
    "threshold": "needed",
}


def steps(settled: dict[str, Any] | None, history: dict[str, Any] | None = None) -> tuple[Step, ...]:
    """All decisions in their order: those of the search, then what was asked for by hand in the viewer."""
    by_hand = [event for event in (history or {}).get("events", ()) if event.get("by") == "hand"]
    return tuple(map(_step, (settled or {}).get("decisions", ()))) + tuple(map(_by_hand, by_hand))


def starts(settled: dict[str, Any] | None) -> tuple[Start, ...]:
    """The starts that were compared; empty where there was one."""
    known = (settled or {}).get("starts", ())
    if len(known) < 2:
        return ()
    chosen = settled["chosen_start"]["pose_rate"] if settled else None
    most = max(start["loss"] for start in known) or 1.0
    return tuple(
        Start(
            pose_rate=start["pose_rate"],
            loss=start["loss"],
            percent=100 * start["loss"] / most,
            chosen=start["pose_rate"] == chosen,
            turned=f"{start['rotation_deg']:.1f}°" if "rotation_deg" in start else "",
        )
        for start in known
    )


def _step(decision: dict[str, Any]) -> Step:
    action = str(decision.get("action", "?"))
    view = decision.get("view")
    mark, title = TITLES.get(action, ("note", "{view}: " + action))
    why = str(decision.get("why", ""))
    sentence = f"{why[:1].upper()}{why[1:]}." if why else ""
    numbers = tuple(
        Fact(str(NUMBERS.get(key, key)), _figure(value)) for key, value in decision.get("numbers", {}).items()
    )
    heading = title.replace("{view}", "All views" if view is None else str(view))
    return Step(mark, heading, _joined(MEANINGS.get(action, ""), sentence), numbers)


def _by_hand(event: dict[str, Any]) -> Step:
    """An event of history.json that somebody caused."""
    step = _step(event)
    return replace(step, title=f"By hand, at step {event.get('step', '?')}: {step.title}")


def _joined(*sentences: str) -> str:
    return " ".join(sentence for sentence in sentences if sentence)


def _figure(value: float | None) -> str:
    """Three digits, whatever the size; None where the search had none to give."""
    return "none" if value is None else f"{value:.3g}"
