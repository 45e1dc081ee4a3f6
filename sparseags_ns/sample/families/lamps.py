"""Jointed desk lamps with books, and storm lanterns."""

from __future__ import annotations

import numpy as np

from sparseags_ns.sample import layout as at
from sparseags_ns.sample.model import BACK, SIDES, Model, X, Y, Z, along, heading
from sparseags_ns.sample.palettes import METALS

BASE = 0.34  # height of a lantern's oil tank


def desk_lamp(model: Model) -> None:
    """A jointed lamp that looks down at a pile of books."""
    rng, _ = model.rng, model.draw_palette()
    enamel = model.material("main", gloss=0.85)
    metal = model.material([METALS[rng.integers(len(METALS))]], gloss=0.85, metallic=0.95)
    radius, (ahead, side) = rng.uniform(0.26, 0.34), heading(rng.uniform(-0.5, 0.5))
    # A heavy foot with a dial, a switch and a cord.
    foot = [radius, 0.97 * radius, 0.7 * radius]
    model.new_group().lathe(0.05, [-1.0, 0.2, 1.0], foot, (0, 0.05, 0), enamel, edge=0.02)
    face, dial, hand = "#f1ead8 #26282b #b33a2c", (0.12, 0.1, 0.5 * radius), rng.uniform(-2, 2)
    model.decal(at.GAUGE, dial, Y, 0.09, face, (hand, 0), up=BACK, depth=0.06)
    model.new_group().disc((-0.13, 0.1, 0.45 * radius), Y, 0.045, 0.05, model.material("accent", gloss=0.9))
    cord = [(0, 0.05, -radius), (0.1, 0.02, -radius - 0.12), (-0.2, 0.02, -radius - 0.2), (-0.36, 0.02, -radius)]
    model.new_group().tube(cord, 0.018, model.material("dark", gloss=0.4), 12)
    # The arm: two pairs of rods with a spring between them, and three joints.
    base, elbow = np.array([0, 0.1, -0.1]), np.array([0, rng.uniform(0.6, 0.75), 0]) - rng.uniform(0.22, 0.34) * ahead
    wrist = elbow + rng.uniform(0.5, 0.6) * ahead + (0, rng.uniform(0.2, 0.36), 0)
    spring = model.material("#8d9096 #45484c", at.BANDS, 30.0, (0.4, 0.0), gloss=0.7)
    for start, end in ((base, elbow), (elbow, wrist)):
        model.new_group()
        for sign in SIDES:
            model.rod(start + 0.035 * sign * side, end + 0.035 * sign * side, 0.017, metal)
        model.rod(start + 0.2 * (end - start), start + 0.62 * (end - start), 0.026, spring)
    model.new_group()
    for joint in (base, elbow, wrist):
        model.disc(joint, side, 0.055, 0.14, enamel)
        model.disc(joint, side, 0.025, 0.18, metal)
    _shade(model, wrist, ahead)
    _books(model, 0.62 * ahead + 0.1 * side)


def _shade(model: Model, wrist: np.ndarray, ahead: np.ndarray) -> None:
    """A hollow shade with one of three curves, glowing inside."""
    rng = model.rng
    axis = 0.55 * ahead - (0, 0.85, 0)
    axis /= np.linalg.norm(axis)
    half, mouth = rng.uniform(0.17, 0.22), rng.uniform(0.24, 0.31)
    around = {"mapping": at.MAP_CYLINDER, "freq": (11.0, 7.0)}
    paint = model.one_of(
        {"colors": "second"},
        {"colors": "second pale accent", "pattern": at.BANDS, "freq": 7.0, "params": (0.3, 0.1)},
        {"colors": "second pale", "pattern": at.DOTS, "params": (0.25, 0.0), **around},
        gloss=0.85,
    )
    inside, middle = model.material("#fff4d6", gloss=0.3), wrist + (0.6 * half) * axis
    curves = [[0.09, 0.15, 0.8 * mouth], [0.08, 0.1, 0.4 * mouth], [0.1, 0.75 * mouth, 0.95 * mouth]]
    radii, heights = [*curves[rng.integers(3)], mouth], [-1.0, -0.5, 0.3, 1.0]
    placed = {"R": along(axis), "bound": float(np.hypot(half, mouth))}
    model.new_group().lathe(half, heights, radii, middle, paint, edge=0.006, **placed)
    hollow, deeper = [r - 0.02 for r in radii], middle + 1.5 * 0.02 * axis
    model.lathe(half, heights, hollow, deeper, inside, edge=0.006, carve=True, **placed)
    bulb, cap = middle + 0.35 * half * axis, wrist - 0.4 * half * axis
    model.new_group().ball((0.09, 0.09, 0.09), bulb, model.material("#fff9e6", gloss=0.95))
    model.new_group().ball(0.1, cap, model.material("#9a9ca0", gloss=0.85, metallic=0.9))


