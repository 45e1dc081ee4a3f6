"""Wall time by phase of a run."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


class PhaseClock:
    """Adds up seconds by phase; a phase inside another one stops the outer phase's clock."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._phase: str | None = None
        self._since = 0.0

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Count the time inside as `name`'s."""
        outer = self._switch(name)
        try:
            yield
        finally:
            self._switch(outer)

    def seconds(self) -> dict[str, float]:
        """Seconds by phase up to now, the running phase included."""
        self._switch(self._phase)
        return dict(self._seconds)

    def add(self, seconds: Mapping[str, float]) -> None:
        """Add what an earlier process of the same run took."""
        for name, value in seconds.items():
            self._seconds[name] = self._seconds.get(name, 0.0) + value

    def _switch(self, name: str | None) -> str | None:
        now = time.monotonic()
        if self._phase is not None:
            self._seconds[self._phase] = self._seconds.get(self._phase, 0.0) + now - self._since
        previous, self._phase, self._since = self._phase, name, now
        return previous
