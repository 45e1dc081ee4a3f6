"""`sparseags prepare`: masks, poses and working photographs of a scene, without training.

Where no poses can be found, or the given ones cannot be used, or the initialiser is not sure of them, no training can
start: the command then ends with exit status 1 and names the reason. Before that it makes and shows everything else,
doubtful cameras too, so that all can be checked and mended; the results are kept and found again once there are poses.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from rich.table import Table
from tyro.conf import OmitArgPrefixes, Positional

from sparseags_ns.console import PlainConsole, warn, without_repeats
from sparseags_ns.formats.frame import PoseFileError
from sparseags_ns.formats.mask_keys import MASK_KEY
from sparseags_ns.geometry.alignment import normalizing_similarity
from sparseags_ns.pose_init.base import PoseInitError
from sparseags_ns.preprocess.mask_plan import SHEET
from sparseags_ns.preprocess.masks import mask_complaints
from sparseags_ns.preprocess.store import store_of
from sparseags_ns.runs.contact_sheet import save_image
from sparseags_ns.scene.finding import describe_alternatives, require_sure
from sparseags_ns.scene.preparation_sheet import preparation_sheet
from sparseags_ns.scene.reading import ReadingOptions, ReadScene, read_scene, read_unposed_scene
from sparseags_ns.storage import require_place

PICTURE = "prepare.png"
NO_POSES = "nowhere: no training can start"
_NO_START = {
    PoseInitError: "there are no poses to start from",
    PoseFileError: "the pose file cannot be used, so there are no poses to start from",
}


@dataclass
class Prepare:
    """Find masks and initial poses of photographs, and show what training would start from."""

    data: Positional[Path]
    """Folder of the photographs, or a video."""
    reading: OmitArgPrefixes[ReadingOptions] = field(default_factory=ReadingOptions)
    output: Path | None = None
    """File of the picture; by default prepare.png in the folder of kept results (sparseags/ in the data folder)."""

    @without_repeats()
    def run(self) -> None:
        """Read the scene, draw the picture, print the table.

        Raises:
            PoseInitError, PoseFileError: there are no cameras to start from, or they are refused; raised after
                everything else is shown.
            ValueError: photographs or masks cannot be used, or the picture cannot be written where it is asked for.
        """
        output = None if self.output is None else require_place(self.output, folder=False)
        no_poses: ValueError | None = None
        try:
            scene = read_scene(self.data, replace(self.reading, pose_init_uncertain="allow"))
        except (PoseInitError, PoseFileError) as error:
            warn(_NO_START[type(error)], "the reason stands at the end; the rest is prepared all the same")
            try:
                scene, no_poses = read_unposed_scene(self.data, self.reading), error
            except ValueError as other:
                warn("the rest cannot be prepared either", str(other))
                raise error from other
        masked = scene.mask_plan.source != "none"
        complaints = [mask_complaints(mask) if masked else [] for mask in scene.views.masks]
        store = store_of(self.data.expanduser(), self.reading.cache_dir)
        path = output or store.new_file(PICTURE)
        views, posed = scene.views, scene.views.posed
        if posed.any():  # The picture shows the cameras in the normalised world.
            views = views.moved(normalizing_similarity(views.cameras.T_camera_world[posed]))
        save_image(preparation_sheet(views, scene.confidence, [bool(found) for found in complaints]), path)
        console = PlainConsole()
        console.print(_table(scene, complaints))
        console.print(f"Poses from:  {scene.pose_source if no_poses is None else NO_POSES}")
        if scene.initial is not None and scene.initial.alternatives:
            console.print(f"Alternatives: {describe_alternatives(scene.initial)}")
        console.print(f"Masks:       {_masks(scene)}")
        if scene.mask_plan.computed:
            console.print(f"Mask sheet:  {store.folder / SHEET}")
        if scene.views.points is not None:
            console.print(f"Points:      {len(scene.views.points)}")
        console.print(f"Picture:     {path}")
        if no_poses is not None:
            raise no_poses
        if scene.initial is not None and self.reading.pose_init_uncertain == "refuse":
            require_sure(scene.views.paths, scene.initial, "refuse")


def _masks(scene: ReadScene) -> str:
    """Source and folder of the masks."""
    plan = scene.mask_plan
    if plan.folder is None:
        return f"{plan.source}, whole photographs"
    if plan.computed:
        return f"{plan.source}, kept in {plan.folder}"
    words = {"alpha": "transparency", "folder": f"{plan.folder}", "pose file": MASK_KEY, "beside": "beside photographs"}
    return ", ".join([plan.source, *(text for source, text in words.items() if scene.mask_sources.get(source))])


def _table(scene: ReadScene, complaints: list[list[str]]) -> Table:
    """Table with one row for each photograph."""
    views, any_posed = scene.views, bool(scene.views.posed.any())
    table = Table(title=f"{len(views)} photographs at {views.cameras.width} x {views.cameras.height} pixels")
    for column in ("photograph", "mask", "focal, px", "pose", "confidence", "remarks"):
        table.add_column(column)
    for row, name in enumerate(views.names):
        remarks = [f"mask {complaint}" for complaint in complaints[row]]
        if not any_posed:
            focal, pose, confidence = "-", "none", "-"
        else:
            focal, confidence = f"{float(views.cameras.K[row, 0, 0]):.0f}", f"{float(scene.confidence[row]):.2f}"
            pose = "trusted" if views.trusted[row] else "not trusted"
            if row in views.unposed:
                pose = "none"
                remarks.append("training searches for its pose")
            elif views.fixed[row]:
                pose = "fixed"
        mask = f"{float(views.masks[row].mean()):.0%}"
        table.add_row(name, mask, focal, pose, confidence, "; ".join(remarks))
    return table
