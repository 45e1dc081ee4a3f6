"""The `dust3r` initialiser: the real DUSt3R (Wang et al., CVPR 2024) on all pairs, then its global alignment.

Every ordered pair of photographs goes through the network (complete graph, symmetrised), which gives for both the
points that their pixels show, in the first one's camera, and how sure it is of each. The alignment finds poses, focal
lengths and depths that agree with all pairs. What each pair gave is kept in the store: an interrupted run goes on where
it stopped, and a further photograph costs its own pairs only.

Frames: `world`, as the alignment leaves it. Units: `fitted` pixels inside (`dust3r_images.py`), those of the
photographs in what is returned.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.console import announce, progress
from sparseags_ns.formats.frame import Frame
from sparseags_ns.geometry import se3
from sparseags_ns.pose_init.base import InitialPoses
from sparseags_ns.pose_init.networks.dust3r_images import FittedImage, read_fitted
from sparseags_ns.pose_init.networks.dust3r_package import (
    LICENCE,
    load_network,
    missing_package,
    missing_weights,
    package_module,
)
from sparseags_ns.preprocess.store import Store, fingerprint
from sparseags_ns.views import PointCloud

FOLDER = "dust3r"
MOST_VIEWS = 24
"""Every further photograph pairs with all others, and the alignment holds all pairs at once: some 15 GB for so many."""

_NAMES = ("pts3d", "conf", "pts3d_other", "conf_other")
_HALF_MAX = 60000.0

Prediction = dict[str, Tensor]
"""Of one ordered pair, by `_NAMES`: points of both images in the first one's camera, and confidences from 1."""


