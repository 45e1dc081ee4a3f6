"""Outlier repair of many views and of few, with a fake that always reconstructs the toy splat at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
import torch
from torch import Tensor

from sparseags_ns.geometry.cameras import Cameras, orbit
from sparseags_ns.geometry.pose_errors import pose_change
from sparseags_ns.metrics.images import PerceptualError, dssim
from sparseags_ns.metrics.view_errors import view_errors
from sparseags_ns.optimization.reconstruct import Reconstruction
from sparseags_ns.optimization.short_fits import Continuation
from sparseags_ns.outliers.alignment import align_poses
from sparseags_ns.outliers.repair import repair
from sparseags_ns.outliers.settings import FewViewsSettings, LeaveOneOutSettings, RepairSettings, VerdictSettings
from sparseags_ns.pose_search.losses import view_losses
from sparseags_ns.pose_search.proxy import proxy
from sparseags_ns.pose_search.settings import SearchSettings
from sparseags_ns.rasterizer.types import Gaussians
from sparseags_ns.views import Views

QUICK = SearchSettings(
    spacing_deg=30.0, coarse_px=16, fine_px=32, shortlist=12, finalists=3, coarse_steps=20, fine_steps=12
)
RULE = LeaveOneOutSettings(must_improve=1.15, suspect_below_few=1.45)
"""With a perfect fitter, leaving a view out does not lower the others' errors."""
SETTINGS = RepairSettings(
    leave_one_out=RULE, quick_search=QUICK, thorough_search=QUICK, pixels=32, quick_searches=3, candidates=2
)


@dataclass
class PerfectFitter:
    """The splat is always the true one, whatever the poses; they are not refined."""

    gaussians: Gaussians
    calls: list[str] = field(default_factory=list)

    def from_scratch(self, cameras: Cameras, trusted: Tensor) -> Reconstruction:
        self.calls.append(f"from_scratch {int(trusted.sum())}")
        return Reconstruction(self.gaussians, cameras, trusted)

    def continued(self, fit: Reconstruction, continuation: Continuation) -> Reconstruction:
        self.calls.append(f"continued {int(fit.trusted.sum())}")
        return fit


def with_wrong(views: Views, **azimuths_deg: float) -> Views:
    """The views with wrong poses for some of them: `_2=90.0` puts view 2 at that azimuth."""
    poses = views.cameras.T_camera_world.clone()
    for name, azimuth_deg in azimuths_deg.items():
        poses[int(name[1:])] = orbit(torch.tensor(azimuth_deg), torch.tensor(20.0), 1.85)
    return replace(views, cameras=views.cameras.with_poses(poses))


def errors_deg(cameras: Cameras, views: Views) -> Tensor:
    return pose_change(cameras.T_camera_world, views.cameras.T_camera_world)[0]


def test_clean_views_come_back_untouched(make_views: Callable[..., Views], toy_gaussians: Gaussians) -> None:
    views, fitter = make_views(6, 32), PerfectFitter(toy_gaussians)
    result = repair(views, fitter, settings=SETTINGS)
    assert not result.corrected.any()
    assert torch.equal(result.fit.cameras.T_camera_world, views.cameras.T_camera_world)
    assert fitter.calls == ["from_scratch 6"] + ["continued 5"] * 3


def test_one_wrong_view_is_found_and_given_its_pose(make_views: Callable[..., Views], toy_gaussians: Gaussians) -> None:
    views = make_views(6, 32)
    result = repair(with_wrong(views, _2=300.0), PerfectFitter(toy_gaussians), settings=SETTINGS)
    assert result.corrected.tolist() == [False, False, True, False, False, False] and result.fit.trusted.all()
    assert errors_deg(result.fit.cameras, views).max() < 6.0
    assert [d.action for d in result.decisions[:4]] == ["suspect", "drop", "finish", "correct"]
    assert sum(d.action == "finish" for d in result.decisions) == 2  # Once more, since there was one.


def test_after_a_drop_what_is_left_is_reconstructed_at_every_rate(
    make_views: Callable[..., Views], toy_gaussians: Gaussians
) -> None:
    """The rate that suits it is kept, because a wrong pose wants another rate than right ones do."""
    views, shifted = make_views(6, 32), toy_gaussians.means + torch.tensor([0.1, 0.0, 0.0])
    first, other = PerfectFitter(replace(toy_gaussians, means=shifted)), PerfectFitter(toy_gaussians)
    wrong = with_wrong(views, _2=300.0)
    result = repair(wrong, first, settings=SETTINGS, other_fitters=[other])
    assert other.calls[0] == "from_scratch 5"  # It made nothing before: no left-out fit and no trial.
    # The first fitter makes nothing more: all that follows has the rate that suits what is left.
    assert first.calls == ["from_scratch 6", *["continued 5"] * 3, "from_scratch 5"]
    assert torch.equal(result.fit.gaussians.means, toy_gaussians.means)


def test_two_wrong_views_are_found_and_given_their_poses(
    make_views: Callable[..., Views], toy_gaussians: Gaussians
) -> None:
    views = make_views(8, 32)
    result = repair(with_wrong(views, _2=300.0, _3=10.0), PerfectFitter(toy_gaussians), settings=SETTINGS)
    assert result.corrected.nonzero().flatten().tolist() == [2, 3]
    assert errors_deg(result.fit.cameras, views).max() < 6.0


def test_repair_repeats_itself(make_views: Callable[..., Views], toy_gaussians: Gaussians) -> None:
    views = with_wrong(make_views(6, 32), _4=100.0)
    first, second = (repair(views, PerfectFitter(toy_gaussians), settings=SETTINGS) for _ in range(2))
    assert torch.equal(first.fit.cameras.T_camera_world, second.fit.cameras.T_camera_world)
    assert first.decisions == second.decisions


