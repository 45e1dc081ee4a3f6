"""The entry into nerfstudio's viewer, which calls `_setup` under ns-train and ns-viewer alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nerfstudio.viewer.viewer_elements import ViewerControl

from sparseags_ns.viewer.address import announce_address
from sparseags_ns.viewer.page import serve_own_page, set_title_bar
from sparseags_ns.viewer.request_queue import RequestQueue
from sparseags_ns.viewer.updater import RESOLUTION_AFTER, ViewerUpdater

if TYPE_CHECKING:
    from nerfstudio.viewer.viewer import Viewer

    from sparseags_ns.viewer.model import ViewedModel

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
        # The normalised world is +y up; viser's default is +z.
        viewer.viser_server.scene.set_up_direction("+y")
        if self._model.device.type == "cpu":
            viewer.control_panel._max_res.value = (
                RESOLUTION_AFTER if viewer.trainer is None else CPU_TRAINING_RESOLUTION
            )
        ViewerUpdater(viewer, self._model, self._requests).start()
        announce_address(viewer.viser_server.get_host(), viewer.viser_server.get_port())
