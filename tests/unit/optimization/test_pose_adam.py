"""Adam for camera tangents."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from sparseags_ns.optimization.pose_adam import ALIKE, PoseAdam


def after(gradients: list[torch.Tensor], **options: float) -> torch.Tensor:
    param = nn.Parameter(torch.zeros_like(gradients[0]))
    optimizer = PoseAdam([param], lr=0.1, **options)  # type: ignore[arg-type]
    for gradient in gradients:
        param.grad = gradient.clone()
        optimizer.step()
    return param.detach()


def test_a_step_keeps_the_gradients_direction() -> None:
    gradient = torch.tensor([[3.0, -4.0, 0.001], [0.0, 1.0, 2.0]])
    step = after([gradient])
    assert torch.cosine_similarity(step.flatten(), -gradient.flatten(), dim=0) > 1 - 1e-6


def test_the_steps_size_is_the_learning_rate_whatever_the_scale_of_the_loss() -> None:
    gradient = torch.randn(8, 6, generator=torch.Generator().manual_seed(0))
    for scale in (1e-6, 1.0, 1e6):
        assert after([scale * gradient]).square().mean().sqrt().item() == pytest.approx(0.1, rel=1e-4)


def test_a_direction_without_evidence_hardly_moves() -> None:
    """Adam would move it as fast as the others."""
    generator = torch.Generator().manual_seed(1)
    strong = torch.tensor([[1.0, 0.0]])
    noise = [torch.tensor([[0.0, 1e-3]]) * torch.randn((), generator=generator) for _ in range(50)]
    moved = after([strong + n for n in noise]).abs()[0]
    assert moved[1] < 1e-3 * moved[0]


def test_updates_equal_the_formula() -> None:
    gradients = [torch.tensor([1.0, 2.0]), torch.tensor([-3.0, 0.5])]
    m = v = 0.0
    expected = torch.zeros(2)
    for t, g in enumerate(gradients, start=1):
        m = 0.9 * m + 0.1 * g
        v = 0.99 * v + 0.01 * float((g * g).mean())
        expected = expected - 0.1 * (m / (1 - 0.9**t)) / (v / (1 - 0.99**t)) ** 0.5
    torch.testing.assert_close(after(gradients), expected)


def test_a_saved_optimizer_goes_on_as_if_never_stopped() -> None:
    gradients = [torch.randn(3, 6, generator=torch.Generator().manual_seed(i)) for i in range(6)]
    param = nn.Parameter(torch.zeros(3, 6))
    first = PoseAdam([param], lr=0.1)
    for gradient in gradients[:3]:
        param.grad = gradient.clone()
        first.step()
    again = nn.Parameter(param.detach().clone())
    second = PoseAdam([again], lr=0.5)
    second.load_state_dict(first.state_dict())
    for gradient in gradients[3:]:
        again.grad = gradient.clone()
        second.step()
    assert torch.equal(again.detach(), after(gradients))


def test_parameters_without_gradient_stay() -> None:
    param = nn.Parameter(torch.ones(2))
    PoseAdam([param], lr=0.1).step()
    assert torch.equal(param.detach(), torch.ones(2))


@pytest.mark.parametrize("wrong", [{"lr": -1.0}, {"betas": (0.9, 1.0)}, {"weight_decay": 0.1}])
def test_settings_out_of_range_are_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match="out of range"):
        PoseAdam([nn.Parameter(torch.zeros(1))], **wrong)


def test_preconditioning_gives_each_group_a_step_size_of_its_own() -> None:
    """Orbit and roll take steps of their own size, however weak their gradients are beside those of shifts."""
    gradient = torch.tensor([[100.0, -50.0, 3.0, 0.01, 0.02, 1e-6], [-80.0, 20.0, 9.0, 0.03, -0.01, 2e-6]])
    step = after([gradient], precondition=True).abs()
    for group in ALIKE:
        assert step[:, list(group)].square().mean().sqrt().item() == pytest.approx(0.1, rel=1e-4)
    shift = after([gradient], precondition=True)[:, :2]
    assert torch.cosine_similarity(shift.flatten(), -gradient[:, :2].flatten(), dim=0) > 1 - 1e-6


def test_preconditioning_may_begin_in_the_middle() -> None:
    """Moments from before count: the next step equals that of an optimizer that was preconditioned from the start."""
    gradients = [torch.randn(4, 6, generator=torch.Generator().manual_seed(i)) for i in range(5)]
    param, other = nn.Parameter(torch.zeros(4, 6)), nn.Parameter(torch.zeros(4, 6))
    late, always = PoseAdam([param], lr=0.1), PoseAdam([other], lr=0.1, precondition=True)
    for gradient in gradients[:4]:
        for optimizer, each in ((late, param), (always, other)):
            each.grad = gradient.clone()
            optimizer.step()
    late.param_groups[0]["precondition"] = True
    before = param.detach().clone(), other.detach().clone()
    for optimizer, each in ((late, param), (always, other)):
        each.grad = gradients[4].clone()
        optimizer.step()
    torch.testing.assert_close(param.detach() - before[0], other.detach() - before[1])


@pytest.mark.parametrize("precondition", [False, True])
def test_fixed_views_do_not_lengthen_the_steps_of_the_others(precondition: bool) -> None:
    gradient = torch.randn(2, 6, generator=torch.Generator().manual_seed(2))
    with_fixed = torch.cat([gradient, torch.zeros(14, 6)])
    step = after([with_fixed, with_fixed], precondition=precondition)
    torch.testing.assert_close(step[:2], after([gradient, gradient], precondition=precondition))
    assert not step[2:].any()
