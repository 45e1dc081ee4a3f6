"""Claims about sparseags_ns.geometry.se3."""

from __future__ import annotations

import math

import pytest
import torch

from sparseags_ns.geometry import se3

ANGLES = [0.0, 1e-8, 1e-4, 0.03, 0.999999, 1.0, 1.000001, 2.0, math.pi - 1e-4, math.pi]


def tangent(angle: float, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    axis = torch.tensor([2.0, -1.0, 3.0], dtype=torch.float64) / math.sqrt(14.0)
    return torch.cat([torch.tensor([0.3, -0.7, 1.1], dtype=torch.float64), axis * angle]).to(dtype)


def generator_matrix(tangents: torch.Tensor) -> torch.Tensor:
    matrix = torch.zeros(4, 4, dtype=tangents.dtype)
    matrix[:3, :3] = se3.skew(tangents[3:])
    matrix[:3, 3] = tangents[:3]
    return matrix


@pytest.mark.parametrize("angle", ANGLES)
@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 1e-6), (torch.float64, 1e-14)])
def test_exp_equals_the_matrix_exponential(angle: float, dtype: torch.dtype, tolerance: float) -> None:
    xi = tangent(angle, dtype)
    expected = torch.linalg.matrix_exp(generator_matrix(xi.double()))
    torch.testing.assert_close(se3.exp(xi).double(), expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("angle", [0.0, 1e-8, 1e-4, 1.0, math.pi])
def test_exp_has_exact_first_and_second_derivatives(angle: float) -> None:
    xi = tangent(angle)[None].requires_grad_()
    assert torch.autograd.gradcheck(se3.exp, (xi,))
    assert torch.autograd.gradgradcheck(se3.exp, (xi,))


@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 2e-6), (torch.float64, 1e-14)])
@pytest.mark.parametrize("angle", ANGLES)
def test_derivative_of_exp_equals_that_of_the_matrix_exponential(
    angle: float, dtype: torch.dtype, tolerance: float
) -> None:
    jacobian = torch.autograd.functional.jacobian(se3.exp, tangent(angle, dtype))
    oracle = torch.autograd.functional.jacobian(
        lambda xi: torch.linalg.matrix_exp(torch.stack([_row(xi, k) for k in range(4)])), tangent(angle, dtype).double()
    )
    torch.testing.assert_close(jacobian.double(), oracle, rtol=0, atol=tolerance)


def _row(xi: torch.Tensor, k: int) -> torch.Tensor:
    top = torch.cat([se3.skew(xi[3:]), xi[:3, None]], dim=1)
    return torch.cat([top, torch.zeros(1, 4, dtype=xi.dtype)])[k]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_exp_at_zero_is_the_identity_with_the_generators_as_derivative(dtype: torch.dtype) -> None:
    zero = torch.zeros(6, dtype=dtype)
    assert torch.equal(se3.exp(zero), torch.eye(4, dtype=dtype))
    jacobian = torch.autograd.functional.jacobian(se3.exp, zero)
    generators = torch.stack([generator_matrix(row) for row in torch.eye(6, dtype=dtype)], dim=-1)
    assert torch.equal(jacobian, generators)


@pytest.mark.parametrize("angle", ANGLES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_of_exp_and_log_are_finite_from_zero_to_pi(angle: float, dtype: torch.dtype) -> None:
    xi = tangent(angle, dtype).requires_grad_()
    back = se3.log(se3.exp(xi))
    back.sum().backward()
    assert xi.grad is not None and torch.isfinite(xi.grad).all()


@pytest.mark.parametrize("angle", ANGLES[:-1])
def test_log_inverts_exp(angle: float) -> None:
    xi = tangent(angle)
    torch.testing.assert_close(se3.log(se3.exp(xi)), xi, rtol=0, atol=1e-12)


def test_log_at_pi_is_one_of_the_two_tangents() -> None:
    T = se3.exp(tangent(math.pi))
    torch.testing.assert_close(se3.exp(se3.log(T)), T, rtol=0, atol=1e-12)


@pytest.mark.parametrize("angle", [0.0, 1e-8, 1e-4, 0.2, 1.0, 3.0])
def test_derivatives_of_log_after_exp_are_the_identity(angle: float) -> None:
    jacobian = torch.autograd.functional.jacobian(lambda xi: se3.log(se3.exp(xi)), tangent(angle))
    torch.testing.assert_close(jacobian, torch.eye(6, dtype=torch.float64), rtol=0, atol=1e-10)


def test_inverse_undoes_a_motion_in_any_batch_shape() -> None:
    T = se3.exp(torch.randn(2, 3, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64))
    identity = torch.eye(4, dtype=torch.float64).expand(2, 3, 4, 4)
    torch.testing.assert_close(T @ se3.inverse(T), identity, rtol=0, atol=1e-14)


@pytest.mark.parametrize("angle", [1e-7, 1e-3, 1.0, math.pi - 1e-3, math.pi])
@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 5e-7), (torch.float64, 1e-14)])
def test_rotation_angle_is_precise_at_both_ends(angle: float, dtype: torch.dtype, tolerance: float) -> None:
    R = se3.exp(tangent(angle, dtype))[:3, :3]
    assert abs(float(se3.rotation_angle(R)) - angle) <= tolerance


def test_rotation_angle_has_no_nan_gradient_at_the_identity() -> None:
    R = torch.eye(3, requires_grad=True)
    se3.rotation_angle(R).backward()
    assert R.grad is not None and torch.isfinite(R.grad).all()


def test_nearest_rotation_keeps_rotations_and_never_returns_a_reflection() -> None:
    matrices = torch.randn(50, 3, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    rotations = se3.nearest_rotation(matrices)
    torch.testing.assert_close(torch.det(rotations), torch.ones(50, dtype=torch.float64))
    torch.testing.assert_close(se3.nearest_rotation(rotations), rotations)


def test_quats_of_half_turns_name_the_axis() -> None:
    half_turns = torch.stack([torch.diag(torch.tensor(d)) for d in ([1.0, -1, -1], [-1.0, 1, -1], [-1.0, -1, 1])])
    assert torch.equal(se3.quats_from_rotations(half_turns).abs(), torch.eye(4)[1:])
