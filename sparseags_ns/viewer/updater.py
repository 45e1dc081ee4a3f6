"""The entry into nerfstudio's viewer, and the viewer's own thread.

nerfstudio calls `SparseAGSViewer._setup` under ns-train and ns-viewer alike. The thread reads the run once a second,
updates panel and scene, and carries out requests while no training thread does.
"""

from __future__ import annotations

import contextlib
import threading
import time
import traceback
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
import viser
from jaxtyping import Float
from nerfstudio.utils.writer import EVENT_STORAGE
from nerfstudio.viewer.viewer_elements import ViewerControl
from torch import Tensor

from sparseags_ns.console import warn
from sparseags_ns.geometry.cameras import Cameras, orbit, orbit_angles
from sparseags_ns.geometry.motion import motion
from sparseags_ns.metrics.images import over_white
from sparseags_ns.optimization.observer import observed_by
from sparseags_ns.rasterizer import rasterize
from sparseags_ns.viewer import pictures
from sparseags_ns.viewer.door import address
from sparseags_ns.viewer.pacing import SharedLock
from sparseags_ns.viewer.page import announce_address, serve_own_page, set_title_bar
from sparseags_ns.viewer.panel import Panel
from sparseags_ns.viewer.request_queue import LockYielder, RequestQueue, SearchInterruptedError
from sparseags_ns.viewer.scene import Scene, look, vertical_fov
from sparseags_ns.viewer.state import Mode, headline, view_rows

if TYPE_CHECKING:
    from nerfstudio.viewer.viewer import Viewer

    from sparseags_ns.viewer.model import ViewedModel


PERIOD = 1.0
"""Seconds between two updates."""
COMPARISON_PERIOD = 6.0
"""Seconds of training after which a comparison is rendered again."""
LINGER = 20.0
"""Seconds for which hypotheses stay visible after a search."""
RESOLUTION_AFTER = 512
"""Lower limit of a render's longer side once no more steps are made, pixels."""
ROOM_BEHIND = 2.5
"""Distance of a render's empty background behind the object, world units; cameras in between stay visible."""
CPU_TRAINING_RESOLUTION = 256
"""Longest side of a render in the viewer on CPU, pixels, while rendering and training share the cores."""


class SparseAGSViewer(ViewerControl):
    """The SparseAGS panel and scene in nerfstudio's viewer."""

    def __init__(self, model: ViewedModel, requests: RequestQueue) -> None:
        self._model, self._requests = model, requests
        serve_own_page()

    def _setup(self, viewer: Viewer) -> None:
        super()._setup(viewer)
        set_title_bar(viewer.viser_server)
        self._model.room_behind = ROOM_BEHIND
        trainer, host, port = viewer.trainer, viewer.viser_server.get_host(), viewer.viser_server.get_port()
        if viewer.train_lock is not None:
            lock = SharedLock(viewer.train_lock, lambda: trainer is not None and trainer.training_state == "training")
            viewer.train_lock = lock  # type: ignore[assignment]
        viewer.viewer_info = [f"Viewer running at: {address(host, port)}"]
        # The normalised world is +y up; viser's default is +z.
        viewer.viser_server.scene.set_up_direction("+y")
        if self._model.device.type == "cpu":
            longest = RESOLUTION_AFTER if trainer is None else CPU_TRAINING_RESOLUTION
            viewer.control_panel._max_res.value = longest
        ViewerUpdater(viewer, self._model, self._requests).start()
        announce_address(host, port)


