"""The masks suite: masks by `sparseags prepare`, compared with the masks that the photographs' makers used.

The command runs on a folder with copies of the photographs and nothing else; it does not look for poses. Figures:
intersection over union of the stored mask and the makers' alpha, both thresholded at a half; in brackets, after the
holes in the makers' mask are filled. Offline ways: by colours, and rembg if package and model are on this machine.
There is no baseline of rembg, because model files of one name hold different weights.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from PIL import Image
from scipy.ndimage import binary_fill_holes

from benchmarks.metric import Metric
from sparseags_ns.preprocess import rembg_masks
from sparseags_ns.preprocess.mask_sheet import MaskCell, mask_sheet, photograph_cell
from sparseags_ns.preprocess.photo_files import list_photo_files

DEMO = Path(__file__).parents[2] / "shared" / "data" / "sparseags_demo"
SETS = ("jordan", "toy")
"""Sets with both original photographs and cut-out ones of the same framing."""
QUICK = ("toy",)
WANTED = 0.9
TOLERANCE = 0.02

_COMMAND = "from sparseags_ns.cli import main; main()"
_MISSED, _EXTRA = (0.1, 1.0, 0.2), (1.0, 0.1, 0.9)

Mask = Bool[np.ndarray, "height width"]


@dataclass(frozen=True)
class Comparison:
    """The found and the makers' mask of one photograph."""

    scene: str
    way: str
    """Way of finding masks; for rembg with the model's name."""
    photograph: Path
    found: Mask
    given: Mask

    @property
    def iou(self) -> float:
        """Intersection over union with the makers' mask."""
        return _iou(self.found, self.given)

    @property
    def filled_iou(self) -> float:
        """Intersection over union with the makers' mask, its holes filled."""
        return _iou(self.found, np.asarray(binary_fill_holes(self.given)))

    @property
    def name(self) -> str:
        """Name of the figure."""
        return f"{self.scene}/{self.photograph.stem}/{self.way}"


_last: list[Comparison] = []


def run(quick: bool) -> list[Metric]:
    """Find all masks; returns no figures if the photographs are absent."""
    if not DEMO.is_dir():
        print(f"masks: nothing is measured, {DEMO} is absent", file=sys.stderr)
        return []
    no_rembg = rembg_masks.missing()
    if no_rembg is not None:
        print(f"masks: rembg is not measured: {no_rembg}", file=sys.stderr)
    ways = ("background",) if no_rembg is not None else ("background", "rembg")
    _last[:] = [found for scene in (QUICK if quick else SETS) for way in ways for found in _compare(scene, way)]
    below = [f"{found.name} {found.iou:.3f}" for found in _last if found.iou < WANTED]
    print(f"\nmasks below {WANTED}: {', '.join(below) or 'none'}")
    return [
        Metric(found.name, found.iou, TOLERANCE, "higher", f"{found.iou:.3f} ({found.filled_iou:.3f})")
        for found in _last
    ]


def plot(metrics: Sequence[Metric], folder: Path) -> list[Path]:
    """A sheet for each set and way: missed pixels green, extra pixels magenta, the rest of the background darkened."""
    files = []
    for scene, way in sorted({(found.scene, found.way) for found in _last}):
        cells = [_cell(found) for found in _last if (found.scene, found.way) == (scene, way)]
        files.append(folder / f"masks-{scene}-{way}.png")
        mask_sheet(cells).save(files[-1])
    return files if metrics else []


def _compare(scene: str, way: str) -> list[Comparison]:
    """Run the command on a copy of a set's photographs; returns a comparison for each."""
    with tempfile.TemporaryDirectory(prefix="sparseags-masks-") as name:
        copy = Path(shutil.copytree(DEMO / scene / "source", Path(name) / scene))
        # Without poses the command ends with status 1, after it has written the masks.
        arguments = ["prepare", str(copy), "--masks", way, "--pose-init", "files"]
        environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
        done = subprocess.run(
            [sys.executable, "-c", _COMMAND, *arguments],
            env=environment,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
        kept = re.search(rf"^Masks: +{way}, kept in (.+)$", done.stdout, re.MULTILINE)
        if kept is None:
            raise RuntimeError(f"sparseags prepare {copy} made no masks:\n{done.stdout}{done.stderr}")
        masks = Path(kept[1])
        label = way if way == "background" else f"{way}-{rembg_masks.model()}"
        return [
            Comparison(
                scene,
                label,
                path,
                _half(Image.open(masks / f"{path.stem}.png").convert("L")),
                _half(Image.open(DEMO / scene / "processed" / f"{path.stem}_rgba.png").getchannel("A")),
            )
            for path in list_photo_files(DEMO / scene / "source")
        ]


def _half(image: Image.Image) -> Mask:
    return np.asarray(image) >= 128


def _iou(one: Mask, other: Mask) -> float:
    return float((one & other).sum() / (one | other).sum())


def _cell(found: Comparison) -> MaskCell:
    pixels = np.asarray(Image.open(found.photograph).convert("RGB"), dtype=np.float32) / 255
    drawn: Float[np.ndarray, "height width 3"] = np.where(found.given[..., None], pixels, pixels / 4)
    drawn[found.given & ~found.found] = _MISSED
    drawn[found.found & ~found.given] = _EXTRA
    return photograph_cell(f"{found.photograph.stem}  {found.iou:.3f}", torch.from_numpy(drawn.astype(np.float32)))
