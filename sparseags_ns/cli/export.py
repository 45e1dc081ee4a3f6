"""`sparseags export RUN KIND`: what a run made, as other programs read it (docs/exports.md)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from tyro.conf import OmitArgPrefixes, Positional, arg, subcommand

from sparseags_ns.console import announce, warn
from sparseags_ns.export import maps
from sparseags_ns.export.cameras import Background, kept_views, write_cameras
from sparseags_ns.export.mesh import MeshSettings, make_mesh, write_mesh
from sparseags_ns.export.orientation import Orient, OrientedRun, oriented
from sparseags_ns.export.places import ExportError, new_file, new_folder, require_free
from sparseags_ns.export.reprojection import reprojection_frames, write_slides
from sparseags_ns.export.splat import write_splat
from sparseags_ns.export.turntable import render_frames, turntable_cameras, write_video
from sparseags_ns.export.visible import Progress as Report
from sparseags_ns.runs.opening import OpenedRun, open_run, run_folder

EXPORTS = "exports"


@dataclass(kw_only=True)
class Kind:
    """What all kinds of exports have in common."""

    output: Path | None = None
    """Where it goes; by default into exports/ in the run's folder."""
    overwrite: bool = False
    """Replace an earlier export."""

    default: ClassVar[str]
    """The default place in exports/."""
    endings: ClassVar[tuple[str, ...]] = ()
    """Endings of a file; none for a folder."""

    def place(self, run: Path) -> Path:
        """Where the export of a run goes, after making sure that it may."""
        path = self.output or run_folder(run) / EXPORTS / self.default
        return require_free(path, self.overwrite, self.endings)

    def write(self, run: OpenedRun, path: Path) -> str:
        """Write the export; returns a line that says what it is."""
        raise NotImplementedError


@dataclass(kw_only=True)
class Placed(Kind):
    """An export that lies in a world."""

    orient: Orient = "world"
    """The world that it is in: the run's own; that of the given poses; or the run's own turned so that the refined
    cameras' up is +y (y-up), -y (y-down) or +z (z-up)."""


@dataclass(kw_only=True)
class Cameras(Placed):
    """Refined cameras with their photographs: transforms.json, cameras.json, COLMAP text and binary, points."""

    background: Background = "transparent"
    """Of the photographs beside the object."""
    untrusted: bool = False
    """Keep views that are not trusted; they are left out, because other programs would trust them."""
    default = "cameras"

    def write(self, run: OpenedRun, path: Path) -> str:
        placed = oriented(run, self.orient)
        _announce_left_out(run, self.untrusted)
        with _folder(path, "cameras", placed) as (work, record), _progress("Points seen by the photographs") as report:
            record |= write_cameras(work, placed, background=self.background, untrusted=self.untrusted, progress=report)
        return f"{len(record['views'])} cameras, {record['points']} points, {self.orient} frame"


@dataclass(kw_only=True)
class Splat(Placed):
    """The splat as .ply."""

    sh_degree: Literal[0, 1, 2, 3] = 3
    """Degree of the colours in the file; many viewers want 3. What the run does not have is zero."""
    default = "splat.ply"
    endings = (".ply",)

    def write(self, run: OpenedRun, path: Path) -> str:
        with new_file(path) as work:
            count = write_splat(work, oriented(run, self.orient), self.sh_degree)
        return f"{count} Gaussians, {self.orient} frame"


@dataclass(kw_only=True)
class Mesh(Placed):
    """A closed, coloured mesh of the object: .glb, .obj or .ply, by the output's ending."""

    settings: OmitArgPrefixes[MeshSettings] = field(default_factory=MeshSettings)
    default = "mesh.glb"
    endings = (".glb", ".obj", ".ply")

    def write(self, run: OpenedRun, path: Path) -> str:
        if self.settings.texture and path.suffix.lower() == ".ply":
            raise ExportError(f"{path} cannot hold a texture: let it end in .glb or .obj, or leave --texture out")
        if run.whole_photographs:
            warn("the run was of whole photographs", "meshes are made for objects; this one is of all that was found")
        with new_file(path) as work, _stages() as stage:
            mesh = make_mesh(oriented(run, self.orient), self.settings, stage)
            write_mesh(work, mesh)
        textured = self.settings.texture > 0
        closed = "textured" if textured else "closed" if mesh.is_watertight else "not closed"
        return f"{len(mesh.vertices)} vertices, {len(mesh.faces)} faces, {closed}, {self.orient} frame"


