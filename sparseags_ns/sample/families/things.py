"""Old table radios, cacti in painted pots, and guitars on a small stand. Front to +z."""

from __future__ import annotations

import numpy as np

from sparseags_ns.sample import layout as at
from sparseags_ns.sample.model import BACK, SIDES, Model, Z, heading
from sparseags_ns.sample.palettes import METALS, WOODS, pick

GREENS = ("#5f8f4e", "#4c8068", "#7f9a52")
BODY, DEEP = 0.46, 0.085  # of a guitar: height of the middle of the lower bout; half thickness


def radio(model: Model) -> None:
    """Dial, cloth or slots before the loudspeaker, knobs, handle, aerial, ventilated back."""
    rng, _ = model.rng, model.draw_palette()
    half = wide, high, deep = rng.uniform(0.55, 0.7), rng.uniform(0.32, 0.42), rng.uniform(0.2, 0.26)
    chrome = model.material([METALS[rng.integers(3)]], gloss=0.9, metallic=0.95)
    side, y = float(rng.choice(SIDES)), high + 0.06
    # Polished wood or marbled bakelite.
    woods = pick(rng, WOODS)
    if rng.random() < 0.5:
        case = model.material(woods, at.WOOD, (2.2, 0.7), (4.0, 0.0), gloss=0.75, in_object=True)
    else:
        case = model.material("main second main", at.PATCHES, 2.6, (0.1, 0.36), gloss=0.8, in_object=True)
    model.new_group().box(half, (0, y, 0), case, edge=rng.uniform(0.05, 0.14))
    _radio_front(model, half, side)
    # Slots, a type plate and a socket at the back; a star on one end, slots on the other.
    slots, socket = "#5a4a38 #191512", "#8d9096 #1d1e20 #c9c7c2"
    model.decal(at.GRILLE, (0.3 * side * wide, y, -deep), BACK, (0.5 * wide, 0.5 * high), slots, (8, 0))
    model.decal(at.TEXT, (-0.55 * side * wide, y + 0.3 * high, -deep), BACK, (0.22, 0.1), "pale dark accent", (6, 2))
    model.decal(at.DISC, (-0.6 * side * wide, y - 0.5 * high, -deep), BACK, 0.06, socket, (0.7, 0.3))
    model.decal(at.STAR, (side * wide, y + 0.2 * high, 0), (side, 0, 0), 0.13, "accent pale", (7, 0.5))
    model.decal(at.GRILLE, (-side * wide, y, 0), (-side, 0, 0), (0.6 * deep, 0.12), slots, (4, 0))
    black = model.material("dark", gloss=0.8)
    for size, x in ((0.085, 0.72), (0.065, 0.34)):
        knob = np.array([-side * x * wide, 0.5 * high + 0.06, deep])
        model.new_group().disc(knob + (0, 0, 0.03), Z, size, 0.08, black)
        model.disc(knob + (0, 0, 0.07), Z, 0.6 * size, 0.02, chrome)
        model.decal(at.PLATE, knob + (0.02, 0.02, 0.08), Z, (0.006, 0.03), "accent accent", (0, 0))
    leather = model.new_group().material("#6b3f26 #4a2a18", at.STRIPES, 18.0, gloss=0.4)
    low, top = y + high - 0.03, y + high + 0.2
    ends = [(-0.55 * wide, low, 0), (-0.5 * wide, top, -0.02), (0.5 * wide, top, -0.02), (0.55 * wide, low, 0)]
    model.tube(ends, [0.03, 0.04, 0.04, 0.03], leather, 16)
    root = np.array([side * 0.88 * wide, y + high - 0.02, -0.6 * deep])
    tip = root + (side * rng.uniform(0.0, 0.3), rng.uniform(0.35, 0.55), 0)
    model.new_group().rod(root, tip, (0.016, 0.009), chrome)
    model.ball(0.025, tip, chrome)
    rubber = model.material("#242428", gloss=0.2)
    for x in (-0.8 * wide, 0.8 * wide):
        model.new_group().limb((x, 0.05, -0.5 * deep), (x, 0.05, 0.5 * deep), 0.05, rubber)


def _radio_front(model: Model, half: tuple[float, float, float], side: float) -> None:
    """Loudspeaker on one half; on the other a round dial or a scale of stations."""
    rng, (wide, high, deep) = model.rng, half
    y, holes = high + 0.06, float(rng.integers(2))
    speaker, size = (side * 0.42 * wide, y + 0.05, deep), (0.46 * wide, 0.72 * high)
    model.decal(at.GRILLE, speaker, Z, size, "pale #4a3c2c", (9.0 + 3.0 * holes, holes), gloss=0.3)
    dial = np.array([-side * 0.52 * wide, y + 0.32 * high, deep])
    if rng.random() < 0.5:
        hand = rng.uniform(-2, 2)
        model.decal(at.GAUGE, dial, Z, 0.36 * high, "#f6eccb #3a2c20 #c0392b", (hand, 0), gloss=0.95)
    else:
        model.decal(at.PLATE, dial, Z, (0.38 * wide, 0.3 * high), "#f6eccb #b8893a", (0.15, 0.12), gloss=0.95)
        lines, size = dial + (0, 0.03, 0), (0.34 * wide, 0.2 * high)
        model.decal(at.TEXT, lines, Z, size, "black #4a2f1c", (-7.0, 3.0), gloss=0.95)
        needle = dial + (0.1 * wide, 0, 0)
        model.decal(at.PLATE, needle, Z, (0.008, 0.26 * high), "#c0392b #c0392b", (0.0, 0.0))
    model.decal(at.TEXT, (side * 0.4 * wide, y - 0.82 * high, deep), Z, (0.22, 0.045), "black accent", (-6, 1))


