"""Storm lanterns."""

from __future__ import annotations

import numpy as np

from sparseags_ns.sample import layout as at
from sparseags_ns.sample.model import Model
from sparseags_ns.sample.palettes import Palette, draw_palette
from sparseags_ns.sample.solids import disc, lathe, ring, rod, tube

X, Y, Z = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
BASE = 0.34  # height of the oil tank


def lantern(model: Model) -> None:
    """Oil tank, glass with a flame, wire guards, hood and a bail that leans to one side."""
    rng, colors = model.rng, draw_palette(model.rng)
    worn = {"freq": 3.5, "params": (0.34, 0.5), "gloss": 0.7, "metallic": 0.3, "in_object": True}
    tin = model.material(colors.main, "#7d5a3c", colors.dark, at.PATCHES, mottle=(0.15, 7.0), **worn)
    brass = model.material("#c9a24a", gloss=0.9, metallic=0.95)
    radius, high = rng.uniform(0.26, 0.32), rng.uniform(0.22, 0.3)
    top = BASE + 2 * high
    _tank(model, colors, radius, tin)
    _glass(model, radius, high, brass)
    model.new_group()
    hood = [0.85 * radius, 0.9 * radius, 0.45 * radius, 0.3 * radius]
    lathe(model, 0.13, [-1.0, -0.6, 0.3, 1.0], hood, (0, top + 0.12, 0), tin, edge=0.02)
    disc(model, (0, top + 0.28, 0), Y, 0.5 * radius, 0.03, brass)
    model.new_group()
    for side in (-1.0, 1.0):
        x = side * (radius + 0.06)
        points = [(0.8 * x, 0.28, 0.0), (1.12 * x, 0.45, 0.0), (1.12 * x, top, 0.0), (0.6 * x, top + 0.14, 0.0)]
        tube(model, points, [0.035] * 4, tin)
    _bail(model, colors, radius, top)
    model.new_group()
    rod(model, (radius, 0.3, 0.06), (radius + 0.18, 0.3, 0.06), 0.018, brass)
    disc(model, (radius + 0.18, 0.3, 0.06), X, 0.055, 0.03, brass)


def _tank(model: Model, colors: Palette, radius: float, tin: int) -> None:
    model.new_group()
    radii = [1.1 * radius, 1.2 * radius, radius, 0.6 * radius]
    lathe(model, 0.5 * BASE, [-1.0, -0.8, 0.1, 1.0], radii, (0, 0.5 * BASE, 0), tin, edge=0.02)
    model.decal(at.TEXT, (0, 0.14, 1.1 * radius), Z, (0.2, 0.07), colors.label, (5, 1), depth=0.12)
    flower = [colors.accent, "#4f7a3f", "#f2c84b"]
    model.decal(at.FLOWER, (-1.1 * radius, 0.15, 0), (-1, 0, 0), (0.08, 0.12), flower, (6, 0), depth=0.15)


def _glass(model: Model, radius: float, high: float, brass: int) -> None:
    """The chimney, the flame seen through it from two sides, three guards."""
    tinted = {"pattern": at.PATCHES, "freq": 2.2, "params": (0.15, 0.4), "gloss": 1.0}
    glass = model.material("#dfe9e4", "#f2c46a", "#fff2c0", **tinted)
    model.new_group()
    radii = [0.55 * radius, 0.82 * radius, 0.5 * radius]
    lathe(model, high, [-1.0, 0.0, 1.0], radii, (0, BASE + high, 0), glass)
    flame = ["#f6a53a", "#ffd76a", "#fff7d0"]
    for side in (-1.0, 1.0):
        where = (0, 0.3 + high, 0.8 * side * radius)
        model.decal(at.DISC, where, (0, 0, side), (0.1, 0.17), flame, (0.75, 0.45), depth=0.2, gloss=1.0)
    model.new_group()
    for y in (0.5, 1.0, 1.5):
        ring(model, (0, BASE + y * high, 0), (0.84 * radius - 0.06 * abs(y - 1), 0.014), brass, turn=(90, 0, 0))


def _bail(model: Model, colors: Palette, radius: float, top: float) -> None:
    """A wire bow with a striped grip."""
    model.new_group()
    wire = model.material("#55585c", gloss=0.7, metallic=0.9)
    lean, bow = model.rng.uniform(20, 60), radius + 0.1
    ring(model, (0, top + 0.1, 0), (bow, 0.018), wire, arc_deg=180, turn=(lean, 0, 0))
    grip = bow * np.array([0, np.cos(np.radians(lean)), np.sin(np.radians(lean))]) + (0, top + 0.1, 0)
    bands = model.material(colors.accent, colors.dark, pattern=at.STRIPES, mapping=at.MAP_BOX, freq=16.0)
    rod(model, grip - (0.1, 0, 0), grip + (0.1, 0, 0), 0.035, bands)
