"""Requests from people: search this view now, leave it out, trust it. Wiring: meets `model`.

Anyone may ask, from any thread; requests are carried out with the trainer's lock held, by the training thread between
two steps, or by the viewer's thread while no steps are made (paused, finished, or only looked at). Each gets an answer.
"""

from __future__ import annotations

import queue
import time
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch

from sparseags_ns.console import announce, warn
from sparseags_ns.optimization.observer import Observer, observed_by
from sparseags_ns.optimization.reconstruct import Reconstruction
from sparseags_ns.optimization.settings import COARSE_PX, SPARSEAGS, Preset
from sparseags_ns.optimization.short_fits import ShortFitter
from sparseags_ns.outliers.alignment import adopt_poses
from sparseags_ns.outliers.context import RepairContext
from sparseags_ns.outliers.manual_search import ManualSearch, search_manually
from sparseags_ns.outliers.settings import MIN_VIEWS, RepairSettings
from sparseags_ns.runs.record import Decision, Event
from sparseags_ns.runs.search_log import SearchLog
from sparseags_ns.viewer.live_search import LiveSearch

if TYPE_CHECKING:
    from sparseags_ns.plugin.model import SparseAGSModel

Action = Literal["search", "leave out", "trust"]


class SearchInterruptedError(Exception):
    """The user stopped the run during a search; nothing was changed."""


class LockYielder(Observer):
    """Releases the trainer's lock for a moment, so that waiting renders get it while a search holds it.

    Args:
        lock: the trainer's; None where no trainer exists.
        interrupted: whether the search must stop; then a pause raises SearchInterruptedError.
    """

    PERIOD_S = 0.03
    """The lock is released this often."""

    def __init__(self, lock: Any, interrupted: Callable[[], bool]) -> None:
        self._lock, self._interrupted = lock, interrupted
        self._released_at = time.monotonic()

    def pause(self) -> None:
        """Raise if the search must stop; else release the lock for a moment, if it is time."""
        if self._interrupted():
            raise SearchInterruptedError
        if self._lock is None or time.monotonic() - self._released_at < self.PERIOD_S or not self._lock.locked():
            return
        self._lock.release()
        time.sleep(1e-4)  # Without it this thread would take the lock again before another wakes up.
        self._lock.acquire()
        self._released_at = time.monotonic()


@dataclass(frozen=True)
class Request:
    """What somebody wants done with a view."""

    action: Action
    view: int


@dataclass(frozen=True)
class Training:
    """What is needed of a trainer in order to change the run."""

    preset: Preset
    optimizers: dict[str, torch.optim.Optimizer]
    goes_on: Callable[[], bool]
    """Whether more steps will follow."""


