"""Cameras and pose hypotheses in the viewer's 3D scene.

Each view has a frustum with its photograph, coloured by its status, and a thin grey frustum at its initial pose; a line
joins the two. A running search shows its hypotheses as points, brighter for lower losses.

Frames: `world`, normalised; viser's world is SCALE times as large; cameras OpenCV, as viser has them too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import viser
from jaxtyping import Float
from nerfstudio.viewer.viewer import VISER_NERFSTUDIO_SCALE_RATIO as SCALE
from torch import Tensor
from viser import transforms

from sparseags_ns.geometry import se3
from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.runs.record import ViewStatus
from sparseags_ns.viewer.state import COLORS

FRUSTUM = 1.0
"""Size of a frustum, in viser's units."""
GHOST = 0.7
"""Size of an initial camera's frustum, in viser's units."""
GHOST_COLOR = (150, 150, 165)
FINALIST_COLOR = (255, 255, 255)
INSIDE = 1.2
"""Distance below which a browser's camera counts as inside a frustum, in viser's units."""
SHORTEST_LINE = 0.05
"""Shortest line that is drawn, in viser's units (a line of no length has no direction)."""


def score_colors(losses: Float[Tensor, " hypotheses"]) -> np.ndarray:
    """Colours from dark violet (worst) over orange to bright yellow (best); [hypotheses, 3] uint8.

    Coloured by rank, not value: losses of poses that are all wrong lie close together.
    """
    ranks = losses.argsort().argsort().to(torch.float32) / max(len(losses) - 1, 1)
    stops = torch.tensor([[252, 255, 164], [249, 142, 9], [188, 55, 84], [87, 16, 110], [30, 12, 60]]).float()
    position = ranks.sqrt() * (len(stops) - 1)
    low = position.floor().long().clamp(max=len(stops) - 2)
    part = (position - low)[:, None]
    return (stops[low] * (1 - part) + stops[low + 1] * part).round().to(torch.uint8).numpy()


def placement(T_camera_world: Float[Tensor, "4 4"]) -> tuple[np.ndarray, np.ndarray]:
    """Orientation (wxyz) and position of a camera in viser's world."""
    T_world_camera = se3.inverse(T_camera_world.detach().double().cpu()).numpy()
    return transforms.SO3.from_matrix(T_world_camera[:3, :3]).wxyz, T_world_camera[:3, 3] * SCALE


def vertical_fov(cameras: Cameras, view: int) -> float:
    """Vertical field of view of a camera, radians."""
    return float(2 * torch.atan(cameras.height / 2 / cameras.K[view, 1, 1].detach()))