@dataclass(frozen=True)
class Dust3r:
    """Finds cameras and points from what a network has learnt of photographs in pairs."""

    store: Store = field(compare=False)
    """Where the pairs' results are kept."""
    weights: Path = field(compare=False)
    """A checkpoint, or its folder as the model hub has it."""
    identity: str
    """Name and size of the checkpoint, which its results depend on."""
    iterations: int = 300
    """Of the alignment (DUSt3R: 300)."""
    lr: float = 0.01
    """Of the alignment at its start; it falls as a cosine (DUSt3R: 0.01)."""
    least_confidence: float = 3.0
    """Points of less are not kept (DUSt3R: 3)."""
    most_points: int = 100_000
    """Kept of all photographs together."""
    seed: int = 0

    @staticmethod
    def of(weights: Path, store: Store) -> Dust3r:
        """The initialiser with a checkpoint."""
        file = weights / "model.safetensors" if weights.is_dir() else weights
        return Dust3r(store, weights, f"{weights.name} {file.stat().st_size}")

    @staticmethod
    def missing(weights: str, count: int) -> str | None:
        """Why it cannot place so many photographs here, and what to do; None where it can."""
        if count > MOST_VIEWS:
            return f"{count} photographs are too many for a complete graph of pairs; take {MOST_VIEWS} or fewer"
        return missing_package() or missing_weights(weights)

    @property
    def name(self) -> str:
        return "dust3r"

    def place(self, photographs: Sequence[Path]) -> InitialPoses:
        """Cameras of all photographs, and the points that the network is sure of."""
        announce(f"dust3r: {self.weights} on {self._device.type}", LICENCE)
        images = [read_fitted(path, self._image_size) for path in photographs]
        prints = [fingerprint("dust3r", self.identity, path) for path in photographs]
        predictions = self._predictions(images, prints)
        scene = self._align(predictions)
        frames = [_frame(scene, row, image, photographs[row]) for row, image in enumerate(images)]
        sure = pose_confidence(predictions, len(images))
        sure[[frame is None for frame in frames]] = 0
        return InitialPoses(tuple(frames), sure, self._points(scene, images))

    @cached_property
    def _device(self) -> torch.device:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")

    @cached_property
    def _network(self) -> Any:
        with _quiet():
            return load_network(self.weights).to(self._device)

    @property
    def _image_size(self) -> int:
        """Longer side of the images that the checkpoint was trained on."""
        return max(self._network.patch_embed.img_size)

    def _predictions(self, images: Sequence[FittedImage], prints: Sequence[str]) -> dict[tuple[int, int], Prediction]:
        """What the network says of every ordered pair, from the store where it has said it before."""
        found: dict[tuple[int, int], Prediction] = {}
        pairs = list(combinations(range(len(images)), 2))
        with progress(f"dust3r: pairs of photographs, on {self._device.type}", len(pairs)) as step:
            for a, b in pairs:
                file = self.store.folder / FOLDER / f"pair-{prints[a]}-{prints[b]}.npz"
                if not file.is_file():
                    _save(self.store.new_file(f"{FOLDER}/{file.name}"), self._ask(images[a], images[b]))
                with np.load(file) as arrays:
                    for pair, way in (((a, b), "forth"), ((b, a), "back")):
                        found[pair] = {name: torch.from_numpy(arrays[f"{way}_{name}"]).float() for name in _NAMES}
                step()
        return found

    def _ask(self, first: FittedImage, second: FittedImage) -> dict[str, Tensor]:
        """The network's answer for a pair of images, both ways round."""
        views = first.as_view(0), second.as_view(1)
        pairs = [(views[0], views[1]), (views[1], views[0])]
        with _quiet():
            out = package_module("inference").inference(pairs, self._network, self._device, batch_size=2, verbose=False)
        one, other = out["pred1"], out["pred2"]
        arrays = {}
        for k, way in enumerate(("forth", "back")):
            parts = one["pts3d"][k], one["conf"][k], other["pts3d_in_other_view"][k], other["conf"][k]
            arrays |= {f"{way}_{name}": part for name, part in zip(_NAMES, parts, strict=True)}
        return arrays

    def _align(self, predictions: dict[tuple[int, int], Prediction]) -> Any:
        """The package's scene of all pairs, aligned; moved as its own loop does, so that a bar can show it."""
        cloud = package_module("cloud_opt")
        with _quiet(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            cv2.setRNGSeed(self.seed)
            mode = cloud.GlobalAlignerMode.PointCloudOptimizer
            scene = cloud.global_aligner(_as_output(predictions), self._device, mode=mode, verbose=False)
            scene.compute_global_alignment(init="mst", niter=0)
            moving = [parameter for parameter in scene.parameters() if parameter.requires_grad]
            optimizer = torch.optim.Adam(moving, lr=self.lr, betas=(0.9, 0.9))
            with progress("dust3r: global alignment", self.iterations) as step:
                for done in range(self.iterations):
                    for group in optimizer.param_groups:
                        group["lr"] = self.lr * (1 + math.cos(math.pi * done / self.iterations)) / 2
                    optimizer.zero_grad()
                    scene().backward()
                    optimizer.step()
                    step()
            with torch.no_grad():
                # Points that hide what another photograph is surer of lose their confidence.
                return scene.clean_pointcloud()

    @torch.no_grad()
    def _points(self, scene: Any, images: Sequence[FittedImage]) -> PointCloud | None:
        """What the network is sure of, in the world of the cameras; the surer the heavier."""
        positions = torch.cat([points.reshape(-1, 3).double().cpu() for points in scene.get_pts3d()])
        confidence = torch.cat([sure.reshape(-1).double().cpu() for sure in scene.im_conf])
        colors = torch.cat([image.rgb.reshape(-1, 3).double() for image in images])
        kept = torch.nonzero((confidence > self.least_confidence) & positions.isfinite().all(-1))[:, 0]
        if len(kept) == 0:
            return None
        generator = torch.Generator().manual_seed(self.seed)
        kept = kept[torch.randperm(len(kept), generator=generator)[: self.most_points]]
        return PointCloud(positions[kept], colors[kept], confidence[kept].log())


def pose_confidence(predictions: dict[tuple[int, int], Prediction], count: int) -> Float[Tensor, " views"]:
    """How sure the network is of each photograph's place: as second of a pair, with the partner that knows it best.

    The mean of 1 - 1 / c over its pixels, since DUSt3R's confidences c begin at 1, which says nothing.
    """
    sure = torch.zeros(count)
    for (_, second), prediction in predictions.items():
        sure[second] = torch.maximum(sure[second], (1 - 1 / prediction["conf_other"].clamp(min=1)).mean())
    return sure


def _as_output(predictions: dict[tuple[int, int], Prediction]) -> dict[str, dict[str, list[Any]]]:
    """The pairs as the package's own inference gives them."""
    found = list(predictions.values())
    points, sure, other_points, other_sure = ([one[name] for one in found] for name in _NAMES)
    return {
        "view1": {"idx": [pair[0] for pair in predictions]},
        "view2": {"idx": [pair[1] for pair in predictions]},
        "pred1": {"pts3d": points, "conf": sure},
        "pred2": {"pts3d_in_other_view": other_points, "conf": other_sure},
    }


@torch.no_grad()
def _frame(scene: Any, index: int, image: FittedImage, path: Path) -> Frame | None:
    """The camera of a photograph; None where the alignment came to nothing."""
    T_world_camera = scene.get_im_poses()[index].double().cpu()
    focal = float(scene.get_focals()[index])
    center = [float(place) for place in scene.get_principal_points()[index]]
    if not (T_world_camera.isfinite().all() and math.isfinite(focal) and focal > 0):
        return None
    return Frame(
        name=path.stem,
        file_path=path.name,
        T_camera_world=se3.inverse(T_world_camera),
        K=image.fitting.full_intrinsics(focal, (center[0], center[1])),
        width=image.fitting.full[0],
        height=image.fitting.full[1],
    )


def _save(path: Path, arrays: dict[str, Tensor]) -> None:
    """At once or not at all: what is there is whole. In 16 bits, whose error is far below the network's."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as stream:
        np.savez(
            stream, **{k: v.clamp(-_HALF_MAX, _HALF_MAX).cpu().numpy().astype(np.float16) for k, v in arrays.items()}
        )
    part.replace(path)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the package's warnings of what newer versions of torch call things."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", UserWarning)
        yield
