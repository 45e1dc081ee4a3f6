"""One focal length for photographs that were taken through one lens setting.

The initialisers' focal lengths differ from view to view by a few percent, and each error hides in its camera's
distance: joint refinement corrects what all share, but hardly what each has of its own. Where the photographs can have
come through one lens setting (`Views.focal_scale`), their mean is nearer the truth than any of them (docs/method.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch

from sparseags_ns.optimization.corrections import corrected
from sparseags_ns.optimization.settings import JointSettings
from sparseags_ns.views import Views


def share_focal_length(views: Views, settings: JointSettings, say: Callable[[str, str], None] | None = None) -> Views:
    """The views with one focal length for all where the settings share it and one lens setting can have taken them.

    Each camera moves along its line of sight as its focal length changes, so that the object keeps its size (a dolly
    zoom about the world's origin). Views whose cameras are held keep all of them as they are. Twice is as good as once.

    Args:
        views: in the normalised world.
        say: told what was done and why.
    """
    if settings.refine_focal != "shared" or views.focal_scale is None or bool(views.fixed.any()):
        return views
    lengths = (views.cameras.K[:, 0, 0] / views.focal_scale.to(views.cameras.K)).log()
    mean = lengths[views.posed].mean()
    spread = float((lengths.max() - lengths.min()).exp())
    if spread - 1 < 1e-4:
        return views
    if say is not None:
        say(
            f"focal length: {float(mean.exp()):.0f} pixels of the photographs for all of them",
            f"one size and one principal point: one lens took them; estimates differed by a factor of {spread:.2f}",
        )
    still = torch.zeros(len(views), 6).to(lengths)
    return replace(views, cameras=corrected(views.cameras, still, mean - lengths))
