"""The `sparseags` command. Each module parses the arguments of one subcommand, calls the library, and prints."""

from __future__ import annotations

import os
import sys

INTERRUPTED = 130
"""Exit status of a command that was interrupted from the keyboard, as shells have it."""


def main() -> None:
    """Entry point of the `sparseags` command."""
    # Waiting OpenMP threads would otherwise spin and take the time of the threads that work (set before torch loads).
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        import tyro

        from sparseags_ns.cli.demo import Demo
        from sparseags_ns.cli.doctor import Doctor
        from sparseags_ns.cli.eval import Eval
        from sparseags_ns.cli.export import Export
        from sparseags_ns.cli.prepare import Prepare
        from sparseags_ns.cli.report import Report
        from sparseags_ns.cli.sample import Sample
        from sparseags_ns.cli.view import View
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("sparseags_ns"):
            raise
        # `sparseags doctor` cannot say it: it is one of the commands that do not load.
        sys.exit(f"sparseags: error: {error}; install what is missing: pip install -c constraints.txt -e .")

    commands = {
        "demo": Demo,
        "doctor": Doctor,
        "eval": Eval,
        "export": Export,
        "prepare": Prepare,
        "report": Report,
        "sample": Sample,
        "view": View,
    }
    command = tyro.extras.subcommand_cli_from_dict(commands, prog="sparseags", description=__doc__)
    try:
        command.run()
    except (ValueError, OSError) as error:
        sys.exit(f"sparseags: error: {error}")
    except KeyboardInterrupt:
        print("sparseags: interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
