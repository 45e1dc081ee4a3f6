"""Pottery and enamel: a teapot, a mug with a spoon and biscuits, a watering can. Spout or handle towards +x."""

from __future__ import annotations

import numpy as np

from sparseags_ns.sample import layout as at
from sparseags_ns.sample.model import Model, Y, heading
from sparseags_ns.sample.palettes import METALS


def _glaze(model: Model, radius: float) -> int:
    """A glazed decoration that runs around the vessel."""
    count = float(model.rng.integers(9, 15))
    tall = count / (2 * np.pi * radius)
    around = {"mapping": at.MAP_CYLINDER, "mottle": (0.05, 3.0)}
    return model.one_of(
        {"colors": "pale main accent", "pattern": at.DOTS, "freq": (count, tall), "params": (0.27, 0.3), **around},
        {"colors": "main pale accent", "pattern": at.BANDS, "freq": (1.0, 2.6), "params": (0.35, 0.12), **around},
        {"colors": "pale main second", "pattern": at.CHECKS, "freq": (count, tall), "params": (1.0, 0.0), **around},
        {"colors": "pale main", "pattern": at.STRIPES, "freq": (2 * count, tall), "params": (0.4, 0.0), **around},
        {"colors": "main second pale", "pattern": at.PATCHES, "freq": 3.0, "params": (0.22, 0.42), "in_object": True},
        gloss=0.9,
    )


def _posy(model: Model, count: int, radius: float, y: float, size: float, spread_deg: float) -> None:
    """Flowers painted on the current group's belly, one beside another on one side."""
    start = model.rng.uniform(0, 2 * np.pi)
    for i in range(count):
        out, _ = heading(start + np.radians(spread_deg) * (i - 0.5 * count))
        half = size * model.rng.uniform(0.75, 1.15)
        where = radius * out + (0, y + model.rng.uniform(-0.1, 0.1), 0)
        colors, petals = ("accent", "second", "main")[i % 3] + " #4f7a3f #f2c84b", float(model.rng.integers(5, 8))
        model.decal(at.FLOWER, where, out, (0.62 * half, half), colors, (petals, 0.0), depth=0.35, gloss=0.9)


def teapot(model: Model) -> None:
    """A teapot with spout, handle, lid and knob."""
    rng, _ = model.rng, model.draw_palette()
    half, belly, mouth = rng.uniform(0.42, 0.6), rng.uniform(0.5, 0.62), rng.uniform(0.22, 0.3)
    glaze, plain = _glaze(model, belly), model.material("second", gloss=0.9)
    radii, top = [0.62 * belly, 0.72 * belly, belly, 0.75 * belly, mouth], 2 * half
    heights = [-1.0, -0.92, rng.uniform(-0.45, 0.05), 0.75, 1.0]
    model.new_group().lathe(half, heights, radii, (0, half, 0), glaze, edge=0.02)
    if rng.random() < 0.6:
        _posy(model, int(rng.integers(3, 6)), belly, 0.9 * half, 0.27, rng.uniform(35, 60))
    tip = (belly + 0.42, top + rng.uniform(-0.05, 0.12), 0.0)
    spout = [(0.75 * belly, 0.6 * half, 0.0), (belly + 0.22, 0.9 * half, 0.0), tip]
    knots = model.new_group().tube(spout, [0.16, 0.1, 0.065], plain, 10, blend=0.02)
    out = (knots[-1] - knots[-2]) / np.linalg.norm(knots[-1] - knots[-2])
    model.rod(knots[-1], knots[-1] + 0.12 * out, 0.05, model.material("dark", gloss=0.2), carve=True)
    far = -belly - rng.uniform(0.36, 0.48)
    handle = [(-0.8 * belly, 1.55 * half, 0.0), (far, 1.5 * half, 0.0), (far, 0.75 * half, 0.0)]
    handle.append((-0.9 * belly, 0.5 * half, 0.0))
    model.new_group().tube(handle, [0.06, 0.055, 0.055, 0.06], plain, 16, blend=0.02)
    lid = [1.12 * mouth, 0.85 * mouth, 0.3 * mouth]
    model.new_group().lathe(0.07, [-1.0, 0.0, 1.0], lid, (0, top + 0.06, 0), glaze)
    model.ball((0.08, 0.07, 0.08), (0, top + 0.17, 0), model.material("accent", gloss=0.9))
    model.new_group().rod((0, -0.02, 0), (0, 0.04, 0), (0.68 * belly, 0.6 * belly), plain)


