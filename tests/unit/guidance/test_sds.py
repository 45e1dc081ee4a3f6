"""Score distillation against a model whose true score is known: one Gaussian for each conditioning view.

If images of view i are N(m_i, s^2), the best prediction of the noise in z_t is
e_hat_i = sqrt(1 - a) (z_t - sqrt(a) m_i) / (a s^2 + 1 - a). Put into g = (1 - a) (mean e_hat - e) and averaged over e:
E[g] = (1 - a)^1.5 sqrt(a) (z - mean m) / (a s^2 + 1 - a). The gradient leads to the mean of the modes.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from sparseags_ns.guidance import sds
from sparseags_ns.guidance.sds import Moment

MODES = torch.tensor([2.0, -0.5, 0.6]).reshape(3, 1, 1, 1).expand(3, 2, 4, 4)
SPREAD = 0.7
TIMES = [(20, 0.981), (300, 0.6), (700, 0.11), (980, 0.006)]


def predict_truly(noisy: torch.Tensor, alpha_bar: float) -> torch.Tensor:
    variance = alpha_bar * SPREAD**2 + 1 - alpha_bar
    return (1 - alpha_bar) ** 0.5 * (noisy - alpha_bar**0.5 * MODES) / variance


def expected_gradient(latents: torch.Tensor, alpha_bar: float) -> torch.Tensor:
    variance = alpha_bar * SPREAD**2 + 1 - alpha_bar
    mode = MODES.mean(0, keepdim=True)
    return (1 - alpha_bar) ** 1.5 * alpha_bar**0.5 * (latents - mode) / variance


def check_against_the_true_score() -> None:
    """Exact for each noise sample, hence in the mean: over noise and its negative the mean is E[g]."""
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn(1, 2, 4, 4, generator=generator).requires_grad_()
    noise = torch.randn(1, 2, 4, 4, generator=generator)
    for t, alpha_bar in TIMES:
        gradients = []
        for sample in (noise, -noise):
            loss, _ = sds.distill(latents, lambda z, _, a=alpha_bar: predict_truly(z, a), Moment(t, alpha_bar), sample)
            gradients += torch.autograd.grad(loss, latents)
        mean = torch.stack(gradients).mean(0)
        torch.testing.assert_close(mean, expected_gradient(latents.detach(), alpha_bar), rtol=1e-4, atol=1e-5)


def test_gradient_is_the_true_scores_in_direction_and_size() -> None:
    check_against_the_true_score()


@pytest.mark.parametrize(
    "mutant",
    [
        lambda predictions, noise, a: (1 - a) * (noise - predictions.mean(0, keepdim=True)),
        lambda predictions, noise, a: predictions.mean(0, keepdim=True) - noise,
        lambda predictions, noise, a: a * (predictions.mean(0, keepdim=True) - noise),
        lambda predictions, noise, a: (1 - a) ** 0.5 * (predictions.mean(0, keepdim=True) - noise),
        lambda predictions, noise, a: (1 - a) * (predictions.sum(0, keepdim=True) - noise),
        lambda predictions, noise, a: (1 - a) * (predictions[:1] - noise),
        lambda predictions, noise, a: (1 - a) * predictions.mean(0, keepdim=True) * 0.9,
    ],
    ids=["sign", "no weight", "weight a", "weight sqrt", "sum of views", "first view only", "size"],
)
def test_a_wrong_gradient_does_not_pass_for_the_true_score(
    mutant: Callable[[torch.Tensor, torch.Tensor, float], torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sds, "distillation_gradient", mutant)
    with pytest.raises(AssertionError):
        check_against_the_true_score()


def test_following_the_gradient_ends_at_the_mean_of_the_modes() -> None:
    generator = torch.Generator().manual_seed(1)
    latents = torch.randn(1, 2, 4, 4, generator=generator).requires_grad_()
    for step in range(600):
        noise = torch.randn(1, 2, 4, 4, generator=generator)
        moment = Moment(400, 0.4)
        loss, _ = sds.distill(latents, lambda z, _: predict_truly(z, 0.4), moment, noise)
        (gradient,) = torch.autograd.grad(loss, latents)
        latents = (latents - 0.5 * 0.99**step * gradient).detach().requires_grad_()
    assert (latents - MODES.mean(0)).abs().max() < 0.05


def test_loss_is_half_the_squared_gradient_and_its_derivative_is_the_gradient() -> None:
    latents, gradient = torch.randn(1, 4, 3, 3, requires_grad=True), torch.randn(1, 4, 3, 3)
    loss = sds.distillation_loss(latents, gradient)
    torch.testing.assert_close(loss.detach(), 0.5 * gradient.square().sum())
    torch.testing.assert_close(torch.autograd.grad(loss, latents)[0], gradient)


def test_no_gradient_passes_through_the_model() -> None:
    latents = torch.randn(1, 2, 4, 4, requires_grad=True)
    bias = torch.zeros(1, requires_grad=True)
    loss, _ = sds.distill(latents, lambda z, _: z.repeat(3, 1, 1, 1) + bias, Moment(500, 0.3), torch.randn(1, 2, 4, 4))
    assert torch.autograd.grad(loss, bias, allow_unused=True) == (None,)


def test_a_prediction_that_overflows_leaves_the_rest_alone() -> None:
    latents = torch.zeros(1, 2, 4, 4, requires_grad=True)
    predictions = torch.ones(3, 2, 4, 4)
    predictions[1, 0, 0, 0] = float("inf")
    loss, _ = sds.distill(latents, lambda _z, _t: predictions, Moment(500, 0.3), torch.zeros(1, 2, 4, 4))
    (gradient,) = torch.autograd.grad(loss, latents)
    assert gradient[0, 0, 0, 0] == 0 and torch.isfinite(gradient).all() and gradient[0, 1].min() > 0


@pytest.mark.parametrize("ratio, t", [(0.0, 980), (0.01, 980), (0.3, 700), (0.5, 500), (0.99, 20), (1.0, 20)])
def test_annealed_steps_fall_from_980_to_20(ratio: float, t: int) -> None:
    assert sds.choose_step("annealed", ratio, 1000, torch.Generator()) == t


def test_random_steps_cover_their_range_whatever_the_ratio() -> None:
    generator = torch.Generator().manual_seed(0)
    drawn = {sds.choose_step("random", 1.0, 1000, generator) for _ in range(20_000)}
    assert (min(drawn), max(drawn)) == (20, 980)


def test_classifier_free_guidance_extrapolates_from_the_unconditional() -> None:
    assert sds.classifier_free(torch.tensor(3.0), torch.tensor(1.0), 5.0) == 11.0
    assert sds.classifier_free(torch.tensor(3.0), torch.tensor(1.0), 1.0) == 3.0


def test_inverted_noise_is_the_one_on_the_true_path() -> None:
    """The flow of N(m, s^2) keeps (z_t - sqrt(a) m) / sqrt(a s^2 + 1 - a); the noise at its end follows from that."""
    latents = torch.randn(1, 2, 4, 4, generator=torch.Generator().manual_seed(3))
    mode, last = MODES.mean(0, keepdim=True), 0.05
    signal = torch.linspace(1, last**0.5, 2001)[1:].square().tolist()
    path = [Moment(index, alpha_bar) for index, alpha_bar in enumerate(signal)]
    noise = sds.inverted_noise(latents, lambda z, t: predict_truly(z, signal[t]), path)
    reached = last**0.5 * mode + (latents - mode) * ((last * SPREAD**2 + 1 - last) ** 0.5 / SPREAD)
    torch.testing.assert_close(noise, (reached - last**0.5 * latents) / (1 - last) ** 0.5, atol=0.02, rtol=0.02)
