"""What the page shows, as plain values: numbers, sentences, pictures as data URIs. Templates in assets/ lay it out.

Units: an error is the root mean square difference of colour over the object, in percent of full scale: the root of
summary.json's squared error over object area. Angles in degrees, lengths in world units.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Mark = Literal["good", "note", "bad"]
"""How a sentence is meant: as asked for; worth a look; not to be trusted."""

Tone = Literal["plain", "right", "note", "bad"]
"""How a view is drawn: as usual; put right by the search; worth a look; not trusted."""


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
    """Of one view, as data URIs."""

    photograph: str
    refined: str
    """The splat through the refined camera."""
    given: str
    """The splat through the camera as it was given."""
    difference: str


@dataclass(frozen=True)
class ViewRow:
    """One photograph, and what became of its camera."""

    name: str
    mark: Mark
    tone: Tone
    verdict: str
    """In two or three words: trusted; put right; left out."""
    pictures: Pictures
    posed: bool
    """Whether it came with a pose; if not, what is said of the given camera means nothing."""
    error_before: float
    error_after: float
    perceptual_before: float
    perceptual_after: float
    rotation_deg: float
    moved: float
    squared_after: float
    """As summary.json has it."""
    bar_percent: float
    """The error's length in the chart."""


@dataclass(frozen=True)
class Turntable:
    """Frames of the object seen all round, in one picture."""

    sprite: str
    """Data URI; frames in rows of `columns`, transparent where nothing is."""
    poster: str
    """Data URI of the first frame alone."""
    size_px: int
    columns: int
    azimuths_deg: tuple[float, ...]
    """Of each frame."""
    loops: bool
    """Whether the last frame is followed by the first; else the frames swing over the side that was photographed."""
    camera_azimuths_deg: tuple[float, ...]
    """From where each photograph was taken."""


@dataclass(frozen=True)
class Share:
    """A phase's part of the run's wall time."""

    label: str
    seconds: float
    percent: float


@dataclass(frozen=True)
class Step:
    """One decision of the outlier search, in words."""

    mark: Mark
    title: str
    text: str
    numbers: tuple[Fact, ...]


@dataclass(frozen=True)
class Start:
    """One of the starts that the run chose from."""

    pose_rate: float
    loss: float
    percent: float
    chosen: bool
    turned: str
    """By how much it turned the median view; empty where the run does not say."""


@dataclass(frozen=True)
class Curve:
    """A view's error over the run, as points of an SVG polyline."""

    name: str
    tone: Tone
    points: str


@dataclass(frozen=True)
class Band:
    """A stretch of the run on the horizontal axis, 0 to 100."""

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
    chart: Chart | None
    starts: tuple[Start, ...]
    steps: tuple[Step, ...]
    searches: tuple[dict[str, Any], ...]
    """For the plot of hypotheses: one for each searched view."""
    timings: tuple[Share, ...]
    command: str
    run_facts: tuple[Fact, ...]
    version_facts: tuple[Fact, ...]
    files: tuple[Fact, ...]
