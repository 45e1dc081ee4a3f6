"""Little houses on a plot of grass: walls, gable roof, chimney, door, windows, an annexe, trees. Front to +z."""

from __future__ import annotations

import numpy as np

from sparseags_ns.sample import layout as at
from sparseags_ns.sample.families.gardens import plot, tree
from sparseags_ns.sample.model import Model
from sparseags_ns.sample.palettes import WOODS, Palette, draw_palette, pick
from sparseags_ns.sample.solids import ball, box, prism, rod

Z = (0.0, 0.0, 1.0)
GLASS = "#35566b"


def _wall(model: Model, colors: Palette) -> int:
    """Brick, timber framing, planks or rubble."""
    flat = {"mapping": at.MAP_BOX, "gloss": 0.15}
    choice = model.rng.integers(4)
    if choice == 0:
        brick = ("#b5573c", "#8f3f2d", "#d9d0c0")
        return model.material(*brick, at.BRICKS, freq=(5.0, 9.0), params=(0.09, 0.0), bump=(0.15, 40.0), **flat)
    if choice == 1:
        return model.material(colors.pale, colors.accent, pattern=at.PANELS, freq=1.7, params=(0.045, 0.0), **flat)
    if choice == 2:
        light, dark = pick(model.rng, WOODS)
        return model.material(light, dark, dark, at.BANDS, freq=7.0, params=(0.12, 0.0), mottle=(0.25, 6.0), **flat)
    stone = ("#6f675c", "#b9ae9c", "#94826b")
    return model.material(*stone, at.CELLS, freq=6.0, params=(0.06, 0.0), gloss=0.15, bump=(0.15, 30.0))


def _roofing(model: Model, colors: Palette) -> int:
    tile = model.rng.permutation(["#9c4532", "#5d6672", "#7a5236", colors.second])
    return model.material(
        tile[0], tile[1], pattern=at.SHINGLES, mapping=at.MAP_BOX, freq=(5.0, 6.5), gloss=0.2, mottle=(0.15, 5.0)
    )


def house(model: Model) -> None:
    """A house with a gable roof; its ridge runs along x."""
    rng, colors = model.rng, draw_palette(model.rng)
    wide, deep, high = rng.uniform(0.45, 0.62), rng.uniform(0.34, 0.44), rng.uniform(0.26, 0.4)
    plot(model, 1.05)
    walls, roofing = _wall(model, colors), _roofing(model, colors)
    pitch = rng.uniform(0.3, 0.48)
    model.new_group()
    box(model, (wide, high, deep), (0, high, 0), walls, edge=0.01)
    prism(
        model,
        (deep, 0.02, 0.5 * pitch, wide),
        (0, 2 * high + 0.5 * pitch - 0.01, 0),
        walls,
        edge=0.005,
        turn=(0, 90, 0),
    )
    _openings(model, colors, (wide, high, deep))
    model.new_group()
    slope = np.degrees(np.arctan2(pitch, deep))
    long = 0.5 * np.hypot(pitch, deep) + 0.07
    for side in (-1.0, 1.0):
        middle = (0.0, 2 * high + 0.5 * pitch + 0.0, side * (0.5 * deep + 0.03))
        box(model, (wide + 0.08, 0.03, long), middle, roofing, edge=0.01, turn=(side * slope, 0, 0))
    _chimney(model, (rng.choice([-1.0, 1.0]) * 0.55 * wide, 2 * high + pitch, 0.25 * deep * rng.choice([-1.0, 1.0])))
    _annexe(model, colors, (wide, high, deep), walls, roofing)
    corner = np.array([0.72 * rng.choice([-1.0, 1.0]), 0.0, 0.55])
    tree(model, corner, rng.uniform(0.65, 0.95))
    if rng.random() < 0.6:
        tree(model, -corner + (0, 0, 0.1), rng.uniform(0.4, 0.7))


