"""Which photographs of a scene take part, chosen by a seed; and the same ones shuffled, made smaller and turned.

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
"""Half of the changed photographs are scaled by this."""
TURNED = 2
"""So many of them are stored on their side, with an EXIF tag that says so."""

_EXIF_ORIENTATION = 0x0112
_QUARTER_LEFT = 8

How = Literal["as they are", "changed", "with poses", "with poses, refined"]
"""Photographs alone; renamed, made smaller and turned; with the reference's cameras in a pose file, and the same with
all cameras free."""


@dataclass(frozen=True)
class Subset:
    """Some photographs of one scene."""

    scene: str
    count: int
    seed: int = 0

    @property
    def store(self) -> Store:
        """Key points and matches are filed by the photographs' bytes, so that all cases of a scene share them."""
        return Store(WORK / self.scene)

    @property
    def photographs(self) -> tuple[Path, ...]:
        """Those that were chosen, by name."""
        every = list_photo_files(PHOTOS / self.scene / "images")
        return tuple(sorted(random.Random(self.seed).sample(every, min(self.count, len(every)))))

    def folder(self, how: How) -> tuple[Path, dict[str, str]]:
        """A scene's folder with these photographs, made anew, and the original name of each by its name there."""
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
            _save_changed(path, folder / "images" / f"{name}.jpg", scale, turned=row < TURNED)
        return folder, {name: path.stem for name, path in zip(names, originals, strict=True)}

    def reference(self) -> Mapping[str, Frame]:
        """The cameras that all photographs of the scene give, by name."""
        scene = PHOTOS / self.scene
        file = scene / "transforms.json"
        if file.is_file():
            return {frame.stem: frame for frame in read_poses(file)}
        every = list_photo_files(scene / "images")
        found = Features(self.store).estimate(every)
        return {path.stem: frame for path, frame in zip(every, found.frames, strict=True) if frame is not None}


def _save_changed(source: Path, target: Path, scale: float, turned: bool) -> None:
    """The photograph at another size; stored on its side if `turned`."""
    with Image.open(source) as opened:
        image = opened.convert("RGB")
    image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)
    exif = Image.Exif()
    if turned:
        image = image.transpose(Image.Transpose.ROTATE_270)
        exif[_EXIF_ORIENTATION] = _QUARTER_LEFT
    image.save(target, quality=95, exif=exif)
