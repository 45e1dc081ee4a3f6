"""How the viewer and a training run share a machine.

nerfstudio paces renders by rays of light, of which a step here has none: on CPU its rule never lets a render through.
Here renders that show new steps take a small share of the time, renders for a moving camera come first for a moment,
and training goes on in any case.

Units: seconds.
"""

from __future__ import annotations

import math
import time

from nerfstudio.utils.writer import GLOBAL_BUFFER, EventName
from nerfstudio.viewer.render_state_machine import RenderAction
from nerfstudio.viewer.viewer import Viewer

IDLE_SHARE = 0.08
"""Share of the time that renders may take while no camera moves."""
MIN_PERIOD = 1.0
"""Shortest time between two renders while no camera moves."""
MAX_WAIT = 0.25
"""Longest wait of training before a step while a camera moves."""
MOVING = 0.15
"""Time after its last motion for which a camera counts as moving."""


def render_due(now: float, last: float, render_seconds: float) -> bool:
    """Whether the picture should be rendered again, if that was last requested at time `last`."""
    return now - last >= max(MIN_PERIOD, render_seconds / IDLE_SHARE)


def training_waits(now: float, last_motion: float, waited: float) -> bool:
    """Whether training should wait a little longer before its next step."""
    return now - last_motion < MOVING and waited < MAX_WAIT


class Pacer:
    """Requests renders between two training steps, and leaves waiting renders time to take the trainer's lock."""

    def __init__(self) -> None:
        self._requested_at = 0.0

    def after_step(self, viewer: Viewer, step: int) -> None:
        """Pace the viewer after a step; the trainer's lock must be free."""
        viewer.step = step
        machines = list(viewer.render_statemachines.values())
        if not machines:
            return
        now = began = time.time()
        while training_waits(now, viewer.last_move_time, now - began):
            time.sleep(0.01)
            now = time.time()
        # nerfstudio's figure includes the wait for the lock, so this is an upper bound of a render's duration.
        event = GLOBAL_BUFFER["events"].get(EventName.VIS_RAYS_PER_SEC.value, {"avg": math.inf})
        if render_due(now, self._requested_at, viewer.control_panel.max_res**2 * 0.6 / max(float(event["avg"]), 1.0)):
            self._requested_at = now
            viewer.update_step(step)
            for machine in machines:
                machine.action(RenderAction("step", viewer.get_camera_state(machine.client)))
        time.sleep(1e-4)  # Without it training takes the lock again before another thread wakes up.
