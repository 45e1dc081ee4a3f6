"""The `dust3r` initialiser: the real DUSt3R (Wang et al., CVPR 2024) on all pairs, then its global alignment.

Every ordered pair of photographs goes through the network (complete graph, symmetrised), which predicts for both of
them the points that their pixels show, in the first one's camera, and a confidence for each. The alignment finds poses,
focal lengths and depths that are consistent over all pairs. The predictions of each pair are kept in the store: an
interrupted run goes on where it stopped, and a further photograph costs its own pairs only.

Frames: `world`, as the alignment leaves it. Units: `fitted` pixels inside (`dust3r_images.py`), those of the photo
files in the result.
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
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.console import announce, progress
from sparseags_ns.formats.frame import Frame
from sparseags_ns.geometry import se3
from sparseags_ns.pose_init.base import InitialPoses, PoseInitError, PoseRequest, stored_arrays
from sparseags_ns.pose_init.networks import dust3r_package as package
from sparseags_ns.pose_init.networks.dust3r_images import FittedImage, read_fitted
from sparseags_ns.preprocess.store import Store, fingerprint
from sparseags_ns.views import PointCloud

FOLDER = "dust3r"
MAX_VIEWS = 24
"""Every further photograph pairs with all others, and the alignment holds all pairs at once: some 15 GB for 24."""

_NAMES = ("pts3d", "conf", "pts3d_other", "conf_other")
_HALF_MAX = 60000.0
"""Limit of stored predictions, a little below the largest number of 16 bits (65504)."""

Prediction = dict[str, Tensor]
"""Prediction for one ordered pair, by `_NAMES`: both images' points in the first camera, and confidences from 1."""


