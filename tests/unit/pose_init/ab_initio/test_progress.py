"""What is told of a search while it goes on: its phase, the climbs done, the best arrangement so far."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from jaxtyping import Float

from sparseags_ns.console import Bar
from sparseags_ns.geometry import se3
from sparseags_ns.optimization.observer import ArrangementState, Observer, observed_by
from sparseags_ns.pose_init.ab_initio import ab_initio
from sparseags_ns.pose_init.ab_initio.ab_initio import AbInitio
from sparseags_ns.pose_init.ab_initio.arrangement import Arrangement
from sparseags_ns.pose_init.ab_initio.crops import Crops
from sparseags_ns.pose_init.ab_initio.progress import SearchProgress
from sparseags_ns.pose_init.ab_initio.refinement import Refined
from sparseags_ns.pose_init.ab_initio.search import ArrangementSearch, SearchSettings
from sparseags_ns.preprocess.store import Store


class Told(Observer):
    """Keeps all states that it is told."""

    def __init__(self) -> None:
        self.states: list[ArrangementState] = []

    def on_arrangement(self, state: ArrangementState) -> None:
        self.states.append(state)


class Line(Bar):
    """A bar of the console that keeps the words that it is told."""

    def __init__(self) -> None:
        super().__init__("ab-initio", None)
        self.words: list[str] = []

    def update(self, done: int, total: int | None = None, doing: str = "") -> None:
        assert total is not None and 0 <= done <= total
        self.words.append(doing)


def arrangement(orientations: Float[np.ndarray, "views 3 3"], crops: Crops, loss: float) -> Arrangement:
    """The views from these sides, each with this loss, as it stands in the photographs' own cameras."""
    R = (crops.R_camera_facing @ orientations).astype(np.float32)
    t = np.tile(np.array([0, 0, 2], np.float32), (len(crops), 1))
    return Arrangement(R, t, orientations, np.full(len(crops), loss, np.float32), np.zeros((0, 8), np.float32))


SETTINGS = SearchSettings(ordered_climbs=1, climbs=2, polished=3, decided=2, most_arranged=4)


def test_each_phase_has_its_own_best(crops: Crops, orientations: np.ndarray) -> None:
    search, line, told = ArrangementSearch(crops, SETTINGS), Line(), Told()
    core = crops[search.arranged]
    with observed_by(told):
        shown = SearchProgress(line, crops, search)
        for number, loss in enumerate((0.3, 0.1, 0.2)):
            shown.begin(f"explore-{number}")
            shown.end(arrangement(orientations[search.arranged], core, loss))
        for number, loss in enumerate((0.05, 0.04)):
            shown.begin(f"polish-{number}")
            shown.end(arrangement(orientations, crops, loss))
        shown.begin("decide")
        shown.end(arrangement(orientations, crops, 0.02))
        shown.refine([])
        with observed_by(shown):
            for _ in range(250):
                shown.pause()
        shown.refined()
    assert line.words == [
        "explore, 0 of up to 7 climbs",
        "explore, 1 of up to 7 climbs, best mean loss 0.3000",
        "explore, 1 of up to 7 climbs, best mean loss 0.3000",
        "explore, 2 of up to 7 climbs, best mean loss 0.1000",
        "explore, 2 of up to 7 climbs, best mean loss 0.1000",
        "explore, 3 of up to 7 climbs, best mean loss 0.1000",
        "polish, 3 of up to 7 climbs",
        "polish, 4 of up to 7 climbs, best mean loss 0.0500",
        "polish, 4 of up to 7 climbs, best mean loss 0.0500",
        "polish, 5 of up to 7 climbs, best mean loss 0.0400",
        "decide, 5 of up to 6 climbs",  # only two ends differed and were polished
        "decide, 6 of up to 6 climbs, best mean loss 0.0200",
        "refine, 6 of up to 6 climbs",
        "refine, 6 of up to 6 climbs",
        "refine, 6 of up to 6 climbs",
    ]
    shares = [state.share for state in told.states[:-3]]
    assert shares == sorted(shares) and shares[0] == 0 and told.states[-1].share < 1
    assert told.states[0].cameras is None
    assert told.states[1].views == tuple(search.arranged) and told.states[-1].views == (0, 1, 2, 3, 4, 5)


def test_cameras_look_at_the_middle_of_their_crops(crops: Crops, orientations: np.ndarray) -> None:
    search, told = ArrangementSearch(crops, replace(SETTINGS, most_arranged=8)), Told()
    # Away from the middle of its photograph, a crop faces another way than the camera.
    away = torch.zeros(3, 3)
    away[:2, 2] = 40
    aside = Crops(tuple(replace(photo, K=photo.K + away) for photo in crops.photos))
    aside = Crops(tuple(replace(photo, K=photo.K + torch.eye(3)[:, [2, 0, 1]] * 40) for photo in crops.photos))
    with observed_by(told):
        shown = SearchProgress(Line(), aside, search)
        shown.end(arrangement(orientations, aside, 0.1))
        fits = torch.tensor([True, True, False, True, True, True])
        T = se3.pose(torch.from_numpy(orientations), torch.zeros(6, 3))
        shown.choose(Refined(T.double(), 1.0, torch.full((6,), 0.002), fits))
    searched, chosen = told.states
    assert searched.cameras is not None and chosen.cameras is not None
    assert np.allclose(searched.cameras.T_camera_world[:, :3, :3].numpy(), orientations, atol=1e-5)
    assert (searched.cameras.K[:, :2, 2] == searched.cameras.width / 2).all()
    assert chosen.views == (0, 1, 3, 4, 5), "a view that does not fit has no place"
    assert len(chosen.cameras) == 5 and chosen.words.endswith("best mean loss 0.0020")
    assert chosen.photographs.shape == (6, 128, 128, 3) and float(chosen.photographs[:, 0, 0].min()) == 1


def test_a_search_tells_its_states_in_the_order_of_its_phases(
    crops: Crops, orientations: np.ndarray, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A search whose climbs take no time; the second run loads them and tells of them, too."""
    found = arrangement(orientations, crops, 0.01)
    refined = Refined(
        se3.pose(torch.from_numpy(found.R), torch.from_numpy(found.t)), 1.0, torch.zeros(6), torch.ones(6) > 0
    )

    def run(self: ArrangementSearch) -> list[Arrangement]:
        return [self._keep(name, lambda: found) for name in ("explore-0", "polish-0", "decide")][-1:]

    monkeypatch.setattr(ArrangementSearch, "run", run)
    monkeypatch.setattr(ab_initio, "refine_all", lambda crops, arrangements, done: done() or [refined])
    for _ in range(2):
        told = Told()
        with observed_by(told):
            assert AbInitio(Store(tmp_path), tmp_path).solve(crops, [], "key") == [refined]
        phases = [state.phase for state in told.states]
        assert list(dict.fromkeys(phases)) == ["explore", "polish", "decide", "refine"]
        assert told.states[-1].share == 1 and re.fullmatch(r"refine, 3 of up to 3 climbs, .*", told.states[-1].words)
