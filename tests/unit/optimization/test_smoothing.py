"""The blur in space that makes views attract each other in the coarse stages."""

from __future__ import annotations

import torch
from torch import nn

from sparseags_ns.geometry.cameras import Cameras, orbit
from sparseags_ns.optimization.settings import SPARSEAGS, SPARSEAGS_PAPER, Stage
from sparseags_ns.optimization.step import keep_smoothing, smoothed

STAGE = Stage(share=1.0, pixels=32, pose_lr=1e-3, smoothing_px=0.5)


def ring() -> Cameras:
    poses = orbit(torch.tensor([0.0, 90.0]), torch.tensor([0.0, 20.0]), 2.0)
    K = torch.tensor([[256.0, 0.0, 64.0], [0.0, 256.0, 64.0], [0.0, 0.0, 1.0]]).repeat(2, 1, 1)
    return Cameras(poses, K, 128, 128)


def test_the_blur_is_that_of_the_stages_pixels_at_the_objects_distance() -> None:
    """Focal length 64 at 32 pixels, distance 2: a pixel is 1/32 of a world unit."""
    scales = torch.tensor([[0.1, 0.01, 0.0]])
    expected = (scales.square() + (0.5 / 32) ** 2).sqrt()
    torch.testing.assert_close(smoothed(scales, ring(), STAGE), expected)


def test_a_stage_without_blur_changes_nothing() -> None:
    scales = torch.tensor([[0.1, 0.01, 0.0]])
    assert smoothed(scales, ring(), Stage(share=1.0, pixels=32, pose_lr=1e-3)) is scales


def test_a_stage_begins_with_the_blurred_gaussians_of_the_one_before() -> None:
    params = nn.ParameterDict({"scales": torch.tensor([[0.1, 0.01, 1e-4]]).log()})
    rendered = smoothed(params["scales"].exp(), ring(), STAGE).detach()
    keep_smoothing(params, ring(), STAGE)
    torch.testing.assert_close(params["scales"].exp(), rendered)


def test_no_recipe_ends_with_a_blur_that_would_be_lost() -> None:
    for preset in (SPARSEAGS, SPARSEAGS_PAPER):
        assert preset.settings.stages[-1].smoothing_px == 0
    assert SPARSEAGS.settings.stages[0].smoothing_px > 0
