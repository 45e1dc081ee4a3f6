"""Thin structures: a chair with turned legs, a bicycle, a bird cage. For the hard samples."""

from __future__ import annotations

import numpy as np

from sparseags_ns.sample import layout as at
from sparseags_ns.sample.model import Model
from sparseags_ns.sample.palettes import METALS, WOODS, Palette, draw_palette, pick
from sparseags_ns.sample.solids import ball, box, disc, limb, ring, rod, tube

X, Y, Z = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
SEAT = 0.5  # height of a chair's seat


def chair(model: Model) -> None:
    """A chair of rods with a striped or checked seat, spindles in its back, a scarf over one corner."""
    rng, colors = model.rng, draw_palette(model.rng)
    light, dark = pick(rng, WOODS)
    wood = model.material(light, dark, pattern=at.WOOD, freq=(3.0, 0.7), params=(2.0, 0.0), gloss=0.6)
    paint = model.material(colors.main, gloss=0.7) if rng.random() < 0.5 else wood
    wide, deep, back = rng.uniform(0.24, 0.3), rng.uniform(0.23, 0.28), rng.uniform(1.05, 1.2)
    _frame(model, (wide, deep, back), wood, paint)
    model.new_group()
    if rng.random() < 0.5:
        woven = {"pattern": at.CHECKS, "mapping": at.MAP_BOX, "freq": 6.0, "params": (1.0, 0.0), "gloss": 0.1}
    else:
        woven = {"pattern": at.STRIPES, "mapping": at.MAP_BOX, "freq": 8.0, "gloss": 0.1}
    cloth = model.material(colors.second, colors.pale, colors.accent, **woven)
    box(model, (wide + 0.02, 0.022, deep + 0.02), (0, SEAT + 0.02, 0), cloth, edge=0.02)
    model.new_group()
    rows = {"pattern": at.BANDS, "freq": 12.0, "params": (0.3, 0.15), "gloss": 0.1, "bump": (0.3, 50.0)}
    knit = model.material(colors.accent, colors.pale, colors.second, **rows)
    corner = np.array([rng.choice([-1.0, 1.0]) * 0.55 * wide, back, -deep - 0.1])
    for z, drop in ((0.05, rng.uniform(0.25, 0.4)), (-0.05, rng.uniform(0.3, 0.5))):
        end = corner + (0, -0.5 * drop + 0.03, z)
        box(model, (0.06, 0.5 * drop, 0.008), end, knit, edge=0.006, turn=(-4, 0, 0))


def _frame(model: Model, sizes: tuple[float, float, float], wood: int, paint: int) -> None:
    """Splayed legs, rungs, the leaning back with its spindles."""
    rng, (wide, deep, back) = model.rng, sizes
    thick, splay = rng.uniform(0.02, 0.028), rng.uniform(0.03, 0.08)
    model.new_group()
    for x in (-wide, wide):
        foot, rung = x * (1 + splay), x * (1 + 0.6 * splay)
        for end in (-1.0, 1.0):
            limb(
                model, (foot, 0, end * (deep + splay)), (x, SEAT, end * (deep - 0.02)), (0.7 * thick, 1.2 * thick), wood
            )
        limb(model, (x, SEAT, -deep + 0.02), (0.94 * x, back, -deep - 0.1), (1.2 * thick, thick), wood)
        rod(model, (rung, 0.2, deep), (rung, 0.2, -deep), 0.6 * thick, paint)
    rod(model, (-wide, 0.27, deep), (wide, 0.27, deep), 0.6 * thick, paint)
    rod(model, (-wide, 0.14, -deep), (wide, 0.14, -deep), 0.6 * thick, paint)
    model.new_group()
    for x in np.linspace(-0.85 * wide, 0.85 * wide, int(rng.integers(4, 7))):
        low, high = (0.95 * x, SEAT + 0.03, -deep + 0.02), (x, back - 0.03, -deep - 0.09)
        limb(model, low, high, (0.5 * thick, 0.5 * thick), paint)
    for y in (back - 0.02, 0.5 * (SEAT + back)):
        z = -deep + 0.02 - 0.12 * (y - SEAT) / (back - SEAT)
        limb(model, (-0.95 * wide, y, z), (0.95 * wide, y, z), (thick, thick), wood)


