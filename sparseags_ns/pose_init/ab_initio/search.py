"""The search over arrangements: which photograph was taken from where, decided by short joint fits.

Three levels, each with fewer arrangements and a longer fit: explore, polish, decide.

1. *Explore*: climbs from many starts, until several random ones have led to the same best arrangement. A start is a
   ring of cameras with the photographs in some order: as named, both ways around, or random. A climb repeatedly takes
   each view out, fits the others, looks where the view fits best on their Gaussians, and keeps the best of the
   arrangements changed so.
2. *Polish*: the best ends that differ are fitted longer, and climb on, now also with views rolled by 90 or 180 degrees.
3. *Decide*: the best few at twice the size, where fine prints tell sides apart.

With many photographs only a subset is arranged at first; the others are placed on its Gaussians before polishing.

Everything is seeded, and results do not depend on the number of threads.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import permutations, product

import numpy as np
from jaxtyping import Float

from sparseags_ns.optimization.observer import observer
from sparseags_ns.pose_init.ab_initio.arrangement import (
    Arrangement,
    Effort,
    Rotations,
    in_parallel,
    joint_fit,
    looking_from,
    rotation_deg,
    score,
    view_differences,
)
from sparseags_ns.pose_init.ab_initio.crops import Crops

DIFFERENT_DEG = 20.0
"""Arrangements differ where some view is rotated by more than this against the others."""
_ELSEWHERE_DEG = 20.0
"""A view is put elsewhere if it is rotated by more than this."""
_APART_DEG = 25.0
"""Places that are proposed for a view differ by more than this."""
_IMPROVED = 0.98
"""A climb goes on while the loss falls below this share."""
_AZIMUTH_STEP_DEG, _ELEVATIONS_DEG, _ROLLS_DEG = 20, (0, 25, 50), (0, 90, 180, 270)
_START_ELEVATION_DEG, _ORDERED_ELEVATION_DEG = (0.0, 40.0), 20.0
_CLIMB_ROUNDS, _LATER_LEVELS = 4, 14
"""Typical number of rounds of a climb, and time of all later levels, in climbs."""
_JITTER_DEG = 15.0
"""Cameras of random rings lie up to this far from an even spacing."""
_FEW_VIEWS = 5
"""With so many photographs, rings of every order can be tried, and more of them are compared at the end."""
_ARCS_DEG = (360.0, 270.0, 180.0)
"""Arcs along which photographs in order may have been taken."""


MIN_RING = 3
"""Fewer photographs make no ring of their own."""
_RINGS_DEG, _RING_TURNS_DEG = (8.0, 42.0), (0, 90, 180, 270)
"""Elevations of a low and a high ring, and by how much the second begins turned against the first."""


@dataclass(frozen=True)
class SearchSettings:
    """How long is searched."""

    explore: Effort = field(default_factory=lambda: Effort(16, 80, 200, pose_lr_end=0.2))
    polish: Effort = field(default_factory=lambda: Effort(16, 200, 300))
    decide: Effort = field(default_factory=lambda: Effort(32, 320, 400))
    climbs: int = 12
    """Most climbs from random starts."""
    agreeing: int = 3
    """Number of random starts that must lead to the best arrangement for the exploration to end."""
    starts: int = 16
    """Random starts of which the best one climbs."""
    ordered_climbs: int = 4
    """Climbs from starts in the order of the file names."""
    part_climbs: int = 4
    """Climbs from starts in which the views of a known part stand as they are known to, where there is one."""
    most_arranged: int = 8
    """With more photographs, so many are arranged first."""
    polished: int = 4
    """Arrangements that are polished."""
    decided: int = 3
    """Arrangements that are decided between."""
    rounds: int = 10
    """Most rounds of a climb."""


def within(settings: SearchSettings, seconds: float, crops: Crops) -> SearchSettings:
    """The settings with as many climbs from random starts as fit into a time, at least one.

    The cost of a fit is measured once, here; afterwards the number of climbs, not the clock, decides the result.
    """
    core = crops[range(min(len(crops), settings.most_arranged))]
    start = random_ring(len(core), np.random.default_rng(0))
    joint_fit(core, start, replace(settings.explore, steps=1))  # compiles
    began = time.perf_counter()
    fits = in_parallel(lambda ring: joint_fit(core, ring, settings.explore), [start] * 8)
    climb = (time.perf_counter() - began) / len(fits) * (settings.starts + _CLIMB_ROUNDS * (2 * len(core) + 1))
    # Polishing, deciding and refining take about as long as so many climbs.
    count = int(seconds / climb) - _LATER_LEVELS - settings.ordered_climbs
    return replace(settings, climbs=max(count, 1))


@dataclass(frozen=True)
class Climb:
    """A kind of climb."""

    effort: Effort
    rolls_deg: Sequence[float]
    rounds: int
    most_views: int
    """The views of highest loss that are taken out in each round."""


class ArrangementSearch:
    """A search for the arrangement of one set of photographs."""

    def __init__(
        self,
        crops: Crops,
        settings: SearchSettings,
        *,
        orders: Sequence[Sequence[int]] = (),
        part: Mapping[int, Float[np.ndarray, "3 3"]] | None = None,
        keep: Callable[[str, Callable[[], Arrangement]], Arrangement] = lambda _, compute: compute(),
    ) -> None:
        """Prepare a search.

        Args:
            crops: the photographs.
            settings: how long is searched.
            orders: in which the photographs may have been taken on a walk around the object, each all views.
            part: orientations of some views against each other, +y up, that are known from elsewhere and may be wrong;
                climbs start there, too.
            keep: called with the name of each climb and what computes its end; may return the end of an earlier run.
        """
        self.crops, self.settings, self._orders, self._keep = crops, settings, orders or [range(len(crops))], keep
        spread = np.linspace(0, len(crops) - 1, min(len(crops), settings.most_arranged)).round().astype(int)
        self.arranged: list[int] = spread.tolist()
        """The views that are arranged first."""
        known = {view: R for view, R in (part or {}).items() if view in self.arranged}
        self._part = {self.arranged.index(view): R for view, R in known.items()}
        self._core = crops if len(spread) == len(crops) else crops[self.arranged]

    @property
    def num_climbs(self) -> int:
        """Number of climbs of the whole search, at most."""
        return self._num_without_part + self._num_with_part + self.settings.polished + 1

    @property
    def _num_without_part(self) -> int:
        return self.settings.ordered_climbs + self.settings.climbs

    @property
    def _num_with_part(self) -> int:
        return self.settings.part_climbs if self._part else 0

    def run(self) -> list[Arrangement]:
        """Arrangements that differ, best first, at the effort of the last level."""
        settings, keep, few = self.settings, self._keep, len(self.crops) <= _FEW_VIEWS
        chosen = different(self._explore_all(), settings.polished)
        rings = in_parallel(lambda ring: joint_fit(self._core, ring, settings.polish), self._rings)
        rings = different(rings, len(rings) if few else settings.polished)
        if self._core is not self.crops:
            chosen, rings = ([self._complete(end) for end in some] for some in (chosen, rings))
        polished = in_parallel(lambda end: self._refit(end, settings.polish), chosen + rings)
        climb = Climb(settings.polish, _ROLLS_DEG, rounds=4, most_views=4)
        climbed = [
            keep(f"polish-{k}", lambda end=end: self._climb(self.crops, end, climb))
            for k, end in enumerate(different(polished, settings.polished))
        ]
        decided = settings.decided * (2 if few else 1)
        # Climbs lead away from a right ring where few photographs overlap little, so rings compete as they are, too.
        candidates = different([*climbed, *polished], decided) + rings
        final = in_parallel(lambda end: self._refit(end, settings.decide), candidates)
        final.sort(key=_loss)
        last = Climb(settings.decide, _ROLLS_DEG, rounds=3, most_views=3)
        best = keep("decide", lambda: self._climb(self.crops, final[0], last))
        return different([best, *final], decided)

    def _explore_all(self) -> list[Arrangement]:
        """Ends of climbs from the known starts, and from random ones until enough of these agree on the best."""
        ordered, without_part = self.settings.ordered_climbs, self._num_without_part
        known = [*range(ordered), *range(without_part, without_part + self._num_with_part)]
        ends: list[Arrangement] = []
        for number in (*known, *range(ordered, without_part)):
            ends.append(self._keep(f"explore-{number}", lambda number=number: self.explore(number)))
            best = min(ends, key=_loss)
            if sum(_alike(end, best) for end in ends[len(known) :]) == self.settings.agreeing:
                break
        return ends

    @cached_property
    def _rings(self) -> list[Rotations]:
        """Even rings and arcs in the order of the photographs; with few of them, rings in every order."""
        count = len(self._core)
        rings = [ring for order in self._orders for ring in ordered_starts(self._core_order(order))]
        if count <= _FEW_VIEWS:
            level, upright = np.full(count, _ORDERED_ELEVATION_DEG), np.zeros(count)
            orders = [(0, *rest) for rest in permutations(range(1, count))]
            rings += [looking_from(360 / count * np.argsort(order), level, upright) for order in orders]
        return rings

    def explore(self, number: int) -> Arrangement:
        """The end of the climb of this number, of the views that are arranged first."""
        settings, random = self.settings, np.random.default_rng(number)
        if number < settings.ordered_climbs:
            start = self._ordered[number]
        else:
            starts = [random_ring(len(self._core), random) for _ in range(settings.starts)]
            if number >= self._num_without_part:
                for start in starts:
                    start[list(self._part)] = list(self._part.values())
            start = self._explored(starts)[0]
        return self._climb(self._core, start, Climb(settings.explore, (0,), settings.rounds, settings.most_arranged))

    @cached_property
    def _ordered(self) -> list[Arrangement]:
        """Fits from the rings in order, best first."""
        return self._explored(self._rings)

    def _explored(self, starts: Sequence[Rotations]) -> list[Arrangement]:
        """Fits of the views that are arranged first from these starts, best first."""
        return sorted(in_parallel(lambda start: joint_fit(self._core, start, self.settings.explore), starts), key=_loss)

    def _core_order(self, order: Sequence[int]) -> list[int]:
        """An order of all views as an order of those that are arranged first."""
        return [self.arranged.index(view) for view in order if view in self.arranged]

    def _refit(self, end: Arrangement, effort: Effort) -> Arrangement:
        return joint_fit(self.crops, end.orientations, effort, t=end.t)

    def _climb(self, crops: Crops, start: Arrangement, climb: Climb) -> Arrangement:
        """Put views elsewhere, one a round, while that lowers the loss."""
        best = start
        for _ in range(climb.rounds):
            views = np.argsort(-best.losses, kind="stable")[: climb.most_views].tolist()
            proposals = [p for found in in_parallel(lambda v: _elsewhere(crops, best, v, climb), views) for p in found]  # noqa: B023
            proposals.sort(key=lambda proposal: proposal[0])
            changed = [(best.orientations, best.t), *(proposal[1:] for proposal in proposals[: len(crops)])]
            fits = in_parallel(lambda start: joint_fit(crops, start[0], climb.effort, t=start[1]), changed)
            observer().pause()
            found = min(fits, key=_loss)
            if found.loss > _IMPROVED * best.loss:
                break
            best = found
        return best

    def _complete(self, end: Arrangement) -> Arrangement:
        """An arrangement of all views: those that were left out are put where they fit best on its Gaussians."""
        orientations = np.tile(np.eye(3, dtype=np.float32), (len(self.crops), 1, 1))
        t, losses = self.crops.object_in_camera.astype(np.float32), np.full(len(self.crops), np.inf, np.float32)
        # Distances in the world of the first views may differ from those in the world of all by a factor.
        first, same = self._core.object_in_camera, self.crops.object_in_camera[self.arranged]
        t *= np.float32(np.linalg.norm(first) / np.linalg.norm(same))
        orientations[self.arranged], t[self.arranged] = end.orientations, end.t
        left_out = sorted(set(range(len(self.crops))) - set(self.arranged))
        R = np.zeros_like(orientations)
        whole = Arrangement(R, t, orientations, losses, end.gaussians)
        places = all_around((0,))
        scores = in_parallel(
            lambda view: score(self.crops, view, whole, places, self.settings.explore.pixels), left_out
        )
        orientations[left_out] = places[[losses.argmin() for losses in scores]]
        R[:] = self.crops.R_camera_facing @ orientations
        return whole


def ordered_starts(order: Sequence[int]) -> list[Rotations]:
    """Orientations of the views in this order along a circle, an arc, or a low and then a high circle; both ways."""
    count, place = len(order), np.argsort(order)
    level, upright = np.full(count, _ORDERED_ELEVATION_DEG), np.zeros(count)
    paths = [(arc / (count if arc == 360 else count - 1) * place, level) for arc in _ARCS_DEG]
    low = (count + 1) // 2
    if low >= MIN_RING:
        high, steps = place >= low, np.where(place < low, 360 / low, 360 / (count - low))
        azimuth, elevation = steps * (place - low * high), np.where(high, _RINGS_DEG[1], _RINGS_DEG[0])
        for way, turn in product((1, -1), _RING_TURNS_DEG):
            paths.append((np.where(high, way * azimuth + turn, azimuth), elevation))
    return [looking_from(way * azimuth, elevation, upright) for azimuth, elevation in paths for way in (1, -1)]


def random_ring(count: int, random: np.random.Generator) -> Rotations:
    """The photographs in random order around a ring at a random elevation."""
    azimuth = 360 * random.permutation(count) / count + random.uniform(-_JITTER_DEG, _JITTER_DEG, count)
    return looking_from(azimuth, random.uniform(*_START_ELEVATION_DEG, count), np.zeros(count))


def all_around(rolls_deg: Sequence[float]) -> Float[np.ndarray, "places 3 3"]:
    """Orientations from all sides at several elevations, with each roll."""
    ring = np.arange(0, 360, _AZIMUTH_STEP_DEG)
    rows = [(a + 7 * k, e, r) for k, e in enumerate(_ELEVATIONS_DEG) for a in ring for r in rolls_deg]
    return looking_from(*np.array(rows, float).T)


def different(ends: Sequence[Arrangement], count: int) -> list[Arrangement]:
    """The best arrangements of which no two are alike."""
    kept: list[Arrangement] = []
    for end in sorted(ends, key=_loss):
        if len(kept) < count and not any(_alike(end, other) for other in kept):
            kept.append(end)
    return kept


def _alike(one: Arrangement, other: Arrangement) -> bool:
    return bool(view_differences(one.orientations, other.orientations).max() <= DIFFERENT_DEG)


def _elsewhere(
    crops: Crops, now: Arrangement, view: int, climb: Climb
) -> list[tuple[float, Rotations, Float[np.ndarray, "views 3"]]]:
    """Changed arrangements in which one view is elsewhere, with the loss there relative to its present loss."""
    others = np.arange(len(crops)) != view
    fit = joint_fit(crops, now.orientations, climb.effort, t=now.t, active=others)
    places = all_around(climb.rolls_deg)
    losses = score(crops, view, fit, places, climb.effort.pixels)
    proposals, taken = [], now.orientations[view : view + 1]
    for place in np.argsort(losses, kind="stable"):
        if rotation_deg(places[place], taken).min() > (_ELSEWHERE_DEG if len(taken) == 1 else _APART_DEG):
            orientations = fit.orientations.copy()
            orientations[view] = places[place]
            proposals.append((float(losses[place]) / max(float(now.losses[view]), 1e-6), orientations, fit.t))
            taken = np.concatenate([taken, places[place : place + 1]])
        if len(proposals) == 2:
            break
    return proposals


def _loss(end: Arrangement) -> float:
    return end.loss
