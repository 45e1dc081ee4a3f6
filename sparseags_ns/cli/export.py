"""`sparseags export RUN KIND`: results of a run in the formats of other programs (docs/exports.md)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import torch
from tyro.conf import OmitArgPrefixes, Positional, arg, subcommand

from sparseags_ns.console import PlainConsole, announce, progress, warn
from sparseags_ns.export import maps
from sparseags_ns.export.cameras import Background, kept_views, write_cameras
from sparseags_ns.export.destination import ExportError, new_file, new_folder, require_free
from sparseags_ns.export.mesh import MeshSettings, make_mesh
from sparseags_ns.export.orientation import Orient, OrientedRun, oriented, warn_of_float32
from sparseags_ns.export.reprojection import reprojection_frames, write_slides
from sparseags_ns.export.splat import write_splat
from sparseags_ns.export.turntable import render_frames, turntable_cameras, write_video
from sparseags_ns.export.visible import Progress as Report
from sparseags_ns.runs.opening import OpenedRun, open_run, run_folder

EXPORTS = "exports"
"""Default folder inside the run's folder."""


@dataclass(kw_only=True)
class Kind:
    """A kind of export."""

    output: Path | None = None
    """File or folder to write; by default inside exports/ in the run's folder."""
    overwrite: bool = False
    """Replace an earlier export."""

    default: ClassVar[str]
    """Default name inside exports/."""
    endings: ClassVar[tuple[str, ...]] = ()
    """Allowed endings of a file; none for a folder."""

    def destination(self, run: Path) -> Path:
        """The path to write.

        Raises:
            ExportError: it must not be written: it exists, or has another ending.
        """
        path = self.output or run_folder(run) / EXPORTS / self.default
        return require_free(path, self.overwrite, self.endings)

    def write(self, run: OpenedRun, path: Path) -> str:
        """Write the export; returns a description of it in a few words."""
        raise NotImplementedError


@dataclass(kw_only=True)
class InFrame(Kind):
    """A kind of export with a coordinate frame to choose."""

    orient: Orient = "world"
    """Frame: the run's world; given, that of the given poses; or the run's world rotated so that the up direction of
    the refined cameras is +y (y-up), -y (y-down) or +z (z-up)."""


@dataclass(kw_only=True)
class OfViews(Kind):
    """A kind of export with a part for each view."""

    untrusted: bool = False
    """Include views that are not trusted. Other programs would trust them, so they are left out otherwise."""

    @contextmanager
    def folder(self, path: Path, placed: OrientedRun, doing: str) -> Iterator[tuple[Path, dict[str, Any], Report]]:
        """A new folder to write into, the record that is written beside its content, and the report to a bar."""
        run = placed.run
        left = [name for name, good in zip(run.views.names, run.trusted.tolist(), strict=True) if not good]
        if left and not self.untrusted:
            announce(f"left out: {', '.join(left)}", "their poses are not trusted; --untrusted keeps them")
        record: dict[str, Any] = {"kind": self.default, "run": str(run.folder), "frame": placed.description}
        with new_folder(path, record) as work, progress(doing) as bar:
            yield work, record, bar.update


@dataclass(kw_only=True)
class Cameras(InFrame, OfViews):
    """Refined cameras with their photographs: transforms.json, cameras.json, COLMAP text and binary, points."""

    background: Background = "transparent"
    """Background of the exported photographs, outside of the object."""
    default = "cameras"

    def write(self, run: OpenedRun, path: Path) -> str:
        placed = oriented(run, self.orient)
        with self.folder(path, placed, "Points seen by the photographs") as (work, record, report):
            record |= write_cameras(work, placed, background=self.background, untrusted=self.untrusted, progress=report)
        return f"{len(record['views'])} cameras, {record['points']} points, {self.orient} frame"


@dataclass(kw_only=True)
class Splat(InFrame):
    """The splat as .ply."""

    sh_degree: Literal[0, 1, 2, 3] = 3
    """Degree of the spherical harmonics in the file; many viewers want 3. Coefficients that the run lacks are zero."""
    default = "splat.ply"
    endings = (".ply",)

    def write(self, run: OpenedRun, path: Path) -> str:
        with new_file(path) as work:
            count = write_splat(work, oriented(run, self.orient), self.sh_degree)
        return f"{count} Gaussians, {self.orient} frame"