@dataclass(frozen=True)
class Dust3r:
    """Estimates cameras and points with a network trained on pairs of photographs."""

    name: ClassVar[str] = "dust3r"
    automatic: ClassVar[bool] = True
    uses_masks: ClassVar[bool] = False

    store: Store = field(compare=False)
    """Where the pairs' predictions are kept."""
    weights: Path = field(compare=False)
    """A checkpoint, or its folder as the model hub has it."""
    identity: str
    """Name and size of the checkpoint, which the result depends on."""
    iterations: int = 300
    """Steps of the alignment (DUSt3R: 300)."""
    lr: float = 0.01
    """Learning rate of the alignment at its start; it falls as a cosine (DUSt3R: 0.01)."""
    min_confidence: float = 3.0
    """Points of a lower confidence are dropped (DUSt3R: 3)."""
    max_points: int = 100_000
    """Number of points that are kept of all photographs together."""
    seed: int = 0

    @staticmethod
    def missing(request: PoseRequest) -> str | None:
        """See `PoseInit`."""
        count = len(request.photo_files)
        if count > MAX_VIEWS:
            return f"{count} photographs are too many for a complete graph of pairs; take {MAX_VIEWS} or fewer"
        return package.missing_package() or package.missing_weights(request.weights)

    @staticmethod
    def create(request: PoseRequest) -> Dust3r:
        """See `PoseInit`."""
        weights = package.find_weights(request.weights)
        if weights is None:
            raise PoseInitError(f"poses cannot be estimated by dust3r: {package.missing_weights(request.weights)}")
        file = weights / "model.safetensors" if weights.is_dir() else weights
        return Dust3r(request.store, weights, f"{weights.name} {file.stat().st_size}")

    @property
    def details(self) -> str:
        """Name of the checkpoint."""
        return self.weights.name

    def estimate(self, photo_files: Sequence[Path]) -> InitialPoses:
        """Cameras of all photo files, and the points in which the network has confidence."""
        announce(f"dust3r: {self.weights} on {self._device.type}", package.LICENCE)
        # The longer side of the images that the checkpoint was trained on.
        image_size = max(self._network.patch_embed.img_size)
        images = [read_fitted(path, image_size) for path in photo_files]
        prints = [fingerprint("dust3r", self.identity, path) for path in photo_files]
        predictions = self._predictions(images, prints)
        scene = self._align(predictions)
        frames = [_frame(scene, row, image, photo_files[row]) for row, image in enumerate(images)]
        confidence = pose_confidence(predictions, len(images))
        confidence[[frame is None for frame in frames]] = 0
        return InitialPoses(tuple(frames), confidence, self._points(scene, images))

    @cached_property
    def _device(self) -> torch.device:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")

    @cached_property
    def _network(self) -> Any:
        with _without_warnings():
            return package.load_network(self.weights).to(self._device)

    def _predictions(self, images: Sequence[FittedImage], prints: Sequence[str]) -> dict[tuple[int, int], Prediction]:
        """Predictions for every ordered pair, from the store where it has them."""
        found: dict[tuple[int, int], Prediction] = {}
        pairs = list(combinations(range(len(images)), 2))
        with progress(f"dust3r: pairs of photographs, on {self._device.type}", len(pairs)) as step:
            for a, b in pairs:
                name = f"{FOLDER}/pair-{prints[a]}-{prints[b]}.npz"
                arrays = stored_arrays(self.store, name, lambda a=a, b=b: _as_half(self._predict(images[a], images[b])))
                for pair, direction in (((a, b), "forth"), ((b, a), "back")):
                    found[pair] = {name: torch.from_numpy(arrays[f"{direction}_{name}"]).float() for name in _NAMES}
                step()
        return found

    def _predict(self, first: FittedImage, second: FittedImage) -> dict[str, Tensor]:
        """The network's predictions for both orders of a pair."""
        views = first.as_view(0), second.as_view(1)
        pairs = [(views[0], views[1]), (views[1], views[0])]
        with _without_warnings():
            # The device as a string: mini-dust3r checks its arguments' types and takes no other.
            inference = package.package_module("inference").inference
            out = inference(pairs, self._network, self._device.type, batch_size=2, verbose=False)
        one, other = out["pred1"], out["pred2"]
        parts = one["pts3d"], one["conf"], other["pts3d_in_other_view"], other["conf"]
        both = dict(zip(_NAMES, parts, strict=True))
        return {f"{way}_{name}": part[k] for k, way in enumerate(("forth", "back")) for name, part in both.items()}

    def _align(self, predictions: dict[tuple[int, int], Prediction]) -> Any:
        """The package's scene of all pairs, aligned.

        The loop is that of the package's own `compute_global_alignment`, repeated here to show a progress bar.
        """
        import cv2

        cloud = package.package_module("cloud_opt")
        with _without_warnings(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            cv2.setRNGSeed(self.seed)
            mode = cloud.GlobalAlignerMode.PointCloudOptimizer
            # The form in which the package's own inference returns predictions.
            points, conf, other_points, other_conf = ([one[name] for one in predictions.values()] for name in _NAMES)
            output = {
                "view1": {"idx": [pair[0] for pair in predictions]},
                "view2": {"idx": [pair[1] for pair in predictions]},
                "pred1": {"pts3d": points, "conf": conf},
                "pred2": {"pts3d_in_other_view": other_points, "conf": other_conf},
            }
            scene = cloud.global_aligner(output, self._device.type, mode=mode, verbose=False)
            scene.compute_global_alignment(init="mst", niter=0)
            parameters = [parameter for parameter in scene.parameters() if parameter.requires_grad]
            optimizer = torch.optim.Adam(parameters, lr=self.lr, betas=(0.9, 0.9))
            with progress("dust3r: global alignment", self.iterations) as step:
                for done in range(self.iterations):
                    for group in optimizer.param_groups:
                        group["lr"] = self.lr * (1 + math.cos(math.pi * done / self.iterations)) / 2
                    optimizer.zero_grad()
                    scene().backward()
                    optimizer.step()
                    step()
            with torch.no_grad():
                # Lowers the confidence of points in front of what another photograph sees with more confidence.
                return scene.clean_pointcloud()

    @torch.no_grad()
    def _points(self, scene: Any, images: Sequence[FittedImage]) -> PointCloud | None:
        """Points of high confidence, at most `max_points` drawn at random, weighted by its logarithm."""
        positions = torch.cat([points.reshape(-1, 3).double().cpu() for points in scene.get_pts3d()])
        confidence = torch.cat([values.reshape(-1).double().cpu() for values in scene.im_conf])
        colors = torch.cat([image.rgb.reshape(-1, 3).double() for image in images])
        kept = torch.nonzero((confidence > self.min_confidence) & positions.isfinite().all(-1))[:, 0]
        if len(kept) == 0:
            return None
        generator = torch.Generator().manual_seed(self.seed)
        kept = kept[torch.randperm(len(kept), generator=generator)[: self.max_points]]
        return PointCloud(positions[kept], colors[kept], confidence[kept].log())


def _as_half(predictions: dict[str, Tensor]) -> dict[str, np.ndarray]:
    """Predictions in 16 bits, whose rounding is far below the network's errors."""
    return {k: v.clamp(-_HALF_MAX, _HALF_MAX).cpu().numpy().astype(np.float16) for k, v in predictions.items()}


def pose_confidence(predictions: dict[tuple[int, int], Prediction], count: int) -> Float[Tensor, " views"]:
    """Confidence in each photograph's pose: as the second of a pair, with the partner that gives the highest one.

    The mean of 1 - 1 / c over the pixels, since DUSt3R's confidences c begin at 1, which means no information.
    """
    confidence = torch.zeros(count)
    for (_, second), prediction in predictions.items():
        mean = (1 - 1 / prediction["conf_other"].clamp(min=1)).mean()
        confidence[second] = torch.maximum(confidence[second], mean)
    return confidence


@torch.no_grad()
def _frame(scene: Any, index: int, image: FittedImage, path: Path) -> Frame | None:
    """The camera of a photo file; None where the alignment did not converge to a valid one."""
    T_world_camera = scene.get_im_poses()[index].double().cpu()
    focal = float(scene.get_focals()[index])
    cx, cy = (float(coordinate) for coordinate in scene.get_principal_points()[index])
    if not (T_world_camera.isfinite().all() and math.isfinite(focal) and focal > 0):
        return None
    K = image.fitting.full_intrinsics(focal, (cx, cy))
    return Frame(path.stem, path.name, se3.inverse(T_world_camera), K, *image.fitting.full)


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Silence the package's warnings of functions that newer versions of torch have renamed."""
    with warnings.catch_warnings():
        for category in (FutureWarning, UserWarning):
            warnings.simplefilter("ignore", category)
        yield
