"""A triangular sail, as a solid."""

from __future__ import annotations

import numpy as np

from sparseags_ns.sample import layout as at
from sparseags_ns.sample.model import Model

_DOWN = np.array([[0.0, 1.0, 0], [-1.0, 0.0, 0], [0, 0, 1.0]])
"""Rotation whose x axis points down."""


def sail(
    model: Model, corner: np.ndarray, size: tuple[float, float], out: np.ndarray, bulge: float, cloth: int
) -> None:
    """A triangular sail: a piece of a thin spherical shell, cut along the mast, the foot and the slanting edge (and
    off the far half of the sphere).

    Args:
        corner: where mast and foot meet.
        size: length of the foot, height.
        out: horizontal direction of the foot.
        bulge: how far the middle swells, to the side of its sign.
    """
    wide, tall = size
    out = np.array([out[0], 0, out[2]]) / np.hypot(out[0], out[2])
    frame = np.stack([out, np.array([0, 1.0, 0]), np.cross(out, (0, 1, 0))], 1)
    middle = corner + frame @ np.array([0.4 * wide, 0.4 * tall, 0])
    reach = 0.62 * float(np.hypot(wide, tall)) + abs(bulge)
    radius = (0.25 * tall * tall + bulge * bulge) / (2 * abs(bulge))
    center = middle + frame @ np.array([0, 0, np.sign(bulge) * (abs(bulge) - radius)])
    near = (frame.T @ (middle - center), reach)
    model.new_group()
    model.part(at.ELLIPSOID, [radius] * 3, cloth, center, frame, near)
    model.part(at.ELLIPSOID, [radius - 0.016] * 3, cloth, center, frame, near, carve=True)
    slope = np.arctan2(wide, tall)
    turned = np.array([[np.cos(slope), -np.sin(slope), 0], [np.sin(slope), np.cos(slope), 0], [0, 0, 1.0]])
    back = -np.sign(bulge) * frame[:, [2, 0, 1]]
    cuts = [(corner + wide * out, frame @ turned), (corner, -frame), (corner, frame @ _DOWN), (center, back)]
    for start, R in cuts:
        where = start + R @ np.array([3.0, 0, 0])
        model.part(at.BOX, [3.0, 6.0, 6.0, 0.0], cloth, where, R, ((0, 0, 0), 9.0), carve=True)