def cactus(model: Model) -> None:
    """A ribbed cactus with arms and blossoms, pebbles and a label."""
    rng, _ = model.rng, model.draw_palette()
    radius, half = rng.uniform(0.3, 0.38), rng.uniform(0.22, 0.28)
    # A painted pot with a star, soil and a saucer.
    count = float(model.rng.integers(8, 13))
    paints = (
        {"colors": "#c0643c pale main", "pattern": at.DOTS, "freq": (count, 5.0), "params": (0.26, 0.3)},
        {"colors": "main pale accent", "pattern": at.BANDS, "freq": (1.0, 5.0), "params": (0.4, 0.15)},
        {"colors": "pale main second", "pattern": at.CHECKS, "freq": (count, 5.0), "params": (0.0, 0.0)},
    )
    paint = model.one_of(*paints, mapping=at.MAP_CYLINDER, gloss=0.6, mottle=(0.1, 6.0))
    radii = [0.68 * radius, 0.95 * radius, 1.06 * radius, 1.1 * radius]
    model.new_group().lathe(half, [-1.0, 0.55, 0.6, 1.0], radii, (0, half, 0), paint, edge=0.02)
    model.decal(at.STAR, (0, 0.9 * half, radius), Z, 0.13, "accent pale", (6, 0.5), depth=0.2)
    soil = model.material("#5a4030 #7a5a42 #3d2a1e", at.CELLS, 11.0, (0.08, 0.0), gloss=0.1)
    model.rod((0, 2 * half - 0.05, 0), (0, 2 * half + 0.2, 0), 0.98 * radius, soil, carve=True)
    saucer = model.new_group().material("second", gloss=0.7)
    model.rod((0, -0.01, 0), (0, 0.05, 0), (0.95 * radius, 1.05 * radius), saucer)
    ribs = {"mapping": at.MAP_CYLINDER, "gloss": 0.3, "bump": (0.15, 30.0)}
    green = model.material([GREENS[rng.integers(3)], "#e9ecc8"], at.STRIPES, (22.0, 6.0), (0.22, 0.05), **ribs)
    tall, fat, base = rng.uniform(0.32, 0.46), rng.uniform(0.17, 0.22), 2 * half - 0.06
    radii = [0.8 * fat, fat, 0.95 * fat, 0.62 * fat, 0.25 * fat]
    model.new_group().lathe(tall, [-1.0, -0.4, 0.6, 0.9, 1.0], radii, (0, base + tall, 0), green, edge=0.05)
    tips = [np.array([0, base + 2 * tall, 0])]
    for _ in range(int(rng.integers(2, 4))):
        (out, _), level = heading(rng.uniform(0, 2 * np.pi)), base + rng.uniform(0.5, 1.2) * tall
        low, bend = 0.7 * fat * out + (0, level, 0), (fat + 0.17) * out + (0, level + 0.05, 0)
        tip = bend + (0, rng.uniform(0.15, 0.35), 0)
        knots = [low, 0.4 * low + 0.6 * bend - (0, 0.02, 0), bend, tip]
        model.tube(knots, [0.075, 0.085, 0.09, 0.08], green, 10, blend=0.04)
        tips.append(tip + (0, 0.06, 0))
    petal = model.material("accent #f7e6a8", at.PATCHES, 9.0, (0.2, 0.5), gloss=0.4)
    for tip in tips:
        model.new_group()
        for i in range(5):
            a = 2 * np.pi * i / 5 + rng.uniform(0, 0.4)
            model.limb(tip, tip + 0.1 * np.array([np.sin(a), 0.7, np.cos(a)]), (0.02, 0.032), petal)
    stone = model.new_group().material("#b7ada0 #857b70 #d8d0c2", at.PATCHES, 9.0, (0.1, 0.3), in_object=True)
    for _ in range(7):
        a, r, size = rng.uniform(0, 2 * np.pi), radius * rng.uniform(0.65, 0.85), rng.uniform(0.03, 0.06)
        where, turn = (r * np.sin(a), 2 * half - 0.04, r * np.cos(a)), (0, rng.uniform(0, 180), 0)
        model.ball((size, 0.6 * size, 0.8 * size), where, stone, turn=turn)
    # A wooden label with a name, stuck into the soil.
    wood = model.new_group().material("#d8b07a #b98a52", at.WOOD, 4.0, (3.0, 0.0))
    where = np.array([rng.choice([-1, 1]) * 0.6 * radius, 2 * half + 0.08, 0.55 * radius])
    model.box((0.09, 0.07, 0.012), where + (0, 0.05, 0), wood, edge=0.006)
    model.box((0.02, 0.16, 0.01), where - (0, 0.05, 0), wood, edge=0.004)
    model.decal(at.TEXT, where + (0, 0.05, 0.012), Z, (0.08, 0.05), "black dark", (-4, 1), depth=0.03)


