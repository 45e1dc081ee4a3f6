"""Score distillation: a gradient for a render from the noise that a diffusion model predicts. Pure.

Letters: z latents of the render; t time step; a = alpha_bar[t], share of the signal's variance left at t; e the noise
that was added; e_hat the noise that the model predicts. z_t = sqrt(a) z + sqrt(1 - a) e. The gradient (DreamFusion,
eq. 3, with the weighting of the authors' code) is g = w (e_hat - e), w = 1 - a. A model of N conditioning views
predicts N times; the predictions are averaged before anything else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.geometry.cameras import Cameras

LOWEST, HIGHEST = 0.02, 0.98
"""Range of t as shares of the model's time steps: 20 to 980 of 1000 (paper)."""

Predict = Callable[[Tensor, int], Tensor]
"""Maps noisy latents [1 channels rows columns] and t to the noise predicted from each conditioning view [views ...]."""


@dataclass(frozen=True)
class Moment:
    """A time step of the diffusion and the share of the signal's variance left there."""

    t: int
    alpha_bar: float


@runtime_checkable
class Guidance(Protocol):
    """A prior for renders of one scene."""

    def condition(self, images: Float[Tensor, "views height width 3"]) -> Any:
        """Encodings of the photographs (over white, 0 to 1), computed once; an index picks some of the views."""
        ...

    def __call__(
        self,
        rendered: Float[Tensor, "height width 3"],
        camera: Cameras,
        conditions: Any,
        cameras: Cameras,
        ratio: float,
        generator: torch.Generator,
    ) -> tuple[Float[Tensor, ""], dict[str, float]]:
        """Loss of a render, differentiable in it, and diagnostics.

        Args:
            rendered: 0 to 1, over white or black.
            camera: one camera, of the render.
            conditions: encodings of the photographs that condition it.
            cameras: present cameras of those photographs.
            ratio: share of the run done.
            generator: source of all noise; on the CPU, so that a run is the same on every device.
        """
        ...


def choose_step(how: Literal["annealed", "random"], ratio: float, steps: int, generator: torch.Generator) -> int:
    """Time step of one evaluation: (1 - ratio) steps, kept in range (paper), or uniform in range (DreamFusion)."""
    lowest, highest = round(LOWEST * steps), round(HIGHEST * steps)
    if how == "annealed":
        return min(max(round((1 - ratio) * steps), lowest), highest)
    return int(torch.randint(lowest, highest + 1, (1,), generator=generator))


def add_noise(latents: Tensor, noise: Tensor, alpha_bar: float) -> Tensor:
    """Noisy latents z_t of z and e."""
    return alpha_bar**0.5 * latents + (1 - alpha_bar) ** 0.5 * noise


def classifier_free(conditional: Tensor, unconditional: Tensor, scale: float) -> Tensor:
    """Classifier-free guidance (Ho and Salimans 2022): away from the unconditional prediction by `scale`."""
    return unconditional + scale * (conditional - unconditional)


def distillation_gradient(
    predictions: Float[Tensor, "views channels rows columns"],
    noise: Float[Tensor, "1 channels rows columns"],
    alpha_bar: float,
) -> Float[Tensor, "1 channels rows columns"]:
    """Gradient g = (1 - a) (e_hat - e), with e_hat averaged over the views."""
    return (1 - alpha_bar) * (predictions.mean(0, keepdim=True) - noise)


def distillation_loss(latents: Tensor, gradient: Tensor) -> Float[Tensor, ""]:
    """Loss 0.5 || z - stopgrad(z - g) ||^2, whose derivative by z is g."""
    target = (latents - gradient).detach()
    return 0.5 * (latents - target).square().sum()


def inverted_noise(latents: Tensor, predict: Predict, times: list[Moment]) -> Tensor:
    """Noise that leads from z to z_t along the model's own path, in place of a random one (SDI).

    DDIM inversion from the clean latents through rising `times` (Lukoianov et al. 2024, section 5): each step adds the
    noise that the model predicts at the point reached. e follows from the last z_t.
    """
    path, alpha_bar = latents, 1.0
    for moment in times:
        noise = predict(path, moment.t).mean(0, keepdim=True)
        clean = (path - (1 - alpha_bar) ** 0.5 * noise) / alpha_bar**0.5
        path, alpha_bar = add_noise(clean, noise, moment.alpha_bar), moment.alpha_bar
    return (path - alpha_bar**0.5 * latents) / (1 - alpha_bar) ** 0.5


def distill(
    latents: Float[Tensor, "1 channels rows columns"],
    predict: Predict,
    moment: Moment,
    noise: Float[Tensor, "1 channels rows columns"],
) -> tuple[Float[Tensor, ""], dict[str, float]]:
    """Loss of latents under a model's predictions, differentiable in the latents only, and diagnostics."""
    with torch.no_grad():
        predictions = predict(add_noise(latents.detach(), noise, moment.alpha_bar), moment.t)
        gradient = torch.nan_to_num(distillation_gradient(predictions, noise, moment.alpha_bar), posinf=0.0, neginf=0.0)
    diagnostics = {
        "t": float(moment.t),
        "gradient": float(gradient.square().mean().sqrt()),
        "noise_error": float((predictions - noise).square().mean()),
    }
    return distillation_loss(latents, gradient), diagnostics