def _openings(model: Model, colors: Palette, half: tuple[float, float, float]) -> None:
    """Door, windows and a sign on the walls: all four sides differ."""
    rng, (wide, high, deep) = model.rng, half
    door = 0.45 * wide * rng.choice([-1.0, 0.0, 1.0])
    tall = min(0.78 * high, 0.26)
    model.decal(at.DOOR, (door, tall, deep), Z, (0.6 * tall, tall), [colors.second, colors.dark, "#e8cf7a"], depth=0.03)
    frame = [GLASS, colors.pale, "#7fa3b5"]
    size = (min(0.2 * wide, 0.13), min(0.42 * high, 0.14))
    for x in (-0.62 * wide, 0.0, 0.62 * wide):
        if abs(x - door) > 0.3 * wide:
            model.decal(at.WINDOW, (x, 1.15 * high, deep), Z, size, frame, (2, 0.2), depth=0.03, gloss=0.9)
    for x in rng.choice([-0.6, -0.2, 0.25, 0.6], 2, replace=False) * wide:
        model.decal(at.WINDOW, (x, high, -deep), (0, 0, -1), size, frame, (3, 0.2), depth=0.03, gloss=0.9)
    model.decal(at.WINDOW, (wide, 1.1 * high, 0.2 * deep), (1, 0, 0), size, frame, (2, 0.2), depth=0.03, gloss=0.9)
    for side in (-1.0, 1.0):
        gable = (side * wide, 2 * high + 0.1, 0)
        model.decal(
            at.DISC if side > 0 else at.STAR,
            gable,
            (side, 0, 0),
            (0.07, 0.07),
            [colors.pale, GLASS, "#a9c4d0"],
            (0.75, 0.3),
            depth=0.03,
        )
    sign = (door, 2 * tall + 0.09, deep)
    model.decal(at.TEXT, sign, Z, (0.2, 0.05), [colors.dark, colors.pale, colors.accent], (5, 1), depth=0.03)
    model.new_group()
    step = model.material("#a39c90", gloss=0.1, bump=(0.2, 40.0))
    box(model, (0.75 * tall, 0.03, 0.07), (door, 0.03, deep + 0.06), step, edge=0.01)
    lamp = model.material("#ffe2a0", gloss=0.9)
    ball(model, (0.03, 0.045, 0.03), (door + 0.8 * tall, 1.7 * tall, deep + 0.035), lamp)


def _chimney(model: Model, top: tuple[float, float, float]) -> None:
    model.new_group()
    brick = model.material("#a8503a", "#7f3a2b", "#d6ccbb", at.BRICKS, at.MAP_BOX, (9.0, 16.0), (0.1, 0.0), gloss=0.1)
    x, y, z = top
    box(model, (0.075, 0.2, 0.075), (x, y - 0.04, z), brick, edge=0.006)
    box(model, (0.09, 0.02, 0.09), (x, y + 0.16, z), model.material("#6d665e"), edge=0.006)
    rod(model, (x, y + 0.16, z), (x, y + 0.26, z), (0.045, 0.035), model.material("#b5613f"))


def _annexe(model: Model, colors: Palette, half: tuple[float, float, float], walls: int, roofing: int) -> None:
    """A lean-to at one end, with its own roof and a barrel or a bench beside it."""
    rng, (wide, high, deep) = model.rng, half
    side = rng.choice([-1.0, 1.0])
    model.new_group()
    low, size = 0.62 * high, 0.19
    x = side * (wide + size)
    box(model, (size, low, 0.7 * deep), (x, low, -0.1 * deep), walls, edge=0.01)
    model.decal(
        at.DOOR, (x, 0.8 * low, 0.6 * deep), Z, (0.09, 0.8 * low), [colors.accent, colors.dark, colors.pale], depth=0.03
    )
    model.decal(
        at.WINDOW,
        (x + side * size, low, 0),
        (side, 0, 0),
        (0.13, 0.1),
        [GLASS, colors.pale, "#7fa3b5"],
        (3, 0.2),
        depth=0.03,
    )
    model.new_group()
    box(
        model,
        (size + 0.07, 0.022, 0.7 * deep + 0.05),
        (x, 2 * low + 0.06, -0.1 * deep),
        roofing,
        edge=0.01,
        turn=(0, 0, -side * 18),
    )
    model.new_group()
    light, dark = pick(rng, WOODS)
    wood = model.material(light, dark, colors.dark, at.BANDS, freq=9.0, params=(0.2, 0.1), mottle=(0.2, 8.0))
    rod(model, (x, 0, 0.95 * deep), (x, 0.2, 0.95 * deep), 0.09, wood, edge=0.02)
