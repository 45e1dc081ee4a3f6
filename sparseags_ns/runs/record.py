"""What a run did: one typed record, written and read here. No other module knows the keys of its JSON form.

`RunRecord.to_json` gives three parts. Training writes each part into a file of the run's `sparseags/` folder and all
three into every checkpoint, so that a resumed run's record is whole:

- `summary.json`: outcome and errors of every view, where the initial cameras came from, start selection and outlier
  repair, seconds by phase, versions;
- `history.json`: errors, motion and trust of every view over the steps, phases of the schedule, what was done by hand;
- `searches.json`: hypotheses and results of every pose search.

In memory views are numbers (their place in `RunRecord.names`), in JSON names. Lists of one object are parallel.
Units: errors are squared errors of colour over white, over the object's area; rotations in degrees, measured after both
sets of cameras were aligned around the object (geometry/motion.py); positions in the run's normalised world.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import Enum
from typing import Any, Literal

from sparseags_ns.runs.format_0_1_0 import converted
from sparseags_ns.runs.plain_values import require_numbers, require_type

FORMAT = 2
"""Version of the JSON form. Files and checkpoints of sparseags_ns 0.1.0 carry none, or 1."""
OPTIMISATION_PHASE = "optimisation"
"""Name of the phase of all steps among the seconds."""
POSE_REPAIR_PHASE = "start selection and outlier repair"
"""Name of that phase among the seconds and in the schedule."""
ERRORS_MEASURE = (
    "squared and perceptual error over object area, over white; `before`: the final splat seen through the given poses "
    "(moved as one, since the world may drift), `after`: through the refined poses. A view that came without a pose "
    "(`posed`) has no error before, and repeats the error after"
)
HISTORY_MEASURE = (
    "squared error over white, over the object's area, at the resolution of the step; lower is better; "
    "the resolution changes from phase to phase"
)
SEARCH_MEASURE = "squared error of colour (over grey) and alpha over the object's area; lower is better"
SEARCH_FRAME = "world of the searched splat: the run's normalised world but for a small drift; OpenCV cameras, +y up"

Action = Literal[
    "suspect",
    "drop",
    "doubt",
    "restore",
    "correct",
    "register",
    "reject",
    "fall back",
    "declare",
    "restart",
    "re-search",
    "rearrange",
    "finish",
    "trust",
    "leave out",
]
"""What a decision does with a view; report/decisions.py describes each."""
Choice = Literal["trust", "leave out"]
"""What a person decided about a view in the viewer."""
SearchKind = Literal["quick", "thorough"]
"""Equal to `optimization.observer.SearchKind`; repeated so that records are read without importing torch."""
Author = Literal["search", "hand"]
"""Who caused a search: the run's own outlier repair, or a person in the viewer."""


class RecordError(ValueError):
    """Data that is no record of a run."""


class ViewStatus(str, Enum):
    """What a view is to a run; the value is the wording that viewer, report, summary and console show."""

    TRUSTED = "trusted"
    TRUSTED_BY_HAND = "trusted by hand"
    CORRECTED = "corrected"
    """In use; its given pose was wrong, and a search or the refinement has found another."""
    REGISTERED = "registered"
    """In use; it began without a trusted pose, and a search has found one."""
    UNTRUSTED = "untrusted"
    LEFT_OUT = "left out by hand"
    UNREGISTERED = "unregistered"
    """It came without a pose, and none was found."""

    def __str__(self) -> str:
        return self.value

    @property
    def in_use(self) -> bool:
        """Whether the view is part of the splat."""
        return self not in (ViewStatus.UNTRUSTED, ViewStatus.LEFT_OUT, ViewStatus.UNREGISTERED)

    @property
    def found(self) -> bool:
        """Whether the view is in use at a pose that was found for it."""
        return self in (ViewStatus.CORRECTED, ViewStatus.REGISTERED)


def view_status(
    trusted: bool, posed: bool, corrected: bool = False, registered: bool = False, by_hand: Choice | None = None
) -> ViewStatus:
    """The status of one view.

    Args:
        posed: whether it came with a pose.
        corrected: whether another pose than the given one was found for it.
        registered: whether it was not trusted at first and a pose was found for it.
        by_hand: the latest decision about it in the viewer.
    """
    if not trusted:
        if by_hand == "leave out":
            return ViewStatus.LEFT_OUT
        return ViewStatus.UNTRUSTED if posed else ViewStatus.UNREGISTERED
    if by_hand == "trust":
        return ViewStatus.TRUSTED_BY_HAND
    if registered or (corrected and not posed):
        return ViewStatus.REGISTERED
    return ViewStatus.CORRECTED if corrected else ViewStatus.TRUSTED


