"""`sparseags doctor`: the state of the environment, devices, weights and system, and how to mend what is missing."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from rich.text import Text

from sparseags_ns.console import PlainConsole, printable

if TYPE_CHECKING:
    from sparseags_ns.doctor.checks import Check

SIGNS = {"ok": ("✓", "green"), "note": ("·", "yellow"), "missing": ("-", "yellow"), "wrong": ("✗", "bold red")}
"""Sign and style of each state."""


@dataclass
class Doctor:
    """Check the environment, devices, weights and system; exit status 1 where training would not run."""

    json: bool = False
    """Print JSON instead of lines."""

    def run(self) -> None:
        """Run the checks, print the results, exit."""
        try:
            from sparseags_ns import __version__
            from sparseags_ns.doctor import examine
            from sparseags_ns.doctor.checks import to_json, works

            checks = examine()
        except ImportError as error:
            sys.exit(f"sparseags: error: {error}; install what is missing: pip install -c constraints.txt -e .")
        if self.json:
            print(json.dumps(to_json(checks, __version__), indent=2))
        else:
            print_checks(checks, PlainConsole())
        sys.exit(0 if works(checks) else 1)


def print_checks(checks: list[Check], console: PlainConsole) -> None:
    """Print one line for each check, with its remedy below it."""
    width = max(len(check.name) for check in checks)
    for group, members in groupby(checks, lambda check: check.group):
        console.print(Text(group, "bold"))
        for check in members:
            sign, style = ("✗", "bold red") if check.stops else SIGNS[check.state]
            console.print(Text.assemble("  ", (sign, style), printable(f" {check.name:<{width}}  {check.found}")))
            if check.fix:
                console.print(Text.assemble(" " * (width + 6), ("→ ", "dim"), printable(check.fix)))
    stopping = [check.name for check in checks if check.stops]
    console.print()
    if stopping:
        console.print(Text(f"The main job does not run here: {', '.join(stopping)}.", "bold red"))
    else:
        console.print(Text("The main job runs here: ns-train sparseags --data DIR", "bold green"))
