"""Rigid motions: exponential, logarithm, inverse, and the rotations inside them.

A pose is a 4x4 matrix T = [[R, t], [0, 1]] with R a rotation. A tangent is (v, w): three numbers of translation first,
the rotation vector w last. Angles in radians. `x` below is the squared angle w . w.

The coefficients of exp and log are smooth functions of x; near zero they are summed as power series, so that values
and derivatives of any order are exact there and no 0 / 0 reaches the gradient.
"""

from __future__ import annotations

from math import factorial

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

_SERIES_TERMS = 11
"""Terms of each power series: at x = 1 the first one left out is below the precision of float64."""

# Coefficients of x^k in  A = sin(a) / a,  B = (1 - cos a) / a^2,  C = (a - sin a) / a^3,  E = (B - A / 2) / x.
_SERIES = [
    [
        (-1) ** k / factorial(2 * k + 1),
        (-1) ** k / factorial(2 * k + 2),
        (-1) ** k / factorial(2 * k + 3),
        (-1) ** k * (1 / (2 * factorial(2 * k + 3)) - 1 / factorial(2 * k + 4)),
    ]
    for k in range(_SERIES_TERMS)
]


def exp(tangents: Float[Tensor, "*batch 6"]) -> Float[Tensor, "*batch 4 4"]:
    """Rigid motion of each tangent (translation part first, rotation part last); exp(0) is the identity."""
    translation, rotation = tangents.split(3, dim=-1)
    a, b, c, _ = _coefficients(rotation.square().sum(-1, keepdim=True))
    W = skew(rotation)
    W2 = W @ W
    identity = torch.eye(3, dtype=tangents.dtype, device=tangents.device)
    R = identity + a[..., None] * W + b[..., None] * W2
    V = identity + b[..., None] * W + c[..., None] * W2
    return pose(R, (V @ translation[..., None]).squeeze(-1))


def log(T: Float[Tensor, "*batch 4 4"]) -> Float[Tensor, "*batch 6"]:
    """The tangent of each rigid motion whose angle is at most pi; the inverse of `exp` there."""
    rotation = rotation_vector(T[..., :3, :3])
    _, b, _, e = _coefficients(rotation.square().sum(-1, keepdim=True))
    W = skew(rotation)
    t = T[..., :3, 3:]
    # The inverse of V is I - W / 2 + (E / B) W^2.
    translation = t - 0.5 * (W @ t) + (e / b)[..., None] * (W @ (W @ t))
    return torch.cat([translation.squeeze(-1), rotation], dim=-1)


def inverse(T: Float[Tensor, "*batch 4 4"]) -> Float[Tensor, "*batch 4 4"]:
    """Inverse of rigid motions."""
    R = T[..., :3, :3].transpose(-1, -2)
    return pose(R, -(R @ T[..., :3, 3:]).squeeze(-1))


