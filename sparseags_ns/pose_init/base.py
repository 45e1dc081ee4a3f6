"""Where the cameras are at first: what every pose initialiser takes and gives.

An initialiser is a frozen dataclass. Those of its fields that take part in comparisons are all that its answer depends
on besides the photographs, so that a cache can be keyed by a hash of them, the package's version and the photographs'
bytes (`cache.py`); `place` itself reads and writes no result there. It gets photographs as they lie on disk, unmasked
and uncropped: pose estimators need the background.

Frames: `world`, any similarity of the real one that the initialiser likes; the scene is normalised later.
Units: pixels of the photographs; confidence from 0 to 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from sparseags_ns.formats.frame import Frame
from sparseags_ns.views import PointCloud

FIXED_MIN_POINTS = 100
"""So many points, each seen with an error of a pixel or two of the whole photograph, leave a camera no play that
refinement at a quarter of that size could see. Held so, no pose ends worse than bundle adjustment has it."""


FEWEST_PLACED = 2
"""With fewer cameras nothing can be reconstructed: the initialiser has failed."""


def pose_lr_scale_by(points: float) -> float:
    """How far refinement may move a camera that was fitted to so many points (`Views.pose_lr_scale`)."""
    return max(1 - points / FIXED_MIN_POINTS, 0.0)


class PoseInitError(ValueError):
    """An initialiser cannot work, or could not place the photographs."""


@dataclass(frozen=True)
class InitialPoses:
    """One camera for each photograph, as far as the initialiser could tell."""

    frames: tuple[Frame | None, ...]
    """In the photographs' order; None where a photograph could not be placed."""
    confidence: Float[Tensor, " views"]
    """How sure the initialiser is of each pose: 1 for a pose it was given, 0 where there is none."""
    points: PointCloud | None = None
    """What was found of the scene's surfaces, in the world of the cameras."""
    pose_lr_scale: Float[Tensor, " views"] | None = None
    """How far refinement may move each camera, as in `Views`; None: freely."""

    def __post_init__(self) -> None:
        unplaced = [frame is None for frame in self.frames]
        if self.confidence.shape != (len(unplaced),) or any(self.confidence[unplaced] != 0):
            raise ValueError("expected one confidence for each photograph, and 0 for those without a pose")

    @property
    def placed(self) -> int:
        """How many photographs have a camera."""
        return sum(frame is not None for frame in self.frames)

    @property
    def freedoms(self) -> list[float]:
        """`pose_lr_scale` of each camera, 1 where nothing was said."""
        return [1.0] * len(self.frames) if self.pose_lr_scale is None else self.pose_lr_scale.tolist()


@runtime_checkable
class PoseInit(Protocol):
    """Finds a rough camera for each photograph."""

    @property
    def name(self) -> str:
        """What the user calls it, and what cached results are filed under."""
        ...

    def place(self, photographs: Sequence[Path]) -> InitialPoses:
        """Cameras of these photographs, in their order.

        Raises:
            ValueError: none could be placed, or what the initialiser needs is missing.
        """
        ...
