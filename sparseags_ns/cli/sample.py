"""`sparseags sample`: a sample scene with known truth."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tyro.conf import OmitArgPrefixes, Positional

from sparseags_ns.console import PlainConsole, progress
from sparseags_ns.sample import SampleConfig, make_sample


@dataclass
class Sample:
    """Make a sample scene with known truth.

    A procedural object is photographed, and its cameras are disturbed as a pose initialiser would disturb them, or left
    out (--bare).
    """

    directory: Positional[Path]
    """Folder of the scene: a new one, or that of an older sample."""
    config: OmitArgPrefixes[SampleConfig] = field(default_factory=SampleConfig)
    overwrite: bool = False
    """Replace an older sample there."""

    def run(self) -> None:
        """Make the sample and print where it is."""
        with progress("Photographing (the first time, compiling takes some seconds)") as bar:
            scene = make_sample(self.config, self.directory, overwrite=self.overwrite, progress=bar.update)
        console, config, names = PlainConsole(), scene.config, scene.views.names
        what = scene.object_name.replace("_", " ")
        console.print(f"Object:           {what}, seed {config.seed}, {config.size} x {config.size} pixels")
        console.print(f"Photographs:      {self.directory / 'images'}  ({len(scene.views)})")
        if not config.bare:
            console.print(f"Rough cameras:    {self.directory / 'cameras.json'}  (level {config.level})")
        console.print(f"Held-out views:   {self.directory / 'test_images'}  ({len(scene.test_cameras)})")
        console.print(f"Truth:            {self.directory / 'gt'}")
        if scene.rough.outliers and not config.bare:
            listed = ", ".join(f"{names[view]} ({outlier.kind})" for view, outlier in scene.rough.outliers.items())
            console.print(f"Grossly wrong:    {listed}")
        if scene.aliens:
            console.print(f"Another object:   {', '.join(names[view] for view in scene.aliens)}")
