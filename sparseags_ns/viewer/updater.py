"""The viewer's own thread: reads the run once a second, brings panel and scene up to date, and carries out requests
while no training thread does."""

from __future__ import annotations

import contextlib
import threading
import time
import traceback
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import torch
import viser
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.console import warn
from sparseags_ns.geometry.cameras import Cameras, orbit, orbit_angles
from sparseags_ns.geometry.motion import motion
from sparseags_ns.metrics.images import over_white
from sparseags_ns.optimization.observer import observed_by
from sparseags_ns.rasterizer import rasterize
from sparseags_ns.viewer import pictures
from sparseags_ns.viewer.panel import Panel, Shown
from sparseags_ns.viewer.request_queue import LockYielder, RequestQueue, SearchInterruptedError
from sparseags_ns.viewer.scene import Scene, look, vertical_fov
from sparseags_ns.viewer.state import Mode, headline, view_rows

if TYPE_CHECKING:
    from nerfstudio.viewer.viewer import Viewer

    from sparseags_ns.plugin.model import SparseAGSModel

PERIOD = 1.0
"""Seconds between two looks at the run."""
COMPARISON_PERIOD = 6.0
"""A comparison is rendered anew after so many seconds of training."""
LINGER = 20.0
"""Hypotheses stay in sight for so many seconds after a search."""
RESOLUTION_AFTER = 512
"""Once no more steps are made, renders have at least so many pixels."""
EVENTS = 30
"""So many are shown."""