def bicycle(model: Model) -> None:
    """A bicycle with spoked wheels, basket, saddle, handlebar and one pedal up."""
    rng, colors = model.rng, draw_palette(model.rng)
    paint = model.material(colors.main, colors.pale, pattern=at.BANDS, freq=4.0, params=(0.2, 0.0), gloss=0.85)
    steel = model.material(METALS[0], gloss=0.9, metallic=0.9)
    rubber = model.material("#2a2a2d", gloss=0.3)
    radius, base = 0.34, rng.uniform(0.5, 0.56)
    steer = rng.uniform(-25, 25)
    hubs = [np.array([0, radius, base]), np.array([0, radius, -base])]
    for i, hub in enumerate(hubs):
        turn = steer if i == 0 else 0.0
        model.new_group()
        ring(model, hub, (radius - 0.025, 0.025), rubber, turn=(0, 90 + turn, 0))
        ring(model, hub, (radius - 0.055, 0.012), model.material(colors.pale, gloss=0.6), turn=(0, 90 + turn, 0))
        axis = np.array([np.cos(np.radians(turn)), 0, -np.sin(np.radians(turn))])
        disc(model, hub, axis, 0.035, 0.09, steel)
        ahead = np.cross(axis, Y)
        for spoke in range(10):
            a = np.pi * spoke / 5
            rim = hub + (radius - 0.06) * (np.cos(a) * np.array(Y) + np.sin(a) * ahead)
            rod(model, hub, rim, 0.006, steel)
    pedals, seat, head = np.array([0, 0.3, -0.03]), np.array([0, 0.78, -0.2]), np.array([0, 0.78, base - 0.14])
    model.new_group()
    for start, end in (
        (pedals, seat),
        (pedals, head - (0, 0.12, 0)),
        (seat - (0, 0.08, 0), head),
        (hubs[1], pedals),
        (hubs[1], seat - (0, 0.1, 0)),
    ):
        rod(model, start, end, 0.024 if start is not hubs[1] else 0.015, paint)
    rod(model, hubs[0], head + (0, 0.1, -0.02), 0.022, paint)
    _bicycle_fittings(model, colors, pedals, seat, head, steel)


def _bicycle_fittings(
    model: Model, colors: Palette, pedals: np.ndarray, seat: np.ndarray, head: np.ndarray, steel: int
) -> None:
    rng = model.rng
    leather = model.material("#7b4a2b", "#5a3320", pattern=at.PATCHES, freq=6.0, params=(0.1, 0.4), gloss=0.5)
    model.new_group()
    rod(model, seat, seat + (0, 0.1, -0.02), 0.016, steel)
    ball(model, (0.09, 0.035, 0.08), seat + (0, 0.12, -0.06), leather)
    ball(model, (0.04, 0.028, 0.12), seat + (0, 0.12, 0.04), leather, blend=0.04)
    model.new_group()
    top = head + (0, 0.15, -0.03)
    rod(model, head, top, 0.016, steel)
    for side in (-1.0, 1.0):
        grip = top + (side * 0.24, 0.03, -0.12)
        tube(model, [top, top + (side * 0.14, 0.04, 0.02), grip], [0.015] * 3, steel, 8)
        limb(model, grip, grip + (side * 0.02, 0, -0.09), (0.024, 0.022), leather)
    ball(model, (0.03, 0.03, 0.03), top + (0.1, 0.05, 0.01), steel)
    model.new_group()
    disc(model, pedals, X, 0.085, 0.02, steel)
    phase = rng.uniform(0, 2 * np.pi)
    for side in (-1.0, 1.0):
        end = pedals + side * 0.16 * np.array([0, np.cos(phase), np.sin(phase)]) + (side * 0.07, 0, 0)
        rod(model, pedals + (side * 0.05, 0, 0), end, 0.012, steel)
        box(model, (0.05, 0.012, 0.035), end + (side * 0.05, 0, 0), leather, edge=0.008)
    model.new_group()
    wicker = model.material(
        "#c99a5b", "#8a5a2c", pattern=at.CHECKS, mapping=at.MAP_BOX, freq=16.0, params=(0.0, 0.0), gloss=0.2
    )
    place = head + (0, 0.05, 0.17)
    box(model, (0.15, 0.1, 0.11), place, wicker, edge=0.02)
    box(model, (0.13, 0.1, 0.09), place + (0, 0.03, 0), wicker, edge=0.01, carve=True)
    bloom = model.material(colors.accent, colors.second, colors.pale, at.DOTS, mapping=at.MAP_BOX, freq=14.0)
    for x in (-0.07, 0.03, 0.08):
        ball(model, 0.05, place + (x, 0.1 + rng.uniform(0, 0.03), rng.uniform(-0.04, 0.04)), bloom)


