"""How the viewer and a training run share a machine.

nerfstudio paces renders by rays of light, of which a step here has none: on CPU its rule never lets a render through.
It also starts a thread for each browser that renders whenever its camera moves. Here everything that the viewer does
under the trainer's lock, for all browsers together, takes at most a fixed share of the time while steps are made;
renders that show new steps take a small share, and renders for a moving camera come first for a moment.

Units: seconds.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import Any

import nerfstudio.configs.base_config  # noqa: F401  # nerfstudio.utils.writer cannot be imported before it.
from nerfstudio.utils.writer import GLOBAL_BUFFER, EventName
from nerfstudio.viewer.render_state_machine import RenderAction
from nerfstudio.viewer.viewer import Viewer

SHARE = 0.25
"""Largest share of the time that the viewer may hold up training."""
BURST = 0.25
"""Time for which the viewer may hold up training at a stretch, after it did not for a while."""
IDLE_SHARE = 0.08
"""Share of the time that renders may take while no camera moves."""
MIN_PERIOD = 1.0
"""Shortest time between two renders while no camera moves."""
MAX_WAIT = 0.25
"""Longest wait of training before a step while a camera moves."""
MOVING = 0.15
"""Time after its last motion for which a camera counts as moving."""
NAP = 0.005
"""Time between two looks at whether a wait is over."""


class SharedLock:
    """The viewer's side of the trainer's lock: one thread of the viewer at a time, within a share of the time.

    Args:
        lock: the trainer's.
        training: whether steps are made; while there are none, nothing is held up and the share is not limited.
    """

    def __init__(self, lock: Any, training: Callable[[], bool]) -> None:
        self._lock, self._training = lock, training
        self._turn = threading.Lock()
        self._left, self._counted_at, self._since = BURST, time.monotonic(), 0.0

    @property
    def left(self) -> float:
        """Time for which the viewer may hold up training now; negative after it took more."""
        now = time.monotonic()
        self._left, self._counted_at = min(BURST, self._left + SHARE * (now - self._counted_at)), now
        return self._left

    def charge(self, seconds: float) -> None:
        """Count time for which training was held up."""
        self._left = self.left - seconds

    def acquire(self) -> None:
        """Wait for this thread's turn, for the viewer's share, and for the trainer."""
        self._turn.acquire()
        while self._training() and self.left <= 0:
            time.sleep(NAP)
        self._lock.acquire()
        self._since = time.monotonic()

    def release(self) -> None:
        """Give the lock back and count how long it was held."""
        self.charge(time.monotonic() - self._since)
        self._lock.release()
        self._turn.release()

    def locked(self) -> bool:
        """Whether a step is made or the viewer works."""
        return self._lock.locked()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


def render_due(now: float, last: float, render_seconds: float) -> bool:
    """Whether the picture should be rendered again, if that was last requested at time `last`.

    Args:
        render_seconds: duration of the renders for all browsers.
    """
    return now - last >= max(MIN_PERIOD, render_seconds / IDLE_SHARE)


def training_waits(now: float, last_motion: float, waited: float, left: float) -> bool:
    """Whether training should wait a little longer before its next step.

    Args:
        left: time for which the viewer may hold it up.
    """
    return now - last_motion < MOVING and waited < MAX_WAIT and left > 0


class Pacer:
    """Requests renders between two training steps, and leaves waiting renders time to take the trainer's lock."""

    def __init__(self) -> None:
        self._requested_at = 0.0

    def after_step(self, viewer: Viewer, step: int) -> None:
        """Pace the viewer after a step; the trainer's lock must be free."""
        viewer.step = step
        machines = list(viewer.render_statemachines.values())
        lock = viewer.train_lock
        if not machines or not isinstance(lock, SharedLock):
            return
        now = began = time.time()
        while training_waits(now, viewer.last_move_time, now - began, lock.left):
            time.sleep(NAP)
            if not lock.locked():  # Otherwise the time is counted at the lock's release.
                lock.charge(time.time() - now)
            now = time.time()
        # nerfstudio's figure includes the wait for the lock, so this is an upper bound of a render's duration.
        event = GLOBAL_BUFFER["events"].get(EventName.VIS_RAYS_PER_SEC.value, {"avg": math.inf})
        render_seconds = viewer.control_panel.max_res**2 * 0.6 / max(float(event["avg"]), 1.0)
        if render_due(now, self._requested_at, len(machines) * render_seconds):
            self._requested_at = now
            viewer.update_step(step)
            for machine in machines:
                machine.action(RenderAction("step", viewer.get_camera_state(machine.client)))
        time.sleep(1e-4)  # Without it training takes the lock again before another thread wakes up.
