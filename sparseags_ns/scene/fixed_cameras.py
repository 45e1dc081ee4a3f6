"""Which cameras stay as they came: how far refinement may move each (`Views.pose_lr_scale`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.console import announce
from sparseags_ns.scene.finding import PosedPhotograph

Hold = Literal["auto", "all", "none"]
"""`auto`: cameras that many points hold in place and, in whole scenes, all that have a trusted pose."""


def pose_lr_scales(photographs: Sequence[PosedPhotograph], *, whole: bool, hold: Hold) -> Float[Tensor, " views"]:
    """How far refinement may move each camera; said in one line where some stay as they are.

    Whole photographs are no objects: there is always a wrong arrangement of cameras in which a few coarse Gaussians
    explain them better (exact poses of the fox, eight views: 11.5 degrees off after refinement; benchmarks/photos).

    Args:
        whole: whether the photographs are reconstructed whole, without an object's masks.
    """
    free = torch.ones(len(photographs))
    if hold == "none":
        return free
    if hold == "auto" and not whole:
        free = torch.tensor([photograph.pose_lr_scale for photograph in photographs])
        why = "each was fitted to a hundred points or more, with errors far below a working pixel"
    else:
        free[[photograph.frame.trusted for photograph in photographs]] = 0.0
        why = "asked for" if hold == "all" else "whole photographs, of which refinement would make exact poses worse"
    held = int((free <= 0).sum())
    if held:
        announce(f"{held} of {len(photographs)} cameras stay as they came", f"{why}; hold = none refines them")
    return free
