"""The search over arrangements on a toy whose sides have different colours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from sparseags_ns.pose_init.ab_initio import search as search_module
from sparseags_ns.pose_init.ab_initio.arrangement import (
    Arrangement,
    Effort,
    Rotations,
    joint_fit,
    looking_from,
    rotation_deg,
    view_differences,
)
from sparseags_ns.pose_init.ab_initio.crops import Crops
from sparseags_ns.pose_init.ab_initio.search import (
    DIFFERENT_DEG,
    ArrangementSearch,
    SearchSettings,
    different,
    ordered_starts,
    random_ring,
)
from sparseags_ns.preprocess.photo import Photo

TINY = SearchSettings(
    explore=Effort(12, 40, 80, pose_lr=2e-2, pose_lr_end=0.2),
    polish=Effort(12, 80, 80, pose_lr=2e-2),
    decide=Effort(12, 500, 100, pose_lr=2e-2),
    climbs=1,
    starts=4,
    ordered_climbs=1,
    polished=1,
    decided=1,
    rounds=4,
)


def azimuths(R: Rotations) -> np.ndarray:
    """Azimuths in degrees from which cameras look."""
    return np.degrees(np.arctan2(-R[:, 2, 0], -R[:, 2, 2]))


def elevations(R: Rotations) -> np.ndarray:
    """Elevations in degrees from which cameras look."""
    return np.degrees(np.arcsin(-R[:, 2, 1]))


def steps(R: Rotations, order: list[int]) -> np.ndarray:
    """Azimuths between views that follow each other in this order, -180 to 180."""
    return (np.diff(azimuths(R)[order]) + 180) % 360 - 180


def wrong_pairs_deg(found: Rotations, true: Rotations) -> float:
    """Largest angle between found and true relative orientations of two views."""
    relative, expected = (R[:, None] @ R[None].swapaxes(-1, -2) for R in (found, true))
    return float(rotation_deg(relative, expected).max())


ORDER = [3, 0, 4, 1, 5, 2, 6]


def test_photographs_in_order_lie_on_circles_and_arcs_both_ways_around() -> None:
    level = [start for start in ordered_starts(ORDER) if np.ptp(elevations(start)) < 1e-6]
    found = sorted(float(np.unique(steps(start, ORDER).round(6)).item()) for start in level)
    expected = [360 / 7, 270 / 6, 180 / 6]
    assert found == pytest.approx(sorted(expected + [-step for step in expected]), abs=1e-5)


def test_photographs_in_order_lie_on_two_rings_each_both_ways_around() -> None:
    rings = [start for start in ordered_starts(ORDER) if np.ptp(elevations(start)) > 1]
    low, high = ORDER[:4], ORDER[4:]
    ways = []
    for start in rings:
        assert np.ptp(elevations(start)[low]) < 1e-6 and np.ptp(elevations(start)[high]) < 1e-6
        assert elevations(start)[high[0]] > elevations(start)[low[0]] + 20
        first, second = (np.unique(steps(start, part).round(5)) for part in (low, high))
        assert abs(first) == pytest.approx(90) and abs(second) == pytest.approx(120)
        begins = (azimuths(start)[high[0]] - azimuths(start)[low[0]]) % 360
        ways.append((float(np.sign(first).item()), float(np.sign(second).item()), round(begins) % 360))
    assert len(set(ways)) == len(ways) == 16, "both ways around for each ring, and four turns between them"


def test_few_photographs_make_no_second_ring() -> None:
    assert all(np.ptp(elevations(start)) < 1e-6 for start in ordered_starts([0, 1, 2, 3]))
    assert any(np.ptp(elevations(start)) > 1 for start in ordered_starts([0, 1, 2, 3, 4]))


def test_random_rings_are_shuffled_and_nearly_even() -> None:
    first, second = (random_ring(8, np.random.default_rng(seed)) for seed in (0, 1))
    assert np.array_equal(first, random_ring(8, np.random.default_rng(0)))
    gaps = np.diff(np.sort(azimuths(first)), append=np.sort(azimuths(first))[0] + 360)
    assert gaps.min() > 45 - 30 - 1e-6 and gaps.max() < 45 + 30 + 1e-6
    assert elevations(first).min() >= 0 and elevations(first).max() <= 40
    assert (np.argsort(azimuths(first)) != np.argsort(azimuths(second))).any()
    assert (np.abs(first[:, 0, 1]) < 1e-9).all(), "upright"


def end(R: Rotations, loss: float) -> Arrangement:
    views = len(R)
    return Arrangement(R, np.zeros((views, 3)), R, np.full(views, loss / views), np.zeros((1, 8)))


def test_of_arrangements_that_are_alike_the_best_is_kept(orientations: np.ndarray) -> None:
    exchanged = orientations[[1, 0, 2, 3, 4, 5]]
    turned = orientations @ looking_from(*np.array([[40.0], [20.0], [10.0]]))[0]
    shuffled = orientations[[5, 4, 3, 2, 1, 0]]
    ends = [end(exchanged, 3.0), end(orientations, 2.0), end(turned, 1.0), end(shuffled, 4.0)]
    assert [one.loss for one in different(ends, 5)] == pytest.approx([1.0, 3.0, 4.0])
    assert [one.loss for one in different(ends, 2)] == pytest.approx([1.0, 3.0])


def test_views_that_were_left_out_are_put_where_they_belong(crops: Crops, orientations: np.ndarray) -> None:
    search = ArrangementSearch(crops, replace(TINY, most_arranged=4))
    assert search.arranged == [0, 2, 3, 5]
    core = joint_fit(crops[search.arranged], orientations[search.arranged], Effort(12, 150, 150))
    whole = search._complete(core)
    assert np.array_equal(whole.orientations[search.arranged], core.orientations)
    differences = view_differences(whole.orientations, orientations)
    assert differences[[1, 4]].max() < 30 and differences.max() < 30
    assert np.isinf(whole.losses).all(), "to be fitted"
    refitted = joint_fit(crops, whole.orientations, TINY.decide, t=whole.t)
    assert view_differences(refitted.orientations, orientations).max() < 10


def test_a_climb_puts_a_misplaced_view_where_it_belongs(
    crops: Crops, orientations: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The only start has one view on the opposite side."""
    wrong = orientations.copy()
    wrong[2] = looking_from(*np.array([[300.0], [30.0], [0.0]]))[0]
    monkeypatch.setattr(search_module, "ordered_starts", lambda order: [wrong])
    stuck = joint_fit(crops, wrong, TINY.explore)
    assert view_differences(stuck.orientations, orientations)[2] > 90, "a fit alone does not repair it"
    found = ArrangementSearch(crops, TINY).explore(0)
    assert view_differences(found.orientations, orientations).max() < DIFFERENT_DEG
    assert found.loss < 0.5 * stuck.loss


