"""What the page shows, as plain values: numbers, sentences, pictures as data URIs. Templates in assets/ lay it out.

Units: an error is the root mean square difference of colour over the object, in percent of full scale, the root of the
record's squared error. Angles in degrees, lengths in world units.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from sparseags_ns.runs.record import Start, ViewOutcome

Mark = Literal["good", "note", "bad"]
"""How a sentence is meant: as asked for; worth a look; not to be trusted."""

Tone = Literal["plain", "found", "note", "bad"]
"""How a view is drawn: as usual; at a pose that was found for it; worth a look; not in use."""


def percent(squared_error: float) -> float:
    """Root mean square difference of colour over the object, in percent of full scale."""
    return 100 * math.sqrt(max(squared_error, 0.0))


@dataclass(frozen=True)
class Statement:
    """One plain sentence."""

    mark: Mark
    text: str


@dataclass(frozen=True)
class Fact:
    """A figure with its name."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Pictures:
    """Pictures of one view, as data URIs."""

    photograph: str
    refined: str
    """The splat through the refined camera."""
    given: str
    """The splat through the camera as it was given."""
    difference: str


@dataclass(frozen=True)
class ViewRow:
    """One photograph and its camera."""

    name: str
    mark: Mark
    tone: Tone
    verdict: str
    """Status of the view, or what deserves a look, in two or three words."""
    pictures: Pictures
    outcome: ViewOutcome
    bar_percent: float
    """Length of the error's bar, in percent of the longest."""

    @property
    def error_before(self) -> float:
        """Error through the given camera, percent."""
        return percent(self.outcome.mse_before)

    @property
    def error_after(self) -> float:
        """Error through the refined camera, percent."""
        return percent(self.outcome.mse_after)


@dataclass(frozen=True)
class Turntable:
    """Frames of the object seen all round, in one picture."""

    sprite: str
    """Data URI; frames in rows of `columns`, transparent around the object."""
    poster: str
    """Data URI of the first frame alone."""
    size_px: int
    columns: int
    azimuths_deg: tuple[float, ...]
    """Azimuth of each frame."""
    loops: bool
    """Whether the last frame is followed by the first; else the frames swing over the side that was photographed."""
    camera_azimuths_deg: tuple[float, ...]
    """Azimuth of each photograph's camera."""


@dataclass(frozen=True)
class Step:
    """One decision of outlier repair, in words."""

    mark: Mark
    title: str
    text: str
    numbers: tuple[Fact, ...]


@dataclass(frozen=True)
class Curve:
    """A view's error over the run, as points of an SVG polyline."""

    name: str
    tone: Tone
    points: str


@dataclass(frozen=True)
class Band:
    """A stretch of the run on the horizontal axis, 0 to 1000."""

    label: str
    left: float
    width: float


@dataclass(frozen=True)
class Chart:
    """Errors over the run: a logarithmic axis upwards, steps to the right. Coordinates are 0 to 1000 and 0 to 400."""

    curves: tuple[Curve, ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    bands: tuple[Band, ...]
    data: dict[str, Any]
    """The numbers behind it, for the read-out under the pointer."""


@dataclass(frozen=True)
class DrawnCamera:
    """A camera seen from above: a dot, a line to where it looks, and a label. Coordinates are -100 to 100."""

    name: str
    label: str
    elsewhere: bool
    """Whether it is not where the arrangement in use has it."""
    dot: tuple[float, float]
    end: tuple[float, float]
    text: tuple[float, float]


@dataclass(frozen=True)
class ArrangementDrawing:
    """Cameras around the object, seen from above."""

    number: int
    loss: str
    """Loss relative to the best, in words."""
    in_use: bool
    option: str
    """Option of `sparseags train` that chooses it."""
    cameras: tuple[DrawnCamera, ...]


@dataclass(frozen=True)
class GivenCameras:
    """Where the cameras came from that the run began with."""

    sentences: tuple[str, ...]
    confidence: tuple[str, ...]
    """Confidence in each view's camera; empty where they were read from a file."""
    arrangements: tuple[ArrangementDrawing, ...]
    """Empty where there was one."""
    ns_train_option: str
    """Option of `ns-train` that chooses an arrangement, without its number."""
    numbered: bool
    """Whether labels are the photographs' numbers, since names are too long."""


@dataclass(frozen=True)
class Report:
    """The whole page."""

    title: str
    subtitle: str
    headline: str
    tiles: tuple[Fact, ...]
    statements: tuple[Statement, ...]
    views: tuple[ViewRow, ...]
    perceptual_name: str
    turntable: Turntable
    scene: dict[str, Any]
    """Cameras and points for the 3D plot."""
    given: GivenCameras | None
    """None for runs of versions that did not record it."""
    chart: Chart | None
    starts: tuple[Start, ...]
    """The starts that were compared; empty where there was one."""
    chosen_start: Start | None
    steps: tuple[Step, ...]
    searches: tuple[dict[str, Any], ...]
    """One for each searched view, for the plot of hypotheses."""
    seconds: dict[str, float]
    """Wall seconds by phase."""
    command: str
    run_facts: tuple[Fact, ...]
    version_facts: tuple[Fact, ...]
    files: tuple[Fact, ...]
