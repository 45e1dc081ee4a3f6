"""Times that can be compared between machines and between busy and idle hours.

CPU time of this process, the least of several runs, in units of a yardstick: a fixed piece of numpy work, vectorised
arithmetic on data that fits the cache, timed again and again between the runs that it measures.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Timing:
    """The least time of several runs of some work, in seconds and in yardsticks."""

    seconds: float
    yardsticks: float

    def each(self, count: int) -> Timing:
        """The time of one of `count` equal parts of the work."""
        return Timing(self.seconds / count, self.yardsticks / count)


def yardstick_seconds() -> float:
    """Least CPU time of the fixed work over 20 runs, a tenth of a second."""
    return min(cpu_seconds(yardstick_work) for _ in range(20))


def least(
    work: Callable[[], object], *, seconds: float = 0.6, clock: Callable[[Callable[[], object]], float] = cpu_seconds
) -> Timing:
    """Least time of `work` over 4 runs or more, for about `seconds`, after one that does not count.

    The yardstick is measured between the runs, so that what slows both (a neighbour on the machine) cancels.
    """
    work()
    best, yardstick, spent, runs = float("inf"), float("inf"), 0.0, 0
    while runs < 4 or spent < seconds:
        yardstick = min(yardstick, *(cpu_seconds(yardstick_work) for _ in range(3)))
        time_of_run = clock(work)
        best, spent, runs = min(best, time_of_run), spent + time_of_run, runs + 1
    return Timing(best, best / yardstick)
