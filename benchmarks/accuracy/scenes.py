"""Scenes with known truth: those of ../shared/data, and rendered samples.

Frames: rough and true cameras may have different worlds, those of their files.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.accuracy.options import HARD
from sparseags_ns.evaluation.cameras import frames_by_photograph
from sparseags_ns.evaluation.held_out import HeldOut, read_held_out
from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.metrics.images import over_white
from sparseags_ns.sample import SampleConfig, hard_sample, render_sample
from sparseags_ns.sample.config import OutlierKind
from sparseags_ns.sample.families import Family
from sparseags_ns.scene.reading import ReadingOptions, read_scene
from sparseags_ns.views import Views

REPO = Path(__file__).parents[2]
SHARED = REPO.parent / "shared" / "data"
CACHE = REPO / "outputs" / "benchmarks" / "samples"
CACHE_VERSION = 3
"""Version of the cached samples' format; raising it renders them again."""
TEST_VIEWS = 8
"""Held-out photographs of each sample."""


@dataclass(frozen=True)
class Wrong:
    """A kind of samples with grossly wrong poses."""

    outliers: int
    views: int = 8
    level: str = "outlier1"
    """Errors of the other poses; the level's own number of outliers is overridden."""
    outlier_kind: OutlierKind = "any"
    family: Family = "any"


WRONG = {
    "wrong-1of4": Wrong(1, 4),
    "wrong-2of6": Wrong(2, 6),
    "wrong-3of8": Wrong(3),
    "wrong-4of8": Wrong(4),
    "wrong-3of12": Wrong(3, 12),
    "wrong-4of16": Wrong(4, 16),
    "wrong-azimuth": Wrong(2, outlier_kind="azimuth"),
    "wrong-symmetric": Wrong(1, family="near_symmetric"),
    "wrong-dust3r": Wrong(1, level="dust3r"),
    "wrong-raydiff": Wrong(1, level="raydiff"),
}


@dataclass(frozen=True)
class Scene:
    """Description of a scene to load."""

    family: str
    name: str
    """Name of the folder, or seed of the sample."""
    level: str
    """Errors of the initial poses."""
    views: int = 8
    size: int = 256

    @property
    def is_sample(self) -> bool:
        """Whether the scene is rendered, not read."""
        return self.family not in ("synthetic", "real")

    @property
    def group(self) -> str:
        """Name of the group of scenes over which figures are averaged."""
        return f"{self.views} views" if self.family == "counts" else self.family


@dataclass(frozen=True)
class LoadedScene:
    """A scene in memory."""

    views: Views
    """Views with the rough cameras."""
    true: Cameras
    held_out: HeldOut | None


def load_scene(scene: Scene, code: str) -> LoadedScene:
    """Read or render a scene.

    Args:
        scene: scene to load.
        code: version of the code that renders samples, part of the cache's key.
    """
    return _cached_sample(scene, code) if scene.is_sample else _read(SHARED / scene.family / scene.name, scene.level)


def shared_scenes(family: str) -> list[str]:
    """Names of the scenes of a family in ../shared/data; none if it is absent."""
    return sorted(path.name for path in (SHARED / family).glob("*") if (path / "gt" / "transforms.json").is_file())


def sample_config(scene: Scene) -> SampleConfig:
    """Settings of a sample."""
    settings: dict[str, Any] = {"level": scene.level, "num_views": scene.views, "size": scene.size}
    settings["num_test_views"] = TEST_VIEWS
    if scene.family in WRONG:
        wrong = WRONG[scene.family]
        settings |= {"outliers": wrong.outliers, "outlier_kind": wrong.outlier_kind, "family": wrong.family}
    if scene.family in HARD:
        return hard_sample(scene.family, int(scene.name), **settings)  # pyright: ignore[reportArgumentType]
    return SampleConfig(seed=int(scene.name), **settings)


def _read(folder: Path, level: str) -> LoadedScene:
    """A scene of ../shared/data: views (with valid regions) and true cameras from gt/, rough cameras from init/."""
    views = read_scene(folder, ReadingOptions(poses=folder / "gt" / "transforms.json")).views
    given = frames_by_photograph(folder / "init" / level / "cameras.json")
    rough = replace(
        views.cameras,
        T_camera_world=torch.stack([given[name].T_camera_world for name in views.names]),
        K=torch.stack([given[name].K for name in views.names]),
    )
    return LoadedScene(replace(views, cameras=rough), views.cameras, read_held_out(folder))


def _cached_sample(scene: Scene, code: str) -> LoadedScene:
    """A sample from the cache on disk (half precision), rendered first if needed, which takes many seconds."""
    config = sample_config(scene)
    key = hashlib.sha256(repr((CACHE_VERSION, sorted(asdict(config).items()), code)).encode()).hexdigest()[:20]
    path = CACHE / f"{key}.pt"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.part")
        torch.save(_render(config), part)
        os.replace(part, path)
    loaded: LoadedScene = torch.load(path, weights_only=False)
    assert loaded.held_out is not None
    return replace(loaded, views=_cast(loaded.views, torch.float32), held_out=_cast(loaded.held_out, torch.float32))


def _render(config: SampleConfig) -> LoadedScene:
    sample = render_sample(config)
    rgb, alpha = sample.test_images[..., :3], sample.test_images[..., 3]
    held_out = HeldOut(
        names=tuple(f"{view:03d}" for view in range(len(alpha))),
        images=over_white(rgb, alpha),
        valid=torch.ones_like(alpha),
        cameras=sample.test_cameras,
        masks=alpha,
    )
    return LoadedScene(_cast(sample.views, torch.float16), sample.true_cameras, _cast(held_out, torch.float16))


def _cast(images: Any, dtype: torch.dtype) -> Any:
    """Views or held-out photographs in another precision; half is finer than the 8 bits of a photograph."""
    planes = {name: getattr(images, name) for name in ("images", "masks", "valid")}
    return replace(images, **{name: plane.to(dtype) for name, plane in planes.items() if plane is not None})