def test_recovered_poses_that_do_not_help_are_refused(
    make_views: Callable[..., Views], toy_gaussians: Gaussians
) -> None:
    views = with_wrong(make_views(6, 32), _2=300.0)
    strict = replace(SETTINGS, verdict=VerdictSettings(correct_below=0.0))
    result = repair(views, PerfectFitter(toy_gaussians), settings=strict)
    assert result.decisions[-1].action == "restore"
    assert torch.equal(result.fit.cameras.T_camera_world, views.cameras.T_camera_world)


def test_photograph_of_something_else_stays_out_at_its_best_pose(
    make_views: Callable[..., Views], toy_gaussians: Gaussians
) -> None:
    views = make_views(6, 32)
    images = views.images.clone()
    images[2] = 1 - images[2].flip(0, 1)
    strange = replace(with_wrong(views, _2=300.0), images=images)
    settings = replace(SETTINGS, verdict=VerdictSettings(correct_below=1.1, reject_share=0.2))
    result = repair(strange, PerfectFitter(toy_gaussians), settings=settings)
    assert result.fit.trusted.tolist() == [True, True, False, True, True, True]
    assert [d.action for d in result.decisions[2:]] == ["finish", "reject", "restart", "finish"]


def test_blank_photograph_is_left_out_without_a_search(
    make_views: Callable[..., Views], toy_gaussians: Gaussians
) -> None:
    views = make_views(6, 32)
    masks = views.masks.clone()
    masks[1] = 0.0
    fitter = PerfectFitter(toy_gaussians)
    result = repair(replace(views, masks=masks), fitter, settings=SETTINGS)
    assert fitter.calls[0] == "from_scratch 5" and not result.fit.trusted[1] and not result.corrected.any()


def test_losses_and_poses_of_a_moved_world_are_comparable(
    make_views: Callable[..., Views], toy_gaussians: Gaussians
) -> None:
    views = make_views(4, 32)
    fit = Reconstruction(toy_gaussians, views.cameras, views.trusted)
    assert view_losses(fit, views, 32).max() < 1e-4
    shift = torch.eye(4)
    shift[:3, 3] = torch.tensor([0.1, 0.2, -0.1])
    assert torch.allclose(
        align_poses(views.cameras.T_camera_world @ shift, fit), views.cameras.T_camera_world, atol=1e-3
    )


def test_published_rule_judges_by_the_perceptual_error(
    make_views: Callable[..., Views], toy_gaussians: Gaussians
) -> None:
    """It makes no leave-one-out tests before there is a suspect."""
    views, fitter = with_wrong(make_views(6, 32), _2=90.0), PerfectFitter(toy_gaussians)
    perceptual = PerceptualError("dssim", dssim)
    settings = replace(SETTINGS, rule="published", perceptual=perceptual, quick_searches=0)
    result = repair(views, fitter, settings=settings)
    errors = view_errors(proxy(toy_gaussians), views.cameras, views, perceptual, sh_degree=None).perceptual
    assert result.decisions[0].action == "suspect" and result.decisions[0].view == 2
    assert result.decisions[0].numbers["error"] == pytest.approx(float(errors.max()), rel=1e-4)
    assert fitter.calls == ["from_scratch 6", "from_scratch 5"]  # No quick search: no left-out fit was made.


def test_the_wrong_one_of_four_views_is_corrected(make_views: Callable[..., Views], toy_gaussians: Gaussians) -> None:
    views = make_views(4, 32)
    result = repair(with_wrong(views, _2=300.0), PerfectFitter(toy_gaussians), settings=SETTINGS)
    assert result.corrected.tolist() == [False, False, True, False] and result.fit.trusted.all()
    assert errors_deg(result.fit.cameras, views).max() < 12.0
    assert [(one.action, one.view) for one in result.decisions] == [("correct", 2), ("restart", None), ("re-search", 2)]
    decision = result.decisions[0]
    assert decision.numbers["sum_recovered"] < FewViewsSettings().must_fall * decision.numbers["sum_given"]


def test_four_right_views_come_back_untouched(make_views: Callable[..., Views], toy_gaussians: Gaussians) -> None:
    views, fitter = make_views(4, 32), PerfectFitter(toy_gaussians)
    result = repair(views, fitter, settings=SETTINGS)
    assert not result.corrected.any() and torch.equal(result.fit.cameras.T_camera_world, views.cameras.T_camera_world)
    assert [decision.action for decision in result.decisions] == ["finish"]
    # All four were left out in turn, and no more than the most promising arrangements reconstructed.
    assert (
        fitter.calls.count("from_scratch 3") == 4
        and fitter.calls.count("from_scratch 4") <= 1 + FewViewsSettings().arrangements
    )


def test_few_views_whose_cameras_are_fixed_are_not_tried(
    make_views: Callable[..., Views], toy_gaussians: Gaussians
) -> None:
    views = make_views(4, 32)
    fixed = replace(with_wrong(views, _2=300.0), pose_lr_scale=views.masks.new_zeros(4))
    result = repair(fixed, PerfectFitter(toy_gaussians), settings=SETTINGS)
    assert not result.corrected.any() and result.decisions[-1].why == "no view is left to suspect"


def test_the_published_rule_suspects_among_few_views_too(
    make_views: Callable[..., Views], toy_gaussians: Gaussians
) -> None:
    settings = replace(SETTINGS, rule="published", quick_searches=0)
    result = repair(make_views(4, 32), PerfectFitter(toy_gaussians), settings=settings)
    assert result.decisions[0].action == "suspect"
