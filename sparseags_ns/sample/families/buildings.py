"""Little houses and windmills on a plot of grass with trees. y = 0 is the ground; the door looks to +z."""

from __future__ import annotations

import numpy as np

from sparseags_ns.sample import layout as at
from sparseags_ns.sample.model import BACK, SIDES, Model, Y, Z, heading
from sparseags_ns.sample.palettes import WOODS, pick

UP = np.array(Y)
BRICK, GLASS = "#b5573c #8f3f2d #d9d0c0", "#35566b"


def _plot(model: Model, radius: float) -> None:
    """Grass with a path to the door."""
    grass = model.new_group().material(
        "#6d9a45 #85ab52 #54803a", at.PATCHES, 8.0, (0.1, 0.25), gloss=0.05, bump=(0.4, 40.0)
    )
    model.rod((0, -0.12, 0), (0, 0, 0), (0.95 * radius, radius), grass, edge=0.03)
    for i in range(4):
        where = (0.06 * model.rng.uniform(-1, 1), 0.0, 0.45 * radius + 0.14 * i)
        model.decal(at.PLATE, where, Y, (0.11, 0.055), "#b3aa9b #8b8377", (0.6, 0.12), up=Z, depth=0.05, gloss=0.1)


def _tree(model: Model, where: np.ndarray, height: float) -> None:
    """A round tree or a fir."""
    rng = model.rng
    bark = model.new_group().material("#6b4a30 #4a3220", at.WOOD, 3.0, (3.0, 0.0), bump=(0.3, 20.0))
    green = "#4e7d3a #7fa650 #35602f" if rng.random() < 0.7 else "#c07a2c #d9a441 #8f4a22"
    leaves = model.material(green, at.PATCHES, 9.0, (0.1, 0.3), gloss=0.1, bump=(0.5, 26.0))
    model.rod(where, where + (0, 0.5 * height, 0), (0.05, 0.035), bark)
    model.new_group()
    if rng.random() < 0.5:
        for i in range(4):
            low = where + (0, height * (0.25 + 0.18 * i), 0)
            model.rod(low, low + (0, 0.34 * height, 0), (0.2 - 0.036 * i, 0.01), leaves, edge=0.004)
        return
    for _ in range(5):
        off = rng.uniform(-0.1, 0.1, 3)
        model.ball(rng.uniform(0.13, 0.2), where + (0, 0.72 * height, 0) + off, leaves, blend=0.06)


def _wall(model: Model) -> int:
    """Brick, timber framing, planks or rubble."""
    choice, flat = model.rng.integers(4), {"mapping": at.MAP_BOX, "gloss": 0.15}
    if choice == 0:
        return model.material(BRICK, at.BRICKS, (5.0, 9.0), (0.09, 0.0), bump=(0.15, 40.0), **flat)
    if choice == 1:
        return model.material("pale accent", at.PANELS, 1.7, (0.045, 0.0), **flat)
    if choice == 2:
        light, dark = pick(model.rng, WOODS)
        return model.material((light, dark, dark), at.BANDS, 7.0, (0.12, 0.0), mottle=(0.25, 6.0), **flat)
    return model.material("#6f675c #b9ae9c #94826b", at.CELLS, 6.0, (0.06, 0.0), gloss=0.15, bump=(0.15, 30.0))