class ViewerUpdater:
    """Keeps panel and scene of one viewer up to date."""

    def __init__(self, viewer: Viewer, model: ViewedModel, requests: RequestQueue) -> None:
        self._viewer, self._model, self._requests = viewer, model, requests
        views = model.views
        self._photographs = over_white(views.images, views.masks).cpu()
        thumbnails = [pictures.thumbnail(one) for one in self._photographs]
        self.panel = Panel(viewer, views.names, thumbnails, requests, self._jump)
        images = [pictures.small(one) for one in self._photographs]
        self._scene = Scene(viewer.viser_server, images, self._clicked)
        self._compared_at, self._compared_step = 0.0, -1
        self._searched_at = -LINGER
        self._sharp = False
        viewer.viser_server.on_client_connect(lambda client: self._jump(client, None))

    def start(self) -> None:
        """Start the thread, which ends with the process."""
        threading.Thread(target=self._work, name="sparseags-viewer", daemon=True).start()

    def _work(self) -> None:
        while not hasattr(self._viewer, "train_util"):  # The last thing that nerfstudio's `init_scene` sets.
            time.sleep(0.05)
        # nerfstudio's show and hide buttons act on our frusta from now on.
        for handle in self._viewer.camera_handles.values():
            handle.remove()
        self.refresh()
        self._viewer.camera_handles = self._scene.frusta
        while True:
            try:
                self._turn()
            except Exception:
                # An error in the panel must not end the run: it is printed, and the next turn tries again.
                warn("the viewer's panel could not be brought up to date", traceback.format_exc(limit=4))
                time.sleep(10 * PERIOD)
            time.sleep(PERIOD)

    def _turn(self) -> None:
        if self._mode() != "training":
            EVENT_STORAGE.clear()  # A line for each render, which nerfstudio only removes between steps.
        if self._mode() != "training" and self._requests.has_work:
            yielding = LockYielder(self._viewer.train_lock, self._stopped)
            with self._lock(), contextlib.suppress(SearchInterruptedError), observed_by(yielding):
                self._requests.work()
        if not self._viewer.viser_server.get_clients():
            return
        if self._mode() == "completed" and not self._sharp:
            self._sharp = True
            self._viewer.control_panel._max_res.value = max(self._viewer.control_panel.max_res, RESOLUTION_AFTER)
        self.refresh()
        self._compare()

    def refresh(self) -> None:
        """Update panel and scene to the present state."""
        model, requests = self._model, self._requests
        with self._lock(), torch.no_grad():
            cameras, trusted = model.cameras().detach(), model.trusted.tolist()
            center, gaussians = model.gaussians().center, model.num_points
            record = replace(model.record, rows=list(model.record.rows), events=list(model.record.events))
            statuses = record.statuses(trusted, model.views.posed.tolist())
        record.num_steps = max(record.num_steps, model.steps_done)
        table = view_rows(record.names, record.rows[-1] if record.rows else None, statuses)
        now = requests.live.now
        head = headline(self._mode(), model.steps_done, record.num_steps, record.phases, now.doing)
        self.panel.refresh(head, gaussians, requests.answers[-1] if requests.answers else None, table, record)
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
        """Update the comparison of photograph and render if it was requested or is old."""
        old = time.monotonic() - self._compared_at > COMPARISON_PERIOD
        if not (self.panel.wants_comparison or (old and self._model.steps_done > self._compared_step)):
            return
        self.panel.wants_comparison = False
        view = self.panel.selected
        with self._lock(), torch.no_grad():
            cameras = self._model.cameras().detach()[[view]]
            white, degree = torch.ones(3).to(cameras.K), self._model.config.sh_degree
            rendered = rasterize(self._model.gaussians(), cameras, white, sh_degree=degree).rgb[0].cpu()
        self._compared_at, self._compared_step = time.monotonic(), self._model.steps_done
        how = self.panel.how
        words = {"Flip": "photograph and render alternate", "Difference": "red: where they differ"}
        caption = f"view {self._model.views.names[view]}, step {self._model.steps_done}: {words.get(how, how.lower())}"
        self.panel.show_comparison(pictures.compared(self._photographs[view], rendered, how), caption)

    def _jump(self, client: viser.ClientHandle, view: int | None) -> None:
        cameras = self._model.cameras().detach()
        if view is None:
            look(client, *overview(cameras))
        else:
            fov, distance = vertical_fov(cameras, view), float(cameras.centers[view].norm())
            look(client, cameras.T_camera_world[view], fov, distance)

    def _clicked(self, view: int) -> None:
        self.panel.select(view)
        self.panel.wants_comparison = True

    def _mode(self) -> Mode:
        trainer = self._viewer.trainer
        return "opened" if trainer is None else trainer.training_state

    def _lock(self) -> AbstractContextManager[object]:
        return self._viewer.train_lock or contextlib.nullcontext()

    def _stopped(self) -> bool:
        """Whether a paused run was stopped."""
        trainer = self._viewer.trainer
        return trainer is not None and trainer.training_state == "paused" and getattr(trainer, "stop_training", False)


def overview(cameras: Cameras) -> tuple[Float[Tensor, "4 4"], float, float]:
    """A pose that shows the object and most cameras, its vertical field of view in radians, and its distance.

    Of a few poses near the first camera, the one whose view of the object is least obstructed by another camera.
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
    """Tangent of the angle between the picture's centre and the nearest camera in front of the object."""
    seen = cameras.centers @ pose[:3, :3].mT + pose[:3, 3]
    tangents = seen[:, :2].norm(dim=-1) / seen[:, 2].clamp_min(1e-6)
    return float(torch.where(seen[:, 2] < pose[2, 3], tangents, torch.inf).min().clamp(max=10.0))
