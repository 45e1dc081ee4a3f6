"""What stands around houses: a plot of grass, trees. y = 0 is the ground, +z the front."""

from __future__ import annotations

import numpy as np

from sparseags_ns.sample import layout as at
from sparseags_ns.sample.model import Model
from sparseags_ns.sample.solids import ball, rod

Y, Z = (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)


def tree(model: Model, where: np.ndarray, height: float) -> None:
    """A round tree or a fir."""
    rng = model.rng
    model.new_group()
    bark = model.material("#6b4a30", "#4a3220", pattern=at.WOOD, freq=3.0, params=(3.0, 0.0), bump=(0.3, 20.0))
    green = ("#4e7d3a", "#7fa650", "#35602f") if rng.random() < 0.7 else ("#c07a2c", "#d9a441", "#8f4a22")
    leaves = model.material(*green, at.PATCHES, freq=9.0, params=(0.1, 0.3), gloss=0.1, bump=(0.5, 26.0))
    rod(model, where, where + (0, 0.5 * height, 0), (0.05, 0.035), bark)
    model.new_group()
    if rng.random() < 0.5:
        for i in range(4):
            low = where + (0, height * (0.25 + 0.18 * i), 0)
            rod(model, low, low + (0, 0.34 * height, 0), (0.2 - 0.036 * i, 0.01), leaves, edge=0.004)
        return
    for _ in range(5):
        off = rng.uniform(-0.1, 0.1, 3)
        ball(model, rng.uniform(0.13, 0.2), where + (0, 0.72 * height, 0) + off, leaves, blend=0.06)


def plot(model: Model, radius: float) -> None:
    """Grass with a path to the door."""
    model.new_group()
    grass = model.material(
        "#6d9a45", "#85ab52", "#54803a", at.PATCHES, freq=8.0, params=(0.1, 0.25), gloss=0.05, bump=(0.4, 40.0)
    )
    rod(model, (0, -0.12, 0), (0, 0, 0), (0.95 * radius, radius), grass, edge=0.03)
    for i in range(4):
        where = (0.06 * model.rng.uniform(-1, 1), 0.0, 0.45 * radius + 0.14 * i)
        model.decal(at.PLATE, where, Y, (0.11, 0.055), ["#b3aa9b", "#8b8377"], (0.6, 0.12), up=Z, depth=0.05, gloss=0.1)
