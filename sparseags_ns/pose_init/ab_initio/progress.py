"""How far a search for an arrangement is: shown in the console, and told to the observer with the best one so far.

Nothing here takes part in the search.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.console import Bar
from sparseags_ns.geometry import se3
from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.metrics.images import over_white
from sparseags_ns.optimization.observer import ArrangementPhase, ArrangementState, Observer, observer
from sparseags_ns.pose_init.ab_initio.arrangement import Arrangement
from sparseags_ns.pose_init.ab_initio.crops import SIDE_PX, Crops
from sparseags_ns.pose_init.ab_initio.refinement import Refined, expected_steps
from sparseags_ns.pose_init.ab_initio.search import ArrangementSearch

_PARTS: dict[str, int] = {"explore": 1, "polish": 2, "decide": 10}
"""Typical time of a climb, with the fits before it, in climbs of the first level (6 to 12 photographs)."""
_STEPS_A_PART = 100
"""Steps of refinement in the time of a climb of the first level."""


class SearchProgress(Observer):
    """The progress of one search. It also observes the refinement, whose steps it counts."""

    def __init__(self, bar: Bar, crops: Crops, search: ArrangementSearch) -> None:
        self._bar, self._crops, self._search = bar, crops, search
        self._phase: ArrangementPhase = "explore"
        self._climbs = self._done = self._steps = 0
        self._most_climbs = search.num_climbs
        polished, explored = search.settings.polished, search.num_climbs - search.settings.polished - 1
        self._before = {"polish": explored, "decide": explored + _PARTS["polish"] * polished}
        self._all = self._before["decide"] + _PARTS["decide"] + self._parts(search.settings.decided)
        self._loss: float | None = None
        self._views: tuple[int, ...] = ()
        self._cameras: Cameras | None = None
        self._photographs = torch.stack([over_white(photo.rgb, photo.mask) for photo in crops.photos])

    def begin(self, name: str) -> None:
        """The climb of this name begins: that of its phase, and a number."""
        phase: ArrangementPhase = name.partition("-")[0]  # pyright: ignore[reportAssignmentType]
        if phase != self._phase:  # Fewer climbs than planned may have been enough for the phase before.
            left = self._search.settings.polished if phase == "polish" else 0
            self._most_climbs, self._done = self._climbs + left + 1, self._before[phase]
        self._enter(phase)

    def end(self, end: Arrangement) -> None:
        """The climb that began last has come to this end."""
        self._climbs, self._done = self._climbs + 1, self._done + _PARTS[self._phase]
        self._improve(end, self._phase == "explore")
        self._show()

    def refine(self, arrangements: Sequence[Arrangement]) -> None:
        """The refinement of these arrangements begins."""
        self._all = self._done + self._parts(len(arrangements))
        self._enter("refine")

    def pause(self) -> None:
        """A step of refinement is done."""
        self._steps += 1
        if self._steps % _STEPS_A_PART == 0:
            self._done = min(self._done + 1, self._all - 1)
            self._show()

    def refined(self) -> None:
        """The refinement has ended."""
        self._done = self._all

    def choose(self, best: Refined) -> None:
        """The best arrangement of all is this one."""
        views = best.fits.nonzero().flatten().tolist()
        self._place(views, best.T_camera_world[views])
        self._loss = best.loss
        self._show()

    def _parts(self, arrangements: int) -> int:
        """Parts that the refinement of so many arrangements takes, about."""
        return round(expected_steps(len(self._crops), arrangements) / _STEPS_A_PART)

    def _enter(self, phase: ArrangementPhase) -> None:
        if phase != self._phase:
            self._phase, self._loss = phase, None
        self._show()

    def _improve(self, end: Arrangement, of_core: bool) -> None:
        """Take an arrangement, of all photographs or of those arranged first, if it is the best of its phase."""
        loss = end.loss / max(int(np.isfinite(end.losses).sum()), 1)
        if self._loss is None or loss < self._loss:
            T = se3.pose(torch.from_numpy(end.R), torch.from_numpy(end.t))
            self._place(self._search.arranged if of_core else range(len(self._crops)), T)
            self._loss = loss

    def _place(self, views: Sequence[int], T_camera_world: Float[Tensor, "views 4 4"]) -> None:
        """Show these views as taken by cameras that look at the middle of their crops."""
        R_facing_camera = torch.from_numpy(self._crops.R_camera_facing[list(views)].swapaxes(1, 2)).double()
        K = self._crops.K[list(views)].double().clone()
        K[:, :2, 2] = SIDE_PX / 2
        poses = se3.pose(R_facing_camera, torch.zeros(len(views), 3).double()) @ T_camera_world.double()
        self._views, self._cameras = tuple(views), Cameras(poses, K, SIDE_PX, SIDE_PX)

    def _show(self) -> None:
        state = ArrangementState(
            self._phase,
            self._climbs,
            self._most_climbs,
            self._done / self._all,
            self._loss,
            self._photographs,
            self._views,
            self._cameras,
        )
        self._bar.update(self._done, self._all, state.words)
        observer().on_arrangement(state)