def _books(model: Model, place: np.ndarray) -> None:
    """Two or three lettered books on top of each other, and an apple."""
    rng = model.rng
    for cover in ("accent", "second", "dark")[: int(rng.integers(2, 4))]:
        thick = rng.uniform(0.035, 0.055)
        middle, turn_deg = place + (0, thick, 0), rng.uniform(-25, 25)
        half = np.array([rng.uniform(0.17, 0.22), thick, rng.uniform(0.23, 0.28)])
        _, out = heading(np.radians(turn_deg))
        paper = model.material("#f3ead2 #cdbf9d", at.BANDS, 60.0, (0.4, 0.0), gloss=0.1)
        model.new_group().box(half, middle, model.material(cover), edge=0.008, turn=(0, turn_deg, 0))
        pages, edge_of_pages = (0.03, 0.75 * thick, 0.94 * half[2]), middle + half[0] * out
        model.box(pages, edge_of_pages, paper, carve=True, edge=0.0, turn=(0, turn_deg, 0))
        laid = {"up": (0.1 * turn_deg / 25, 0.0, -1.0), "depth": 0.02}
        model.decal(at.TEXT, middle + (0, thick, 0.08), Y, (0.14, 0.06), f"pale dark {cover}", (4, 1), **laid)
        model.decal(at.STAR, middle + (0, thick, -0.1), Y, 0.08, "pale accent", (7, 0.5), **laid)
        model.decal(at.TEXT, middle - half[0] * out, -out, (0.2, 0.8 * thick), "black pale", (-6, 1), depth=0.03)
        place = place + (0, 2 * thick, 0)
    skin = model.new_group().material("#b8322a #d9a53b #7da04a", at.PATCHES, 4.0, (0.1, 0.4), gloss=0.85)
    model.ball((0.09, 0.08, 0.09), place + (0.04, 0.075, -0.05), skin)
    model.rod(place + (0.04, 0.14, -0.05), place + (0.06, 0.2, -0.05), 0.01, model.material("#4a3220"))


def lantern(model: Model) -> None:
    """Oil tank, glass with a flame, wire guards, hood and a bail that leans to one side."""
    rng, _ = model.rng, model.draw_palette()
    worn = {"gloss": 0.7, "metallic": 0.3, "in_object": True, "mottle": (0.15, 7.0)}
    tin = model.material("main #7d5a3c dark", at.PATCHES, 3.5, (0.34, 0.5), **worn)
    brass = model.material("brass", gloss=0.9, metallic=0.95)
    radius, high = rng.uniform(0.26, 0.32), rng.uniform(0.22, 0.3)
    top = BASE + 2 * high
    tank = [1.1 * radius, 1.2 * radius, radius, 0.6 * radius]
    model.new_group().lathe(0.5 * BASE, [-1.0, -0.8, 0.1, 1.0], tank, (0, 0.5 * BASE, 0), tin, edge=0.02)
    model.decal(at.TEXT, (0, 0.14, 1.1 * radius), Z, (0.2, 0.07), "pale dark accent", (5, 1), depth=0.12)
    flower, spot = "accent #4f7a3f #f2c84b", (-1.1 * radius, 0.15, 0)
    model.decal(at.FLOWER, spot, (-1, 0, 0), (0.08, 0.12), flower, (6, 0), depth=0.15)
    # The chimney, the flame seen through it from two sides, three guards.
    glass = model.material("#dfe9e4 #f2c46a #fff2c0", at.PATCHES, 2.2, (0.15, 0.4), gloss=1.0)
    chimney = [0.55 * radius, 0.82 * radius, 0.5 * radius]
    model.new_group().lathe(high, [-1.0, 0.0, 1.0], chimney, (0, BASE + high, 0), glass)
    for side in SIDES:
        where, flame = (0, 0.3 + high, 0.8 * side * radius), "#f6a53a #ffd76a #fff7d0"
        model.decal(at.DISC, where, (0, 0, side), (0.1, 0.17), flame, (0.75, 0.45), depth=0.2, gloss=1.0)
    model.new_group()
    for y in (0.5, 1.0, 1.5):
        model.ring((0, BASE + y * high, 0), (0.84 * radius - 0.06 * abs(y - 1), 0.014), brass, turn=(90, 0, 0))
    hood = [0.85 * radius, 0.9 * radius, 0.45 * radius, 0.3 * radius]
    model.new_group().lathe(0.13, [-1.0, -0.6, 0.3, 1.0], hood, (0, top + 0.12, 0), tin, edge=0.02)
    model.disc((0, top + 0.28, 0), Y, 0.5 * radius, 0.03, brass)
    model.new_group()
    for side in SIDES:
        x = side * (radius + 0.06)
        pipe = [(0.8 * x, 0.28, 0.0), (1.12 * x, 0.45, 0.0), (1.12 * x, top, 0.0), (0.6 * x, top + 0.14, 0.0)]
        model.tube(pipe, 0.035, tin)
    # A wire bow with a striped grip.
    wire = model.new_group().material("#55585c", gloss=0.7, metallic=0.9)
    lean_deg, bow = rng.uniform(20, 60), radius + 0.1
    model.ring((0, top + 0.1, 0), (bow, 0.018), wire, arc_deg=180, turn=(lean_deg, 0, 0))
    grip = bow * np.array([0, np.cos(np.radians(lean_deg)), np.sin(np.radians(lean_deg))]) + (0, top + 0.1, 0)
    bands = model.material("accent dark", at.STRIPES, 16.0, mapping=at.MAP_BOX)
    model.rod(grip - (0.1, 0, 0), grip + (0.1, 0, 0), 0.035, bands)
    model.new_group().rod((radius, 0.3, 0.06), (radius + 0.18, 0.3, 0.06), 0.018, brass)
    model.disc((radius + 0.18, 0.3, 0.06), X, 0.055, 0.03, brass)
