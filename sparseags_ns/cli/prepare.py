"""`sparseags prepare`: masks, poses and working photographs of a scene, without training."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image
from rich.console import Console
from rich.table import Table
from tyro.conf import OmitArgPrefixes, Positional

from sparseags_ns.data.reading import ReadingOptions, ReadScene, read_scene
from sparseags_ns.export.contact_sheet import save_image
from sparseags_ns.export.preparation import preparation_picture
from sparseags_ns.geometry.alignment import normalizing_similarity
from sparseags_ns.preprocess.mask_checks import mask_complaints
from sparseags_ns.preprocess.store import store_of
from sparseags_ns.views import Views

PICTURE = "prepare.png"


@dataclass
class Prepare:
    """Find masks and initial poses of photographs, and show what training would start from."""

    data: Positional[Path]
    """Folder of the photographs, or a video."""
    reading: OmitArgPrefixes[ReadingOptions] = field(default_factory=ReadingOptions)
    output: Path | None = None
    """Where the picture goes; by default to prepare.png beside what is kept (sparseags/ in the data folder)."""

    def run(self) -> None:
        """Read, draw, print."""
        scene = read_scene(self.data, self.reading)
        complaints = _complaints(scene)
        path = self.output or store_of(self.data.expanduser(), self.reading.cache_dir).new_file(PICTURE)
        picture = _picture(scene, complaints)
        path.parent.mkdir(parents=True, exist_ok=True)
        save_image(picture, path)
        console = Console(soft_wrap=True)
        console.print(_table(scene, complaints))
        console.print(f"Poses from:  {scene.pose_source}")
        console.print(f"Masks:       {scene.mask_plan.way}")
        if scene.views.points is not None:
            console.print(f"Points:      {len(scene.views.points)}")
        console.print(f"Picture:     {path}")


def _complaints(scene: ReadScene) -> list[list[str]]:
    """What is suspicious about each mask; nothing where there are none."""
    if scene.mask_plan.way == "none":
        return [[] for _ in scene.views.names]
    return [mask_complaints(mask) for mask in scene.views.masks]


def _picture(scene: ReadScene, complaints: list[list[str]]) -> Image.Image:
    """The picture, in the normalised world."""
    views = scene.views.moved(normalizing_similarity(scene.views.cameras.T_camera_world[scene.views.posed]))
    return preparation_picture(views, scene.confidence, [bool(found) for found in complaints])


def _table(scene: ReadScene, complaints: list[list[str]]) -> Table:
    """One line for each photograph."""
    views = scene.views
    table = Table(title=f"{len(views)} photographs at {views.cameras.width} x {views.cameras.height} pixels")
    for column in ("photograph", "mask", "focal, px", "pose", "confidence", "remarks"):
        table.add_column(column)
    for row in range(len(views)):
        table.add_row(*_row(views, row, float(scene.confidence[row]), complaints[row]))
    return table


def _row(views: Views, row: int, sure: float, complaints: list[str]) -> tuple[str, ...]:
    placed = "trusted" if views.trusted[row] else "not trusted"
    remarks = [f"mask {complaint}" for complaint in complaints]
    if row in views.unposed:
        remarks.append("training looks for its place")
    return (
        views.names[row],
        f"{float(views.masks[row].mean()):.0%}",
        f"{float(views.cameras.K[row, 0, 0]):.0f}",
        "none" if row in views.unposed else "kept" if views.held[row] else placed,
        f"{sure:.2f}",
        "; ".join(remarks),
    )