def mug(model: Model) -> None:
    """A mug on a saucer: hollow, with a drink in it, a spoon and biscuits beside it."""
    rng, _ = model.rng, model.draw_palette()
    half, foot, lip = rng.uniform(0.38, 0.5), rng.uniform(0.26, 0.36), rng.uniform(0.38, 0.46)
    glaze, plain = _glaze(model, lip), model.material("pale", gloss=0.9)
    y, waist = 0.1 + half, 0.5 * (foot + lip) * rng.uniform(0.98, 1.12)
    model.new_group().lathe(half, [-1.0, 0.0, 1.0], [foot, waist, lip], (0, y, 0), glaze, edge=0.03)
    _posy(model, int(rng.integers(1, 4)), lip, y, 0.27, 55.0)
    inner = [foot - 0.05, waist - 0.05, lip - 0.045]
    model.lathe(half, [-1.0, 0.0, 1.0], inner, (0, y + 0.06, 0), plain, carve=True, blend=0.02)
    drink = model.new_group().material([("#3b2216", "#8a4a1f", "#e8d9c0")[rng.integers(3)]], gloss=0.95)
    model.disc((0, y + 0.55 * half, 0), Y, waist - 0.045 + 0.5 * (lip - waist), 0.02, drink)
    size, side = rng.uniform(0.26, 0.32), model.material("second", gloss=0.9)
    handle = [(lip - 0.03, y + 0.65 * half, 0), (lip + size, y + 0.6 * half, 0)]
    handle += [(lip + 0.8 * size, y - 0.4 * half, 0), (0.5 * (foot + waist) - 0.02, y - 0.5 * half, 0)]
    model.new_group().tube(handle, [0.045, 0.05, 0.05, 0.04], side, 18)
    model.new_group().rod((0, 0, 0), (0, 0.12, 0), (0.5, 0.82), glaze, edge=0.012)
    model.rod((0, 0.05, 0), (0, 0.2, 0), (0.42, 1.08), plain, edge=0.0, carve=True, blend=0.02)
    steel = model.new_group().material([METALS[rng.integers(3)]], gloss=0.9, metallic=1.0)
    angle = rng.uniform(0.5, 2.0)
    out, across = heading(angle)
    middle = 0.62 * out + (0, 0.15, 0)
    model.limb(middle - 0.1 * across, middle + 0.5 * across + (0, 0.06, 0), (0.018, 0.03), steel)
    model.ball((0.12, 0.025, 0.08), middle - 0.2 * across, steel, turn=(0, np.degrees(angle), 0), blend=0.05)
    model.new_group()
    crumb = model.material("#c98b4a #8d5527 #5a3113", at.PATCHES, 9.0, (0.15, 0.4), bump=(0.25, 40.0))
    for i in range(int(rng.integers(1, 4))):
        where = -0.6 * out + rng.uniform(-0.04, 0.04, 3) * (1, 0, 1) + (0, 0.16 + 0.075 * i, 0)
        model.disc(where, (0.05, 1, 0.04 * i), 0.16, 0.07, crumb)


def watering_can(model: Model) -> None:
    """A watering can with a rose, a bow handle and a crossbar."""
    rng, _ = model.rng, model.draw_palette()
    half, radius = rng.uniform(0.36, 0.46), rng.uniform(0.36, 0.44)
    enamel = _glaze(model, radius)
    bare = model.material([METALS[rng.integers(len(METALS))]], gloss=0.8, metallic=0.8, mottle=(0.1, 8.0))
    radii = [radius, 1.02 * radius, 0.88 * radius, 0.55 * radius]
    model.new_group().lathe(half, [-1.0, -0.9, 0.7, 1.0], radii, (0, half, 0), enamel, edge=0.02)
    _posy(model, int(rng.integers(2, 5)), radius, half, 0.28, 60.0)
    model.rod((0.05, 1.8 * half, 0.05), (0.05, 2.3 * half, 0.05), 0.42 * radius, model.material("dark"), carve=True)
    # Spout, rose with holes, crossbar.
    start = np.array([0.85 * radius, 0.35 * half, 0.0])
    tip = np.array([radius + 0.55, 2 * half + rng.uniform(0.0, 0.15), 0.0])
    ahead = (tip - start) / np.linalg.norm(tip - start)
    rose = tip + 0.14 * ahead
    model.new_group().limb(start, tip, (0.1, 0.05), enamel)
    model.rod(tip, rose, (0.06, 0.15), bare)
    model.decal(at.GRILLE, rose, ahead, 0.13, "#9a9ca0 #1d1e20", (6.0, 1.0), depth=0.03)
    model.new_group().limb((0.6 * radius, 1.75 * half, 0), tip - 0.25 * ahead, 0.025, bare)
    low, high = 0.6 * half, 2.5 * half
    handle = [(-0.9 * radius, low, 0.0), (-radius - 0.35, 1.2 * half, 0.0), (-radius - 0.1, high, 0.0)]
    handle += [(0.3 * radius, high, 0.0), (0.4 * radius, 1.8 * half, 0.0)]
    model.new_group().tube(handle, [0.05, *[0.045] * 4], model.material("second", gloss=0.85), 18)
    for level, wide in ((0.06, 1.04), (1.6, 0.87)):
        model.new_group().disc((0, level * half, 0), Y, radius * wide, 0.05, bare)