def test_a_whole_search_arranges_photographs_in_any_order(crops: Crops, orientations: np.ndarray) -> None:
    order = [4, 0, 2, 1, 5, 3]
    done: list[str] = []

    def keep(name: str, compute: Callable[[], Arrangement]) -> Arrangement:
        done.append(name)
        return compute()

    search = ArrangementSearch(crops[order], TINY, keep=keep)
    best, *others = search.run()
    assert wrong_pairs_deg(best.orientations, orientations[order]) < 15
    assert len(others) < TINY.decided
    assert done[:2] == ["explore-0", "explore-1"] and done[-1] == "decide" and "polish-0" in done
    assert len(set(done)) == len(done) <= search.num_climbs


def test_ends_that_were_kept_are_not_climbed_again(
    crops: Crops, orientations: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = joint_fit(crops, orientations, TINY.decide)
    monkeypatch.setattr(ArrangementSearch, "_climb", None)
    (best,) = ArrangementSearch(crops, TINY, keep=lambda name, compute: kept).run()
    assert view_differences(best.orientations, kept.orientations).max() < 5 and best.loss <= kept.loss


def test_orders_are_those_of_the_views_that_are_arranged(
    photograph: Callable[..., list[Photo]], monkeypatch: pytest.MonkeyPatch
) -> None:
    crops = Crops.of(photograph([50.0 * view for view in range(7)], [0.0] * 7, side=32))
    asked: list[list[int]] = []

    def starts(order: list[int]) -> list[Rotations]:
        asked.append(order)
        return [random_ring(len(order), np.random.default_rng(0))]

    monkeypatch.setattr(search_module, "ordered_starts", starts)
    orders = [[6, 5, 4, 3, 2, 1, 0], [2, 0, 1, 4, 3, 6, 5]]
    search = ArrangementSearch(crops, replace(TINY, most_arranged=6, rounds=0), orders=orders)
    assert search.arranged == [0, 1, 2, 4, 5, 6], "3 is left out"
    search.explore(0)
    assert asked == [[5, 4, 3, 2, 1, 0], [2, 0, 1, 3, 5, 4]]


def test_three_photographs_are_enough(photograph: Callable[..., list[Photo]]) -> None:
    """Climbs from all starts begin, however few orders there are."""
    crops = Crops.of(photograph([0.0, 80.0, 200.0], [10.0, 20.0, 30.0]))
    settings = replace(TINY, ordered_climbs=SearchSettings().ordered_climbs, rounds=0)
    search = ArrangementSearch(crops, settings)
    ends = [search.explore(number) for number in range(settings.ordered_climbs + settings.climbs)]
    assert all(np.isfinite(one.losses).all() for one in ends)


def test_exploring_ends_where_enough_random_starts_lead_to_the_best_arrangement(
    crops: Crops, orientations: Rotations, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The climbs from known starts, the first two, do not count, nor does what is not the best in the end."""
    right = joint_fit(crops, orientations, TINY.explore)
    mirrored = joint_fit(
        crops, orientations * np.array([[1, 1, -1], [1, 1, -1], [-1, -1, 1]], np.float32), TINY.explore
    )
    worse, better = sorted((right, mirrored), key=lambda end: -end.loss)
    ends = [better, better, worse, worse, better, worse, better, worse]
    search = ArrangementSearch(crops, replace(TINY, ordered_climbs=2, climbs=20, agreeing=2))
    climbed: list[int] = []

    def explore(number: int) -> Arrangement:
        climbed.append(number)
        return ends[number]

    monkeypatch.setattr(search, "explore", explore)
    search.run()
    assert climbed == list(range(7))


def test_more_photographs_than_are_arranged_first(crops: Crops, orientations: np.ndarray) -> None:
    best, *_ = ArrangementSearch(crops, replace(TINY, most_arranged=5, decide=Effort(12, 250, 80))).run()
    assert np.isfinite(best.losses).all() and best.gaussians.shape == (80, 8)
    assert wrong_pairs_deg(best.orientations, orientations) < 25


def test_climbs_start_also_from_a_known_part(
    crops: Crops, orientations: Rotations, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = {0: orientations[0], 2: orientations[2]}
    plain, search = (ArrangementSearch(crops, replace(TINY, part_climbs=1), part=one) for one in (None, part))
    assert search.num_climbs == plain.num_climbs + 1
    starts: list[Rotations] = []

    def kept(candidates: list[Rotations]) -> list[Arrangement]:
        starts.extend(candidates)
        return [joint_fit(crops, candidates[0], TINY.explore)]

    monkeypatch.setattr(search, "_explored", kept)
    search.explore(TINY.ordered_climbs + TINY.climbs)
    assert len(starts) == TINY.starts
    for start in starts:
        assert rotation_deg(start[[0, 2]], orientations[[0, 2]]).max() < 1e-3
    assert rotation_deg(starts[0][1], starts[1][1]) > 1
