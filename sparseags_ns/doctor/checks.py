"""One thing that was looked at, and all of them together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

State = Literal["ok", "note", "missing", "wrong"]
"""As it should be; works, but not as tested; not there; there, but not usable."""


@dataclass(frozen=True)
class Check:
    """What was found, and the one line that mends it."""

    group: str
    name: str
    state: State
    found: str
    fix: str = ""
    needed: bool = False
    """Whether the main job, photographs to splat and cameras, does not run without."""

    @property
    def stops(self) -> bool:
        """Whether this keeps the main job from running."""
        return self.needed and self.state in ("missing", "wrong")


def works(checks: Sequence[Check]) -> bool:
    """Whether the main job runs here."""
    return not any(check.stops for check in checks)


def to_json(checks: Sequence[Check], version: str) -> dict[str, Any]:
    """Plain values."""
    return {"sparseags_ns": version, "works": works(checks), "checks": [asdict(check) for check in checks]}
