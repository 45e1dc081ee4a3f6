"""The interface of pose initialisers: what each of them gets and returns.

An initialiser gets photo files as they lie on disk, neither masked nor cropped, because most need the background. It is
a frozen dataclass; the fields that take part in comparisons, together with the photo files, determine its result, so
that `estimation.py` can file the result under a fingerprint of them.

Frames: `world`, any similarity transform of the real one; the scene is normalised later.
Units: pixels of the photo files; confidence from 0 to 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Num
from torch import Tensor

from sparseags_ns.formats.colmap import Observations
from sparseags_ns.formats.companions import companions
from sparseags_ns.formats.frame import Frame
from sparseags_ns.geometry import se3
from sparseags_ns.geometry.alignment import AlignmentError, axes_meeting_point
from sparseags_ns.preprocess.mask_plan import MASKS_FOLDER, Masks
from sparseags_ns.preprocess.photo_files import list_photo_files
from sparseags_ns.preprocess.store import Store, fingerprint
from sparseags_ns.storage import write_npz
from sparseags_ns.views import PointCloud

FIXED_MIN_POINTS = 100
"""Number of points that fix a camera: fitted to that many, each within a working pixel, it has no error that refinement
at a quarter of the resolution could see; fixed cameras end no worse than bundle adjustment has them."""

MIN_REGISTERED = 2
"""With fewer cameras nothing can be reconstructed: the initialiser has failed."""

LEAST_CONFIDENCE = 0.01
"""Confidence in a view that has a pose, however doubtful: 0 stands for none."""

FOCAL_GUESS = 1.2
"""Focal length where EXIF does not tell, in units of the photograph's longer side; COLMAP's own first guess."""


MatchOn = Literal["auto", "everything", "object"]
"""Which part of the photographs features matches: `everything`; the `object`, which may have moved before its
background; `auto`: everything, and the object too where that leaves photographs out or contradicts the object."""


class PoseInitError(ValueError):
    """An initialiser cannot work, or found no camera to start from."""


class NoMasksError(PoseInitError):
    """An initialiser looks at objects, and nothing tells the object from the background."""


@dataclass(frozen=True)
class Alternative:
    """Other cameras that explain the photographs, too."""

    frames: tuple[Frame, ...]
    """Camera of each photo file."""
    loss: float
    """Relative to that of the chosen cameras, 1 or more."""


@dataclass(frozen=True)
class InitialPoses:
    """Initial cameras of photo files, in the order of the files."""

    frames: tuple[Frame | None, ...]
    """Camera of each photo file; None where it could not be registered."""
    confidence: Float[Tensor, " views"]
    """Confidence in each pose: 1 for a pose from a file, 0 where there is none."""
    points: PointCloud | None = None
    """Points on the scene's surfaces, in the world of the cameras."""
    pose_lr_scale: Float[Tensor, " views"] | None = None
    """Factor on each camera's learning rate in refinement, as in `Views`; None means 1 for all."""
    observations: Observations | None = None
    """Where the photographs show the points of another program's model, which then determine the learning rates."""
    source: str = ""
    """Name of the initialiser; set by `estimate_poses`."""
    alternatives: tuple[Alternative, ...] = ()
    """Cameras that are essentially different from these, best first."""
    doubt: str | None = None
    """Why the initialiser is not sure of these cameras, as a sentence's main clause; None where it is."""
    jointly_fitted: bool = False
    """Whether a joint fit of Gaussians and cameras chose these cameras, so that training need not compare starts."""

    def __post_init__(self) -> None:
        unregistered = [frame is None for frame in self.frames]
        if self.confidence.shape != (len(unregistered),) or any(self.confidence[unregistered] != 0):
            raise ValueError("expected one confidence for each photograph, and 0 for those without a pose")

    @property
    def num_registered(self) -> int:
        """Number of photo files that have a camera."""
        return sum(frame is not None for frame in self.frames)

    @property
    def num_usable(self) -> int:
        """Number of photo files that have a camera; 0 if these cameras look at no common place.

        They look the same way where something rotates before a still background that was matched.
        """
        poses = [frame.T_camera_world for frame in self.frames if frame is not None]
        try:
            if poses:
                axes_meeting_point(se3.inverse(torch.stack(poses)))
        except AlignmentError:
            return 0
        return len(poses)

    @property
    def pose_lr_scales(self) -> list[float]:
        """`pose_lr_scale` of each view as a list, 1 for each where it is None."""
        return [1.0] * len(self.frames) if self.pose_lr_scale is None else self.pose_lr_scale.tolist()


