"""The search of one view that a person asks for, with a fake that reconstructs at once."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from sparseags_ns.geometry.cameras import orbit
from sparseags_ns.geometry.pose_errors import pose_change
from sparseags_ns.optimization.reconstruct import Reconstruction
from sparseags_ns.optimization.short_fits import Fitter
from sparseags_ns.outliers.context import RepairContext
from sparseags_ns.outliers.manual_search import search_manually
from sparseags_ns.outliers.settings import RepairSettings
from sparseags_ns.pose_search.settings import SearchSettings
from sparseags_ns.views import Views

QUICK = SearchSettings(
    spacing_deg=30.0, coarse_px=16, fine_px=32, shortlist=12, finalists=3, coarse_steps=20, fine_steps=12
)
SETTINGS = RepairSettings(quick_search=QUICK, thorough_search=QUICK, pixels=32, candidates=2)
MakeViews = Callable[..., Views]


def context_and_fit(
    views: Views, fitter: Fitter, wrong: int | None, trusted: Tensor
) -> tuple[RepairContext, Reconstruction]:
    poses = views.cameras.T_camera_world.clone()
    if wrong is not None:
        poses[wrong] = orbit(torch.tensor(300.0), torch.tensor(20.0), 1.85)
    context = RepairContext(views, fitter, SETTINGS, poses)
    return context, fitter.from_scratch(views.cameras.with_poses(poses), trusted)


def test_a_wrong_view_gets_its_pose(make_views: MakeViews, perfect_fitter: Fitter) -> None:
    views = make_views(4)
    context, fit = context_and_fit(views, perfect_fitter, 2, torch.ones(4, dtype=torch.bool))
    found = search_manually(context, fit, 2)
    assert found.decision.action == "correct" and found.fit is not None and found.fit.trusted.all()
    errors_deg, _ = pose_change(found.fit.cameras.T_camera_world, views.cameras.T_camera_world)
    assert errors_deg[2] < 6.0 and found.decision.numbers["rotation_deg"] > 60


def test_a_right_view_stays(make_views: MakeViews, perfect_fitter: Fitter) -> None:
    context, fit = context_and_fit(make_views(4), perfect_fitter, None, torch.ones(4, dtype=torch.bool))
    found = search_manually(context, fit, 1)
    assert found.fit is None and found.decision.action == "restore"


def test_two_others_have_to_be_left(make_views: MakeViews, perfect_fitter: Fitter) -> None:
    context, fit = context_and_fit(make_views(3), perfect_fitter, None, torch.tensor([True, True, False]))
    found = search_manually(context, fit, 0)
    assert found.fit is None and "2 other trusted views" in found.decision.why
