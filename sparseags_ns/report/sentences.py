"""What is trusted and what is not, in plain sentences. They state what was measured, never more.

Angles in degrees; azimuth 0 is +z, 90 is +x of the run's world (+y up), around the object's middle.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from sparseags_ns.report.content import Mark, Statement, Tone, percent
from sparseags_ns.report.given_cameras import describe_doubt
from sparseags_ns.runs.record import Action, Outcome, RunRecord, ViewStatus

WORSE_FACTOR = 1.6
"""A view whose error is above this times the median deserves a look."""
FAR_DEG = 20.0
"""A view rotated by more than this, and by more than `FAR_FACTOR` times the median view, deserves a look."""
FAR_FACTOR = 3.0
"""Factor on the median rotation, for the rule at `FAR_DEG`."""
FOCAL_CHANGE = 0.08
"""Relative change of the focal lengths that is worth a sentence."""
UNSEEN_DEG = 100.0
"""Gap between neighbouring azimuths that is worth a sentence."""

UNPROVEN = (
    "Agreement is no proof: from few photographs a splat can explain a wrong camera too, above all at views that no "
    "other photograph overlaps. Compare the pictures below, and turn the object."
)


@dataclass(frozen=True)
class Gap:
    """The widest gap between the azimuths of neighbouring photographs."""

    begins_deg: float
    """0 to 360."""
    width_deg: float

    @property
    def ends_deg(self) -> float:
        """0 to 360."""
        return (self.begins_deg + self.width_deg) % 360


def widest_gap(azimuths_deg: Float[Tensor, " views"], trusted: Bool[Tensor, " views"]) -> Gap:
    """The widest gap among the trusted views; the whole circle but a point where there is only one."""
    ordered = azimuths_deg[trusted].double().remainder(360).sort().values
    if len(ordered) == 0:
        return Gap(0.0, 360.0)
    gaps = torch.cat([ordered[1:], ordered[:1] + 360]) - ordered
    widest = int(gaps.argmax())
    return Gap(float(ordered[widest]), float(gaps[widest]))


@dataclass(frozen=True)
class Findings:
    """What the sentences are made from."""

    record: RunRecord
    outcome: Outcome
    gap: Gap
    focal_factor: float
    """Median of the refined over the given focal lengths."""
    prior: str
    """The run's `guidance` option."""
    whole_photographs: bool

    @cached_property
    def statuses(self) -> tuple[ViewStatus, ...]:
        """Status of each view."""
        views = self.outcome.views
        return self.record.statuses([view.trusted for view in views], [view.posed for view in views])

    @cached_property
    def errors(self) -> tuple[float, ...]:
        """Error of each view through its refined camera, percent."""
        return tuple(percent(view.mse_after) for view in self.outcome.views)

    @cached_property
    def median_error(self) -> float:
        """Median over the trusted views, or over all where none is."""
        trusted = [error for error, view in zip(self.errors, self.outcome.views, strict=True) if view.trusted]
        return max(median(trusted or self.errors), 1e-6)

    @cached_property
    def median_rotation_deg(self) -> float:
        """Median rotation of the views that came with a pose."""
        return median([view.rotation_deg for view in self.outcome.views if view.posed] or [0.0])

    def with_status(self, *wanted: ViewStatus) -> list[int]:
        """The views with one of these statuses."""
        return [view for view, status in enumerate(self.statuses) if status in wanted]

    def acted(self, action: Action) -> list[int]:
        """The views with which outlier repair did this."""
        return [one.view for one in self.record.decisions if one.action == action and one.view is not None]

    @cached_property
    def worse(self) -> list[int]:
        """Trusted views that fit worse than the others."""
        limit = WORSE_FACTOR * self.median_error
        return [view for view, one in enumerate(self.outcome.views) if one.trusted and self.errors[view] > limit]

    @cached_property
    def far(self) -> list[int]:
        """Trusted views that refinement rotated far, without a search or a decision about it."""
        limit = max(FAR_DEG, FAR_FACTOR * self.median_rotation_deg)
        known = self.record.corrected | self.record.registered
        views = [view for view, one in enumerate(self.outcome.views) if one.trusted and one.rotation_deg > limit]
        return [view for view in views if view not in known]


def verdicts(findings: Findings) -> list[tuple[Mark, str]]:
    """Each view's status, or what deserves a look, in two or three words."""
    fallen = findings.acted("fall back")
    notes = ((fallen, "back to given pose"), (findings.worse, "high error"), (findings.far, "rotated far"))
    made: list[tuple[Mark, str]] = []
    for view, status in enumerate(findings.statuses):
        note = next((words for views, words in notes if view in views), None)
        if not status.in_use:
            made.append(("bad", str(status)))
        elif status is ViewStatus.TRUSTED and note is not None:
            made.append(("note", note))
        else:
            made.append(("note" if status is ViewStatus.TRUSTED_BY_HAND else "good", str(status)))
    return made


def tones(findings: Findings) -> list[Tone]:
    """How each view is drawn."""
    rows = zip(verdicts(findings), findings.statuses, strict=True)
    in_use: dict[bool, Tone] = {True: "found", False: "plain"}
    return [in_use[status.found] if mark == "good" else mark for (mark, _), status in rows]


