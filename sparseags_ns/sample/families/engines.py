"""A toy steam engine with its cab, boiler, chimney and tender load. +z is the direction of travel."""

from __future__ import annotations

import numpy as np

from sparseags_ns.sample import layout as at
from sparseags_ns.sample.model import Model
from sparseags_ns.sample.palettes import Palette, draw_palette
from sparseags_ns.sample.solids import ball, box, disc, lathe, limb, prism, rod

X, Y, Z = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)


def engine(model: Model) -> None:
    """A locomotive on its wheels."""
    rng, colors = model.rng, draw_palette(model.rng)
    dark = model.material(colors.dark, gloss=0.5)
    brass = model.material("#c9a24a", gloss=0.9, metallic=0.95)
    long, radius = rng.uniform(0.62, 0.8), rng.uniform(0.23, 0.29)
    floor = 0.36
    model.new_group()
    box(model, (0.3, 0.06, long + 0.25), (0, floor, 0), dark, edge=0.02)
    prism(model, (0.34, 0.3, 0.1, 0.06), (0, floor - 0.13, long + 0.26), model.material(colors.accent, gloss=0.7))
    model.decal(
        at.GRILLE, (0, floor - 0.13, long + 0.32), Z, (0.3, 0.08), [colors.accent, colors.dark], (5, 0), depth=0.05
    )
    _boiler(model, colors, brass, (floor + 0.06 + radius, radius, long))
    _cab(model, colors, brass, floor, long)
    _wheels(model, colors, brass, long)
    model.new_group()
    for sign in (-1.0, 1.0):
        for side in (-1.0, 1.0):
            start = np.array([side * 0.2, floor, sign * (long + 0.22)])
            rod(model, start, start + (0, 0, sign * 0.12), 0.03, dark)
            disc(model, start + (0, 0, sign * 0.13), Z, 0.06, 0.03, brass)


def _boiler_paint(model: Model, colors: Palette) -> int:
    choice = model.rng.integers(3)
    if choice == 0:
        bands = {"pattern": at.BANDS, "freq": 5.5, "params": (0.12, 0.08), "gloss": 0.85}
        return model.material(colors.main, colors.accent, "#c9a24a", **bands)
    around = {"mapping": at.MAP_CYLINDER, "gloss": 0.8}
    if choice == 1:
        plates = {"pattern": at.PANELS, "freq": (8.0, 3.5), "params": (0.03, 1.0)}
        return model.material(colors.main, colors.second, "#c9c7c2", **plates, **around)
    dots = {"pattern": at.DOTS, "freq": (9.0, 5.0), "params": (0.25, 0.2)}
    return model.material(colors.main, colors.pale, colors.accent, **dots, **around)


def _boiler(model: Model, colors: Palette, brass: int, shape: tuple[float, float, float]) -> None:
    """The boiler with its name on one side and the face of the smoke box; what stands on it."""
    rng, (y, radius, long) = model.rng, shape
    front, soot = long + 0.1, model.material("#2b2b2e", gloss=0.45)
    model.new_group()
    rod(model, (0, y, -0.25 * long), (0, y, front), radius, _boiler_paint(model, colors), edge=0.03)
    side = rng.choice([-1.0, 1.0])
    name = (side * radius, y, 0.5 * long)
    model.decal(at.TEXT, name, (side, 0, 0), (0.24, 0.08), [colors.pale, colors.dark, "#c9a24a"], (5, 1), depth=0.15)
    model.new_group()
    disc(model, (0, y, front), Z, 0.88 * radius, 0.06, soot)
    face, size = ["#f3eddb", "#26282b", "#b33a2c"], 0.55 * radius
    model.decal(at.GAUGE, (0, y, front + 0.03), Z, (size, size), face, (rng.uniform(-2, 2), 0))
    _chimney(model, colors, (0, y + radius, rng.uniform(0.62, 0.75) * long), soot)
    model.new_group()
    ball(model, (0.12, 0.14, 0.12), (0, y + 0.92 * radius, 0.28 * long), brass)
    limb(model, (0.1, y + 0.9 * radius, 0.05), (0.1, y + radius + 0.16, 0.05), (0.02, 0.03), brass)
    model.new_group()
    lamp, glow = np.array([0, y + radius + 0.06, front - 0.06]), ["#fff3c4", "#ffffff", "#fff8d8"]
    box(model, (0.07, 0.07, 0.06), lamp, soot, edge=0.02)
    model.decal(at.DISC, lamp + (0, 0, 0.06), Z, (0.055, 0.055), glow, (0.7, 0.3))


