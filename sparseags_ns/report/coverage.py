"""From where the object was photographed, and from where it was not.

Azimuth 0 is +z, 90 degrees is +x of the run's world (+y up), around the object's middle.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

UNSEEN_DEG = 100.0
"""A gap between neighbouring azimuths that is worth a word."""


@dataclass(frozen=True)
class Gap:
    """The widest gap between the azimuths of neighbouring photographs."""

    begins_deg: float
    """0 to 360."""
    width_deg: float

    @property
    def ends_deg(self) -> float:
        """0 to 360."""
        return (self.begins_deg + self.width_deg) % 360


def widest_gap(azimuths_deg: Float[Tensor, " views"], trusted: Bool[Tensor, " views"]) -> Gap:
    """The widest gap among the trusted views; the whole circle but a point where there is only one."""
    ordered = azimuths_deg[trusted].double().remainder(360).sort().values
    if len(ordered) == 0:
        return Gap(0.0, 360.0)
    gaps = torch.cat([ordered[1:], ordered[:1] + 360]) - ordered
    widest = int(gaps.argmax())
    return Gap(float(ordered[widest]), float(gaps[widest]))