def bird_cage(model: Model) -> None:
    """A domed cage of wires with a perch and a bird in it, on a chequered base."""
    rng, colors = model.rng, draw_palette(model.rng)
    radius, high = rng.uniform(0.36, 0.42), rng.uniform(0.5, 0.65)
    wire = model.material("#c9a24a" if rng.random() < 0.5 else colors.dark, gloss=0.85, metallic=0.8)
    board = {"pattern": at.CHECKS, "mapping": at.MAP_CYLINDER, "freq": (14.0, 7.0), "params": (0.0, 0.0), "gloss": 0.6}
    model.new_group()
    rod(
        model,
        (0, 0, 0),
        (0, 0.11, 0),
        (1.02 * radius, 1.06 * radius),
        model.material(colors.main, colors.pale, **board),
    )
    model.decal(at.TEXT, (0, 0.055, 1.04 * radius), Z, (0.2, 0.045), colors.label, (5, 1), depth=0.1)
    count = int(rng.integers(12, 17))
    for i in range(count):
        a = 2 * np.pi * i / count
        out = np.array([np.sin(a), 0, np.cos(a)])
        model.new_group()
        rod(model, radius * out + (0, 0.08, 0), radius * out + (0, high, 0), 0.011, wire)
        arc = [radius * share * out + (0, high + y, 0) for share, y in ((1, 0), (0.85, 0.17), (0.4, 0.3), (0, 0.34))]
        tube(model, arc, [0.011] * 4, wire, 5)
    for y in (0.16, 0.5 * high, high):
        model.new_group()
        ring(model, (0, y, 0), (radius, 0.013), wire, turn=(90, 0, 0))
    model.new_group()
    ring(model, (0, high + 0.42, 0), (0.06, 0.014), wire)
    ball(model, 0.045, (0, high + 0.34, 0), wire)
    _perched(model, colors, radius, 0.45 * high)


def _perched(model: Model, colors: Palette, radius: float, y: float) -> None:
    """The perch and a bird on it that looks to one side."""
    rng = model.rng
    model.new_group()
    perch = model.material("#a9713f", "#7b4a26", pattern=at.WOOD, freq=5.0, params=(3.0, 0.0))
    rod(model, (-radius, y, 0.05), (radius, y, 0.05), 0.018, perch)
    model.new_group()
    spots = {"pattern": at.PATCHES, "freq": 5.0, "params": (0.1, 0.35), "in_object": True}
    feather = model.material(colors.accent, colors.second, colors.pale, **spots)
    side, bird = rng.choice([-1.0, 1.0]), np.array([rng.uniform(-0.1, 0.1), y, 0.05])
    ball(model, (0.1, 0.13, 0.1), bird + (0, 0.14, 0), feather)
    ball(model, 0.075, bird + (side * 0.03, 0.28, 0.02), feather, blend=0.05)
    limb(model, bird + (0, 0.08, -0.05), bird + (-side * 0.06, -0.1, -0.19), (0.05, 0.03), feather)
    beak, eye = model.material("#e59a2f"), model.material("#0e0d0f", gloss=1.0)
    limb(model, bird + (side * 0.08, 0.28, 0.05), bird + (side * 0.16, 0.26, 0.08), (0.025, 0.008), beak)
    for z in (0.08, -0.02):
        ball(model, 0.014, bird + (side * 0.09, 0.3, z), eye)
