"""What is trusted and what is not, in plain sentences. They say what was measured, never more.

Angles in degrees. `percent` makes summary.json's squared errors over object area readable.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from sparseags_ns.report.content import Mark, Statement, Tone
from sparseags_ns.report.coverage import UNSEEN_DEG, Gap

WORSE_FACTOR = 1.6
"""A view whose error is above this times the median fits worse than the others."""
FAR_DEG = 20.0
"""A view that was turned by more..."""
FAR_FACTOR = 3.0
"""...and by more than this times the median, deserves a look."""
FOCAL_CHANGE = 0.08
"""Relative change of the focal lengths that is worth a word."""

UNPROVEN = (
    "Agreement is no proof: from few photographs a splat can explain a wrong camera too, above all at views that no "
    "other photograph overlaps. Compare the pictures below, and turn the object."
)


PUT_RIGHT = "put right"
"""The verdict on a view whose given camera was wrong and whose place was found."""
PLACED = "place found"
"""The verdict on a view that began without a pose that counted."""


@dataclass(frozen=True)
class Findings:
    """What the sentences are made from."""

    summary: dict[str, Any]
    gap: Gap
    focal_factor: float
    """Median of the refined over the given focal lengths."""
    prior: str
    """The run's `guidance` option."""
    whole_photographs: bool


def verdicts(summary: dict[str, Any]) -> list[tuple[Mark, str]]:
    """Of each view: how much it is trusted, in two or three words."""
    return [_verdict(view, summary) for view in summary["views"]]


def tone(mark: Mark, words: str) -> Tone:
    """How a view with a verdict is drawn."""
    if mark == "good":
        return "right" if words in (PUT_RIGHT, PLACED) else "plain"
    return mark


def headline(summary: dict[str, Any], whole_photographs: bool = False) -> str:
    """The run in one or two sentences."""
    views = summary["views"]
    trusted = sum(view["trusted"] for view in views)
    put_right, what = _corrected(summary), "scene" if whole_photographs else "object"
    count = f"{_number(len(views))} photographs"
    if trusted == len(views):
        sentence = f"{count} agree on one {what}: all of their cameras are trusted."
    else:
        left_out = [view["name"] for view in views if not view["trusted"]]
        sentence = (
            f"{_number(trusted)} of {count.lower()} agree on one {what}; {_listed(left_out)} could not be trusted."
        )
    if put_right:
        was, has = ("camera", "was wrong and has") if len(put_right) == 1 else ("cameras", "were wrong and have")
        sentence += f" The {was} of {_listed(put_right)} {has} been put right."
    return sentence


def statements(findings: Findings) -> tuple[Statement, ...]:
    """Everything worth saying, the worst first; what holds for every run comes last."""
    summary = findings.summary
    said = [*_unfinished(summary), *_views(summary), *_surroundings(findings)]
    said += _fall(summary["views"])
    order = {"bad": 0, "note": 1, "good": 2}
    return (*sorted(said, key=lambda statement: order[statement.mark]), Statement("note", UNPROVEN))


def percent(squared_error: float) -> float:
    """Root mean square difference of colour over the object, in percent of full scale."""
    return 100 * math.sqrt(max(squared_error, 0.0))


def is_posed(view: dict[str, Any]) -> bool:
    """Whether a view of summary.json came with a pose."""
    return view.get("posed", True)


def _verdict(view: dict[str, Any], summary: dict[str, Any]) -> tuple[Mark, str]:
    if not view["trusted"]:
        return ("bad", "left out by hand" if view.get("by_hand") else "left out")
    if view.get("by_hand"):
        return ("note", "trusted by hand")
    if view["name"] in _corrected(summary):
        return ("good", PUT_RIGHT)
    if view["name"] in _acted(summary, "place"):
        return ("good", PLACED)
    if view["name"] in _acted(summary, "fall back"):
        return ("note", "back to given")
    if view["name"] in _worse(summary):
        return ("note", "fits worse")
    if view["name"] in _far(summary):
        return ("note", "turned far")
    return ("good", "trusted")


def _unfinished(summary: dict[str, Any]) -> Iterable[Statement]:
    done, whole = summary["steps_done"], summary["num_steps"]
    if done < whole:
        yield Statement("note", f"Only {done:,} of {whole:,} steps were done: everything here is provisional.")


