"""`sparseags poses`: the cameras that training would start from, in the formats of other programs (docs/pose_init.md).

Cameras of which the initialiser is not sure are shown and not written, unless they are allowed: other programs would
trust them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

from rich.table import Table
from tyro.conf import OmitArgPrefixes, Positional, arg

from sparseags_ns.console import PlainConsole, announce
from sparseags_ns.export.destination import new_folder, require_free
from sparseags_ns.export.found_cameras import write_found_cameras
from sparseags_ns.preprocess.photo_files import listed
from sparseags_ns.scene.finding import UNREGISTERED, FindingOptions, FoundScene, describe_alternatives, require_sure
from sparseags_ns.scene.reading import find_cameras


@dataclass
class Poses:
    """Find the cameras of photographs and write them for other programs, with the confidence in each."""

    photos: Annotated[Positional[Path], arg(metavar="PHOTOS")]
    """Folder of the photographs, or a video."""
    output: Path
    """Folder to write: transforms.json, cameras.json, and a COLMAP model in sparse/0."""
    finding: OmitArgPrefixes[FindingOptions] = field(default_factory=FindingOptions)
    overwrite: bool = False
    """Replace an earlier export."""

    def run(self) -> None:
        """Find the cameras, print the table, write.

        Raises:
            PoseInitError, PoseFileError: there are no cameras, or the initialiser is not sure of them; nothing is
                written.
            ValueError: the photographs cannot be used, or the folder must not be written.
        """
        path = require_free(self.output, self.overwrite, ())
        found = find_cameras(self.photos, replace(self.finding, pose_init_uncertain="allow"))
        console = PlainConsole()
        console.print(_table(found))
        console.print(f"Poses from:   {found.pose_source}")
        if found.initial is not None:
            if found.initial.alternatives:
                console.print(f"Alternatives: {describe_alternatives(found.initial)}")
            if self.finding.pose_init_uncertain == "refuse":
                require_sure(found.paths, found.initial, "refuse")
        left_out = [file.path.name for file in found.files if not file.frame.trusted]
        if left_out:
            announce(f"left out: {listed(left_out)}", "they have no pose that is trusted")
        record = {"kind": "poses", "photographs": str(self.photos)}
        with new_folder(path, record) as work:
            record |= write_found_cameras(work, found, path)
        written = len(found.files) - len(left_out)
        console.print(f"{path}  ({written} cameras of the original photographs)")


def _table(found: FoundScene) -> Table:
    """Table with one row for each photograph."""
    table = Table(title=f"{len(found.files)} photographs")
    for column in ("photograph", "focal, px", "pose", "confidence"):
        table.add_column(column)
    for file in found.files:
        name, focal = file.path.name, f"{file.frame.intrinsics[0]:.0f}"
        if file.frame.extra.get(UNREGISTERED):
            table.add_row(name, "-", "none", "-")
        else:
            table.add_row(name, focal, "found" if file.frame.trusted else "not trusted", f"{file.confidence:.2f}")
    return table
