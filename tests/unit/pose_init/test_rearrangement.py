"""Views of a run are handed to the arrangement search, and its answer comes back for all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from sparseags_ns.pose_init import rearrangement
from sparseags_ns.pose_init.ab_initio.arrangement import Effort
from sparseags_ns.pose_init.ab_initio.refinement import Refined
from sparseags_ns.pose_init.ab_initio.search import ArrangementSearch, SearchSettings
from sparseags_ns.pose_init.rearrangement import arrange_views
from sparseags_ns.views import Views

TINY = SearchSettings(
    explore=Effort(12, 5, 20),
    polish=Effort(12, 5, 20),
    decide=Effort(12, 5, 20),
    climbs=1,
    starts=2,
    ordered_climbs=1,
    part_climbs=1,
    polished=1,
    decided=1,
    rounds=0,
)


def test_trusted_views_are_a_start_and_empty_ones_are_left_out(
    make_views: Callable[..., Views], monkeypatch: pytest.MonkeyPatch
) -> None:
    views = make_views(6, 64)
    masks, trusted = views.masks.clone(), torch.tensor([True, True, False, True, True, True])
    masks[3] = 0
    views = replace(views, masks=masks, trusted=trusted)
    shown, parts = [0, 1, 2, 4, 5], []
    found = views.cameras.T_camera_world[shown].double()
    found[:, :3, 3] *= 2
    fits = torch.tensor([True, True, True, True, False])

    class Search(ArrangementSearch):
        def run(self) -> list:
            parts.append(self._part)
            return super().run()

    monkeypatch.setattr(rearrangement, "ArrangementSearch", Search)
    monkeypatch.setattr(
        rearrangement, "refine_all", lambda crops, *_: [Refined(found, 1.0, torch.zeros(len(crops)), fits)]
    )
    (proposal,) = arrange_views(views, TINY)
    assert proposal.fits.tolist() == [True, True, True, False, True, False]
    torch.testing.assert_close(proposal.T_camera_world[shown, :3, :3], found[:, :3, :3], atol=1e-6, rtol=0)
    assert proposal.T_camera_world[[0, 1, 2, 4], :3, 3].norm(dim=-1).mean() == pytest.approx(1.85, rel=0.05)
    assert sorted(parts[0]) == [0, 1, 3, 4], "numbers among the views that show the object"
    # Orientations of a camera that looks at the object: close to the views' own, which do.
    for number, R in parts[0].items():
        assert abs(torch.from_numpy(R) - found[number, :3, :3]).max() < 0.15