def _views(summary: dict[str, Any]) -> Iterable[Statement]:
    """What is to be said about single views."""
    by_name = {view["name"]: view for view in summary["views"]}
    kept = _acted(summary, "keep")
    for name in [view["name"] for view in summary["views"] if not view["trusted"]]:
        why = "no pose was found from which it agrees with the others" if name in kept else "its pose was not trusted"
        how = " by hand." if by_name[name].get("by_hand") else f": {why}."
        yield Statement("bad", f"{name} was left out{how} Nothing of it is in the splat; do not use its camera.")
    for name in [view["name"] for view in summary["views"] if view["trusted"] and view.get("by_hand")]:
        yield Statement("note", f"{name} is trusted because somebody said so in the viewer.")
    for name in _corrected(summary):
        turned = by_name[name]["rotation_deg"]
        yield Statement(
            "good",
            f"{name} was given a camera that is {turned:.0f} degrees away from where it fits. "
            f"{_finder(summary, name)}, all photographs agree better with it there, and it is part of the splat.",
        )
    for name in _acted(summary, "place"):
        yield Statement(
            "good", f"{name} began without a pose that counted; the search found one that the others confirm."
        )
    for name in _acted(summary, "fall back"):
        yield Statement("note", f"{name} had been carried far off by the refinement and went back to its given pose.")
    for name in _worse(summary):
        factor = percent(by_name[name]["mse_after"]) / _median_error(summary)
        yield Statement(
            "note", f"{name} fits worse than the others: its error is {factor:.1f} times the median. Look at it."
        )
    for name in _far(summary):
        turned, usual = by_name[name]["rotation_deg"], _median_turn(summary)
        yield Statement(
            "note",
            f"{name} was turned by {turned:.0f} degrees, the median view by {usual:.1f}. It fits there, but a turn as "
            "large as this deserves a look.",
        )


def _surroundings(findings: Findings) -> Iterable[Statement]:
    """What is to be said about the scene."""
    gap = findings.gap
    if gap.width_deg > UNSEEN_DEG and not findings.whole_photographs:
        yield Statement(
            "note",
            f"No trusted photograph looks from between azimuth {gap.begins_deg:.0f} and {gap.ends_deg:.0f} degrees, a "
            f"gap of {gap.width_deg:.0f}: what the splat shows there is a guess.",
        )
    change = findings.focal_factor - 1
    if abs(change) > FOCAL_CHANGE:
        yield Statement(
            "note",
            f"The focal lengths were changed by {100 * change:+.0f}%. Where photographs show the object from one side "
            "only, little holds them; if yours are known, train with --pipeline.model.refine-focal off.",
        )
    if findings.whole_photographs:
        yield Statement("note", "There are no masks, so whole photographs were reconstructed, background included.")
    if findings.prior not in ("auto", "none"):
        yield Statement("note", f"A diffusion prior ({findings.prior}) imagined what no photograph shows.")


def _fall(views: Sequence[dict[str, Any]]) -> Iterable[Statement]:
    """Whether the refinement paid."""
    trusted = [view for view in views if view["trusted"] and is_posed(view)]
    if not trusted:
        return
    before, after = (percent(median(view[f"mse_{when}"] for view in trusted)) for when in ("before", "after"))
    fell = sum(view["mse_after"] < view["mse_before"] for view in trusted)
    text = (
        f"Through the refined cameras the splat fits better than through the given ones on {fell} of {len(trusted)} "
        f"trusted photographs: its colours differ by {after:.1f}% (median, root mean square over the object) in place "
        f"of {before:.0f}%."
    )
    yield Statement("good" if fell == len(trusted) else "note", text)


def _corrected(summary: dict[str, Any]) -> list[str]:
    trusted = {view["name"] for view in summary["views"] if view["trusted"]}
    placed = _acted(summary, "place")
    corrected = (summary.get("settled") or {}).get("corrected", ())
    return [name for name in corrected if name in trusted and name not in placed]


def _finder(summary: dict[str, Any], name: str) -> str:
    if name in _acted(summary, "declare"):
        return "The refinement carried it to its place"
    return "The search found its place"


def _acted(summary: dict[str, Any], action: str) -> list[str]:
    decisions = (summary.get("settled") or {}).get("decisions", ())
    return [decision["view"] for decision in decisions if decision["action"] == action]


def _median_error(summary: dict[str, Any]) -> float:
    views = [view for view in summary["views"] if view["trusted"]] or summary["views"]
    return max(percent(median(view["mse_after"] for view in views)), 1e-6)


def _worse(summary: dict[str, Any]) -> list[str]:
    limit = WORSE_FACTOR * _median_error(summary)
    return [view["name"] for view in summary["views"] if view["trusted"] and percent(view["mse_after"]) > limit]


def _far(summary: dict[str, Any]) -> list[str]:
    limit = max(FAR_DEG, FAR_FACTOR * _median_turn(summary))
    known = [*_corrected(summary), *_acted(summary, "place")]
    views = [view for view in summary["views"] if view["trusted"] and view["name"] not in known]
    return [view["name"] for view in views if view["rotation_deg"] > limit]


def _median_turn(summary: dict[str, Any]) -> float:
    return median([view["rotation_deg"] for view in summary["views"] if is_posed(view)] or [0.0])


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _number(count: int) -> str:
    """Small counts in letters, to begin a sentence with."""
    words = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten", "Eleven", "Twelve")
    return words[count] if count < len(words) else str(count)
