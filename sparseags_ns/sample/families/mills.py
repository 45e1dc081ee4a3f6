"""Windmills on a plot of grass. The door looks to +z, the sails nearly so."""

from __future__ import annotations

import numpy as np

from sparseags_ns.sample import layout as at
from sparseags_ns.sample.families.gardens import plot, tree
from sparseags_ns.sample.model import Model
from sparseags_ns.sample.palettes import PANE, WOODS, Palette, draw_palette, pick
from sparseags_ns.sample.solids import ball, disc, lathe, limb, rod

Y, Z = np.array([0.0, 1.0, 0.0]), (0.0, 0.0, 1.0)


def windmill(model: Model) -> None:
    """A tapering mill with a turned cap and four lattice sails, three of them clothed."""
    rng, colors = model.rng, draw_palette(model.rng)
    plot(model, 0.72)
    high, neck = rng.uniform(0.9, 1.15), rng.uniform(0.2, 0.26)
    _tower(model, colors, high, neck)
    model.new_group()
    scales = {"pattern": at.SHINGLES, "mapping": at.MAP_CYLINDER, "freq": (16.0, 8.0), "gloss": 0.3}
    ball(model, (1.15 * neck, 0.24, 1.3 * neck), (0, high, 0), model.material(colors.main, colors.second, **scales))
    facing = rng.uniform(-0.6, 0.6)
    ahead, right = np.array([np.sin(facing), 0, np.cos(facing)]), np.array([np.cos(facing), 0, -np.sin(facing)])
    _wheel(model, colors, (high + 0.05) * Y + (1.3 * neck + 0.1) * ahead, ahead, right)
    tree(model, np.array([0.5, 0, 0.2]), 0.5)


def _tower(model: Model, colors: Palette, high: float, neck: float) -> None:
    """Bricks or rendered blocks; door, four windows at different heights, a gallery."""
    rng = model.rng
    foot = rng.uniform(0.34, 0.42)
    wall = ("#b5573c", "#8f3f2d", "#d9d0c0") if rng.random() < 0.5 else (colors.pale, "#d8cdb8", "#b5a88f")
    laid = {"freq": (18.0, 9.0), "params": (0.09, 0.0), "gloss": 0.1, "bump": (0.15, 40.0)}
    body = model.material(*wall, at.BRICKS, at.MAP_CYLINDER, **laid)
    model.new_group()
    lathe(model, 0.5 * high, [-1.0, 0.0, 1.0], [foot, 0.52 * (foot + neck), neck], (0, 0.5 * high, 0), body)
    door, pane = [colors.second, colors.dark, colors.pale], [PANE[0], colors.pale, PANE[1]]
    model.decal(at.DOOR, (0, 0.19, foot), Z, (0.11, 0.19), door, depth=0.15)
    for angle, y in ((0.0, 0.62), (1.9, 0.4), (3.6, 0.7), (4.6, 0.3)):
        out = np.array([np.sin(angle), 0, np.cos(angle)])
        model.decal(at.WINDOW, 0.3 * out + y * high * Y, out, (0.07, 0.09), pane, (2, 0.2), depth=0.2)
    model.new_group()
    disc(model, 0.5 * high * Y, Y, 0.58 * (foot + neck), 0.04, model.material(colors.accent, gloss=0.3))


def _wheel(model: Model, colors: Palette, hub: np.ndarray, ahead: np.ndarray, right: np.ndarray) -> None:
    """The four arms with their slats and canvas."""
    light, dark = pick(model.rng, WOODS)
    wood = model.material(dark, light, pattern=at.WOOD, freq=4.0, params=(2.0, 0.0))
    stripes = {"pattern": at.STRIPES, "mapping": at.MAP_BOX, "freq": 5.0, "params": (0.3, 0.0)}
    cloth = model.material(colors.pale, colors.accent, **stripes)
    limb(model, hub - 0.2 * ahead, hub + 0.03 * ahead, (0.045, 0.06), wood)
    start = model.rng.uniform(0, 90)
    for i in range(4):
        a = np.radians(start + 90 * i)
        out, across = np.cos(a) * right + np.sin(a) * Y, np.cos(a) * Y - np.sin(a) * right
        model.new_group()
        rod(model, hub, hub + 0.72 * out, 0.02, wood)
        for step in np.linspace(0.2, 0.7, 6):
            rod(model, hub + step * out, hub + step * out + 0.16 * across, 0.011, wood)
        if i != 2:
            model.new_group()
            middle, R_object_part = hub + 0.45 * out + 0.085 * across, np.stack([across, out, np.cross(across, out)], 1)
            board = [0.075, 0.25, 0.008, 0.004]
            model.part(at.BOX, board, cloth, middle - 0.012 * ahead, R_object_part, ((0, 0, 0), 0.27))