def guitar(model: Model) -> None:
    """Waisted body, perhaps with a cutaway, rose and ornaments, neck with frets, head with pegs."""
    rng, _ = model.rng, model.draw_palette()
    light, dark = pick(rng, WOODS)
    face = model.material((light, dark), at.WOOD, (4.0, 0.8), (2.5, 0.0), gloss=0.85, in_object=True)
    shade = model.material((dark, "#2b1a10"), at.WOOD, 3.0, (3.0, 0.0), gloss=0.8)
    low, high = rng.uniform(0.34, 0.4), rng.uniform(0.25, 0.3)
    model.new_group().rod((0, BODY, -DEEP), (0, BODY, DEEP), low, face, edge=0.03)
    model.rod((0, BODY + 0.46, -DEEP), (0, BODY + 0.46, DEEP), high, face, edge=0.03, blend=0.24)
    if rng.random() < 0.5:
        model.rod((0.27, BODY + 0.68, -1), (0.27, BODY + 0.68, 1), 0.15, shade, edge=0.0, carve=True, blend=0.02)
    for kind, where, half, colors, params, more in (
        (at.DISC, (0, BODY + 0.3, DEEP), 0.15, "accent pale #1a120c", (0.88, 0.74), {}),
        (at.DISC, (0.012, BODY + 0.3 + 0.01, DEEP), 0.112, "#150e09 #150e09 #150e09", (0.9, 0.5), {}),
        (at.PLATE, (-0.17, BODY + 0.16, DEEP), (0.1, 0.16), "second dark", (0.6, 0.08),
         {"up": (0.3, 1.0, 0.0), "gloss": 0.9}),
        (at.FLOWER, (0.2, BODY - 0.1, DEEP), (0.09, 0.14), "accent #4f7a3f #f2c84b", (6, 0), {}),
        (at.STAR, (0.05, BODY + 0.1, -DEEP), 0.2, "main pale", (8, 0.6), {}),
        (at.TEXT, (0, BODY + 0.48, -DEEP), (0.2, 0.06), "pale dark accent", (5, 1), {}),
    ):  # fmt: skip
        model.decal(kind, where, Z if where[2] > 0 else BACK, half, colors, params, depth=0.12, **more)
    model.new_group().box((0.13, 0.025, 0.02), (0, BODY - 0.1, DEEP + 0.015), shade, edge=0.008)
    # Neck with frets, and head; strings, pegs and a ring.
    top = BODY + 1.42
    ebony = model.material("#3a261a #d8d2c4", at.BANDS, 14.0, (0.1, 0.0), in_object=True, gloss=0.6)
    model.new_group().box((0.042, 0.46, 0.022), (0, top - 0.46, DEEP + 0.015), ebony, edge=0.006)
    model.limb((0, BODY + 0.65, DEEP - 0.02), (0, top, DEEP - 0.01), (0.045, 0.036), shade)
    model.box((0.075, 0.11, 0.02), (0, top + 0.1, DEEP - 0.01), shade, edge=0.01, turn=(-12, 0, 0))
    wire = model.new_group().material("#d9d5c8", gloss=0.9, metallic=0.9)
    for x in (-0.025, 0.0, 0.025):
        model.rod((1.6 * x, BODY - 0.1, DEEP + 0.04), (x, top + 0.05, DEEP + 0.04), 0.004, wire)
    for side in SIDES:
        for y in (0.05, 0.1, 0.15):
            model.rod((side * 0.06, top + y, DEEP - 0.01), (side * 0.12, top + y, DEEP - 0.01), 0.01, wire)
            model.ball((0.016, 0.022, 0.022), (side * 0.13, top + y, DEEP - 0.01), wire)
    model.ring((0, top + 0.16, DEEP), (0.04, 0.01), wire)
    model.new_group()
    steel, knob = model.material("#2a2a2e", gloss=0.6, metallic=0.6), model.material("accent")
    for side in SIDES:
        model.rod((side * 0.2, 0.1, 0.16), (side * 0.22, 0.0, -0.36), 0.02, steel)
        model.rod((side * 0.2, 0.1, -0.1), (side * 0.2, 0.1, 0.16), 0.02, steel)
        model.ball(0.035, (side * 0.2, 0.1, 0.16), knob)
    model.rod((-0.22, 0.03, -0.3), (0.22, 0.03, -0.3), 0.02, steel)
    model.rod((0, 0.03, -0.3), (0, 0.62, -0.1), 0.018, steel)