@dataclass(frozen=True)
class PoseRequest:
    """Photo files whose cameras are wanted, and what an initialiser may use for them."""

    photo_files: Sequence[Path]
    scene: Path
    """Folder of the scene, which may hold `masks/`."""
    store: Store
    """Where intermediate results are kept."""
    weights: str = "auto"
    """Weights of the initialiser: a path, a name, or `auto` for those that are on this machine."""
    masks: Masks = "auto"
    """Where masks come from."""
    masks_drop: bool = False
    """Whether the masks of the scene's `masks/` are white where photographs are to be left out."""
    time_budget: float | None = None
    """Seconds that a search may take; None for its usual length."""
    match_on: MatchOn = "auto"
    """Which part of the photographs is matched."""

    @property
    def masks_fingerprint(self) -> str:
        """Fingerprint of where masks come from, and of the files of given masks."""
        folder = self.scene / MASKS_FOLDER
        given = {path for path in folder.rglob("*") if path.is_file()}
        for beside in {path.parent for path in self.photo_files}:
            given |= {found.path for found in companions(list_photo_files(beside)) if found.is_mask}
        return fingerprint("masks", self.masks, f"{self.masks_drop}", *sorted(given))


@runtime_checkable
class PoseInit(Protocol):
    """An initialiser of a rough camera for each photo file."""

    name: ClassVar[str]
    """Value of the option `pose-init`, and part of the names of cached results."""
    automatic: ClassVar[bool]
    """Whether the choice `auto` may take it."""
    uses_masks: ClassVar[bool]
    """Whether its result depends on the scene's `masks/`."""

    @property
    def details(self) -> str:
        """Networks, weights or methods in use, for the line that announces the initialiser."""
        ...

    @staticmethod
    def missing(request: PoseRequest) -> str | None:
        """Why the request cannot be met on this machine, then `; ` and what to do; None where it can."""
        ...

    @staticmethod
    def create(request: PoseRequest) -> PoseInit:
        """The initialiser for a request for which nothing is missing."""
        ...

    def estimate(self, photo_files: Sequence[Path]) -> InitialPoses:
        """Cameras of the photo files, in their order.

        Raises:
            ValueError: the photographs cannot be used, or what the initialiser needs is missing.
        """
        ...


def pose_lr_scale_from_points(points: float) -> float:
    """Pose learning-rate scale of a camera that was fitted to this many points: 1 without any, 0 from 100."""
    return max(1 - points / FIXED_MIN_POINTS, 0.0)


def point_confidence(
    track_lengths: Num[Tensor, " points"], errors_px: Float[Tensor, " points"]
) -> Float[Tensor, " points"]:
    """Confidence of triangulated points: grows with the number of views that show them, falls with their error.

    (1 - 1 / n) / (1 + e) for n views and a mean reprojection error of e pixels.
    """
    return (1 - 1 / track_lengths.clamp(min=1).double()) / (1 + errors_px.clamp(min=0))


def stored_arrays(store: Store, name: str, compute: Callable[[], Mapping[str, Any]]) -> dict[str, np.ndarray]:
    """Arrays of the file `name` in the store, computed and written where there is none or it is damaged.

    Raises:
        StoreError: the file cannot be written; raised before the computation begins.
    """
    found = store.load(name, _arrays)
    if found is None:
        file = store.new_file(name)
        found = {key: np.asarray(value) for key, value in compute().items()}
        write_npz(file, found)
    return found


def _arrays(file: Path) -> dict[str, np.ndarray]:
    with np.load(file) as arrays:
        return dict(arrays)