def house(model: Model) -> None:
    """A house with a gable roof, chimney and annexe; its ridge runs along x."""
    rng, palette = model.rng, model.draw_palette()
    wide, deep, high = rng.uniform(0.45, 0.62), rng.uniform(0.34, 0.44), rng.uniform(0.26, 0.4)
    _plot(model, 1.05)
    walls, tiles = _wall(model), list(rng.permutation(["#9c4532", "#5d6672", "#7a5236", palette.second]))
    roofing = model.material(tiles[:2], at.SHINGLES, (5.0, 6.5), mapping=at.MAP_BOX, gloss=0.2, mottle=(0.15, 5.0))
    pitch = rng.uniform(0.3, 0.48)
    model.new_group().box((wide, high, deep), (0, high, 0), walls, edge=0.01)
    gable = (0, 2 * high + 0.5 * pitch - 0.01, 0)
    model.prism((deep, 0.02, 0.5 * pitch, wide), gable, walls, edge=0.005, turn=(0, 90, 0))
    _openings(model, wide, high, deep)
    model.new_group()
    slope_deg, long = np.degrees(np.arctan2(pitch, deep)), 0.5 * np.hypot(pitch, deep) + 0.07
    for side in SIDES:
        middle = (0.0, 2 * high + 0.5 * pitch + 0.0, side * (0.5 * deep + 0.03))
        model.box((wide + 0.08, 0.03, long), middle, roofing, edge=0.01, turn=(side * slope_deg, 0, 0))
    x, y, z = rng.choice(SIDES) * 0.55 * wide, 2 * high + pitch, 0.25 * deep * rng.choice(SIDES)
    brick = model.new_group().material(
        "#a8503a #7f3a2b #d6ccbb", at.BRICKS, (9.0, 16.0), (0.1, 0.0), at.MAP_BOX, gloss=0.1
    )
    model.box((0.075, 0.2, 0.075), (x, y - 0.04, z), brick, edge=0.006)
    model.box((0.09, 0.02, 0.09), (x, y + 0.16, z), model.material("#6d665e"), edge=0.006)
    model.rod((x, y + 0.16, z), (x, y + 0.26, z), (0.045, 0.035), model.material("#b5613f"))
    # A lean-to at one end, with its own roof and a barrel beside it.
    side, low, size = model.rng.choice(SIDES), 0.62 * high, 0.19
    x = side * (wide + size)
    model.new_group().box((size, low, 0.7 * deep), (x, low, -0.1 * deep), walls, edge=0.01)
    model.decal(at.DOOR, (x, 0.8 * low, 0.6 * deep), Z, (0.09, 0.8 * low), "accent dark pale", depth=0.03)
    window, frame = (x + side * size, low, 0), f"{GLASS} pale shine"
    model.decal(at.WINDOW, window, (side, 0, 0), (0.13, 0.1), frame, (3, 0.2), depth=0.03)
    half, middle = (size + 0.07, 0.022, 0.7 * deep + 0.05), (x, 2 * low + 0.06, -0.1 * deep)
    model.new_group().box(half, middle, roofing, edge=0.01, turn=(0, 0, -side * 18))
    planks = [*pick(model.rng, WOODS), "dark"]
    wood = model.new_group().material(planks, at.BANDS, 9.0, (0.2, 0.1), mottle=(0.2, 8.0))
    model.rod((x, 0, 0.95 * deep), (x, 0.2, 0.95 * deep), 0.09, wood, edge=0.02)
    corner = np.array([0.72 * rng.choice(SIDES), 0.0, 0.55])
    _tree(model, corner, rng.uniform(0.65, 0.95))
    if rng.random() < 0.6:
        _tree(model, -corner + (0, 0, 0.1), rng.uniform(0.4, 0.7))


def _openings(model: Model, wide: float, high: float, deep: float) -> None:
    """Door, windows and a sign on the walls, so that all four sides differ."""
    rng, frame = model.rng, f"{GLASS} pale shine"
    door, tall = 0.45 * wide * rng.choice([-1.0, 0.0, 1.0]), min(0.78 * high, 0.26)
    model.decal(at.DOOR, (door, tall, deep), Z, (0.6 * tall, tall), "second dark #e8cf7a", depth=0.03)
    size = (min(0.2 * wide, 0.13), min(0.42 * high, 0.14))
    for x in (-0.62 * wide, 0.0, 0.62 * wide):
        if abs(x - door) > 0.3 * wide:
            model.decal(at.WINDOW, (x, 1.15 * high, deep), Z, size, frame, (2, 0.2), depth=0.03, gloss=0.9)
    for x in rng.choice([-0.6, -0.2, 0.25, 0.6], 2, replace=False) * wide:
        model.decal(at.WINDOW, (x, high, -deep), BACK, size, frame, (3, 0.2), depth=0.03, gloss=0.9)
    model.decal(at.WINDOW, (wide, 1.1 * high, 0.2 * deep), (1, 0, 0), size, frame, (2, 0.2), depth=0.03, gloss=0.9)
    for side, kind in zip(SIDES, (at.STAR, at.DISC), strict=True):
        gable = (side * wide, 2 * high + 0.1, 0)
        model.decal(kind, gable, (side, 0, 0), 0.07, f"pale {GLASS} #a9c4d0", (0.75, 0.3), depth=0.03)
    model.decal(at.TEXT, (door, 2 * tall + 0.09, deep), Z, (0.2, 0.05), "dark pale accent", (5, 1), depth=0.03)
    step = model.new_group().material("#a39c90", gloss=0.1, bump=(0.2, 40.0))
    model.box((0.75 * tall, 0.03, 0.07), (door, 0.03, deep + 0.06), step, edge=0.01)
    lamp = model.material("#ffe2a0", gloss=0.9)
    model.ball((0.03, 0.045, 0.03), (door + 0.8 * tall, 1.7 * tall, deep + 0.035), lamp)


