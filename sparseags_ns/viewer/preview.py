"""The page in the browser while ab-initio arranges the photographs: before there is a run to look at.

It stands at the address that nerfstudio's viewer takes over when training begins; viser's page connects again by
itself. A page that cannot be shown costs one warning, never the run.

Frames: `world` of the best arrangement, scaled to the mean camera distance of the normalised one and rotated about +y
so that the first view is always at the front.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager

import torch
import viser
from nerfstudio.configs.base_config import ViewerConfig
from nerfstudio.viewer_legacy.server.viewer_utils import get_free_port

from sparseags_ns.console import warn
from sparseags_ns.geometry.alignment import NORMAL_DISTANCE, Similarity
from sparseags_ns.geometry.cameras import Cameras, orbit, orbit_angles
from sparseags_ns.optimization.observer import ArrangementPhase, ArrangementState, Observer, observed_by
from sparseags_ns.viewer import pictures
from sparseags_ns.viewer.page import BRAND_COLOR, announce_address, serve_own_page, set_title_bar
from sparseags_ns.viewer.scene import look, placement, vertical_fov
from sparseags_ns.viewer.updater import overview

FRUSTUM = 1.6
"""Size of a frustum in viser's units; there is no splat in the middle that larger ones would hide."""
DOING: dict[ArrangementPhase, str] = {
    "explore": "Where was each photograph taken from? Many arrangements are tried, on small copies of the photographs.",
    "polish": "The best arrangements are fitted longer, and photographs may be rolled, too.",
    "decide": "The best few are compared at twice the size.",
    "refine": "The cameras of the best few are refined together with the object.",
}
DONE = "Training begins in a moment, and this page goes on with it by itself."
PATIENCE_S = 2.0
"""Seconds for which a browser may take to say goodbye."""


@contextmanager
def arrangement_preview(settings: ViewerConfig) -> Iterator[None]:
    """Show the search for an arrangement, if there is one inside the block, at the address of nerfstudio's viewer.

    Args:
        settings: of nerfstudio's viewer; where they leave the port open, the one that the page has found is entered.
    """
    preview = ArrangementPreview(settings)
    try:
        with observed_by(preview):
            yield
    finally:
        preview.close()


class ArrangementPreview(Observer):
    """An observer that shows the best arrangement so far; its server starts with the first one."""

    def __init__(self, settings: ViewerConfig) -> None:
        self._settings = settings
        self._failed = False
        self.server: viser.ViserServer | None = None
        self.frusta: dict[int, viser.CameraFrustumHandle] = {}
        self._cameras: Cameras | None = None

    def on_arrangement(self, state: ArrangementState) -> None:
        """Show this state."""
        if self._failed or state.cameras is None:
            return
        try:
            self._show(state, state.cameras)
        except Exception as error:  # Whatever viser fails in, the search goes on.
            self._failed = True
            self.close()
            warn("the search is not shown in the browser; it goes on all the same", f"{type(error).__name__}: {error}")

    def close(self) -> None:
        """End the server; its port is free afterwards."""
        server, self.server = self.server, None
        if server is not None:
            try:
                stop(server)
            except Exception as error:
                warn("the page that showed the search did not end cleanly", f"{type(error).__name__}: {error}")

    def _open(self) -> None:
        """Start the server.

        Raises:
            OSError: nothing can listen at the address.
        """
        settings = self._settings
        port, host = settings.websocket_port, settings.websocket_host
        port = get_free_port(settings.websocket_port_default) if port is None else port
        # viser would take another port than the one it is given, and wait for ever for an address of another machine.
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
        serve_own_page()
        self.server = server = viser.ViserServer(host=host, port=port, verbose=False)
        settings.websocket_port = port
        set_title_bar(server)
        server.scene.set_up_direction("+y")
        self._text, self._bar = server.gui.add_markdown(""), server.gui.add_progress_bar(0.0)
        server.on_client_connect(self._connected)
        announce_address(host, port, "the search can be watched, then the training")

    def _show(self, state: ArrangementState, cameras: Cameras) -> None:
        # Not in one `atomic` block: after an exception in there, Ctrl-C for one, viser's threads wait for ever.
        self._cameras = _to_the_front(cameras)
        if self.server is None:
            self._open()
        doing = DONE if state.share == 1 else DOING[state.phase]
        self._text.content = f"### Arranging the photographs\n\n{state.words}\n\n{doing}"
        self._bar.value = 100 * state.share
        for view, frustum in self.frusta.items():
            frustum.visible = view in state.views
        for row, view in enumerate(state.views):
            self._place(row, view, state)

    def _place(self, row: int, view: int, state: ArrangementState) -> None:
        assert self.server is not None and self._cameras is not None
        wxyz, position = placement(self._cameras.T_camera_world[row])
        if view not in self.frusta:
            image, fov = pictures.small(state.photographs[view]), vertical_fov(self._cameras, row)
            aspect = self._cameras.width / self._cameras.height
            name = f"/cameras/camera_{view:05d}"
            self.frusta[view] = self.server.scene.add_camera_frustum(name, fov, aspect, FRUSTUM, BRAND_COLOR, image)
        self.frusta[view].wxyz, self.frusta[view].position = wxyz, position

    def _connected(self, client: viser.ClientHandle) -> None:
        assert self._cameras is not None
        look(client, *overview(self._cameras))


def stop(server: viser.ViserServer) -> None:
    """Stop a server and free its port: viser's own method only asks for it, and waits for threads that may wait."""
    websockets = server._websock_server
    sockets = websockets._ws_server
    assert sockets is not None

    async def closed() -> None:
        sockets.close()
        await sockets.wait_closed()

    with contextlib.suppress(futures.TimeoutError):
        asyncio.run_coroutine_threadsafe(closed(), sockets.get_loop()).result(PATIENCE_S)
    websockets._thread_executor.shutdown(wait=False)


def _to_the_front(cameras: Cameras) -> Cameras:
    """The cameras at the usual mean distance from the origin, the first of them at azimuth 0."""
    azimuth_deg, _, _ = orbit_angles(cameras.centers[:1])
    level = torch.zeros_like(azimuth_deg)
    rotation = orbit(level, level, 1.0)[0, :3, :3].T @ orbit(azimuth_deg, level, 1.0)[0, :3, :3]
    scale = NORMAL_DISTANCE / cameras.centers.norm(dim=-1).mean()
    moved = Similarity(scale, rotation, torch.zeros_like(rotation[0])).apply_to_poses(cameras.T_camera_world)
    return cameras.with_poses(moved)
