"""Times that can be compared between machines and between busy and idle hours.

CPU time of this process, the least of several runs, in units of a yardstick: a fixed piece of numpy work, vectorised
arithmetic on data that fits the cache, timed again and again between the runs that it measures.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

_SOURCE = np.linspace(-4.0, 0.0, 100_000, dtype=np.float32)


def yardstick_work() -> float:
    """The fixed work: polynomials and exponentials over 100,000 floats, 10 times."""
    total = 0.0
    for _ in range(10):
        values = np.exp(_SOURCE)
        for _ in range(8):
            values = values * _SOURCE + 0.5
        total += float(values[::1000].sum())
    return total


def cpu_seconds(work: Callable[[], object]) -> float:
    """CPU time of one run."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


def wall_seconds(work: Callable[[], object]) -> float:
    """Wall-clock time of one run."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


class Yardstick:
    """The least CPU time of the fixed work seen so far in this process."""

    def __init__(self) -> None:
        self.seconds = min(cpu_seconds(yardstick_work) for _ in range(10))

    def again(self) -> None:
        """Measure once more."""
        self.seconds = min(self.seconds, cpu_seconds(yardstick_work))


def least(
    work: Callable[[], object],
    yardstick: Yardstick,
    *,
    seconds: float = 0.6,
    clock: Callable[[Callable[[], object]], float] = cpu_seconds,
) -> float:
    """Least time of `work` over 3 runs or more, for about `seconds`; the yardstick is measured in between."""
    best, spent, runs = float("inf"), 0.0, 0
    while runs < 3 or spent < seconds:
        yardstick.again()
        time_of_run = clock(work)
        best, spent, runs = min(best, time_of_run), spent + time_of_run, runs + 1
    return best
