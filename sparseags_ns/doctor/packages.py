"""Python and its packages against what the project asks for, and against the versions that were tested together."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, entry_points, requires, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from sparseags_ns.doctor.checks import Check

GROUP = "Environment"
PYTHONS = ((3, 10), (3, 12))
"""The first and the last that are supported."""
SHOWN = ("torch", "torchvision", "nerfstudio", "gsplat", "viser", "numba", "numpy")
"""Packages with a line of their own even where all is well."""
METHOD_GROUP = "nerfstudio.method_configs"


def python_check(found: tuple[int, int] | None = None) -> Check:
    """Whether this Python is one of the supported."""
    inside = PYTHONS[0] <= (found or sys.version_info[:2]) <= PYTHONS[1]
    fix = (
        "" if inside else "make the environment with Python 3.10, 3.11 or 3.12: PYTHON=python3.12 bash scripts/setup.sh"
    )
    said = f"{platform.python_version()} ({sys.executable})"
    return Check(GROUP, "python", "ok" if inside else "wrong", said, fix, needed=True)


def package_checks(
    requirements: Iterable[Requirement] | None = None, pins: dict[str, str] | None = None
) -> list[Check]:
    """Each package that the project asks for; those as tested, but for the best known, in one line."""
    requirements = _requirements() if requirements is None else requirements
    pins = _pins() if pins is None else pins
    checks = [_package(requirement, pins.get(canonicalize_name(requirement.name))) for requirement in requirements]
    quiet = [check for check in checks if check.state == "ok" and check.name not in SHOWN]
    loud = sorted((check for check in checks if check not in quiet), key=_rank)
    if quiet:
        loud.append(
            Check(GROUP, f"{len(quiet)} other packages", "ok", ", ".join(sorted(check.name for check in quiet)))
        )
    return loud


def method_check() -> Check:
    """Whether nerfstudio's commands find the method."""
    if any(entry.name == "sparseags" for entry in entry_points(group=METHOD_GROUP)):
        return Check(GROUP, "ns-train sparseags", "ok", "nerfstudio finds the method", needed=True)
    fix = "install the project itself: pip install -c constraints.txt -e ."
    return Check(GROUP, "ns-train sparseags", "missing", "the method's entry point is not installed", fix, needed=True)


def _package(requirement: Requirement, tested: str | None) -> Check:
    """One package against the range that is asked for and the version that was tested."""
    name = requirement.name
    wanted = f"{name}=={tested}" if tested else str(requirement)
    try:
        found = version(name)
    except PackageNotFoundError:
        return Check(GROUP, name, "missing", "not installed", f"pip install '{wanted}'", needed=True)
    if not requirement.specifier.contains(found, prereleases=True):
        said = f"{found}, asked for is {requirement.specifier}"
        return Check(GROUP, name, "wrong", said, f"pip install '{wanted}'", needed=True)
    if tested is not None and found.partition("+")[0] != tested:
        return Check(GROUP, name, "note", f"{found}, tested with {tested}", f"pip install '{wanted}'", needed=True)
    return Check(GROUP, name, "ok", found, needed=True)


def _requirements() -> list[Requirement]:
    """What the installed project asks for, without extras."""
    found = [Requirement(line) for line in requires("sparseags_ns") or ()]
    return [one for one in found if one.marker is None or one.marker.evaluate({"extra": ""})]


def _pins() -> dict[str, str]:
    """The tested versions, where the project lies beside its constraints.txt; else none are known."""
    file = Path(__file__).parents[2] / "constraints.txt"
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    here = [pin for pin in pins if pin.marker is None or pin.marker.evaluate()]
    return {canonicalize_name(pin.name): str(pin.specifier)[2:] for pin in here}


def _rank(check: Check) -> int:
    return SHOWN.index(check.name) if check.name in SHOWN else len(SHOWN)