@dataclass(frozen=True)
class Decision:
    """One decision about a view, or about all of them, and the numbers behind it."""

    action: Action
    view: int | None
    """None where it concerns all views."""
    why: str
    """Reason, as part of a sentence."""
    numbers: dict[str, float]
    """Named figures; NaN where one could not be measured."""

    def to_json(self, names: Sequence[str]) -> dict[str, Any]:
        """Plain values; null in place of numbers that are not finite."""
        numbers = {key: value if math.isfinite(value) else None for key, value in self.numbers.items()}
        return asdict(self) | {"view": None if self.view is None else names[self.view], "numbers": numbers}

    @classmethod
    def from_json(cls, content: Mapping[str, Any], names: Sequence[str]) -> Decision:
        """The inverse of `to_json`; null becomes NaN."""
        view = None if content["view"] is None else names.index(content["view"])
        numbers = {key: math.nan if value is None else value for key, value in content["numbers"].items()}
        return cls(content["action"], view, content["why"], numbers)


@dataclass(frozen=True)
class Arrangement:
    """Cameras around the object that explain the photographs; one entry for each view, None where it has no camera.

    Frame: the run's normalised world for the arrangement that is used. Others are normalised likewise (scene/origin.py)
    and rotated about +y to where they can be compared. Values have six significant digits.
    """

    loss: float
    """Relative to that of the best arrangement."""
    camera_centers: list[list[float] | None]
    camera_forward: list[list[float] | None]
    """Viewing directions, of length 1."""


@dataclass(frozen=True)
class PoseInitRecord:
    """Where the initial cameras came from, and how sure they were."""

    source: str
    """Path of the pose file, or name of the initialiser."""
    estimated: bool
    """Whether an initialiser found them; if not, only `source` says anything."""
    doubt: str | None = None
    """Why the initialiser was not sure of its best cameras, as a sentence's main clause; None where it was."""
    confidence: tuple[float, ...] = ()
    """Confidence in each view's initial camera, 0 to 1; 0 where it had none."""
    alternative: int = 1
    """Number of the arrangement that the run began with: 1 for the best, 2 for the first alternative."""
    arrangements: tuple[Arrangement, ...] = ()
    """The best arrangement and its alternatives; empty where the initialiser gave no alternatives."""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        arrangements = [asdict(arrangement) for arrangement in self.arrangements]
        return asdict(self) | {"confidence": list(self.confidence), "arrangements": arrangements}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> PoseInitRecord:
        """The inverse of `to_json`."""
        arrangements = tuple(Arrangement(**arrangement) for arrangement in content["arrangements"])
        return cls(**{**content, "confidence": tuple(content["confidence"]), "arrangements": arrangements})


@dataclass(frozen=True)
class Start:
    """One of the coarse reconstructions that start selection compares."""

    pose_rate: float
    """Factor on the preset's pose learning rates."""
    loss: float
    """Sum of the trusted views' squared errors over the object's area."""
    rotation_deg: float = 0.0
    """Rotation of the median view against its given pose, degrees."""


@dataclass(frozen=True)
class PoseRepairRecord:
    """What start selection and outlier repair decided."""

    starts: tuple[Start, ...]
    chosen_start: Start
    corrected: tuple[int, ...]
    """Views whose given pose was wrong and that have another one now."""
    registered: tuple[int, ...]
    """Views that were not trusted at first and for which a pose was found."""
    decisions: tuple[Decision, ...]

    def to_json(self, names: Sequence[str]) -> dict[str, Any]:
        """Plain values."""
        return {
            "starts": [asdict(start) for start in self.starts],
            "chosen_start": asdict(self.chosen_start),
            "corrected": [names[view] for view in self.corrected],
            "registered": [names[view] for view in self.registered],
            "decisions": [decision.to_json(names) for decision in self.decisions],
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any], names: Sequence[str]) -> PoseRepairRecord:
        """The inverse of `to_json`."""
        return cls(
            tuple(Start(**start) for start in content["starts"]),
            Start(**content["chosen_start"]),
            tuple(names.index(name) for name in content["corrected"]),
            tuple(names.index(name) for name in content["registered"]),
            tuple(Decision.from_json(decision, names) for decision in content["decisions"]),
        )


