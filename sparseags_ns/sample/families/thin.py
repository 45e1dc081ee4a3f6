"""Thin structures: a chair with turned legs, a bicycle, a bird cage. For the hard samples."""

from __future__ import annotations

import numpy as np

from sparseags_ns.sample import layout as at
from sparseags_ns.sample.model import SIDES, Model, X, Y, Z, heading
from sparseags_ns.sample.palettes import METALS, WOODS, pick

SEAT = 0.5  # height of a chair's seat


def chair(model: Model) -> None:
    """A chair of rods with a striped or checked seat, spindles in its back, a scarf over one corner."""
    rng, _ = model.rng, model.draw_palette()
    wood = model.material(pick(rng, WOODS), at.WOOD, (3.0, 0.7), (2.0, 0.0), gloss=0.6)
    paint = model.material("main", gloss=0.7) if rng.random() < 0.5 else wood
    wide, deep, back = rng.uniform(0.24, 0.3), rng.uniform(0.23, 0.28), rng.uniform(1.05, 1.2)
    # Splayed legs, rungs, the leaning back with its spindles.
    thick, splay = rng.uniform(0.02, 0.028), rng.uniform(0.03, 0.08)
    model.new_group()
    for x in (-wide, wide):
        foot, rung = x * (1 + splay), x * (1 + 0.6 * splay)
        for end in SIDES:
            low, high = (foot, 0, end * (deep + splay)), (x, SEAT, end * (deep - 0.02))
            model.limb(low, high, (0.7 * thick, 1.2 * thick), wood)
        model.limb((x, SEAT, -deep + 0.02), (0.94 * x, back, -deep - 0.1), (1.2 * thick, thick), wood)
        model.rod((rung, 0.2, deep), (rung, 0.2, -deep), 0.6 * thick, paint)
    model.rod((-wide, 0.27, deep), (wide, 0.27, deep), 0.6 * thick, paint)
    model.rod((-wide, 0.14, -deep), (wide, 0.14, -deep), 0.6 * thick, paint)
    model.new_group()
    for x in np.linspace(-0.85 * wide, 0.85 * wide, int(rng.integers(4, 7))):
        model.limb((0.95 * x, SEAT + 0.03, -deep + 0.02), (x, back - 0.03, -deep - 0.09), 0.5 * thick, paint)
    for y in (back - 0.02, 0.5 * (SEAT + back)):
        z = -deep + 0.02 - 0.12 * (y - SEAT) / (back - SEAT)
        model.limb((-0.95 * wide, y, z), (0.95 * wide, y, z), thick, wood)
    checks = {"pattern": at.CHECKS, "freq": 6.0, "params": (1.0, 0.0)}
    woven = checks if rng.random() < 0.5 else {"pattern": at.STRIPES, "freq": 8.0}
    cloth = model.new_group().material("second pale accent", mapping=at.MAP_BOX, gloss=0.1, **woven)
    model.box((wide + 0.02, 0.022, deep + 0.02), (0, SEAT + 0.02, 0), cloth)
    model.new_group()
    knit = model.material("accent pale second", at.BANDS, 12.0, (0.3, 0.15), gloss=0.1, bump=(0.3, 50.0))
    corner = np.array([rng.choice(SIDES) * 0.55 * wide, back, -deep - 0.1])
    for z, drop in ((0.05, rng.uniform(0.25, 0.4)), (-0.05, rng.uniform(0.3, 0.5))):
        end = corner + (0, -0.5 * drop + 0.03, z)
        model.box((0.06, 0.5 * drop, 0.008), end, knit, edge=0.006, turn=(-4, 0, 0))