@dataclass(kw_only=True)
class Video(Kind):
    """The object on a turntable, .mp4."""

    seconds: float = 6.0
    """Length of a turn."""
    fps: int = 30
    """Frames per second."""
    size: int = 512
    """Side of the picture, pixels."""
    elevation: float | None = None
    """Of the camera above the object's middle, degrees; by default as usual among the photographs."""
    background: Literal["white", "black"] = "white"
    """Behind the object."""
    default = "turntable.mp4"
    endings = (".mp4",)

    def write(self, run: OpenedRun, path: Path) -> str:
        count = max(1, round(self.seconds * self.fps))
        cameras = turntable_cameras(run, count, self.size, self.elevation)
        behind = torch.full((3,), float(self.background == "white"))
        with new_file(path) as work, _progress("Rendering") as report:
            frames = render_frames(run.gaussians, cameras, run.sh_degree, behind)
            write_video(work, _reported(frames, count, report), self.fps)
        return f"{count} frames, {self.size}x{self.size} pixels"


@dataclass(kw_only=True)
class Depth(Placed):
    """Depth maps of the photographs: 16-bit PNG with a stated scale, and COLMAP's .bin."""

    untrusted: bool = False
    """Keep views that are not trusted."""
    default = "depth"

    def write(self, run: OpenedRun, path: Path) -> str:
        placed = oriented(run, self.orient)
        _announce_left_out(run, self.untrusted)
        with _folder(path, "depth", placed) as (work, record), _progress("Rendering depth") as report:
            record |= maps.write_depths(work, placed, kept_views(placed, self.untrusted), report)
        return f"{len(record['views'])} views, depth = value * {record['units_per_value']:g}"


@dataclass(kw_only=True)
class Masks(Kind):
    """Masks of the object in the photographs, white for the object."""

    source: Literal["photographs", "splat"] = "photographs"
    """The masks that the run was trained with, or the splat seen through the refined cameras."""
    colmap_names: bool = False
    """Name them NAME.png.png, as COLMAP's mask_path expects."""
    untrusted: bool = False
    """Keep views that are not trusted."""
    default = "masks"

    def write(self, run: OpenedRun, path: Path) -> str:
        placed = oriented(run, "world")
        _announce_left_out(run, self.untrusted)
        with _folder(path, "masks", placed) as (work, record), _progress("Rendering") as report:
            kept = kept_views(placed, self.untrusted)
            record |= maps.write_masks(work, placed, kept, self.source, self.colmap_names, report)
        return f"{len(record['views'])} masks of the {self.source}"


@dataclass(kw_only=True)
class Reprojection(Kind):
    """Photograph, render and their difference side by side, view by view: .mp4 or .gif."""

    seconds: float = 1.5
    """How long each view is shown."""
    default = "reprojection.mp4"
    endings = (".mp4", ".gif")

    def write(self, run: OpenedRun, path: Path) -> str:
        with new_file(path) as work, _progress("Rendering") as report:
            slides = _reported(reprojection_frames(run), len(run.views), report)
            write_slides(work, slides, self.seconds)
        return f"{len(run.views)} views: photograph, render, difference"


@dataclass
class Export:
    """Write what a run made, as other programs read it."""

    run_path: Annotated[Positional[Path], arg(metavar="RUN")]
    """The run's folder (the one with config.yml)."""
    kind: OmitArgPrefixes[
        Annotated[Cameras, subcommand("cameras")]
        | Annotated[Splat, subcommand("splat")]
        | Annotated[Mesh, subcommand("mesh")]
        | Annotated[Video, subcommand("video")]
        | Annotated[Depth, subcommand("depth")]
        | Annotated[Masks, subcommand("masks")]
        | Annotated[Reprojection, subcommand("reprojection")]
    ]
    """What is written."""

    def run(self) -> None:
        """Check the place, open the run, write, say where it is."""
        path = self.kind.place(self.run_path)
        line = self.kind.write(open_run(self.run_path), path)
        Console(soft_wrap=True).print(f"{path}  ({line})", highlight=False)


@contextmanager
def _folder(path: Path, kind: str, placed: OrientedRun) -> Iterator[tuple[Path, dict[str, Any]]]:
    """A folder to write into and the record that goes with it."""
    record: dict[str, Any] = {"kind": kind, "run": str(placed.run.folder), "frame": placed.description}
    with new_folder(path, record) as work:
        yield work, record


@contextmanager
def _progress(what: str) -> Iterator[Report]:
    """A bar on the standard error stream."""
    with _stages() as stage:
        yield stage(what)


@contextmanager
def _stages() -> Iterator[Callable[[str], Report]]:
    """One bar after the other: what is returned is told what begins, and returns what is told how far it is."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:

        def stage(what: str) -> Report:
            task = bar.add_task(what, total=None)
            return lambda done, total: bar.update(task, completed=done, total=total)

        yield stage


def _reported(things: Iterator, total: int, report: Report) -> Iterator:
    for done, thing in enumerate(things, start=1):
        report(done, total)
        yield thing


def _announce_left_out(run: OpenedRun, untrusted: bool) -> None:
    left = [name for name, good in zip(run.views.names, run.trusted.tolist(), strict=True) if not good]
    if left and not untrusted:
        announce(f"left out: {', '.join(left)}", "their poses are not trusted; --untrusted keeps them")