def _chimney(model: Model, colors: Palette, foot: tuple[float, float, float], soot: int) -> None:
    """One of three shapes, hollow at the top."""
    rng, (x, y, z) = model.rng, foot
    tall = rng.uniform(0.14, 0.22)
    shapes = ([0.07, 0.08, 0.13], [0.1, 0.08, 0.09], [0.07, 0.15, 0.1])
    paint = model.material(colors.second, colors.accent, pattern=at.BANDS, freq=3.0, params=(0.3, 0.0), gloss=0.7)
    model.new_group()
    lathe(model, tall, [-1.0, 0.5, 1.0], shapes[rng.integers(3)], (x, y + tall, z), paint)
    rod(model, (x, y + 1.3 * tall, z), (x, y + 3 * tall, z), 0.055, soot, carve=True)


def _cab(model: Model, colors: Palette, brass: int, floor: float, long: float) -> None:
    rng, z = model.rng, -0.55 * long
    high = rng.uniform(0.3, 0.38)
    y = floor + 0.06 + high
    paint = model.material(colors.main if rng.random() < 0.5 else colors.second, gloss=0.8)
    model.new_group()
    box(model, (0.32, high, 0.3 * long), (0, y, z), paint, edge=0.03)
    box(model, (0.27, high - 0.05, 0.3 * long), (0, y + 0.02, z - 0.06), model.material(colors.pale), carve=True)
    for side in (-1.0, 1.0):
        where = (side * 0.32, y + 0.4 * high, z)
        model.decal(
            at.WINDOW,
            where,
            (side, 0, 0),
            (0.16 * long, 0.3 * high),
            ["#2e4a57", "#c9a24a", "#8fb4c4"],
            (2, 0.18),
            depth=0.04,
            gloss=0.9,
        )
        crest = (side * 0.32, y - 0.45 * high, z)
        star = [colors.accent, colors.pale]
        if side > 0:
            model.decal(at.STAR, crest, (side, 0, 0), (0.1, 0.1), star, (5, 0.45), depth=0.04)
        else:
            model.decal(
                at.TEXT, crest, (side, 0, 0), (0.16, 0.08), [colors.pale, colors.dark, "#c9a24a"], (2, 1), depth=0.04
            )
    model.new_group()
    roof = model.material(
        colors.accent, colors.dark, pattern=at.PANELS, mapping=at.MAP_BOX, freq=4.0, params=(0.04, 1.0), gloss=0.6
    )
    ball(model, (0.4, 0.11, 0.38 * long), (0, y + high + 0.01, z), roof)
    model.new_group()
    coal = model.material(
        "#1c1c1f", "#333338", pattern=at.CELLS, freq=12.0, params=(0.08, 0.0), gloss=0.6, bump=(0.5, 14.0)
    )
    box(model, (0.3, 0.13, 0.16), (0, floor + 0.19, -long - 0.05), paint, edge=0.02)
    ball(model, (0.25, 0.12, 0.14), (0.03, floor + 0.32, -long - 0.05), coal)


def _wheels(model: Model, colors: Palette, brass: int, long: float) -> None:
    """Three pairs of driving wheels with a coupling rod, a small pair in front."""
    steel = model.material("#8a8d92", gloss=0.8, metallic=0.9)
    rim = model.material(colors.accent, gloss=0.7)
    places = [(-0.75 * long, 0.21), (-0.2 * long, 0.21), (0.35 * long, 0.21), (0.85 * long, 0.14)]
    phase = model.rng.uniform(0, 6.0)
    crank = 0.1 * np.array([0, np.cos(phase), np.sin(phase)])
    for side in (-1.0, 1.0):
        for z, radius in places:
            model.new_group()
            center = np.array([side * 0.31, radius, z])
            disc(model, center, X, radius, 0.08, rim)
            disc(model, center + (-side * 0.05, 0, 0), X, radius + 0.03, 0.03, steel)
            disc(model, center + (side * 0.04, 0, 0), X, 0.05, 0.06, brass)
            spot = center + (side * 0.04, 0, 0)
            model.decal(
                at.STAR,
                spot,
                (side, 0, 0),
                (0.85 * radius, 0.85 * radius),
                [colors.dark, colors.pale],
                (8, 0.55),
                depth=0.02,
            )
        model.new_group()
        start, end = (np.array([side * 0.39, 0.21, z]) + crank for z in (places[0][0], places[2][0]))
        limb(model, start, end, (0.028, 0.028), steel)