def bicycle(model: Model) -> None:
    """A bicycle with spoked wheels, basket, saddle, handlebar and one pedal up."""
    rng, _ = model.rng, model.draw_palette()
    paint = model.material("main pale", at.BANDS, 4.0, (0.2, 0.0), gloss=0.85)
    steel, rubber = model.material([METALS[0]], gloss=0.9, metallic=0.9), model.material("#2a2a2d", gloss=0.3)
    radius, base = 0.34, rng.uniform(0.5, 0.56)
    front, rear = np.array([0, radius, base]), np.array([0, radius, -base])
    for hub, turn_deg in ((front, rng.uniform(-25, 25)), (rear, 0.0)):
        model.new_group().ring(hub, (radius - 0.025, 0.025), rubber, turn=(0, 90 + turn_deg, 0))
        model.ring(hub, (radius - 0.055, 0.012), model.material("pale", gloss=0.6), turn=(0, 90 + turn_deg, 0))
        _, axis = heading(np.radians(turn_deg))
        model.disc(hub, axis, 0.035, 0.09, steel)
        ahead = np.cross(axis, Y)
        for spoke in range(10):
            a = np.pi * spoke / 5
            model.rod(hub, hub + (radius - 0.06) * (np.cos(a) * np.array(Y) + np.sin(a) * ahead), 0.006, steel)
    pedals, seat, head = np.array([0, 0.3, -0.03]), np.array([0, 0.78, -0.2]), np.array([0, 0.78, base - 0.14])
    model.new_group()
    model.rod(pedals, seat, 0.024, paint)
    model.rod(pedals, head - (0, 0.12, 0), 0.024, paint)
    model.rod(seat - (0, 0.08, 0), head, 0.024, paint)
    model.rod(rear, pedals, 0.015, paint)
    model.rod(rear, seat - (0, 0.1, 0), 0.015, paint)
    model.rod(front, head + (0, 0.1, -0.02), 0.022, paint)
    # Saddle, handlebar with grips and a bell, pedals, a basket with flowers.
    leather = model.material("#7b4a2b #5a3320", at.PATCHES, 6.0, (0.1, 0.4))
    model.new_group().rod(seat, seat + (0, 0.1, -0.02), 0.016, steel)
    model.ball((0.09, 0.035, 0.08), seat + (0, 0.12, -0.06), leather)
    model.ball((0.04, 0.028, 0.12), seat + (0, 0.12, 0.04), leather, blend=0.04)
    top = head + (0, 0.15, -0.03)
    model.new_group().rod(head, top, 0.016, steel)
    for side in SIDES:
        grip = top + (side * 0.24, 0.03, -0.12)
        model.tube([top, top + (side * 0.14, 0.04, 0.02), grip], 0.015, steel, 8)
        model.limb(grip, grip + (side * 0.02, 0, -0.09), (0.024, 0.022), leather)
    model.ball((0.03, 0.03, 0.03), top + (0.1, 0.05, 0.01), steel)
    model.new_group().disc(pedals, X, 0.085, 0.02, steel)
    phase = rng.uniform(0, 2 * np.pi)
    for side in SIDES:
        end = pedals + side * 0.16 * np.array([0, np.cos(phase), np.sin(phase)]) + (side * 0.07, 0, 0)
        model.rod(pedals + (side * 0.05, 0, 0), end, 0.012, steel)
        model.box((0.05, 0.012, 0.035), end + (side * 0.05, 0, 0), leather, edge=0.008)
    wicker = model.new_group().material("#c99a5b #8a5a2c", at.CHECKS, 16.0, (0.0, 0.0), at.MAP_BOX, gloss=0.2)
    place = head + (0, 0.05, 0.17)
    model.box((0.15, 0.1, 0.11), place, wicker)
    model.box((0.13, 0.1, 0.09), place + (0, 0.03, 0), wicker, edge=0.01, carve=True)
    bloom = model.material("accent second pale", at.DOTS, 14.0, mapping=at.MAP_BOX)
    for x in (-0.07, 0.03, 0.08):
        model.ball(0.05, place + (x, 0.1 + rng.uniform(0, 0.03), rng.uniform(-0.04, 0.04)), bloom)


def bird_cage(model: Model) -> None:
    """A domed cage of wires with a perch and a bird in it, on a chequered base."""
    rng, _ = model.rng, model.draw_palette()
    radius, high = rng.uniform(0.36, 0.42), rng.uniform(0.5, 0.65)
    wire = model.material("brass" if rng.random() < 0.5 else "dark", gloss=0.85, metallic=0.8)
    board = model.material("main pale", at.CHECKS, (14.0, 7.0), (0.0, 0.0), at.MAP_CYLINDER, gloss=0.6)
    model.new_group().rod((0, 0, 0), (0, 0.11, 0), (1.02 * radius, 1.06 * radius), board)
    model.decal(at.TEXT, (0, 0.055, 1.04 * radius), Z, (0.2, 0.045), "pale dark accent", (5, 1))
    count = int(rng.integers(12, 17))
    for i in range(count):
        out, _ = heading(2 * np.pi * i / count)
        model.new_group().rod(radius * out + (0, 0.08, 0), radius * out + (0, high, 0), 0.011, wire)
        arc = [radius * share * out + (0, high + y, 0) for share, y in ((1, 0), (0.85, 0.17), (0.4, 0.3), (0, 0.34))]
        model.tube(arc, 0.011, wire, 5)
    for y in (0.16, 0.5 * high, high):
        model.new_group().ring((0, y, 0), (radius, 0.013), wire, turn=(90, 0, 0))
    model.new_group().ring((0, high + 0.42, 0), (0.06, 0.014), wire)
    model.ball(0.045, (0, high + 0.34, 0), wire)
    # The perch, and a bird on it that looks to one side.
    y = 0.45 * high
    perch = model.material("#a9713f #7b4a26", at.WOOD, 5.0, (3.0, 0.0))
    model.new_group().rod((-radius, y, 0.05), (radius, y, 0.05), 0.018, perch)
    feather = model.new_group().material("accent second pale", at.PATCHES, 5.0, (0.1, 0.35), in_object=True)
    side, bird = rng.choice(SIDES), np.array([rng.uniform(-0.1, 0.1), y, 0.05])
    model.ball((0.1, 0.13, 0.1), bird + (0, 0.14, 0), feather)
    model.ball(0.075, bird + (side * 0.03, 0.28, 0.02), feather, blend=0.05)
    model.limb(bird + (0, 0.08, -0.05), bird + (-side * 0.06, -0.1, -0.19), (0.05, 0.03), feather)
    beak, eye = model.material("#e59a2f"), model.material("#0e0d0f", gloss=1.0)
    model.limb(bird + (side * 0.08, 0.28, 0.05), bird + (side * 0.16, 0.26, 0.08), (0.025, 0.008), beak)
    for z in (0.08, -0.02):
        model.ball(0.014, bird + (side * 0.09, 0.3, z), eye)
