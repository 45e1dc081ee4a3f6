"""The kernels of the short joint fit against a plain reference in torch, and what a fit leaves as it is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.geometry import se3
from sparseags_ns.pose_init.ab_initio import kernels
from sparseags_ns.pose_init.ab_initio.arrangement import Arrangement, Effort, in_parallel, joint_fit, score
from sparseags_ns.pose_init.ab_initio.crops import Crops

VIEWS, HEIGHT, WIDTH = 4, 10, 13
INACTIVE = 2
SHORT = Effort(12, 30, 60)


def draw(
    T_camera_world: Float[Tensor, "4 4"], K: Float[Tensor, " 4"], gaussians: Float[Tensor, "gaussians 8"], blur: float
) -> tuple[Tensor, Tensor]:
    """Colour [H, W, 3] and transmittance [H, W], as the docstring of the kernels describes them."""
    points = se3.transform_points(T_camera_world, gaussians[:, :3])
    column, row = K[0] * points[:, 0] / points[:, 2] + K[2], K[1] * points[:, 1] / points[:, 2] + K[3]
    variance = (K[0] / points[:, 2]) ** 2 * ((2 * gaussians[:, 3]).exp() + blur) + float(kernels.BLUR_PX2)
    opacity = gaussians[:, 4].sigmoid()
    rows, columns = torch.meshgrid(
        torch.arange(HEIGHT).double() + 0.5, torch.arange(WIDTH).double() + 0.5, indexing="ij"
    )
    colour, clear = torch.zeros(HEIGHT, WIDTH, 3).double(), torch.ones(HEIGHT, WIDTH).double()
    for n in points[:, 2].argsort().tolist():
        least = float(kernels.MIN_OPACITY)
        if points[n, 2] <= float(kernels.NEAR) or opacity[n] < least:
            continue
        reach = (2 * variance[n] * (opacity[n] / least).log()).sqrt()
        drawn = ((columns - column[n]).abs() <= reach) & ((rows - row[n]).abs() <= reach)
        squared = (columns - column[n]) ** 2 + (rows - row[n]) ** 2
        a = (opacity[n] * (-squared / (2 * variance[n])).exp()).clamp(max=float(kernels.MAX_ALPHA)) * drawn
        colour = colour + (clear * a)[..., None] * gaussians[n, 5:]
        clear = clear * (1 - a)
    return colour, clear


class Problem:
    """Random photographs, poses and Gaussians: one capped, one behind the cameras, one that is too faint to draw."""

    def __init__(self) -> None:
        random = np.random.default_rng(3)
        self.alpha = random.random((VIEWS, HEIGHT, WIDTH)).astype(np.float32)
        self.rgb = (random.random((VIEWS, HEIGHT, WIDTH, 3)) * self.alpha[..., None]).astype(np.float32)
        self.valid = np.ones_like(self.alpha)
        self.valid[1, :, :4], self.valid[3, 7:] = 0, 0
        self.K = np.array([[14, 15, 6.2, 5.1]] * VIEWS, np.float32) + random.random((VIEWS, 4), np.float32)
        tangents = torch.from_numpy(random.normal(size=(VIEWS, 6))) * 0.8
        self.R = se3.exp(tangents)[:, :3, :3].numpy().astype(np.float32)
        self.t = np.array([0, 0, 2], np.float32) + 0.1 * random.normal(size=(VIEWS, 3)).astype(np.float32)
        self.pivot = self.t + 0.2 * random.normal(size=(VIEWS, 3)).astype(np.float32)
        self.active = np.arange(VIEWS) != INACTIVE
        gaussians = random.normal(size=(30, 8))
        gaussians[:, :3] *= 0.3
        gaussians[:, 3] = np.log(0.08) + 0.4 * gaussians[:, 3]
        gaussians[:, 5:] = random.random((30, 3))
        gaussians[0, :5] = 0, 0, 0, np.log(0.4), 8  # opaque and large: capped where it is nearest
        gaussians[1, :3] = -2.2 * self.R[0, 2]  # behind the first camera
        gaussians[2, 4] = -7
        self.gaussians = gaussians.astype(np.float32)
        self.backgrounds = random.random((VIEWS, 3), np.float32)
        self.smoothing = np.float32(0.05**2)

    def kernel(self) -> tuple[float, np.ndarray, np.ndarray]:
        """Loss and gradients with respect to Gaussians and poses."""
        to_gaussians, to_poses = np.full((30, 8), 9, np.float32), np.full((VIEWS, 6), 9, np.float32)
        memory = kernels.scratch(VIEWS, 30, HEIGHT, WIDTH)
        planes = self.rgb, self.alpha, self.valid, self.K, self.R, self.t, self.pivot, self.active
        rest = self.gaussians, self.backgrounds, self.smoothing, memory, to_gaussians, to_poses
        return kernels.loss_and_gradients(*planes, *rest), to_gaussians, to_poses

    def reference(self) -> tuple[float, np.ndarray, np.ndarray]:
        """Loss and gradients by automatic differentiation in float64."""
        rgb, alpha, valid, K, R, t, pivot, backgrounds = (
            torch.from_numpy(plane).double()
            for plane in (self.rgb, self.alpha, self.valid, self.K, self.R, self.t, self.pivot, self.backgrounds)
        )
        gaussians = torch.from_numpy(self.gaussians).double().requires_grad_()
        tangents = torch.zeros(VIEWS, 6, dtype=torch.float64, requires_grad=True)
        loss = torch.zeros((), dtype=torch.float64)
        for view in np.flatnonzero(self.active):
            T = moved(R[view], t[view], pivot[view], tangents[view])
            colour, clear = draw(T, K[view], gaussians, float(self.smoothing))
            render = colour + clear[..., None] * backgrounds[view]
            photograph = rgb[view] + (1 - alpha[view])[..., None] * backgrounds[view]
            error = ((render - photograph) ** 2).mean(-1) * valid[view]
            excess = (1 - clear - alpha[view]) ** 2 * torch.where(valid[view] > 0, 1.0, float(kernels.OUTSIDE_WEIGHT))
            loss = loss + float(kernels.COLOUR_WEIGHT) * error.sum() + float(kernels.ALPHA_WEIGHT) * excess.sum()
        loss = loss / alpha.numel()
        loss.backward()
        assert gaussians.grad is not None and tangents.grad is not None
        return float(loss.detach()), gaussians.grad.numpy(), tangents.grad.numpy()


def moved(R: Tensor, t: Tensor, pivot: Tensor, tangent: Tensor) -> Float[Tensor, "4 4"]:
    """A pose moved by a tangent (rho, omega): exp(omega) (R x + t - pivot) + pivot + rho."""
    eye = torch.eye(3, dtype=torch.float64)
    turn = se3.exp(torch.cat([torch.zeros(3, dtype=torch.float64), tangent[3:]]))
    return se3.pose(eye, pivot + tangent[:3]) @ turn @ se3.pose(eye, -pivot) @ se3.pose(R, t)


def test_loss_and_gradients_are_those_of_the_reference() -> None:
    problem = Problem()
    loss, to_gaussians, to_poses = problem.kernel()
    expected, expected_gaussians, expected_poses = problem.reference()
    assert loss == pytest.approx(expected, rel=1e-3)
    for found, wanted in ((to_gaussians, expected_gaussians), (to_poses, expected_poses)):
        size = np.abs(wanted).max(axis=0)
        assert (size > 1e-5).all(), "every parameter counts"
        assert (np.abs(found - wanted) / size).max() < 3e-3
    assert (to_poses[INACTIVE] == 0).all() and (np.abs(np.delete(to_poses, INACTIVE, 0)) > 0).any(axis=1).all()
    assert (to_gaussians[2] == 0).all(), "too faint to be drawn"


def test_a_capped_alpha_has_no_gradient() -> None:
    """A spot that covers the whole image at the cap: more opacity or another size change nothing."""
    problem = Problem()
    problem.gaussians = problem.gaussians[:1].copy()
    problem.gaussians[0, 3:5] = 3, 12
    to_gaussians, to_poses = np.empty((1, 8), np.float32), np.empty((VIEWS, 6), np.float32)
    memory = kernels.scratch(VIEWS, 1, HEIGHT, WIDTH)
    planes = problem.rgb, problem.alpha, problem.valid, problem.K, problem.R, problem.t, problem.pivot, problem.active
    kernels.loss_and_gradients(
        *planes, problem.gaussians, problem.backgrounds, problem.smoothing, memory, to_gaussians, to_poses
    )
    assert (to_gaussians[0, :5] == 0).all() and (to_poses == 0).all()
    assert (to_gaussians[0, 5:] != 0).all()


def test_what_the_photograph_does_not_show_counts_by_its_alpha_alone() -> None:
    problem = Problem()
    before, hidden = problem.kernel()[0], problem.valid == 0
    problem.rgb[hidden] += 0.3
    assert problem.kernel()[0] == before
    problem.rgb[INACTIVE], problem.alpha[INACTIVE] = 0, 1
    assert problem.kernel()[0] == before, "nor do inactive views"
    problem.alpha[hidden] = 1
    assert problem.kernel()[0] > before


def test_the_exponential_is_exact_enough_for_eight_bits() -> None:
    x = np.linspace(-11.2, 0, 500, dtype=np.float32)
    found = np.array([kernels._exp(value) for value in x])
    assert np.abs(found - np.exp(x.astype(float))).max() < 1e-4


@pytest.mark.parametrize("angle", [0.0, 1e-7, 1e-4, 0.3, 3.0])
def test_a_pose_turns_about_its_pivot(angle: float) -> None:
    random = np.random.default_rng(1)
    R = se3.exp(torch.from_numpy(random.normal(size=6)))[:3, :3].numpy().astype(np.float32)
    t, pivot, step = (random.normal(size=size).astype(np.float32) for size in (3, 3, 6))
    step[3:] *= angle / np.linalg.norm(step[3:])
    expected = moved(*(torch.from_numpy(array).double() for array in (R, t, pivot, step)))
    kernels._turn(R, t, pivot, step)
    assert np.abs(R - expected[:3, :3].numpy()).max() < 1e-6
    assert np.abs(t - expected[:3, 3].numpy()).max() < 3e-6


def test_scores_are_the_final_losses_of_the_fit(crops: Crops, orientations: np.ndarray) -> None:
    end = joint_fit(crops, orientations, SHORT)
    for view in range(len(crops)):
        (loss,) = score(crops, view, end, end.orientations[view : view + 1], SHORT.pixels)
        assert loss == pytest.approx(end.losses[view], rel=1e-4)
    others = score(crops, 0, end, end.orientations, SHORT.pixels)
    assert others.argmin() == 0 and others[1:].min() > 2 * others[0]


def test_the_loss_falls_to_a_small_part(crops: Crops, orientations: np.ndarray) -> None:
    losses = [joint_fit(crops, orientations, Effort(12, steps, 100)).loss for steps in (1, 20, 100)]
    assert losses[0] > 4 * losses[1] > 12 * losses[2]


def same(one: Arrangement, other: Arrangement) -> bool:
    """Whether two fits agree in every bit."""
    return all(np.array_equal(value, getattr(other, name)) for name, value in vars(one).items())


def test_a_fit_is_the_same_on_any_number_of_threads(crops: Crops, orientations: np.ndarray) -> None:
    threads, ends = torch.get_num_threads(), []
    try:
        for count in (1, 3):
            torch.set_num_threads(count)
            ends.append(in_parallel(lambda seed: joint_fit(crops, orientations, SHORT, seed=seed), range(5)))
    finally:
        torch.set_num_threads(threads)
    assert all(map(same, *ends))
    assert not same(ends[0][0], ends[0][1]), "seeds differ"


def test_views_that_do_not_take_part_or_move_keep_their_poses(crops: Crops, orientations: np.ndarray) -> None:
    active, moves = np.ones(len(crops), np.bool_), np.ones(len(crops), np.bool_)
    active[1], moves[1:3] = False, False
    before = orientations.copy()
    t = crops.object_in_camera.copy()
    end = joint_fit(crops, orientations, SHORT, t=t, active=active, moves=moves)
    kept = np.array([np.abs(end.orientations[v] - orientations[v]).max() < 1e-6 for v in range(len(crops))])
    assert kept.tolist() == [False, True, True, False, False, False]
    assert [np.array_equal(end.t[v], t[v].astype(np.float32)) for v in range(len(crops))] == kept.tolist()
    assert np.isinf(end.losses).tolist() == [False, True, False, False, False, False]
    assert end.loss == pytest.approx(np.delete(end.losses, 1).sum())
    assert np.array_equal(before, orientations) and np.array_equal(t, crops.object_in_camera), "starts are not changed"
    determinants = np.linalg.det(end.R.astype(float))
    assert np.abs(determinants - 1).max() < 1e-4, "rotations stay rotations"