def pose(R: Float[Tensor, "*batch 3 3"], t: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 4 4"]:
    """The 4x4 matrices of rotations and translations."""
    bottom = torch.zeros_like(R[..., :1, :])
    corner = torch.ones_like(t[..., :1, None])
    return torch.cat([torch.cat([R, t[..., None]], dim=-1), torch.cat([bottom, corner], dim=-1)], dim=-2)


def transform_points(
    T: Float[Tensor, "*batch 4 4"], points: Float[Tensor, "*#batch points 3"]
) -> Float[Tensor, "*batch points 3"]:
    """Points mapped by each rigid motion."""
    return points @ T[..., :3, :3].transpose(-1, -2) + T[..., None, :3, 3]


def skew(vectors: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """The matrix of the cross product: skew(a) @ b = a x b."""
    x, y, z = vectors.unbind(-1)
    zero = torch.zeros_like(x)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).unflatten(-1, (3, 3))


def rotation_vector(R: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3"]:
    """Axis times angle (0 to pi) of each rotation; at exactly pi one of the two opposite vectors."""
    quats = quats_from_rotations(R)
    w, v = quats[..., :1], quats[..., 1:]
    squared = v.square().sum(-1, keepdim=True)
    small = squared < 1e-2
    # angle / |v| = 2 atan(r) / (r w) with r = |v| / w; a series in r^2 where r is small.
    ratio2 = torch.where(small, squared / torch.where(small, w, 1.0).square(), 0.0)
    series = torch.zeros_like(ratio2)
    for k in reversed(range(_SERIES_TERMS)):
        series = series * ratio2 + (-1) ** k / (2 * k + 1)
    norm = torch.where(small, 1.0, squared).sqrt()
    return v * torch.where(small, 2 * series / torch.where(small, w, 1.0), 2 * torch.atan2(norm, w) / norm)


def rotation_angle(R: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch"]:
    """Angle of each rotation in radians, 0 to pi, to full precision near both ends."""
    quats = quats_from_rotations(R)
    return 2 * torch.atan2(quats[..., 1:].norm(dim=-1), quats[..., 0])


def quats_from_rotations(R: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 4"]:
    """Unit quaternions (w, x, y, z) with w >= 0, differentiable everywhere but at angle pi."""
    (r00, r01, r02), (r10, r11, r12), (r20, r21, r22) = (row.unbind(-1) for row in R.unbind(-2))
    wx, wy, wz = r21 - r12, r02 - r20, r10 - r01
    xy, xz, yz = r10 + r01, r02 + r20, r21 + r12
    ww, xx, yy, zz = 1 + r00 + r11 + r22, 1 + r00 - r11 - r22, 1 - r00 + r11 - r22, 1 - r00 - r11 + r22
    # Row i of 4 q q^T is 4 q_i q. The row of the largest component is far from zero, so normalising it is safe.
    rows = torch.stack([ww, wx, wy, wz, wx, xx, xy, xz, wy, xy, yy, yz, wz, xz, yz, zz], dim=-1).unflatten(-1, (4, 4))
    largest = rows.diagonal(dim1=-2, dim2=-1).argmax(-1)
    quats = rows.gather(-2, largest[..., None, None].expand(*largest.shape, 1, 4)).squeeze(-2)
    quats = quats / quats.norm(dim=-1, keepdim=True)
    return torch.where(quats[..., :1] < 0, -quats, quats)


def rotations_from_quats(quats: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 3 3"]:
    """Rotation of each quaternion (w, x, y, z), of any length."""
    w, x, y, z = functional.normalize(quats, dim=-1).unbind(-1)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)


def orthogonality_error(matrices: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch"]:
    """Largest entry of |M M^T - I| of each matrix: 0 for rotations and reflections."""
    identity = torch.eye(3, dtype=matrices.dtype, device=matrices.device)
    return (matrices @ matrices.mT - identity).abs().flatten(-2).amax(-1)


def nearest_rotation(matrices: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3 3"]:
    """The rotation (never a reflection) closest to each matrix in the Frobenius norm."""
    U, _, Vh = torch.linalg.svd(matrices)
    signs = torch.ones_like(matrices[..., 0])
    signs[..., 2] = torch.det(U @ Vh).sign()
    return (U * signs[..., None, :]) @ Vh


def _coefficients(x: Float[Tensor, "*batch 1"]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """A, B, C and E (see `_SERIES`) at the squared angles x."""
    small = x < 1.0
    x_small = torch.where(small, x, 0.0)
    series = torch.zeros_like(x)
    for row in reversed(torch.tensor(_SERIES, dtype=x.dtype, device=x.device).unbind(0)):
        series = series * x_small + row
    x_large = torch.where(small, 1.0, x)
    angle = x_large.sqrt()
    a = angle.sin() / angle
    b = 2 * (angle / 2).sin().square() / x_large
    closed = torch.cat([a, b, (1 - a) / x_large, (b - a / 2) / x_large], dim=-1)
    a, b, c, e = torch.where(small, series, closed).split(1, dim=-1)
    return a, b, c, e
