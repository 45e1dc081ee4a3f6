"""Subsets of a scene's photographs, chosen by a seed, as they are or shuffled, made smaller and rotated.

Sizes are in pixels.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from PIL import Image

from sparseags_ns.formats.frame import Frame
from sparseags_ns.formats.poses import read_poses
from sparseags_ns.formats.transforms_json import write_transforms_json
from sparseags_ns.pose_init.features.features import Features
from sparseags_ns.preprocess.photo_files import list_photo_files
from sparseags_ns.preprocess.store import Store

REPO = Path(__file__).parents[2]
PHOTOS = REPO.parent / "shared" / "data" / "photos"
WORK = REPO / "outputs" / "benchmarks" / "photos"
SMALLER = 0.6
"""Factor by which half of the changed photographs are scaled."""
ROTATED = 2
"""Number of changed photographs stored on their side, with the EXIF tag that rotates them back."""

_EXIF_ORIENTATION = 0x0112
_QUARTER_LEFT = 8

How = Literal["as they are", "changed", "with poses", "with poses, refined"]
"""Photographs alone; renamed, made smaller and rotated; with the reference's cameras in a pose file; and with these
cameras, of which none is fixed."""


@dataclass(frozen=True)
class Subset:
    """Some photographs of one scene."""

    scene: str
    count: int
    seed: int = 0

    @property
    def store(self) -> Store:
        """Store shared by all cases of the scene, since key points and matches are kept by the photographs' bytes."""
        return Store(WORK / self.scene)

    @property
    def photographs(self) -> tuple[Path, ...]:
        """The chosen photo files, sorted by name."""
        every = list_photo_files(PHOTOS / self.scene / "images")
        return tuple(sorted(random.Random(self.seed).sample(every, min(self.count, len(every)))))

    def folder(self, how: How) -> tuple[Path, dict[str, str]]:
        """A new scene folder with these photographs, and their original names by their names in the folder."""
        folder = WORK / f"{self.scene}-{self.count}-{self.seed}-{how.replace(', ', '_').replace(' ', '_')}"
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "images").mkdir(parents=True)
        rng, originals = random.Random(self.seed + 1), list(self.photographs)
        if how != "changed":
            for path in originals:
                shutil.copy(path, folder / "images" / path.name)
            if how.startswith("with poses"):
                truth = self.reference()
                frames = [replace(truth[p.stem], file_path=f"images/{p.name}") for p in originals if p.stem in truth]
                write_transforms_json(folder / "transforms.json", frames)
            return folder, {path.stem: path.stem for path in originals}
        rng.shuffle(originals)
        names = [f"p{row:02d}" for row in range(len(originals))]
        for row, (name, path) in enumerate(zip(names, originals, strict=True)):
            scale = SMALLER if row % 2 == 0 else 1.0
            _save_changed(path, folder / "images" / f"{name}.jpg", scale, rotated=row < ROTATED)
        return folder, {name: path.stem for name, path in zip(names, originals, strict=True)}

    def reference(self) -> Mapping[str, Frame]:
        """Cameras by name: those of the scene's pose file, or else those estimated from all its photographs."""
        scene = PHOTOS / self.scene
        file = scene / "transforms.json"
        if file.is_file():
            return {frame.stem: frame for frame in read_poses(file)}
        every = list_photo_files(scene / "images")
        found = Features(self.store).estimate(every)
        return {path.stem: frame for path, frame in zip(every, found.frames, strict=True) if frame is not None}


def _save_changed(source: Path, target: Path, scale: float, rotated: bool) -> None:
    """Save the photograph at another size, and on its side if `rotated`."""
    with Image.open(source) as opened:
        image = opened.convert("RGB")
    image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)
    exif = Image.Exif()
    if rotated:
        image = image.transpose(Image.Transpose.ROTATE_270)
        exif[_EXIF_ORIENTATION] = _QUARTER_LEFT
    image.save(target, quality=95, exif=exif)
