"""What the web viewer shows and how fast: reads the model, never trains it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nerfstudio.viewer.viewer_elements import ViewerControl

if TYPE_CHECKING:
    from nerfstudio.viewer.viewer import Viewer

CPU_MAX_RESOLUTION = 256
"""Longest side of a render in the viewer on CPU, pixels: rendering and training share the cores."""


class ViewerSettings(ViewerControl):
    """Set up the viewer under ns-train and ns-viewer alike: nerfstudio calls `_setup` of every such attribute."""

    def __init__(self, device_type: str) -> None:
        self.device_type = device_type

    def _setup(self, viewer: Viewer) -> None:
        super()._setup(viewer)
        # The normalised world is +y up; viser's default is +z.
        viewer.viser_server.scene.set_up_direction("+y")
        if self.device_type == "cpu":
            viewer.control_panel._max_res.value = CPU_MAX_RESOLUTION