@dataclass
class SearchRecord:
    """What one pose search tried and found, in the world of the searched splat. Values have six significant digits."""

    view: int
    kind: SearchKind
    by: Author
    step: int
    """Steps done when it began."""
    camera_centers: list[list[float]]
    """Camera centres of all views at that time, the searched one at its start pose."""
    camera_forward: list[list[float]]
    """Viewing directions of the same cameras."""
    tried: int = 0
    """Number of hypotheses."""
    score_median: float | None = None
    """Median score of all hypotheses."""
    hypothesis_centers: list[list[float]] = field(default_factory=list)
    """Camera centres of the best hypotheses, best first."""
    hypothesis_scores: list[float | None] = field(default_factory=list)
    """None where a score is not finite."""
    finalist_centers: list[list[float]] = field(default_factory=list)
    """Camera centres of the refined poses, best first."""
    finalist_forward: list[list[float]] = field(default_factory=list)
    finalist_scores: list[float | None] = field(default_factory=list)
    finalist_rotation_deg: list[float] = field(default_factory=list)
    """Rotation of each refined pose against the start pose."""
    here: float | None = None
    """Least score near the start pose; None where it was not measured or the photograph shows no object."""
    elsewhere: float | None = None
    """Least score at poses far from the start pose; None where `here` is None."""
    chosen: int | None = None
    """The finalist at which the view is since the search was decided; None where it kept its pose."""

    def to_json(self, names: Sequence[str]) -> dict[str, Any]:
        """Plain values."""
        return asdict(self) | {"view": names[self.view]}

    @classmethod
    def from_json(cls, content: Mapping[str, Any], names: Sequence[str]) -> SearchRecord:
        """The inverse of `to_json`."""
        return cls(**{**content, "view": names.index(content["view"])})


@dataclass(frozen=True)
class HistoryRow:
    """All views at one step; lists hold one value for each view."""

    step: int
    """Steps done."""
    pixels: int
    """Longer side of the photographs in that step."""
    errors: list[float]
    rotation_deg: list[float]
    """Rotation of each camera against its given pose."""
    moved_percent: list[float]
    """Motion of each camera's centre, in percent of the mean distance to the object."""
    trusted: list[bool]
    """Whether each view took part in the step."""


@dataclass(frozen=True)
class Phase:
    """A stretch of the schedule."""

    name: str
    from_step: int
    to_step: int
    """One past its last step; equal to `from_step` for what happens between two steps."""
    pixels: int | None
    """Longer side of the photographs; None for what happens between two steps."""


@dataclass(frozen=True)
class Event:
    """A decision made in the viewer."""

    step: int
    """Steps done."""
    decision: Decision


@dataclass(frozen=True)
class ViewOutcome:
    """One view at the run's last save."""

    trusted: bool
    posed: bool
    """Whether it came with a pose; if not, the errors before repeat those after, and motion is 0."""
    mse_before: float
    """Squared error through the given camera."""
    mse_after: float
    """Squared error through the refined camera."""
    perceptual_before: float
    perceptual_after: float
    rotation_deg: float
    camera_moved: float
    """Distance between the given and the refined camera centre, world units."""


@dataclass(frozen=True)
class Outcome:
    """What was measured at the run's last save."""

    steps_done: int
    gaussians: int
    device: str
    perceptual_error: str
    """Name of the perceptual measure: `lpips` or `dssim`."""
    views: tuple[ViewOutcome, ...]
    versions: dict[str, str]
    """Versions of the packages in use, by name."""
    checkpoint: str | None = None
    """Digest of the checkpoint of the same save (runs/checkpoint.py); None before 0.4.0."""


