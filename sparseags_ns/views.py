"""The photographs of one scene, with masks, cameras and trust: what pose init hands to the optimisation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jaxtyping import Bool, Float
from torch import Tensor

from sparseags_ns.geometry.cameras import Cameras


@dataclass(frozen=True)
class Views:
    """N photographs of one size, and all that is known of them.

    Colours are straight (not multiplied by alpha), sRGB, 0 to 1.
    """

    names: tuple[str, ...]
    """Unique; the photograph's file name without its ending."""
    paths: tuple[Path, ...]
    """Where each photograph was read from."""
    images: Float[Tensor, "views height width 3"]
    masks: Float[Tensor, "views height width"]
    """Coverage of the object, 0 to 1."""
    valid: Float[Tensor, "views height width"]
    """1 where the photograph covers the pixel; 0 where a crop reached past its edge and nothing is known."""
    cameras: Cameras
    trusted: Bool[Tensor, " views"]
    """Views whose pose takes part in the optimisation."""

    def __len__(self) -> int:
        return len(self.names)

    def to(self, *args: Any, **kwargs: Any) -> Views:
        """Move or cast images, masks and cameras; `trusted` only moves (it stays boolean)."""
        images = self.images.to(*args, **kwargs)
        return replace(
            self,
            images=images,
            masks=self.masks.to(*args, **kwargs),
            valid=self.valid.to(*args, **kwargs),
            cameras=self.cameras.to(*args, **kwargs),
            trusted=self.trusted.to(images.device),
        )
