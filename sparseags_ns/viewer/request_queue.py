"""The queue of requests made in the viewer: search a view, leave it out, trust it.

Any thread may add a request. Requests are carried out with the trainer's lock held: by the training thread between two
steps, or by the viewer's thread while no steps are made (run paused, finished, or opened from its folder). Each gets an
answer.
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
    from sparseags_ns.viewer.model import ViewedModel

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
    """A request for one view."""

    action: Action
    view: int


@dataclass(frozen=True)
class Training:
    """The parts of a trainer that requests need in order to change the run."""

    preset: Preset
    optimizers: dict[str, torch.optim.Optimizer]
    goes_on: Callable[[], bool]
    """Tells whether more steps follow."""


class RequestQueue:
    """Requests in the order in which they were made, and their answers."""

    def __init__(self, model: ViewedModel) -> None:
        self.live = LiveSearch()
        self.training: Training | None = None
        """Set by the training callback; None for a run opened from its folder."""
        self.answers: deque[str] = deque(maxlen=20)
        """Answers to the requests, newest last."""
        self._model = model
        self._requests: queue.SimpleQueue[Request] = queue.SimpleQueue()
        self._waiting: set[Request] = set()

    def ask(self, request: Request) -> None:
        """Add a request, unless it waits already; it is carried out soon and answered in `answers`."""
        if request in self._waiting:
            return
        self._waiting.add(request)
        busy = self.live.now.doing
        when = "before the next step" if busy is None else f"when this is done: {busy}"
        self.answers.append(f"View {self._name(request.view)}: {request.action}, {when}.")
        self._requests.put(request)

    @property
    def has_work(self) -> bool:
        """Whether a request waits."""
        return not self._requests.empty()

    def work(self) -> None:
        """Carry out all requests. The trainer's lock must be held."""
        while self.has_work:
            request = self._requests.get()
            self._waiting.discard(request)
            view, action = request.view, request.action
            try:
                self._answer(self._search(view) if action == "search" else self._set_trust(view, action))
            except SearchInterruptedError:
                self._answer(f"View {self._name(view)}: the search was interrupted; nothing was changed.")
                raise
            except Exception as error:
                # A failed request must not end the run.
                self._answer(f"View {self._name(view)}: {action} failed: {error}")
                warn(f"{action} by hand failed, and the run goes on", traceback.format_exc())

    @property
    def changes(self) -> bool:
        """Whether requests can still change the run; otherwise they only report."""
        return self.training is not None and self.training.goes_on()

    def _set_trust(self, view: int, action: Literal["leave out", "trust"]) -> str:
        model, name, trust = self._model, self._name(view), action == "trust"
        if not self.changes:
            return f"View {name}: no more steps follow, so it would have no effect. Train longer to {action}."
        state = "trusted" if trust else "left out"
        if bool(model.trusted[view]) == trust:
            return f"View {name} is {state} already."
        if not trust and int(model.trusted.sum()) <= MIN_VIEWS:
            return f"View {name} stays: with fewer than {MIN_VIEWS} views nothing could be reconstructed."
        model.trusted[view] = trust
        model.record.events.append(Event(model.steps_done, Decision(action, view, "asked for in the viewer", {})))
        return f"View {name} is {state} from now on."

    def _search(self, view: int) -> str:
        model, name, started = self._model, self._name(view), time.monotonic()
        views, fit = model.views.to(model.device), model.reconstruction()
        preset = SPARSEAGS if self.training is None else self.training.preset
        context = RepairContext(views, ShortFitter(views, preset), RepairSettings(), fit.cameras.T_camera_world)
        log = SearchLog(model.steps_done, by="hand")
        with self.live.doing(f"searching view {name}"), observed_by(log, self.live):
            found = search_manually(context, fit, view)
        cameras = model.cameras()
        if found.fit is not None and self.changes:
            self._adopt(fit, found.fit, view)
            cameras = found.fit.cameras
        model.record.searches += log.decided(cameras)
        model.record.events.append(Event(model.steps_done, found.decision))
        return _answer_to(name, found, self.changes, time.monotonic() - started)

    def _adopt(self, fit: Reconstruction, found: Reconstruction, view: int) -> None:
        """Continue from a pose that was found; in the coarse stages also from the search's splat.

        In the fine stages the search's splat lacks the detail of all views, so the run keeps its own; what the view
        had drawn from its wrong pose fades in the following steps.
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


def _answer_to(name: str, found: ManualSearch, changes: bool, seconds: float) -> str:
    numbers = found.decision.numbers
    if found.fit is None:
        return f"View {name} keeps its pose: {found.decision.why} ({seconds:.0f} s)."
    sums = f"sum of errors {numbers['sum_own']:.3g} here, {numbers['sum_found']:.3g} there; {seconds:.0f} s"
    if not changes:
        return (
            f"View {name} fits better {numbers['rotation_deg']:.0f} degrees from its pose ({sums}). Nothing was "
            "changed, since no more steps follow: train longer, or again with the new pose."
        )
    return f"View {name} was rotated by {numbers['rotation_deg']:.0f} degrees ({sums})."
