"""The turntable: the path of its cameras, the framing of the object, and a video that other programs open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sparseags_ns.export.turntable import (
    object_sphere,
    render_frames,
    turntable_azimuths,
    turntable_cameras,
    write_video,
)
from sparseags_ns.geometry.cameras import orbit_angles, project
from sparseags_ns.rasterizer.types import Gaussians
from sparseags_ns.runs.opening import open_run


def test_a_whole_turn_steps_evenly_from_the_first_view() -> None:
    azimuths = turntable_azimuths(torch.tensor([30.0, 100, 210, 300]), 36)
    torch.testing.assert_close(azimuths, 30 + 10.0 * torch.arange(36))


def test_photographs_from_one_side_give_a_swing_over_that_side() -> None:
    azimuths = turntable_azimuths(torch.tensor([350.0, 20, 60, 5]), 100)
    assert float(azimuths.remainder(360).sub(342).remainder(360).max()) < 86 + 1e-3, "within 342 to 68 degrees"
    steps = torch.cat([azimuths, azimuths[:1]]).diff().abs()
    assert float(steps.max()) < 4, "the last frame is followed by the first"


def test_the_object_is_whole_and_central_in_every_frame(make_run: Callable[..., Path]) -> None:
    run = open_run(make_run())
    cameras = turntable_cameras(run, frames=8, size=64, elevation_deg=10)
    pixels, depth = project(cameras, run.gaussians.means)
    assert float(depth.min()) > 0 and float(pixels.min()) > 0 and float(pixels.max()) < 64
    _, elevations, _ = orbit_angles(cameras.centers - object_sphere(run.gaussians).center)
    torch.testing.assert_close(elevations, torch.full((8,), 10.0), atol=1e-3, rtol=0)


def test_a_stray_gaussian_does_not_move_the_camera(toy_gaussians: Gaussians) -> None:
    means = toy_gaussians.means.clone()
    means[0] = 50.0
    opacities = toy_gaussians.opacities.clone()
    opacities[0] = 0.3
    assert object_sphere(replace(toy_gaussians, means=means, opacities=opacities)).radius < 1


def test_other_programs_read_the_video(make_run: Callable[..., Path], tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    run = open_run(make_run())
    cameras = turntable_cameras(run, frames=6, size=65)
    frames = list(render_frames(run.gaussians, cameras, run.sh_degree))
    path = tmp_path / "new" / "turntable.mp4"
    write_video(path, iter(frames), fps=12)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        decoded = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert stream.average_rate == 12
    assert [frame.shape for frame in decoded] == [(64, 64, 3)] * 6
    assert np.abs(decoded[3].astype(float) - frames[3][:64, :64]).mean() < 8
    content = path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat"), "the index comes first, so that browsers start at once"
    assert [file.name for file in path.parent.iterdir()] == ["turntable.mp4"]


def test_a_video_without_frames_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one frame"):
        write_video(tmp_path / "none.mp4", iter([]))
