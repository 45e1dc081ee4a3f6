"""Error of Zero123's predicted noise as a function of the poses of two photographs.

ID-Pose (Cheng et al., arXiv 2306.17140) minimises over poses T of the target relative to the condition

    E over t, e of || e - e_hat(z_t; t, x_condition, T) ||^2,   z_t = sqrt(a_t) z + sqrt(1 - a_t) e

with z the target's latents and e_hat the model's prediction, no classifier-free guidance. The error is least where the
model, given T, would have generated the target anyway.

Frames: `world`, of the object: origin in its middle, +y up. A `pose` is four numbers of a camera that looks at the
origin: azimuth and elevation in degrees, distance in units of the model's training (1.85 on average), roll in degrees,
as `geometry.cameras.orbit` takes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sparseags_ns.geometry.cameras import Cameras, orbit
from sparseags_ns.guidance.embeddings import embed
from sparseags_ns.guidance.sds import add_noise
from sparseags_ns.guidance.zero123 import Conditions, Zero123

RADIUS = 1.85
"""Distance of the average camera in the model's training."""


@dataclass(frozen=True)
class PosedPairs:
    """Pairs of photographs in trial poses: one conditions the model, noise is added to the other, the target."""

    conditions: Int[Tensor, " pairs"]
    """Index of each conditioning photograph."""
    targets: Int[Tensor, " pairs"]
    """Index of each target photograph."""
    condition_poses: Float[Tensor, "pairs 4"]
    target_poses: Float[Tensor, "pairs 4"]


@dataclass(frozen=True)
class NoiseSamples:
    """Times and noise, the same for all pairs, so that differences between poses are not due to chance."""

    times: tuple[float, ...]
    """Shares of the model's diffusion steps."""
    seed: int


@runtime_checkable
class PoseError(Protocol):
    """Error of each pair, averaged over samples of noise; differentiable in poses that require gradients."""

    @property
    def depends_on_roll(self) -> bool:
        """Whether it depends on the rotation of cameras about their optical axes."""
        ...

    @property
    def depends_on_elevation(self) -> bool:
        """Whether it depends on more than the difference of two elevations."""
        ...

    def __call__(self, pairs: PosedPairs, samples: NoiseSamples) -> Float[Tensor, " pairs"]: ...


class NoiseError:
    """The `PoseError` of a loaded model, with photographs that are encoded once."""

    def __init__(self, model: Zero123, images: Float[Tensor, "views side side 3"]) -> None:
        self.model = model
        self.conditions: Conditions = model.condition(images)

    @property
    def depends_on_roll(self) -> bool:
        """See `PoseError`; only the 6-DoF model's embedding holds roll."""
        return self.model.networks.embedding == "6dof"

    @property
    def depends_on_elevation(self) -> bool:
        """See `PoseError`; the vanilla model's embedding holds differences only."""
        return self.model.networks.embedding != "vanilla"

    def __call__(self, pairs: PosedPairs, samples: NoiseSamples) -> Float[Tensor, " pairs"]:
        """See `PoseError`; the model runs in passes of at most `max_batch` pairs."""
        networks, size = self.model.networks, self.model.options.max_batch
        latents, embeds = self.conditions.latents, self.conditions.image_embeds
        device, targets = latents.device, pairs.targets.to(latents.device)
        with torch.set_grad_enabled(pairs.condition_poses.requires_grad or pairs.target_poses.requires_grad):
            # All photographs share intrinsics in the embedding of target poses relative to condition poses.
            numbers = embed(networks.embedding, cameras_of(pairs.target_poses), cameras_of(pairs.condition_poses))
            features = torch.cat([embeds[pairs.conditions.to(embeds.device)], numbers.to(embeds)], dim=-1)
            context = networks.projection(features)[:, None]
            clean = latents * networks.vae.config["scaling_factor"]
            generator = torch.Generator().manual_seed(samples.seed)
            total = torch.zeros(len(targets), device=device)
            for time in samples.times:
                noise = torch.randn(latents.shape[1:], generator=generator).to(device)
                t = round(time * (len(networks.alphas_cumprod) - 1))
                noisy = add_noise(clean, noise, float(networks.alphas_cumprod[t])).to(networks.dtype)
                step, errors = torch.tensor(t, device=device), []
                for start in range(0, len(context), size):
                    part = slice(start, start + size)
                    inputs = torch.cat([noisy[targets[part]], latents[pairs.conditions[part].to(device)]], dim=1)
                    predicted = networks.unet(inputs, step, encoder_hidden_states=context[part]).sample.float()
                    errors.append((predicted - noise).square().mean((1, 2, 3)))
                total = total + torch.cat(errors)
            return (total / len(samples.times)).cpu()


def cameras_of(poses: Float[Tensor, "views 4"]) -> Cameras:
    """Cameras in the given poses, with arbitrary intrinsics."""
    azimuth, elevation, radius, roll = poses.unbind(-1)
    K = torch.eye(3, dtype=poses.dtype, device=poses.device).expand(len(poses), 3, 3)
    return Cameras(orbit(azimuth, elevation, radius, roll_deg=roll), K, 1, 1)