class Scene:
    """Frusta and points on one viser server."""

    def __init__(self, server: viser.ViserServer, images: Sequence[np.ndarray], clicked: Callable[[int], None]) -> None:
        """Set up.

        Args:
            images: one for each view, [height, width, 3] uint8.
            clicked: called with the view whose frustum was clicked.
        """
        self._server, self._images, self._clicked = server, images, clicked
        self.frusta: dict[int, viser.CameraFrustumHandle] = {}
        self._ghosts: dict[int, viser.CameraFrustumHandle] = {}
        self._statuses: dict[int, ViewStatus] = {}
        self._search: list[viser.SceneNodeHandle] = []
        self._shown = -1
        self._lines: dict[int, tuple[viser.SceneNodeHandle, np.ndarray]] = {}

    def show_cameras(
        self,
        cameras: Cameras,
        given: Float[Tensor, "views 4 4"],
        statuses: Sequence[ViewStatus],
        eyes: Sequence[np.ndarray],
        *,
        shown: bool = True,
        ghosts: bool = True,
    ) -> None:
        """Update all frusta.

        Args:
            eyes: positions of the browsers' cameras in viser's world; frusta around them are hidden.
            shown: whether any cameras are visible.
            ghosts: whether initial cameras are visible.
        """

        def seen(position: np.ndarray) -> bool:
            return shown and all(np.linalg.norm(eye - position) > INSIDE for eye in eyes)

        with self._server.atomic():
            for view, status in enumerate(statuses):
                wxyz, position = placement(cameras.T_camera_world[view])
                fov, aspect = vertical_fov(cameras, view), cameras.width / cameras.height
                if self._statuses.get(view) != status:
                    self._add_frustum(view, fov, aspect, status)
                frustum = self.frusta[view]
                frustum.wxyz, frustum.position, frustum.visible = wxyz, position, seen(position)
                ghost_wxyz, ghost_position = placement(given[view])
                if view not in self._ghosts:
                    name = f"/given/camera_{view:05d}"
                    self._ghosts[view] = self._server.scene.add_camera_frustum(name, fov, aspect, GHOST, GHOST_COLOR)
                ghost = self._ghosts[view]
                with_ghost = ghosts and seen(ghost_position)
                ghost.wxyz, ghost.position, ghost.visible = ghost_wxyz, ghost_position, with_ghost
                self._join(view, ghost_position, position, status, with_ghost and seen(position))

    def _add_frustum(self, view: int, fov: float, aspect: float, status: ViewStatus) -> None:
        """Add a frustum under nerfstudio's name for it; viser cannot change the colour of an existing one."""
        handle = self._server.scene.add_camera_frustum(
            f"/cameras/camera_{view:05d}",
            fov=fov,
            aspect=aspect,
            scale=FRUSTUM,
            color=COLORS[status],
            image=self._images[view],
            jpeg_quality=80,
            visible=view not in self.frusta or self.frusta[view].visible,
        )
        handle.on_click(lambda _: self._clicked(view))
        self.frusta[view], self._statuses[view] = handle, status

    def _join(self, view: int, start: np.ndarray, end: np.ndarray, status: ViewStatus, visible: bool) -> None:
        """Draw the line between both frusta, again only if its ends moved visibly."""
        drawn = self._lines.get(view)
        ends = np.stack([start, end])
        if not visible or np.linalg.norm(end - start) < SHORTEST_LINE:
            if drawn is not None:
                self._lines.pop(view)[0].remove()
            return
        if drawn is not None and np.abs(drawn[1] - ends).max() < SHORTEST_LINE / 4:
            return
        color = COLORS[status] if status.found or not status.in_use else GHOST_COLOR
        name, points = f"/moved/camera_{view:05d}", np.stack([start, (start + end) / 2, end])
        line = self._server.scene.add_spline_catmull_rom(name, points, line_width=1.5, color=color, segments=2)
        self._lines[view] = line, ends

    def show_hypotheses(
        self,
        number: int,
        centers: Float[Tensor, "hypotheses 3"],
        losses: Float[Tensor, " hypotheses"],
        finalists: Float[Tensor, "finalists 4 4"] | None,
    ) -> None:
        """Show a search: its hypotheses, and its finalists once it has ended.

        Args:
            number: number of the search; each is drawn once, and again when it ends.
        """
        stage = 2 * number + (finalists is not None)
        if stage == self._shown:
            return
        scene = self._server.scene
        with self._server.atomic():
            self.hide_hypotheses()
            self._shown = stage
            points, colors = centers.numpy() * SCALE, score_colors(losses)
            cloud = scene.add_point_cloud("/search/hypotheses", points, colors, point_size=0.22, point_shape="circle")
            self._search = [cloud]
            for rank, pose in enumerate(() if finalists is None else finalists[:3]):
                (wxyz, position), size = placement(pose), FRUSTUM * (0.9 - 0.25 * rank)
                name = f"/search/finalist_{rank}"
                frustum = scene.add_camera_frustum(name, 0.6, 1.0, size, FINALIST_COLOR, wxyz=wxyz, position=position)
                self._search.append(frustum)

    def hide_hypotheses(self) -> None:
        """Remove hypotheses and finalists."""
        self._shown = -1
        for handle in self._search:
            handle.remove()
        self._search = []


def look(client: viser.ClientHandle, T_camera_world: Float[Tensor, "4 4"], fov: float, distance: float) -> None:
    """Move a browser's camera to a pose; it orbits a point `distance` ahead (units of the run's world)."""
    T = se3.inverse(T_camera_world.detach().double().cpu()).numpy()
    camera: Any = client.camera
    with client.atomic():
        camera.up_direction = -T[:3, 1]
        camera.position = T[:3, 3] * SCALE
        camera.look_at = (T[:3, 3] + T[:3, 2] * distance) * SCALE
        camera.fov = fov
