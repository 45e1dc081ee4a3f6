"""`sparseags sample`: make a sample scene with known truth."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from tyro.conf import OmitArgPrefixes, Positional

from sparseags_ns.sample import Sample as Scene
from sparseags_ns.sample import SampleConfig, make_sample


@dataclass
class Sample:
    """Photograph a procedural object and disturb the cameras as a pose estimator would."""

    directory: Positional[Path]
    """Where it goes: a new folder, or that of an older sample."""
    config: OmitArgPrefixes[SampleConfig] = field(default_factory=SampleConfig)
    overwrite: bool = False
    """Replace a sample that lies there."""

    def run(self) -> None:
        """Make the sample and say where it is."""
        console = Console(soft_wrap=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("Photographing (the first time, compiling takes some seconds)", total=None)
            scene = make_sample(
                self.config,
                self.directory,
                overwrite=self.overwrite,
                progress=lambda done, total: bar.update(task, completed=done, total=total),
            )
        _report(console, self.directory, scene)


def _report(console: Console, directory: Path, scene: Scene) -> None:
    config, outliers = scene.config, scene.rough.outliers
    what = scene.object_name.replace("_", " ")
    console.print(f"Object:           {what}, seed {config.seed}, {config.size} x {config.size} pixels")
    console.print(f"Photographs:      {directory / 'images'}  ({len(scene.views)})")
    console.print(f"Rough cameras:    {directory / 'cameras.json'}  (level {config.level})")
    console.print(f"Held-out views:   {directory / 'test_images'}  ({len(scene.test_cameras)})")
    console.print(f"Truth:            {directory / 'gt'}")
    if outliers:
        listed = ", ".join(f"{scene.views.names[view]} ({outlier.kind})" for view, outlier in outliers.items())
        console.print(f"Grossly wrong:    {listed}")
