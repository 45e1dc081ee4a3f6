"""All checks in the order in which they are shown."""

from __future__ import annotations

from sparseags_ns.doctor.checks import Check
from sparseags_ns.doctor.devices import device_checks, gsplat_checks, kernel_checks
from sparseags_ns.doctor.packages import method_check, package_checks, python_check
from sparseags_ns.doctor.system import folder_checks, library_checks, tool_checks
from sparseags_ns.doctor.weights import weight_checks


def examine() -> list[Check]:
    """Look at everything. Takes a few seconds; twenty more where the CPU kernels are not compiled yet."""
    return [
        python_check(),
        *package_checks(),
        method_check(),
        *device_checks(),
        *kernel_checks(),
        *gsplat_checks(),
        *library_checks(),
        *tool_checks(),
        *folder_checks(),
        *weight_checks(),
    ]
