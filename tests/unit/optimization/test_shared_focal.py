"""One focal length for all views that one camera setting took."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from sparseags_ns.geometry.cameras import Cameras, orbit, project
from sparseags_ns.optimization.corrections import share_focal_length
from sparseags_ns.optimization.settings import SPARSEAGS_PAPER, JointSettings
from sparseags_ns.views import Views

FOCALS = (480.0, 470.0, 500.0, 490.0)


def views_with(focals: torch.Tensor, scale: torch.Tensor | None, pose_lr_scale: torch.Tensor | None = None) -> Views:
    poses = orbit(torch.tensor([0.0, 80.0, 170.0, 260.0]), torch.full((4,), 20.0), 1.85)
    K = torch.diag_embed(torch.stack([focals, focals, torch.ones(4)], dim=-1))
    K[:, 0, 2] = K[:, 1, 2] = 8
    plane = torch.ones(4, 16, 16)
    return Views(
        names=("a", "b", "c", "d"),
        paths=(Path("a"), Path("b"), Path("c"), Path("d")),
        images=torch.ones(4, 16, 16, 3),
        masks=plane,
        valid=plane,
        cameras=Cameras(poses, K, 16, 16),
        trusted=torch.ones(4, dtype=torch.bool),
        pose_lr_scale=pose_lr_scale,
        focal_scale=scale,
    )


def test_focal_lengths_become_their_mean_and_the_object_keeps_its_size() -> None:
    scale = torch.tensor([1.0, 2.0, 0.5, 1.0])
    given = views_with(torch.tensor(FOCALS) / 15 * scale, scale)
    shared = share_focal_length(given, JointSettings())
    lengths = shared.cameras.K[:, 0, 0] / scale
    torch.testing.assert_close(lengths, (torch.tensor(FOCALS) / 15).log().mean().exp().expand(4))
    beside = torch.linalg.inv(given.cameras.T_camera_world)[:, :3, 0]  # right of each camera
    before, after = (project(views.cameras, 0.2 * beside[:, None])[0] for views in (given, shared))
    torch.testing.assert_close(before, after)
    again = share_focal_length(shared, JointSettings())
    torch.testing.assert_close(again.cameras.K, shared.cameras.K)


def test_nothing_is_shared_unless_asked_for_and_known() -> None:
    focals, ones = torch.tensor(FOCALS) / 15, torch.ones(4)
    for settings in (
        JointSettings(refine_focal="off"),
        JointSettings(refine_focal="per_view"),
        SPARSEAGS_PAPER.settings,
    ):
        assert share_focal_length(views_with(focals, ones), settings).cameras.K[1, 0, 0] == focals[1]
    assert share_focal_length(views_with(focals, None), JointSettings()).cameras.K[1, 0, 0] == focals[1]
    fixed = views_with(focals, ones, torch.zeros(4))
    assert share_focal_length(fixed, JointSettings()) is fixed


def test_views_without_a_pose_take_the_focal_length_of_the_others() -> None:
    focals = torch.tensor([30.0, 30.0, 30.0, 60.0])
    views = replace(views_with(focals, torch.ones(4)), unposed=(3,))
    torch.testing.assert_close(share_focal_length(views, JointSettings()).cameras.K[:, 0, 0], torch.full((4,), 30.0))


def test_sharing_is_announced() -> None:
    announced: list[str] = []
    share_focal_length(
        views_with(torch.tensor(FOCALS) / 15, torch.ones(4)),
        JointSettings(),
        say=lambda what, why: announced.append(what),
    )
    assert announced == ["focal length: 32 pixels of the photographs for all of them"]
