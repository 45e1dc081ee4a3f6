"""Pictures, colours and poses of the viewer's scene, and who goes first on a busy machine."""

from __future__ import annotations

import base64
import io
import threading
import time
from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image

from sparseags_ns.viewer import pictures
from sparseags_ns.viewer.pacing import BURST, MAX_WAIT, MIN_PERIOD, SHARE, SharedLock, render_due, training_waits
from sparseags_ns.viewer.scene import SCALE, placement, score_colors
from sparseags_ns.viewer.updater import overview
from sparseags_ns.views import Views


def opened(uri: str) -> Image.Image:
    head, _, data = uri.partition(",")
    assert head == "data:image/webp;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


def test_thumbnails_are_square_and_show_all() -> None:
    wide = torch.zeros(20, 80, 3)
    picture = opened(pictures.thumbnail(wide, 40))
    assert picture.size == (40, 40)
    pixels = np.asarray(picture.convert("L"))
    assert pixels[20].max() < 40 and pixels[2].min() > 220


def test_flip_shows_both_in_turn() -> None:
    photograph, rendered = torch.zeros(16, 16, 3), torch.ones(16, 16, 3)
    with opened(pictures.compared(photograph, rendered, "Flip")) as animation:
        assert getattr(animation, "n_frames", 1) == 2


@pytest.mark.parametrize("how, brightness", [("Photograph", 0), ("Render", 255)])
def test_one_of_both_alone(how: pictures.Comparison, brightness: int) -> None:
    picture = opened(pictures.compared(torch.zeros(16, 16, 3), torch.ones(16, 16, 3), how))
    assert abs(int(np.asarray(picture.convert("L")).mean()) - brightness) < 5


def test_difference_is_white_where_both_agree() -> None:
    photograph = torch.full((8, 8, 3), 0.4)
    rendered = photograph.clone()
    rendered[:, 4:] = 0.9
    shown = pictures.difference(photograph, rendered)
    assert (shown[:, :4] == 1).all() and shown[0, 7, 0] > shown[0, 7, 1] + 0.5


def test_the_best_hypotheses_are_brightest() -> None:
    colors = score_colors(torch.tensor([0.3, 0.1, 0.2, 0.4])).astype(int).sum(1)
    assert colors.argsort().tolist() == [3, 0, 2, 1]
    assert score_colors(torch.tensor([0.3])).shape == (1, 3)


def test_frusta_stand_where_the_cameras_are(make_views: Callable[..., Views]) -> None:
    cameras = make_views(3).cameras
    wxyz, position = placement(cameras.T_camera_world[1])
    np.testing.assert_allclose(position, cameras.centers[1].numpy() * SCALE, atol=1e-4)
    assert np.linalg.norm(wxyz) == pytest.approx(1.0)


def test_the_first_look_shows_object_and_cameras(make_views: Callable[..., Views]) -> None:
    cameras = make_views(6).cameras
    pose, fov, distance = overview(cameras)
    points = torch.cat([cameras.centers, torch.zeros(1, 3)])
    seen = points @ pose[:3, :3].T + pose[:3, 3]
    height = (seen[:, 1] / seen[:, 2]).abs() / np.tan(fov / 2)
    width = (seen[:, 0] / seen[:, 2]).abs() / (1.3 * np.tan(fov / 2))
    assert (seen[:, 2] > 0).all() and height.max() < 1 and width.max() < 1
    assert distance == pytest.approx(float(seen[-1, 2]), rel=1e-3) and height[-1] < 0.05


def test_unrequested_renders_take_a_small_share() -> None:
    assert not render_due(10.0, 9.5, 0.0) and render_due(10.0, 10.0 - MIN_PERIOD, 0.0)
    assert not render_due(13.0, 10.0, 0.5) and render_due(17.0, 10.0, 0.5)


def test_training_waits_for_a_moving_camera_but_not_for_ever() -> None:
    assert training_waits(10.0, 9.95, 0.0, 0.1) and not training_waits(10.0, 9.0, 0.0, 0.1)
    assert not training_waits(10.0, 9.95, MAX_WAIT, 0.1) and not training_waits(10.0, 9.95, 0.0, 0.0)


def test_all_that_the_viewer_does_takes_a_share_of_the_time_while_steps_are_made() -> None:
    training, trainer = [True], threading.Lock()
    shared, began = SharedLock(trainer, lambda: training[0]), time.monotonic()
    held: list[float] = []

    def render() -> None:
        while time.monotonic() < began + 1.2:
            with shared:
                time.sleep(0.01)
            held.append(0.01)

    threads = [threading.Thread(target=render) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(held) < BURST + 1.1 * SHARE * (time.monotonic() - began)
    assert len(held) > 20, "and it does get its share"
    assert not shared.locked() and not trainer.locked()
    training[0], before = False, time.monotonic()
    for _ in range(10):
        with shared:
            time.sleep(0.01)
    assert time.monotonic() - before < 0.3, "when no steps are made, nobody waits"
