"""All views are arranged anew where repair leaves some unexplained, with a fitter that always makes the true splat."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import torch

from sparseags_ns.geometry import se3
from sparseags_ns.geometry.cameras import orbit
from sparseags_ns.geometry.pose_errors import pose_errors
from sparseags_ns.optimization.short_fits import Continuation, Fitter
from sparseags_ns.outliers.context import RepairContext
from sparseags_ns.outliers.rearrangement import Arrange, Proposal, rearrange
from sparseags_ns.outliers.repair import RepairResult
from sparseags_ns.outliers.settings import RepairSettings
from sparseags_ns.runs.record import Decision
from sparseags_ns.views import Views

SETTINGS = RepairSettings(pixels=32, sharpening=Continuation(pixels=32, steps=1, pose_lr=0.0))
SUSPECT = Decision("suspect", 0, "it fits better elsewhere", {})


def ended(
    views: Views, fitter: Fitter, *decisions: Decision, wrong: Sequence[int] = ()
) -> tuple[RepairContext, RepairResult]:
    """The end of a repair in which these views stand on the other side of the object."""
    poses = views.cameras.T_camera_world.clone()
    for number, view in enumerate(wrong):
        poses[view] = orbit(torch.tensor(100.0 + 70 * number), torch.tensor(35.0), 1.85)
    given = replace(views, cameras=views.cameras.with_poses(poses))
    context = RepairContext(given, fitter, SETTINGS, poses)
    none = torch.zeros_like(views.trusted)
    return context, RepairResult(fitter.from_scratch(given.cameras, views.trusted), none, none, decisions)


def arranges(views: Views, asked: list[Views], *, leave_out: Sequence[int] = ()) -> Arrange:
    """Proposes the true poses of all views but some, in a world that is turned, moved and larger."""

    def arrange(known: Views) -> list[Proposal]:
        asked.append(known)
        turned = se3.exp(torch.tensor([0.0, 0.0, 0.0, 0.3, 1.0, -0.5])).to(views.cameras.T_camera_world)
        poses = views.cameras.T_camera_world @ turned
        poses[:, :3, 3] *= 1.3
        fits = torch.ones_like(views.trusted)
        fits[list(leave_out)] = False
        return [Proposal(poses, fits)]

    return arrange


def test_a_better_arrangement_of_all_is_taken(make_views: Callable[..., Views], perfect_fitter: Fitter) -> None:
    views, asked, said = make_views(7, 32), [], []
    context, repaired = ended(views, perfect_fitter, SUSPECT, wrong=[1, 4])
    result = rearrange(context, repaired, arranges(views, asked), said.append)
    errors = pose_errors(result.fit.cameras.T_camera_world, views.cameras.T_camera_world)
    assert errors.rotation_deg.max() < 0.1 and errors.center.max() < 0.02
    assert result.corrected.nonzero().flatten().tolist() == [1, 4] and result.fit.trusted.all()
    assert [(d.action, d.view) for d in result.decisions[1:]] == [("rearrange", None), ("correct", 1), ("correct", 4)]
    assert result.decisions[1].numbers["sum_after"] < 0.1 * result.decisions[1].numbers["sum_before"]
    assert said == ["arranging all photographs anew: 2 fit nowhere so far"]
    assert asked[0].trusted.tolist() == [True, False, True, True, False, True, True], "the others are a start"


def test_the_world_stays_where_it_was(make_views: Callable[..., Views], perfect_fitter: Fitter) -> None:
    """Viewer, exports and records go on in the world that the run began with."""
    views = make_views(7, 32)
    context, repaired = ended(views, perfect_fitter, SUSPECT, wrong=[1, 4])
    result = rearrange(context, repaired, arranges(views, []), lambda _: None)
    right = [0, 2, 3, 5, 6]
    moved = se3.inverse(result.fit.cameras.T_camera_world)[right] - se3.inverse(views.cameras.T_camera_world)[right]
    assert moved[:, :3, 3].norm(dim=-1).max() < 0.1


def test_views_change_their_state_as_the_arrangement_says(
    make_views: Callable[..., Views], perfect_fitter: Fitter
) -> None:
    """One had no trusted pose and gets one; another fits to no arrangement and loses its trust."""
    views = make_views(7, 32)
    begun = replace(views, trusted=torch.arange(7) != 2)
    context, repaired = ended(begun, perfect_fitter, SUSPECT, wrong=[1, 2, 4])
    result = rearrange(context, repaired, arranges(views, [], leave_out=[5]), lambda _: None)
    assert result.fit.trusted.tolist() == [True] * 5 + [False, True]
    assert result.registered.nonzero().flatten().tolist() == [2]
    assert {(d.action, d.view) for d in result.decisions[2:]} >= {("register", 2), ("reject", 5), ("correct", 1)}


def test_an_arrangement_that_explains_no_better_is_refused(
    make_views: Callable[..., Views], perfect_fitter: Fitter
) -> None:
    views = make_views(7, 32)
    context, repaired = ended(views, perfect_fitter, SUSPECT, wrong=[1, 4])
    given = replace(views, cameras=repaired.fit.cameras)
    result = rearrange(context, repaired, arranges(given, []), lambda _: None)
    assert result.fit is repaired.fit and result.decisions[-1].action == "finish"
    assert result.decisions[-1].why == "arranged anew, the photographs are explained no better"


@pytest.mark.parametrize("number", range(4))
def test_nothing_is_arranged_anew(number: int, make_views: Callable[..., Views], perfect_fitter: Fitter) -> None:
    """Where all views are explained; of too few; of a room without masks; beside cameras that are fixed."""
    views = make_views(4 if number == 1 else 7, 32)
    if number == 2:
        views = replace(views, masks=torch.ones_like(views.masks))
    if number == 3:
        views = replace(views, pose_lr_scale=torch.tensor([0.0] + [1.0] * 6))
    context, repaired = ended(views, perfect_fitter, SUSPECT, wrong=[] if number == 0 else [1])
    result = rearrange(context, repaired, lambda _: pytest.fail("arranged"), lambda _: pytest.fail("said"))
    assert result is repaired


def test_a_rough_fit_alone_is_no_reason(make_views: Callable[..., Views], perfect_fitter: Fitter) -> None:
    """Where no view was suspected, all being rendered alike badly is what real photographs look like early in a run."""
    views = make_views(7, 32)
    darker = replace(views, images=0.6 * views.images)
    context, repaired = ended(darker, perfect_fitter)
    assert rearrange(context, repaired, lambda _: pytest.fail("arranged"), lambda _: None) is repaired
    context, repaired = ended(darker, perfect_fitter, SUSPECT)
    assert rearrange(context, repaired, lambda _: [], lambda _: None).decisions[-1].action == "finish"