def headline(findings: Findings) -> str:
    """The run in one or two sentences."""
    names, what = findings.record.names, "scene" if findings.whole_photographs else "object"
    unused = [name for name, status in zip(names, findings.statuses, strict=True) if not status.in_use]
    corrected = [names[view] for view in findings.with_status(ViewStatus.CORRECTED)]
    count = f"{_number(len(names))} photographs"
    if not unused:
        sentence = f"{count} agree on one {what}: all of their cameras are trusted."
    else:
        trusted = _number(len(names) - len(unused))
        sentence = f"{trusted} of {count.lower()} agree on one {what}; {_listed(unused)} could not be trusted."
    if corrected:
        cameras, verb = ("camera", "was") if len(corrected) == 1 else ("cameras", "were")
        sentence += f" The given {cameras} of {_listed(corrected)} {verb} wrong and {verb} corrected."
    return sentence


def statements(findings: Findings) -> tuple[Statement, ...]:
    """Everything worth saying, the worst first; what holds for every run comes last."""
    said = [*_given(findings), *_views(findings), *_surroundings(findings), *_fall(findings)]
    done, whole = findings.outcome.steps_done, findings.record.num_steps
    if done < whole:
        text = f"Only {done:,} of {whole:,} steps were done: everything here is provisional."
        said.insert(0, Statement("note", text))
    order = {"bad": 0, "note": 1, "good": 2}
    return (*sorted(said, key=lambda statement: order[statement.mark]), Statement("note", UNPROVEN))


def _given(findings: Findings) -> Iterable[Statement]:
    """What was not sure about the cameras that the run began with."""
    init = findings.record.pose_init
    doubt = None if init is None else describe_doubt(init)
    if doubt is not None:
        yield Statement("note", doubt)


def _views(findings: Findings) -> Iterable[Statement]:
    """Sentences about single views."""
    record, views = findings.record, findings.outcome.views
    rejected, declared = findings.acted("reject"), findings.acted("declare")
    for view, status in enumerate(findings.statuses):
        name = record.names[view]
        if not status.in_use:
            sought = view in rejected or status is ViewStatus.UNREGISTERED
            why = "no pose was found that is consistent with the others" if sought else "its pose was not trusted"
            how = "." if status is ViewStatus.LEFT_OUT else f": {why}."
            yield Statement("bad", f"{name} is {status}{how} It takes no part in the splat; do not use its camera.")
        elif status is ViewStatus.TRUSTED_BY_HAND:
            yield Statement("note", f"{name} is trusted because a person decided so in the viewer.")
        elif status is ViewStatus.CORRECTED:
            finder = "The refinement" if view in declared else "A search"
            yield Statement(
                "good",
                f"{name} was given a camera that is rotated by {views[view].rotation_deg:.0f} degrees against the one "
                f"that fits. {finder} found that one, and {name} is part of the splat.",
            )
        elif status is ViewStatus.REGISTERED:
            yield Statement(
                "good",
                f"{name} began without a trusted pose; a search found one that is consistent with the other "
                "photographs.",
            )
    for view in findings.acted("fall back"):
        yield Statement(
            "note", f"The refinement had moved {record.names[view]} far, and it went back to its given pose."
        )
    for view in findings.worse:
        factor = findings.errors[view] / findings.median_error
        yield Statement(
            "note",
            f"{record.names[view]} fits worse than the others: its error is {factor:.1f} times the median. Look at it.",
        )
    for view in findings.far:
        yield Statement(
            "note",
            f"{record.names[view]} was rotated by {views[view].rotation_deg:.0f} degrees, the median view by "
            f"{findings.median_rotation_deg:.1f}. It fits there, but so large a rotation deserves a look.",
        )


def _surroundings(findings: Findings) -> Iterable[Statement]:
    """Sentences about the scene."""
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
            f"The focal lengths were changed by {100 * change:+.0f}%. Photographs that show the object from one side "
            "only determine them badly; if yours are known, train with --pipeline.model.refine-focal off.",
        )
    if findings.whole_photographs:
        yield Statement("note", "There are no masks, so whole photographs were reconstructed, background included.")
    if findings.prior not in ("auto", "none"):
        yield Statement("note", f"A diffusion prior ({findings.prior}) imagined what no photograph shows.")


def _fall(findings: Findings) -> Iterable[Statement]:
    """Whether the refinement lowered the errors."""
    trusted = [view for view in findings.outcome.views if view.trusted and view.posed]
    if not trusted:
        return
    before, after = percent(median(v.mse_before for v in trusted)), percent(median(v.mse_after for v in trusted))
    fell = sum(view.mse_after < view.mse_before for view in trusted)
    text = (
        f"Through the refined cameras the splat fits better than through the given ones on {fell} of {len(trusted)} "
        f"trusted photographs: its colours differ by {after:.1f}% (median, root mean square over the object) in place "
        f"of {before:.0f}%."
    )
    yield Statement("good" if fell == len(trusted) else "note", text)


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _number(count: int) -> str:
    """Small counts in letters, to begin a sentence with."""
    words = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten", "Eleven", "Twelve")
    return words[count] if count < len(words) else str(count)
