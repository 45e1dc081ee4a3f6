"""A small scene on disk, means to damage it, and initialisers of poses that are simulated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from PIL import Image

from sparseags_ns.formats.frame import Frame, intrinsics_matrix
from sparseags_ns.formats.transforms_json import write_transforms_json
from sparseags_ns.geometry.cameras import orbit
from sparseags_ns.pose_init.base import InitialPoses, PoseRequest

SIZE = 32


def _save(path: Path, width: int = SIZE, height: int = SIZE, mode: str = "RGBA") -> None:
    rows, columns = np.mgrid[0:height, 0:width] + 0.5
    inside = np.hypot(columns - width / 2, rows - height / 2) < min(width, height) / 3
    rgb = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.dstack([rgb, np.where(inside, 255, 0).astype(np.uint8)])).convert(mode).save(path)


def _frames(
    names: Sequence[str], folder: str = "images/", width: int | None = SIZE, height: int | None = SIZE
) -> list[Frame]:
    K = intrinsics_matrix(40.0, 40.0, (width or SIZE) / 2, (height or SIZE) / 2)
    azimuths = torch.arange(len(names), dtype=torch.float64) * 360 / len(names)
    poses = orbit(azimuths, torch.full_like(azimuths, 20.0), 2.0)
    return [Frame(n, f"{folder}{n}.png", T, K, width, height) for n, T in zip(names, poses, strict=True)]


@pytest.fixture
def save_photograph() -> Callable[..., None]:
    """`save_photograph(path, width, height, mode)`: noise, with a disc in the middle for a mask."""
    return _save


@pytest.fixture
def make_frames() -> Callable[..., list[Frame]]:
    """`make_frames(names, folder, width, height)`: cameras on a ring."""
    return _frames


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """Four RGBA photographs of 32x32 pixels with a transforms.json."""
    names = ["000", "001", "002", "003"]
    for name in names:
        _save(tmp_path / f"images/{name}.png")
    write_transforms_json(tmp_path / "transforms.json", _frames(names))
    return tmp_path


@dataclass(frozen=True)
class FakeInitialiser:
    """An initialiser of poses that calls a function."""

    name: ClassVar[str] = "fake"
    automatic: ClassVar[bool] = True
    uses_masks: ClassVar[bool] = False
    details: ClassVar[str] = ""
    function: Callable[[Sequence[Path]], InitialPoses] = field(compare=False)

    @staticmethod
    def missing(request: PoseRequest) -> str | None:
        return None

    @staticmethod
    def create(request: PoseRequest) -> FakeInitialiser:
        raise AssertionError("tests choose it by `use_initialiser`")

    def estimate(self, photo_files: Sequence[Path]) -> InitialPoses:
        return self.function(photo_files)


@pytest.fixture
def use_initialiser(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Sequence[Path]], InitialPoses]], None]:
    """`use_initialiser(function)`: whatever initialiser is asked for, poses come from `function(photo_files)`."""

    def use(function: Callable[[Sequence[Path]], InitialPoses]) -> None:
        monkeypatch.setattr(
            "sparseags_ns.pose_init.estimation.choose_initialiser", lambda *_: FakeInitialiser(function)
        )

    return use
