"""The result of one check, and of all checks together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

State = Literal["ok", "note", "missing", "wrong"]
"""Result of a check: as tested; usable but not as tested; absent; present but not usable."""


@dataclass(frozen=True)
class Check:
    """What was found, and the command or change that mends it."""

    group: str
    name: str
    state: State
    found: str
    fix: str = ""
    needed: bool = False
    """Whether the main job, from photographs to splat and cameras, needs it."""

    @property
    def stops(self) -> bool:
        """Whether this keeps the main job from running."""
        return self.needed and self.state in ("missing", "wrong")


def works(checks: Sequence[Check]) -> bool:
    """Whether the main job runs here."""
    return not any(check.stops for check in checks)


def to_json(checks: Sequence[Check], version: str) -> dict[str, Any]:
    """All checks as plain values for JSON."""
    return {"sparseags_ns": version, "works": works(checks), "checks": [asdict(check) for check in checks]}
