"""Adam for camera tangents, with one step size for all of them.

Adam (Kingma and Ba 2015) divides each number's mean gradient by that number's own root mean square, so that a direction
the photographs do not constrain moves as fast as one they pin down: around the axis of a cup, or towards a distant
camera, noise alone carries the pose away. Here the mean square is taken over all tangents together. Directions keep
their proportions, as in plain gradient descent, and the step size still adapts to the scale of the loss.

The six numbers of a tangent differ, though: shifting the object across the image changes every pixel of its outline,
orbiting it changes only what parallax shows. With one step size for all, views creep along the orbit. Once the views
agree (`precondition`), shift, distance, orbit and roll each have a step size of their own, still common to all views:
the diagonal part of CamP's preconditioning (Park et al. 2023), estimated from the gradients as they come. From the
first step on it does harm, because noise then orbits as fast as evidence. docs/method.md has the figures.

Measured on a near-symmetric cup from rough poses (docs/method.md): the median rotation error went from 5.3 to 17
degrees with Adam, and to 2 with this.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from sparseags_ns.optimization.settings import ADAM_EPS

ALIKE = ((0, 1), (2,), (3, 4), (5,))
"""Numbers of a tangent that photographs constrain about equally: shift across the view, shift along it, orbit, roll
(optimization/corrections.py defines the facing frame)."""


class PoseAdam(torch.optim.Optimizer):
    """Adam whose second moment is the mean over all numbers of a parameter, or over each group of `ALIKE`."""

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.99),
        eps: float = ADAM_EPS,
        weight_decay: float = 0.0,
        precondition: bool = False,
    ) -> None:
        """Set up the optimizer for tensors whose last dimension is a tangent.

        Args:
            lr: root mean square length of a step's numbers where gradients keep their direction.
            betas: decay rates of the mean gradient and of the mean squared gradient.
            eps: added to the root mean square.
            weight_decay: accepted because nerfstudio's configs pass it; must be 0.
            precondition: one second moment for each group of `ALIKE`; parameters are then [views, 6].

        Raises:
            ValueError: a value is out of range.
        """
        if lr < 0 or not all(0 <= beta < 1 for beta in betas) or weight_decay != 0:
            raise ValueError(f"PoseAdam: lr {lr}, betas {betas}, weight_decay {weight_decay}: out of range")
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "precondition": precondition})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step; parameters without a gradient stay as they are."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for param in group["params"]:
                if param.grad is not None:
                    self._update(param, group)
        return loss

    def _update(self, param: Tensor, group: dict[str, Any]) -> None:
        assert param.grad is not None
        state = self.state[param]
        # The mean square of each number over the views that have a gradient: views whose cameras are fixed or untrusted
        # have none, and counting them would lengthen the steps of the others.
        gradient = param.grad.reshape(-1, param.shape[-1])
        moving = (gradient != 0).any(dim=1, keepdim=True)
        squares = (gradient.square() * moving).sum(0) / moving.sum().clamp_min(1)
        if not state:
            state["step"] = torch.zeros(())
            state["exp_avg"] = torch.zeros_like(param)
            state["exp_avg_sq"] = torch.zeros_like(squares)
        beta1, beta2 = group["betas"]
        state["step"] += 1
        count = float(state["step"])
        state["exp_avg"].lerp_(param.grad, 1 - beta1)
        state["exp_avg_sq"].lerp_(squares, 1 - beta2)
        # As in Adam, 1 - beta^count removes the bias of moments that start at zero. The second moment is kept for each
        # of the six numbers and shared only here: v = mean over a group of E[g^2], one step size lr / sqrt(v) for the
        # whole group. So preconditioning can be switched on in the middle of a run without a new warm-up.
        mean = state["exp_avg"] / (1 - beta1**count)
        groups = ALIKE if group["precondition"] else (tuple(range(len(squares))),)
        means = state["exp_avg_sq"].clone()
        for numbers in map(list, groups):
            means[numbers] = state["exp_avg_sq"][numbers].mean()
        root_mean_square = (means / (1 - beta2**count)).sqrt()
        param -= group["lr"] * mean / (root_mean_square + group["eps"])