@dataclass(kw_only=True)
class Mesh(InFrame):
    """A closed, coloured mesh of the object: .glb, .obj or .ply, by the output's ending."""

    settings: OmitArgPrefixes[MeshSettings] = field(default_factory=MeshSettings)
    default = "mesh.glb"
    endings = (".glb", ".obj", ".ply")

    def write(self, run: OpenedRun, path: Path) -> str:
        if self.settings.texture and path.suffix.lower() == ".ply":
            raise ExportError(f"{path} cannot hold a texture: let it end in .glb or .obj, or leave --texture out")
        if run.whole_photographs:
            warn("the run was of whole photographs", "meshes are made for objects; this one is of all that was found")
        with new_file(path) as work, ExitStack() as bars:

            def begin_stage(what: str) -> Report:
                return bars.enter_context(progress(what)).update

            mesh = make_mesh(oriented(run, self.orient), self.settings, begin_stage)
            if work.suffix.lower() != ".obj":  # text
                warn_of_float32(torch.from_numpy(mesh.vertices), f"{path.name} holds float32")
            mesh.export(str(work))
        textured = self.settings.texture > 0
        closed = "textured" if textured else "closed" if mesh.is_watertight else "not closed"
        return f"{len(mesh.vertices)} vertices, {len(mesh.faces)} faces, {closed}, {self.orient} frame"


@dataclass(kw_only=True)
class Video(Kind):
    """The object on a turntable, .mp4."""

    seconds: float = 6.0
    """Duration of one turn."""
    fps: int = 30
    """Frames per second."""
    size: int = 512
    """Side of the square video, pixels."""
    elevation: float | None = None
    """Elevation of the camera above the object's centre, degrees; that of the median photograph if left out."""
    background: Literal["white", "black"] = "white"
    """Colour behind the object."""
    default = "turntable.mp4"
    endings = (".mp4",)

    def write(self, run: OpenedRun, path: Path) -> str:
        count = max(1, round(self.seconds * self.fps))
        cameras = turntable_cameras(run, count, self.size, self.elevation)
        background = torch.full((3,), float(self.background == "white"))
        with new_file(path) as work, progress("Rendering") as bar:
            frames = render_frames(run.gaussians, cameras, run.sh_degree, background)
            write_video(work, _reported(frames, count, bar.update), self.fps)
        return f"{count} frames, {self.size}x{self.size} pixels"


@dataclass(kw_only=True)
class Depth(InFrame, OfViews):
    """Depth maps of the photographs: 16-bit PNG with a stated scale, and COLMAP's .bin."""

    default = "depth"

    def write(self, run: OpenedRun, path: Path) -> str:
        placed = oriented(run, self.orient)
        with self.folder(path, placed, "Rendering depth") as (work, record, report):
            record |= maps.write_depths(work, placed, kept_views(placed, self.untrusted), report)
        return f"{len(record['views'])} views, depth = value * {record['units_per_value']:g}"


@dataclass(kw_only=True)
class Masks(OfViews):
    """Masks of the object in the photographs, white for the object."""

    source: Literal["photographs", "splat"] = "photographs"
    """Masks that the run was trained with, or those of the splat rendered through the refined cameras."""
    colmap_names: bool = False
    """Name them NAME.png.png, as COLMAP's mask_path expects."""
    default = "masks"

    def write(self, run: OpenedRun, path: Path) -> str:
        placed = oriented(run, "world")
        with self.folder(path, placed, "Rendering") as (work, record, report):
            kept = kept_views(placed, self.untrusted)
            record |= maps.write_masks(work, placed, kept, self.source, self.colmap_names, report)
        return f"{len(record['views'])} masks of the {self.source}"


@dataclass(kw_only=True)
class Reprojection(Kind):
    """Photograph, render and their difference side by side, view by view: .mp4 or .gif."""

    seconds: float = 1.5
    """Duration of each view."""
    default = "reprojection.mp4"
    endings = (".mp4", ".gif")

    def write(self, run: OpenedRun, path: Path) -> str:
        with new_file(path) as work, progress("Rendering") as bar:
            slides = _reported(reprojection_frames(run), len(run.views), bar.update)
            write_slides(work, slides, self.seconds)
        return f"{len(run.views)} views: photograph, render, difference"


@dataclass
class Export:
    """Write cameras, splat, mesh, video, depth or masks of a run, as other programs read them."""

    run_path: Annotated[Positional[Path], arg(metavar="RUN")]
    """Folder of the run, which holds config.yml."""
    kind: OmitArgPrefixes[
        Annotated[Cameras, subcommand("cameras")]
        | Annotated[Splat, subcommand("splat")]
        | Annotated[Mesh, subcommand("mesh")]
        | Annotated[Video, subcommand("video")]
        | Annotated[Depth, subcommand("depth")]
        | Annotated[Masks, subcommand("masks")]
        | Annotated[Reprojection, subcommand("reprojection")]
    ]
    """What to write."""

    def run(self) -> None:
        """Check the destination, open the run, write, print the path."""
        path = self.kind.destination(self.run_path)
        description = self.kind.write(open_run(self.run_path), path)
        PlainConsole().print(f"{path}  ({description})")


def _reported(frames: Iterator, total: int, report: Report) -> Iterator:
    for done, frame in enumerate(frames, start=1):
        report(done, total)
        yield frame
