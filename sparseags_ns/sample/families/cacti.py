"""Cacti in painted flower pots."""

from __future__ import annotations

import numpy as np

from sparseags_ns.sample import layout as at
from sparseags_ns.sample.model import Model
from sparseags_ns.sample.palettes import Palette, draw_palette
from sparseags_ns.sample.solids import ball, box, lathe, limb, rod, tube

Z = (0.0, 0.0, 1.0)
GREENS = ("#5f8f4e", "#4c8068", "#7f9a52")


def cactus(model: Model) -> None:
    """A ribbed cactus with arms and blossoms, pebbles and a label."""
    rng, colors = model.rng, draw_palette(model.rng)
    radius, half = rng.uniform(0.3, 0.38), rng.uniform(0.22, 0.28)
    _pot(model, colors, radius, half)
    ribs = {"pattern": at.STRIPES, "mapping": at.MAP_CYLINDER, "freq": (22.0, 6.0), "params": (0.22, 0.05)}
    green = model.material(GREENS[rng.integers(3)], "#e9ecc8", gloss=0.3, bump=(0.15, 30.0), **ribs)
    model.new_group()
    tall, fat, base = rng.uniform(0.32, 0.46), rng.uniform(0.17, 0.22), 2 * half - 0.06
    radii = [0.8 * fat, fat, 0.95 * fat, 0.62 * fat, 0.25 * fat]
    lathe(model, tall, [-1.0, -0.4, 0.6, 0.9, 1.0], radii, (0, base + tall, 0), green, edge=0.05)
    tips = [np.array([0, base + 2 * tall, 0])]
    for _ in range(int(rng.integers(2, 4))):
        a, level = rng.uniform(0, 2 * np.pi), base + rng.uniform(0.5, 1.2) * tall
        out = np.array([np.sin(a), 0, np.cos(a)])
        low, bend = 0.7 * fat * out + (0, level, 0), (fat + 0.17) * out + (0, level + 0.05, 0)
        tip = bend + (0, rng.uniform(0.15, 0.35), 0)
        knots = [low, 0.4 * low + 0.6 * bend - (0, 0.02, 0), bend, tip]
        tube(model, knots, [0.075, 0.085, 0.09, 0.08], green, 10, blend=0.04)
        tips.append(tip + (0, 0.06, 0))
    _blossoms(model, colors, tips)
    _pebbles(model, radius, 2 * half - 0.04)
    _label(model, colors, radius, 2 * half + 0.08)


def _pot(model: Model, colors: Palette, radius: float, half: float) -> None:
    rng, count = model.rng, float(model.rng.integers(8, 13))
    around = {"mapping": at.MAP_CYLINDER, "gloss": 0.6, "mottle": (0.1, 6.0)}
    paints = (
        (("#c0643c", colors.pale, colors.main, at.DOTS), {"freq": (count, 5.0), "params": (0.26, 0.3)}),
        ((colors.main, colors.pale, colors.accent, at.BANDS), {"freq": (1.0, 5.0), "params": (0.4, 0.15)}),
        ((colors.pale, colors.main, colors.second, at.CHECKS), {"freq": (count, 5.0), "params": (0.0, 0.0)}),
    )
    look, laid = paints[rng.integers(3)]
    model.new_group()
    radii = [0.68 * radius, 0.95 * radius, 1.06 * radius, 1.1 * radius]
    lathe(model, half, [-1.0, 0.55, 0.6, 1.0], radii, (0, half, 0), model.material(*look, **laid, **around), edge=0.02)
    star = [colors.accent, colors.pale]
    model.decal(at.STAR, (0, 0.9 * half, radius), Z, (0.13, 0.13), star, (6, 0.5), depth=0.2)
    soil = model.material("#5a4030", "#7a5a42", "#3d2a1e", at.CELLS, freq=11.0, params=(0.08, 0.0), gloss=0.1)
    rod(model, (0, 2 * half - 0.05, 0), (0, 2 * half + 0.2, 0), 0.98 * radius, soil, carve=True)
    model.new_group()
    rod(model, (0, -0.01, 0), (0, 0.05, 0), (0.95 * radius, 1.05 * radius), model.material(colors.second, gloss=0.7))


def _blossoms(model: Model, colors: Palette, tips: list[np.ndarray]) -> None:
    speckled = {"pattern": at.PATCHES, "freq": 9.0, "params": (0.2, 0.5), "gloss": 0.4}
    petal = model.material(colors.accent, "#f7e6a8", **speckled)
    for tip in tips:
        model.new_group()
        for i in range(5):
            a = 2 * np.pi * i / 5 + model.rng.uniform(0, 0.4)
            limb(model, tip, tip + 0.1 * np.array([np.sin(a), 0.7, np.cos(a)]), (0.02, 0.032), petal)


def _pebbles(model: Model, radius: float, y: float) -> None:
    rng = model.rng
    model.new_group()
    grey = {"pattern": at.PATCHES, "freq": 9.0, "params": (0.1, 0.3), "in_object": True}
    stone = model.material("#b7ada0", "#857b70", "#d8d0c2", **grey)
    for _ in range(7):
        a, r, size = rng.uniform(0, 2 * np.pi), radius * rng.uniform(0.65, 0.85), rng.uniform(0.03, 0.06)
        turn = (0, rng.uniform(0, 180), 0)
        ball(model, (size, 0.6 * size, 0.8 * size), (r * np.sin(a), y, r * np.cos(a)), stone, turn=turn)


def _label(model: Model, colors: Palette, radius: float, y: float) -> None:
    """A wooden label with a name, stuck into the soil."""
    model.new_group()
    wood = model.material("#d8b07a", "#b98a52", pattern=at.WOOD, freq=4.0, params=(3.0, 0.0))
    where = np.array([model.rng.choice([-1, 1]) * 0.6 * radius, y, 0.55 * radius])
    box(model, (0.09, 0.07, 0.012), where + (0, 0.05, 0), wood, edge=0.006)
    box(model, (0.02, 0.16, 0.01), where - (0, 0.05, 0), wood, edge=0.004)
    model.decal(at.TEXT, where + (0, 0.05, 0.012), Z, (0.08, 0.05), ["#000000", colors.dark], (-4, 1), depth=0.03)
