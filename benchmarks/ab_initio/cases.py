"""The lines of the suite, each a way in which photographs are taken or a bad input, and their scenes.

Each line has a scene of every family for every seed; families that are hard by nature are reported apart.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

from sparseags_ns.sample import SampleConfig
from sparseags_ns.sample.families import Family

EASY: tuple[Family, ...] = ("vehicle", "robot", "vessel", "house", "animal", "lamp", "craft", "thing")
HARD: tuple[Family, ...] = ("near_symmetric", "thin")
"""Families reported apart."""
SEEDS = (0, 1, 2)
"""With these, a line has 24 scenes of the families that are not hard."""

Input = Literal["sample", "two objects", "two photographs", "same"]
"""A sample as it is; every second photograph shows another object; its first two photographs; its first one eight
times."""


@dataclass(frozen=True)
class Line:
    """A row of the report."""

    name: str
    captures: tuple[dict[str, Any], ...]
    """Settings of the samples; the scenes take turns."""
    first_seed: int
    """Added to all seeds, so that lines show different objects."""
    allowed: int | None = None
    """Failures of 20 that are acceptable."""
    input: Input = "sample"
    bad: bool = False
    """Whether no answer is right: success is to say so."""


def _walk(*counts: int, **more: Any) -> tuple[dict[str, Any], ...]:
    return tuple({"capture": "walk", "num_views": count, **more} for count in counts)


_UNEVEN, _RINGS = {"capture": "uneven"}, {"capture": "two_rings"}
_COUNTS = (6, 8, 10, 12, 16)

LINES = (
    Line("in-order", _walk(*_COUNTS), 0, 1),
    Line("four", _walk(4), 10, 4),
    Line("arc-180", _walk(6, 8, 12, arc_deg=180.0), 20, 3),
    Line("rings-uneven", tuple({**way, "num_views": n} for n in (8, 12) for way in (_RINGS, _UNEVEN)), 30, 2),
    Line("turned", _walk(*_COUNTS, turned=1), 0, 1),  # The photographs of in-order, but for one.
    Line("shuffled-8", _walk(8, shuffled=True), 40, 2),
    Line("shuffled-12", _walk(12, shuffled=True), 50, 2),
    Line("shuffled-uneven", ({**_UNEVEN, "arc_deg": 270.0, "shuffled": True}, {**_RINGS, "shuffled": True}), 60, 4),
    Line("clustered", ({"capture": "clustered", "shuffled": True},), 70, 6),
    Line("two-objects", _walk(8), 80, 0, "two objects", bad=True),
    Line("alien", _walk(8, aliens=1), 90, 0, bad=True),
    Line("two-photographs", _walk(8), 100, 0, "two photographs", bad=True),
    Line("same", _walk(8), 110, 0, "same", bad=True),
)
QUICK = (("in-order", "vehicle"), ("shuffled-8", "house"), ("alien", "robot"), ("same", "lamp"))
"""Line and family of the cases of the short form, with the first seed."""


@dataclass(frozen=True)
class Case:
    """One scene of a line."""

    line: str
    config: SampleConfig
    input: Input
    whole: bool = False
    """Whether it is optimised to the end, too; no part of the key."""

    @property
    def title(self) -> str:
        """Name in lists."""
        config = self.config
        return f"{self.line} {config.family} {config.seed}, {config.capture} {config.num_views}"


def select_cases(lines: Sequence[str] | None, seeds: Sequence[int], size: int, whole_share: float) -> list[Case]:
    """Cases of the lines, turn by turn, so that an interrupted run has some of each.

    Raises:
        ValueError: there is no such line.
    """
    known = [line.name for line in LINES]
    unknown = sorted(set(lines or ()) - set(known))
    if unknown:
        raise ValueError(f"no line named {', '.join(unknown)}; there are {', '.join(known)}")
    chosen = [_cases(line, seeds, size, whole_share) for line in LINES if lines is None or line.name in lines]
    longest = max(map(len, chosen))
    return [cases[turn] for turn in range(longest) for cases in chosen if turn < len(cases)]


def quick_cases(size: int) -> list[Case]:
    """Cases of the short form."""
    return [
        next(case for case in select_cases([line], SEEDS[:1], size, 0.0) if case.config.family == family)
        for line, family in QUICK
    ]


def _cases(line: Line, seeds: Sequence[int], size: int, whole_share: float) -> list[Case]:
    scenes = list(product(seeds, EASY)) + ([] if line.bad else list(product(seeds, HARD)))
    order = list(range(len(scenes)))
    random.Random(0).shuffle(order)
    whole = set() if line.bad else set(order[: round(whole_share * len(scenes))])
    cases = []
    for number, (seed, family) in enumerate(scenes):
        # Shifted from seed to seed, so that a family does not meet the same way of capture again.
        capture = line.captures[(number + number // len(EASY)) % len(line.captures)]
        config = SampleConfig(
            seed=line.first_seed + seed, family=family, size=size, num_test_views=0, bare=True, **capture
        )
        cases.append(Case(line.name, config, line.input, number in whole))
    return cases
