"""How badly Zero123 predicts the noise on one photograph when it is told where that stands from another.

ID-Pose (Cheng et al., arXiv 2306.17140) minimises over poses T of the target seen from the condition

    E over t, e of || e - e_hat(z_t; t, x_condition, T) ||^2,   z_t = sqrt(a_t) z + sqrt(1 - a_t) e

with z the target's latents and e_hat the model's prediction, no classifier-free guidance. The error is least where the
model, told T, would have drawn the target anyway.

Frames: `world`, of the object: origin in its middle, +y up. A `pose` is four numbers of a camera that looks at the
origin: azimuth and elevation in degrees, distance in units of the model's training (1.85 on average), roll in degrees,
as `geometry.cameras.orbit` takes them. `rows` are questions: one photograph as the condition and one as the target.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sparseags_ns.geometry.cameras import Cameras, orbit
from sparseags_ns.guidance.embeddings import Embedding, embed
from sparseags_ns.guidance.sds import add_noise
from sparseags_ns.guidance.zero123 import Conditions, Zero123

RADIUS = 1.85
"""Distance of the average camera in the model's training."""


@dataclass(frozen=True)
class Questions:
    """Photographs and poses of several rows, and the noise that they are asked about."""

    conditions: Int[Tensor, " rows"]
    """Index of the photograph that is given."""
    targets: Int[Tensor, " rows"]
    """Index of the photograph that noise is added to."""
    condition_poses: Float[Tensor, "rows 4"]
    target_poses: Float[Tensor, "rows 4"]


@dataclass(frozen=True)
class Samples:
    """Times and noise, the same for all rows: differences between poses shall not come from chance."""

    times: tuple[float, ...]
    """Shares of the model's diffusion steps."""
    seed: int


@runtime_checkable
class Ask(Protocol):
    """The error of each row, averaged over samples of noise; differentiable in the poses where they ask for it."""

    @property
    def rolls(self) -> bool:
        """Whether it depends on how cameras are turned about their optical axes."""
        ...

    @property
    def sees_elevation(self) -> bool:
        """Whether it depends on more than the difference of two elevations."""
        ...

    def __call__(self, questions: Questions, samples: Samples) -> Float[Tensor, " rows"]: ...


def spread(count: int, low: float, high: float, seed: int) -> Samples:
    """Times evenly spread, with their noise."""
    return Samples(tuple(low + (high - low) * (k + 0.5) / count for k in range(count)), seed)


class NoiseError:
    """Asks a loaded model about photographs that were encoded once."""

    def __init__(self, model: Zero123, images: Float[Tensor, "views side side 3"]) -> None:
        self.model = model
        self.conditions: Conditions = model.condition(images)

    @property
    def kind(self) -> Embedding:
        """What the model was trained on."""
        return self.model.networks.embedding

    @property
    def rolls(self) -> bool:
        """See `Ask`; only the 6-DoF model is told."""
        return self.kind == "6dof"

    @property
    def sees_elevation(self) -> bool:
        """See `Ask`; the vanilla model is told differences."""
        return self.kind != "vanilla"

    def __call__(self, questions: Questions, samples: Samples) -> Float[Tensor, " rows"]:
        """See `Ask`."""
        networks, latents = self.model.networks, self.conditions.latents
        with torch.set_grad_enabled(questions.condition_poses.requires_grad or questions.target_poses.requires_grad):
            context = self._context(questions)
            clean = latents * networks.vae.config["scaling_factor"]
            generator = torch.Generator().manual_seed(samples.seed)
            total = torch.zeros(len(questions.targets), device=latents.device)
            for time in samples.times:
                noise = torch.randn(latents.shape[1:], generator=generator).to(latents.device)
                total = total + self._at(time, noise, clean, context, questions)
            return (total / len(samples.times)).cpu()

    def _context(self, questions: Questions) -> Float[Tensor, "rows 1 features"]:
        """What the model is told of each row: the condition's embedding, and where the target stands from it."""
        numbers = relative_numbers(self.kind, questions.target_poses, questions.condition_poses)
        embeds = self.conditions.image_embeds[questions.conditions.to(self.conditions.image_embeds.device)]
        return self.model.networks.projection(torch.cat([embeds, numbers.to(embeds)], dim=-1))[:, None]

    def _at(
        self,
        time: float,
        noise: Float[Tensor, "channels rows columns"],
        clean: Float[Tensor, "views channels rows columns"],
        context: Float[Tensor, "questions 1 features"],
        questions: Questions,
    ) -> Float[Tensor, " questions"]:
        """Errors at one time, in as many passes as the model's options allow."""
        networks, size = self.model.networks, self.model.options.max_batch
        t = round(time * (len(networks.alphas_cumprod) - 1))
        noisy = add_noise(clean, noise, float(networks.alphas_cumprod[t])).to(networks.dtype)
        errors = []
        for start in range(0, len(context), size):
            part = slice(start, start + size)
            targets = questions.targets[part].to(noisy.device)
            given = self.conditions.latents[questions.conditions[part].to(noisy.device)]
            inputs = torch.cat([noisy[targets], given], dim=1)
            step = torch.tensor(t, device=noisy.device)
            predicted = networks.unet(inputs, step, encoder_hidden_states=context[part]).sample.float()
            errors.append((predicted - noise).square().mean((1, 2, 3)))
        return torch.cat(errors)


def relative_numbers(
    kind: Embedding, target_poses: Float[Tensor, "rows 4"], condition_poses: Float[Tensor, "rows 4"]
) -> Float[Tensor, "rows numbers"]:
    """What the model is told of where each target stands; all photographs count as taken with one lens."""
    return embed(kind, cameras_of(target_poses), cameras_of(condition_poses))


def cameras_of(poses: Float[Tensor, "rows 4"]) -> Cameras:
    """The cameras of poses, with a lens that does not matter."""
    azimuth, elevation, radius, roll = poses.unbind(-1)
    K = torch.eye(3, dtype=poses.dtype, device=poses.device).expand(len(poses), 3, 3)
    return Cameras(orbit(azimuth, elevation, radius, roll_deg=roll), K, 1, 1)