class ViewerUpdater:
    """Keeps one viewer up to date."""

    def __init__(self, viewer: Viewer, model: SparseAGSModel, desk: RequestQueue) -> None:
        self._viewer, self._model, self._desk = viewer, model, desk
        views = model.views
        white = over_white(views.images, views.masks).cpu()
        self._photographs = white
        self.panel = Panel(viewer, views.names, [pictures.thumbnail(one) for one in white], desk, self._jump)
        images = [pictures.small(one) for one in white]
        self._scene = Scene(viewer.viser_server, images, self._clicked)
        self._compared_at, self._compared_step = 0.0, -1
        self._searched_at = -LINGER
        self._sharp = False
        viewer.viser_server.on_client_connect(lambda client: self._jump(client, None))

    def start(self) -> None:
        """Begin; the thread ends with the process."""
        if self._viewer.trainer is None:
            # nerfstudio traces renders line by line, in which kernels that are not on disk yet compile for minutes.
            with torch.no_grad():
                rasterize(
                    self._model.gaussians(),
                    self._model.cameras()[[0]].resized(16, 16),
                    torch.ones(3).to(self._model.device),
                    sh_degree=self._model.config.sh_degree,
                    depth=True,
                )
        threading.Thread(target=self._work, name="sparseags-viewer", daemon=True).start()

    def _work(self) -> None:
        while not hasattr(self._viewer, "train_util"):  # The last thing that nerfstudio's `init_scene` sets.
            time.sleep(0.05)
        self._take_over_frusta()
        while True:
            try:
                self._turn()
            except Exception:
                # The panel must not take the run with it; what is wrong is said, and the next turn tries again.
                warn("the viewer's panel could not be brought up to date", traceback.format_exc(limit=4))
                time.sleep(10 * PERIOD)
            time.sleep(PERIOD)

    def _turn(self) -> None:
        if self._mode() != "training" and self._desk.has_work:
            yielding = LockYielder(self._viewer.train_lock, self._stopped)
            with self._lock(), contextlib.suppress(SearchInterruptedError), observed_by(yielding):
                self._desk.work()
        if not self._viewer.viser_server.get_clients():
            return
        if self._mode() == "completed" and not self._sharp:
            self._sharp = True
            self._viewer.control_panel._max_res.value = max(self._viewer.control_panel.max_res, RESOLUTION_AFTER)
        self.refresh()
        self._compare()

    def refresh(self) -> None:
        """Panel and scene as the run stands."""
        model, desk = self._model, self._desk
        with self._lock(), torch.no_grad():
            cameras, trusted = model.cameras().detach(), model.trusted.tolist()
            center, gaussians = model.gaussians().center, model.num_points
            record = model.record
            rows, events, decisions = tuple(record.rows), tuple(record.events[-EVENTS:]), record.decisions
            statuses = record.statuses(trusted, model.views.posed.tolist())
        table = view_rows(model.views.names, rows[-1] if rows else None, statuses)
        now = desk.live.now
        steps = max(record.num_steps, model.steps_done)
        self.panel.refresh(
            Shown(
                headline(self._mode(), model.steps_done, steps, record.phases, now.doing),
                gaussians,
                desk.answers[-1] if desk.answers else None,
                tuple(table),
                rows,
                record.phases,
                steps,
                events,
                decisions,
            )
        )
        given = motion(model.T_camera_initial, cameras.T_camera_world, center).given
        self._scene.show_cameras(
            cameras,
            given,
            statuses,
            [client.camera.position for client in self._viewer.viser_server.get_clients().values()],
            shown=self._viewer.hide_images.visible,  # nerfstudio shows that button while there is something to hide.
            ghosts=self.panel.ghosts.value,
        )
        self._searched_at = time.monotonic() if now.doing is not None else self._searched_at
        if not self.panel.hypotheses.value or time.monotonic() - self._searched_at > LINGER:
            self._scene.hide_hypotheses()
        elif now.centers is not None and now.losses is not None:
            self._scene.show_hypotheses(now.number, now.centers, now.losses, now.finalists)

    def _compare(self) -> None:
        """Photograph and render of the chosen view, if asked for, or if they are old."""
        old = time.monotonic() - self._compared_at > COMPARISON_PERIOD
        if not (self.panel.wants_comparison or (old and self._model.steps_done > self._compared_step)):
            return
        self.panel.wants_comparison = False
        view = self.panel.selected
        with self._lock(), torch.no_grad():
            rendered = self._render(view)
        photograph = self._photographs[view]
        self._compared_at, self._compared_step = time.monotonic(), self._model.steps_done
        caption = f"view {self._model.views.names[view]}, step {self._model.steps_done}"
        words = {"Flip": "photograph and render take turns", "Difference": "red: where they differ"}
        detail = words.get(self.panel.how, self.panel.how.lower())
        self.panel.show_comparison(pictures.compared(photograph, rendered, self.panel.how), f"{caption}: {detail}")

    def _render(self, view: int) -> Float[Tensor, "height width 3"]:
        cameras = self._model.cameras().detach()[[view]]
        white = torch.ones(3).to(cameras.K)
        return rasterize(self._model.gaussians(), cameras, white, sh_degree=self._model.config.sh_degree).rgb[0].cpu()

    def _jump(self, client: viser.ClientHandle, view: int | None) -> None:
        cameras = self._model.cameras().detach()
        if view is not None:
            distance = float(cameras.centers[view].norm())
            look(client, cameras.T_camera_world[view], vertical_fov(cameras, view), distance)
            return
        look(client, *overview(cameras))

    def _clicked(self, view: int) -> None:
        self.panel.select(view)
        self.panel.wants_comparison = True

    def _take_over_frusta(self) -> None:
        """nerfstudio's own show and hide ours from now on."""
        for handle in self._viewer.camera_handles.values():
            handle.remove()
        self.refresh()
        self._viewer.camera_handles = self._scene.frusta

    def _mode(self) -> Mode:
        trainer = self._viewer.trainer
        return "looking" if trainer is None else trainer.training_state

    def _lock(self) -> AbstractContextManager[object]:
        return self._viewer.train_lock or contextlib.nullcontext()

    def _stopped(self) -> bool:
        """Whether the run was stopped while it is paused."""
        trainer = self._viewer.trainer
        return trainer is not None and trainer.training_state == "paused" and getattr(trainer, "stop_training", False)


def overview(cameras: Cameras) -> tuple[Float[Tensor, "4 4"], float, float]:
    """A pose from which the object and most cameras are seen, its vertical field of view, and its distance.

    It is near the first camera, and of some such poses the one whose view of the object no other camera is in.
    """
    fov_deg, distance = 45.0, 2.3 * float(cameras.centers.norm(dim=-1).mean())
    azimuth_deg, elevation_deg, _ = (value[0] for value in orbit_angles(cameras.centers))
    options = [
        orbit(azimuth_deg + turn, (elevation_deg + rise).clamp(-60.0, 60.0), distance)
        for turn in (20.0, -20.0, 40.0, -40.0, 60.0, -60.0)
        for rise in (12.0, 24.0)
    ]
    return max(options, key=lambda pose: _clearance(pose, cameras)), fov_deg / 180 * torch.pi, distance


def _clearance(pose: Float[Tensor, "4 4"], cameras: Cameras) -> float:
    """How far from the middle of the picture the nearest camera in front of the object is: tangent of the angle."""
    seen = cameras.centers @ pose[:3, :3].mT + pose[:3, 3]
    tangents = seen[:, :2].norm(dim=-1) / seen[:, 2].clamp_min(1e-6)
    return float(torch.where(seen[:, 2] < pose[2, 3], tangents, torch.inf).min().clamp(max=10.0))