@dataclass
class RunRecord:
    """What a run did, up to now."""

    names: tuple[str, ...]
    """Names of the views."""
    num_steps: int = 1
    """Length of the run."""
    rows: list[HistoryRow] = field(default_factory=list)
    phases: tuple[Phase, ...] = ()
    events: list[Event] = field(default_factory=list)
    searches: list[SearchRecord] = field(default_factory=list)
    pose_repair: PoseRepairRecord | None = None
    """None before it was done, or where the settings ask for none."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Wall seconds by phase, up to the last save."""
    outcome: Outcome | None = None
    """None in checkpoints: it is measured when the files are written."""
    pose_init: PoseInitRecord | None = None
    """None in records that were written before it was kept."""
    most_repair: float | None = None
    """Reconstructions that outlier repair may make within the time budget; None before it begins, or without one."""

    @property
    def by_hand(self) -> dict[int, Choice]:
        """The latest decision in the viewer about whether a view takes part, by view."""
        latest: dict[int, Choice] = {}
        for event in self.events:
            view, action = event.decision.view, event.decision.action
            if view is not None and action in ("trust", "leave out"):
                latest[view] = action
        return latest

    @property
    def corrected(self) -> frozenset[int]:
        """Views at a pose that outlier repair, or a search asked for in the viewer, has found."""
        by_run = () if self.pose_repair is None else self.pose_repair.corrected
        by_hand = [search.view for search in self.searches if search.by == "hand" and search.chosen is not None]
        return frozenset((*by_run, *by_hand))

    @property
    def registered(self) -> frozenset[int]:
        """Views that were not trusted at first and for which a pose was found."""
        return frozenset(() if self.pose_repair is None else self.pose_repair.registered)

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """What outlier repair decided, in order."""
        return () if self.pose_repair is None else self.pose_repair.decisions

    def statuses(self, trusted: Sequence[bool], posed: Sequence[bool]) -> tuple[ViewStatus, ...]:
        """The status of every view, by whether it takes part and whether it came with a pose."""
        corrected, registered, by_hand = self.corrected, self.registered, self.by_hand
        return tuple(
            view_status(trusted[view], posed[view], view in corrected, view in registered, by_hand.get(view))
            for view in range(len(self.names))
        )

    def to_json(self) -> dict[str, dict[str, Any]]:
        """The contents of `summary`, `history` and `searches`, as plain values."""
        names = list(self.names)
        return {
            "summary": self._summary(),
            "history": {
                "version": FORMAT,
                "measure": HISTORY_MEASURE,
                "views": names,
                "num_steps": self.num_steps,
                "steps": [row.step for row in self.rows],
                "pixels": [row.pixels for row in self.rows],
                **{key: [[float(f"{x:.5g}") for x in getattr(row, key)] for row in self.rows] for key in _ROUNDED},
                "trusted": [row.trusted for row in self.rows],
                "phases": [asdict(phase) for phase in self.phases],
                "events": [{"step": event.step, **event.decision.to_json(names)} for event in self.events],
            },
            "searches": {
                "version": FORMAT,
                "measure": SEARCH_MEASURE,
                "frame": SEARCH_FRAME,
                "views": names,
                "searches": [search.to_json(names) for search in self.searches],
            },
        }

    def _summary(self) -> dict[str, Any]:
        content: dict[str, Any] = {"version": FORMAT, "num_steps": self.num_steps}
        if self.outcome is not None:
            views = self.outcome.views
            statuses = self.statuses([view.trusted for view in views], [view.posed for view in views])
            content |= asdict(self.outcome)
            content["views"] = [
                {"name": name, "status": str(status), **asdict(view)}
                for name, status, view in zip(self.names, statuses, views, strict=True)
            ]
            content["errors"] = ERRORS_MEASURE
        content["pose_init"] = None if self.pose_init is None else self.pose_init.to_json()
        content["pose_repair"] = None if self.pose_repair is None else self.pose_repair.to_json(self.names)
        content["most_repair"] = self.most_repair
        content["seconds"] = {phase: round(seconds, 2) for phase, seconds in self.seconds.items()}
        return content

    @classmethod
    def from_json(cls, content: Mapping[str, Any], names: Sequence[str] | None = None) -> RunRecord:
        """The inverse of `to_json`; also reads what sparseags_ns 0.1.0 wrote, files or the state in a checkpoint.

        Args:
            content: the three parts; `history` and `searches` may be missing.
            names: of the views, where the content does not name them.

        Raises:
            RecordError: it is no record, or one of a later version.
        """
        try:
            require_numbers(content)
            content = converted(content, names)
            if content["summary"]["version"] <= FORMAT:
                parts = content["summary"], content.get("history") or {}, content.get("searches") or {}
                return cls._from_parts(*parts)._checked()
        except (KeyError, IndexError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise RecordError(f"this is no record of a run: {type(error).__name__}: {error}") from error
        raise RecordError(
            f"the run was written in format {content['summary']['version']}; this version reads up to {FORMAT}"
        )

    @classmethod
    def _from_parts(
        cls, summary: Mapping[str, Any], history: Mapping[str, Any], searches: Mapping[str, Any]
    ) -> RunRecord:
        names = tuple(history["views"] if history else [view["name"] for view in summary["views"]])
        rows = zip(*(history.get(key, ()) for key in ("steps", "pixels", *_ROUNDED, "trusted")), strict=True)
        repair, init = summary["pose_repair"], summary.get("pose_init")
        record = cls(
            names,
            summary["num_steps"],
            rows=[HistoryRow(*row) for row in rows],
            phases=tuple(Phase(**phase) for phase in history.get("phases", ())),
            events=[Event(one["step"], Decision.from_json(one, names)) for one in history.get("events", ())],
            searches=[SearchRecord.from_json(one, names) for one in searches.get("searches", ())],
            pose_repair=None if repair is None else PoseRepairRecord.from_json(repair, names),
            seconds=dict(summary["seconds"]),
            pose_init=None if init is None else PoseInitRecord.from_json(init),
            most_repair=summary.get("most_repair"),
        )
        if "views" not in summary:
            return record
        views = [{key: view[key] for key in view if key not in ("name", "status")} for view in summary["views"]]
        measured = {key: summary[key] for key in ("steps_done", "gaussians", "device", "perceptual_error", "versions")}
        outcome = Outcome(**measured, views=tuple(ViewOutcome(**view) for view in views))
        return replace(record, outcome=replace(outcome, checkpoint=summary.get("checkpoint")))

    def _checked(self) -> RunRecord:
        """This record, if all of its values are of their types, and all lists for the views as long as they must be.

        Raises:
            ValueError: they are not.
        """
        require_type(self, RunRecord, "record")
        views = () if self.outcome is None else self.outcome.views
        of_views: list[Sequence[Any]] = [] if self.outcome is None else [views]
        places: list[Sequence[Any]] = []
        for row in self.rows:
            of_views += [row.errors, row.rotation_deg, row.moved_percent, row.trusted]
        for search in self.searches:
            of_views += [search.camera_centers, search.camera_forward]
            places += [*search.hypothesis_centers, *search.finalist_centers, *search.finalist_forward]
            found = search.finalist_centers, search.finalist_forward, search.finalist_scores
            chosen = -1 if search.chosen is None else search.chosen
            if len({*map(len, (*found, search.finalist_rotation_deg))}) > 1 or chosen >= len(found[0]):
                raise ValueError("the finalists of a search do not fit each other")
            if len(search.hypothesis_centers) != len(search.hypothesis_scores):
                raise ValueError("the hypotheses of a search do not fit their scores")
        for one in () if self.pose_init is None else self.pose_init.arrangements:
            of_views += [one.camera_centers, one.camera_forward]
        if self.pose_init is not None and self.pose_init.confidence:
            of_views.append(self.pose_init.confidence)
        if any(len(values) != len(self.names) for values in of_views) or len({*self.names}) != len(self.names):
            raise ValueError(f"a list does not fit the {len(self.names)} views")
        places += [place for values in of_views for place in values if isinstance(place, list)]
        measured = [getattr(view, key) for view in views for key in _MEASURED]
        measured += [value for row in self.rows for value in (*row.errors, *row.moved_percent)]
        angles = [*(view.rotation_deg for view in views), *(value for row in self.rows for value in row.rotation_deg)]
        if min([*measured, *angles, *self.seconds.values(), 0.0]) < 0 or max([*angles, 0.0]) > 180.1:
            raise ValueError("an error, a motion or a time is negative, or a rotation larger than 180 degrees")
        if any(len(place) != 3 for place in places):
            raise ValueError("a place or a direction must have 3 coordinates")
        return self


_MEASURED = ("mse_before", "mse_after", "perceptual_before", "perceptual_after", "camera_moved")
"""What is never negative of a view."""
_ROUNDED = ("errors", "rotation_deg", "moved_percent")
"""Columns of the history that are written with five significant digits."""
