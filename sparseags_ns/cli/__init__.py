"""The `sparseags` command. Each module of this folder is a subcommand: it parses arguments, calls the library, prints.

The help text stands here as plain strings and only the module of the chosen subcommand is imported: `sparseags --help`
answers in a tenth of a second, where torch alone takes two seconds to import.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module

from sparseags_ns import __version__

MISUSED = 2
"""Exit status of a command line that cannot be understood, as argparse and tyro have it."""

COMMANDS = {
    "demo": "Find cameras and a splat from photographs of a sample object alone, and compare with the truth.",
    "train": "Make a splat and refined cameras from photographs: the short form of ns-train sparseags.",
    "view": "Open a run in the web viewer.",
    "report": "Write the HTML page about a run: what came out, what was decided and why, what to trust.",
    "export": "Write cameras, splat, mesh, video, depth or masks of a run, as other programs read them.",
    "eval": "Compare refined cameras, and the novel views of a run, with the truth.",
    "prepare": "Find masks and initial poses of photographs, and show what training would start from.",
    "poses": "Find the cameras of photographs and write them for other programs, with the confidence in each.",
    "sample": "Make a sample scene with known truth.",
    "doctor": "Check the environment, devices, weights and system; exit status 1 where training would not run.",
}
"""Subcommands; each is the class of that name, capitalised, in the module of that name."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the `sparseags` command.

    Args:
        arguments: without the program's name; those of this process if None.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    own = given.index("--") if "--" in given else len(given)  # what follows is passed on
    if "--verbose" in given[:own]:
        given = [word for word in given[:own] if word != "--verbose"] + given[own:]
        os.environ["SPARSEAGS_VERBOSE"] = "1"  # console.VERBOSE, which is imported later
    # Waiting OpenMP threads would otherwise spin and take the time of the threads that work (set before torch loads).
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if not given or given[0] in ("-h", "--help"):
        print(help_text())
        sys.exit(0 if given else MISUSED)
    if given[0] == "--version":
        print(f"sparseags {__version__}")
        return
    name, rest = given[0], given[1:]
    if name not in COMMANDS:
        sys.exit(_misuse(f"unknown command {name!r}; expected one of {', '.join(COMMANDS)}"))
    try:
        _run(name, rest)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("sparseags_ns"):
            raise
        what = f"`sparseags {name}` needs the package {error.name}, which is not installed"
        sys.exit(f"sparseags: error: {what}; pip install 'sparseags_ns[all]' brings everything (docs/installation.md)")
    except (ValueError, OSError) as error:
        from sparseags_ns.console import printable

        sys.exit(f"sparseags: error: {printable(str(error))}")
    except KeyboardInterrupt:
        from sparseags_ns.signals import exit_by_signal

        print("sparseags: interrupted", file=sys.stderr)
        exit_by_signal(signal.SIGINT)


def help_text() -> str:
    """The answer to `sparseags --help`."""
    width = max(map(len, COMMANDS))
    commands = "\n".join(f"  {name:<{width}}  {what}" for name, what in COMMANDS.items())
    return f"""usage: sparseags COMMAND [ARGUMENTS]

A Gaussian splat and its cameras, refined together from a few photographs.

{commands}

  sparseags COMMAND --help   the arguments of a command
  --verbose                  before or after any command: show the messages of other packages too
  --version                  print the version"""


def _run(name: str, arguments: list[str]) -> None:
    """Import one subcommand, parse its arguments and run it."""
    own = arguments.index("--") if "--" in arguments else len(arguments)
    arguments, passed_on = arguments[:own], arguments[own + 1 :]
    import tyro

    from sparseags_ns import console

    if not console.is_verbose():
        console.hide_package_warnings()
    command = getattr(import_module(f"sparseags_ns.cli.{name}"), name.capitalize())
    prog = f"sparseags {name}"
    if getattr(command, "PASSES_ON", False):
        parsed, unknown = tyro.cli(command, prog=prog, args=arguments, return_unknown_args=True)
        parsed.run([*unknown, *passed_on])
    elif passed_on:
        sys.exit(_misuse(f"{prog} takes nothing after --"))
    else:
        tyro.cli(command, prog=prog, args=arguments).run()


def _misuse(message: str) -> int:
    print(f"sparseags: error: {message}", file=sys.stderr)
    return MISUSED
