"""Takes the power from a disk after a save, and opens what is left: `python -m tests.faults.power_loss` (root, Linux).

The disk is an ext4 file system in a file. Its `shutdown` call makes it forget all that has not been flushed.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults.toy_saves import STEPS, begin, fault_of, save

SHUTDOWN, NOTHING_MORE = 0x8004587D, (2).to_bytes(4, sys.byteorder)
"""EXT4_IOC_SHUTDOWN, and its flag for a loss of what stands in the journal but not on the disk."""
DELAYS_S = (0.0, 0.0, 0.2, 1.0, 6.0)
MEGABYTES = 48


class NoDiskError(RuntimeError):
    """No disk image can be mounted here."""


@contextmanager
def disk(work: Path) -> Iterator[tuple[Path, Path]]:
    """An image with an ext4 file system, and the folder where it is mounted.

    Raises:
        NoDiskError: this needs root, mkfs.ext4 and loop devices.
    """
    image, mounted = work / "disk.img", work / "disk"
    mounted.mkdir()
    with image.open("wb") as file:
        file.truncate(MEGABYTES << 20)
    try:
        _run("mkfs.ext4", "-q", str(image))
        _run("mount", "-o", "loop", str(image), str(mounted))
    except (OSError, subprocess.CalledProcessError) as error:
        raise NoDiskError(str(error)) from error
    try:
        yield image, mounted
    finally:
        _run("umount", str(mounted))


def lose_power(image: Path, mounted: Path) -> None:
    """Cut the power of a mounted disk, and mount it again, as after a restart."""
    folder = os.open(mounted, os.O_RDONLY)
    fcntl.ioctl(folder, SHUTDOWN, NOTHING_MORE)
    os.close(folder)
    _run("umount", str(mounted))
    _run("mount", "-o", "loop", str(image), str(mounted))


def fault_after(delay_s: float) -> str | None:
    """What is wrong with a run whose second save was done so many seconds before the power failed; None if nothing."""
    with tempfile.TemporaryDirectory() as work, disk(Path(work)) as (image, mounted):
        run = mounted / "outputs" / "photos" / "sparseags" / "now"
        begin(run)
        save(run, STEPS[1])
        time.sleep(delay_s)
        lose_power(image, mounted)
        return fault_of(run)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


if __name__ == "__main__":
    results = [(delay, fault_after(delay)) for delay in DELAYS_S]
    for delay, fault in results:
        print(f"power lost {delay:g} s after a save: {fault or 'the save is whole'}")
    sys.exit(any(fault for _, fault in results))
