"""Applies viewer/pacing.py to nerfstudio's viewer, between two training steps."""

from __future__ import annotations

import time

from nerfstudio.utils.writer import GLOBAL_BUFFER, EventName
from nerfstudio.viewer.render_state_machine import RenderAction
from nerfstudio.viewer.viewer import Viewer

from sparseags_ns.viewer.pacing import render_due, waits


class Pacer:
    """Asks for renders, and lets those that wait for the trainer's lock have it."""

    def __init__(self) -> None:
        self._asked_at = 0.0

    def after_step(self, viewer: Viewer, step: int) -> None:
        """A step was made, and the lock is free."""
        viewer.step = step
        machines = list(viewer.render_statemachines.values())
        if not machines:
            return
        now = began = time.time()
        while waits(now, viewer.last_move_time, now - began):
            time.sleep(0.01)
            now = time.time()
        if render_due(now, self._asked_at, _render_seconds(viewer)):
            self._asked_at = now
            viewer.update_step(step)
            for machine in machines:
                machine.action(RenderAction("step", viewer.get_camera_state(machine.client)))
        time.sleep(1e-4)  # Without it the lock would be taken again before anyone wakes up.


def _render_seconds(viewer: Viewer) -> float:
    """What a render took lately, from the time it waits for the lock on: an upper bound."""
    event = GLOBAL_BUFFER["events"].get(EventName.VIS_RAYS_PER_SEC.value)
    return 0.0 if event is None else viewer.control_panel.max_res**2 * 0.6 / max(float(event["avg"]), 1.0)