class RequestQueue:
    """Where requests are handed in."""

    def __init__(self, model: SparseAGSModel) -> None:
        self.live = LiveSearch()
        self.training: Training | None = None
        """Set by the training callback; None where a run is only looked at."""
        self.answers: deque[str] = deque(maxlen=20)
        """What came of the requests, newest last."""
        self._model = model
        self._requests: queue.SimpleQueue[Request] = queue.SimpleQueue()

    def ask(self, request: Request) -> None:
        """Hand in a request; it is carried out soon, and answered in `answers`."""
        busy = self.live.now.doing
        when = "before the next step" if busy is None else f"after what is being done ({busy})"
        self.answers.append(f"View {self._name(request.view)}: {request.action}, {when}.")
        self._requests.put(request)

    @property
    def has_work(self) -> bool:
        """Whether a request waits."""
        return not self._requests.empty()

    def work(self) -> None:
        """Carry out all that was asked for. The trainer's lock has to be held."""
        while self.has_work:
            request = self._requests.get()
            try:
                self._answer(self._carry_out(request))
            except SearchInterruptedError:
                self._answer(f"View {self._name(request.view)}: the search was interrupted; nothing was changed.")
                raise
            except Exception as error:
                # Whoever asks for something in the viewer must not lose the run by it.
                self._answer(f"View {self._name(request.view)}: {request.action} failed: {error}")
                warn(f"{request.action} by hand failed, and the run goes on", traceback.format_exc())

    @property
    def changes(self) -> bool:
        """Whether something may still become of the run; else requests only tell."""
        return self.training is not None and self.training.goes_on()

    def _carry_out(self, request: Request) -> str:
        if request.action == "search":
            return self._search(request.view)
        name = self._name(request.view)
        if not self.changes:
            return f"View {name}: no more steps follow, so nothing would come of it. Train longer to {request.action}."
        return self._set_trust(request.view, request.action == "trust")

    def _set_trust(self, view: int, trust: bool) -> str:
        model, name = self._model, self._name(view)
        if bool(model.trusted[view]) == trust:
            return f"View {name} is {'trusted' if trust else 'left out'} already."
        if not trust and int(model.trusted.sum()) <= MIN_VIEWS:
            return f"View {name} stays: with fewer than {MIN_VIEWS} views nothing could be reconstructed."
        model.trusted[view] = trust
        decision = Decision("trust" if trust else "leave out", view, "asked for in the viewer", {})
        model.record.events.append(Event(model.steps_done, decision))
        return f"View {name} {'takes part from now on' if trust else 'is left out from now on'}."

    def _search(self, view: int) -> str:
        model, name, started = self._model, self._name(view), time.monotonic()
        views, standing = model.views.to(model.device), model.reconstruction()
        preset = SPARSEAGS if self.training is None else self.training.preset
        fit = Reconstruction(standing.gaussians, standing.cameras, standing.trusted)
        fitter = ShortFitter(views, preset)
        context = RepairContext(views, fitter, RepairSettings(), standing.cameras.T_camera_world)
        log = SearchLog(model.steps_done, by="hand")
        with self.live.doing(f"searching view {name}"), observed_by(log, self.live):
            found = search_manually(context, fit, view)
        if found.fit is not None and self.changes:
            self._adopt(fit, found.fit, view)
        changed = found.fit is not None and self.changes
        model.record.searches += log.decided(
            found.fit.cameras if found.fit is not None and changed else model.cameras()
        )
        model.record.events.append(Event(model.steps_done, found.decision))
        return _told(name, found, self.changes, time.monotonic() - started)

    def _adopt(self, fit: Reconstruction, found: Reconstruction, view: int) -> None:
        """Go on from a pose that was found, while steps are coarse with the splat that goes with it.

        Later that splat would cost the detail of all views, and the run keeps its own; what the view had painted from
        its wrong pose fades in the steps to come.
        """
        model, training = self._model, self.training
        assert training is not None
        trusted = found.trusted.clone()
        if model.record.by_hand.get(view) == "leave out":
            trusted[view] = False
        pixels = model.run.moment(model.steps_done).stage.pixels
        if pixels is not None and pixels <= COARSE_PX:
            model.continue_from(found.with_trusted(trusted), training.optimizers)
            return
        poses = adopt_poses(fit.cameras.T_camera_world, found, view)
        model.trusted.copy_(trusted)
        model.camera_optimizer.corrections.start_from(fit.cameras.with_poses(poses))
        for name in ("camera_opt", "focal_opt"):
            training.optimizers[name].state.clear()

    def _answer(self, text: str) -> None:
        self.answers.append(text)
        announce(text, "asked for in the viewer")

    def _name(self, view: int) -> str:
        return self._model.views.names[view]


def _told(name: str, found: ManualSearch, changes: bool, seconds: float) -> str:
    numbers = found.decision.numbers
    if found.fit is None:
        return f"View {name} stays where it is: {found.decision.why} ({seconds:.0f} s)."
    sums = f"sum of errors {numbers['sum_own']:.3g}, there {numbers['sum_found']:.3g}; {seconds:.0f} s"
    if not changes:
        return (
            f"View {name} fits better {numbers['rotation_deg']:.0f} degrees from here ({sums}). Nothing was changed, "
            "since no more steps follow: train again with its new pose, or longer."
        )
    return f"View {name} now stands {numbers['rotation_deg']:.0f} degrees from where it was ({sums})."
