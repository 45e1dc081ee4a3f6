"""How a viewer and a training run share a machine. Pure.

nerfstudio paces renders by rays of light, of which a step here has none; on CPU its rule never lets one through. Here
renders that nobody asked for (new steps were made) may take a small share of the time, renders that somebody waits for
(the camera moves) come first for a moment, and steps go on in any case.

Units: seconds.
"""

from __future__ import annotations

IDLE_SHARE = 0.08
"""Renders may take this share of the time while nobody moves the camera."""
SHORTEST = 1.0
"""...and no two of them begin within this time."""
YIELD = 0.25
"""While the camera moves, training waits for so long before each step at most."""
MOVING = 0.15
"""The camera counts as moving for so long after its last motion."""


def render_due(now: float, last: float, render_seconds: float) -> bool:
    """Whether the picture should be brought up to date.

    Args:
        now: the present time.
        last: when it was asked for last.
        render_seconds: what a render takes.
    """
    return now - last >= max(SHORTEST, render_seconds / IDLE_SHARE)


def waits(now: float, last_motion: float, waited: float) -> bool:
    """Whether training should wait a little longer before its next step."""
    return now - last_motion < MOVING and waited < YIELD