def windmill(model: Model) -> None:
    """A tapering mill with a turned cap and four lattice sails that face nearly +z, three of them clothed."""
    rng, _ = model.rng, model.draw_palette()
    _plot(model, 0.72)
    high, neck = rng.uniform(0.9, 1.15), rng.uniform(0.2, 0.26)
    foot = rng.uniform(0.34, 0.42)
    wall = BRICK if rng.random() < 0.5 else "pale #d8cdb8 #b5a88f"
    body = model.material(wall, at.BRICKS, (18.0, 9.0), (0.09, 0.0), at.MAP_CYLINDER, gloss=0.1, bump=(0.15, 40.0))
    radii = [foot, 0.52 * (foot + neck), neck]
    model.new_group().lathe(0.5 * high, [-1.0, 0.0, 1.0], radii, (0, 0.5 * high, 0), body)
    model.decal(at.DOOR, (0, 0.19, foot), Z, (0.11, 0.19), "second dark pale", depth=0.15)
    for angle, y in ((0.0, 0.62), (1.9, 0.4), (3.6, 0.7), (4.6, 0.3)):
        out, _ = heading(angle)
        model.decal(at.WINDOW, 0.3 * out + y * high * UP, out, (0.07, 0.09), "pane pale shine", (2, 0.2), depth=0.2)
    gallery = model.new_group().material("accent", gloss=0.3)
    model.disc(0.5 * high * UP, Y, 0.58 * (foot + neck), 0.04, gallery)
    cap = model.new_group().material("main second", at.SHINGLES, (16.0, 8.0), mapping=at.MAP_CYLINDER, gloss=0.3)
    model.ball((1.15 * neck, 0.24, 1.3 * neck), (0, high, 0), cap)
    ahead, right = heading(rng.uniform(-0.6, 0.6))
    # The axle and four arms with their slats and canvas.
    hub = (high + 0.05) * UP + (1.3 * neck + 0.1) * ahead
    light, dark = pick(model.rng, WOODS)
    wood = model.material((dark, light), at.WOOD, 4.0, (2.0, 0.0))
    cloth = model.material("pale accent", at.STRIPES, 5.0, (0.3, 0.0), at.MAP_BOX)
    model.limb(hub - 0.2 * ahead, hub + 0.03 * ahead, (0.045, 0.06), wood)
    start = model.rng.uniform(0, 90)
    for i in range(4):
        a = np.radians(start + 90 * i)
        out, across = np.cos(a) * right + np.sin(a) * UP, np.cos(a) * UP - np.sin(a) * right
        model.new_group().rod(hub, hub + 0.72 * out, 0.02, wood)
        for step in np.linspace(0.2, 0.7, 6):
            model.rod(hub + step * out, hub + step * out + 0.16 * across, 0.011, wood)
        if i != 2:
            middle, R = hub + 0.45 * out + 0.085 * across, np.stack([across, out, np.cross(across, out)], 1)
            model.new_group().box((0.075, 0.25, 0.008), middle - 0.012 * ahead, cloth, edge=0.004, R=R, bound=0.27)
    _tree(model, np.array([0.5, 0, 0.2]), 0.5)
