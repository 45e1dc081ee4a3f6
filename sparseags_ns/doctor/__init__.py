"""What is on this machine, what is missing, and how to get it. Nothing is installed or fetched."""

from __future__ import annotations

from sparseags_ns.doctor import environment
from sparseags_ns.doctor.checks import Check
from sparseags_ns.doctor.optional import optional_checks


def examine() -> list[Check]:
    """All checks, in the order in which they are shown.

    Takes a few seconds; twenty more where the CPU kernels are not compiled yet.
    """
    return [
        environment.python_check(),
        *environment.package_checks(),
        environment.method_check(),
        *environment.device_checks(),
        *environment.kernel_checks(),
        *environment.gsplat_checks(),
        *environment.library_checks(),
        *environment.tool_checks(),
        *environment.folder_checks(),
        *optional_checks(),
    ]
