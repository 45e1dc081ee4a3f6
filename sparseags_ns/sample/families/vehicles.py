"""Toy cars, pick-ups and steam engines. +z is the direction of travel, y = 0 the ground."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sparseags_ns.sample import layout as at
from sparseags_ns.sample.model import BACK, SIDES, Model, X, Y, Z
from sparseags_ns.sample.palettes import METALS, WOODS, pick

LACQUERS = (
    {"colors": "main pale", "pattern": at.STRIPES, "freq": 0.9, "params": (0.16, 0.0)},
    {"colors": "main accent pale", "pattern": at.PATCHES, "freq": 2.4, "params": (0.12, 0.33)},
    {"colors": "main pale", "pattern": at.DOTS, "mapping": at.MAP_BOX, "freq": 3.2, "params": (0.26, 0.2)},
    {"colors": "main accent", "pattern": at.PANELS, "mapping": at.MAP_BOX, "freq": 2.1, "params": (0.02, 1.0)},
)
BOILERS = (
    {"colors": "main accent brass", "pattern": at.BANDS, "freq": 5.5, "params": (0.12, 0.08), "gloss": 0.85},
    {"colors": "main second #c9c7c2", "pattern": at.PANELS, "freq": (8.0, 3.5), "params": (0.03, 1.0),
     "mapping": at.MAP_CYLINDER, "gloss": 0.8},
    {"colors": "main pale accent", "pattern": at.DOTS, "freq": (9.0, 5.0), "params": (0.25, 0.2),
     "mapping": at.MAP_CYLINDER, "gloss": 0.8},
)  # fmt: skip


@dataclass(frozen=True)
class Body:
    """Proportions of a car, in the object's units."""

    length: float
    """Half length."""
    width: float
    """Half width."""
    waist: float
    """Height of the waistline."""
    cabin_z: float
    cabin_half: float
    """Half length of the cabin at the waistline."""
    top: float
    """Height of the glass."""
    wheel: float
    """Radius of a wheel."""

    @property
    def cabin_y(self) -> float:
        """Height of the cabin's middle."""
        return self.waist + 0.06 + 0.5 * self.top


def car(model: Model) -> None:
    """A rounded car with something on its roof, or a pick-up with a load."""
    rng, _ = model.rng, model.draw_palette()
    truck = rng.random() < 0.4
    cabin = (0.32, 0.34) if truck else (rng.uniform(-0.15, 0.05), rng.uniform(0.42, 0.55))
    sizes = rng.uniform(0.95, 1.15), rng.uniform(0.46, 0.54), rng.uniform(0.4, 0.46)
    body = Body(*sizes, *cabin, rng.uniform(0.27, 0.34), rng.uniform(0.2, 0.25))
    wheels = [np.array([s * body.width * 0.98, body.wheel, e * 0.6 * body.length]) for s in SIDES for e in SIDES]
    _shell(model, body, wheels, 1.0 if truck else 2.0)
    # Tyres, each with a rim and a hub that carries a star.
    radius, width = body.wheel, 0.15
    rubber = model.material("#242428 #3a3a40", at.STRIPES, 9.0, gloss=0.25, bump=(0.1, 30.0))
    rim = model.material([METALS[model.rng.integers(3)]], gloss=0.85, metallic=0.9)
    for center in wheels:
        side = np.sign(center[0])
        model.new_group().ring(center, (radius - 0.42 * width, 0.5 * width), rubber, turn=(0, 90, 0))
        model.disc(center, X, radius - 0.5 * width, 0.75 * width, rim)
        model.ball(0.16 * radius, center + (side * 0.4 * width, 0, 0), rim)
        points, half = float(model.rng.integers(5, 8)), 0.78 * (radius - 0.5 * width)
        spot = center + (side * 0.38 * width, 0, 0)
        model.decal(at.STAR, spot, (side, 0, 0), half, "second second", (points, 0.42))
    _fittings(model, body)
    if truck:
        _load(model, body.width, body.waist + 0.11, (-0.55 * body.length, 0.36 * body.length))
    else:
        _luggage(model, body.cabin_y + 0.5 * body.top + 0.06, body.cabin_z)


def _shell(model: Model, body: Body, wheels: list[np.ndarray], panes: float) -> None:
    """Lacquered body and cabin in one group, with wheel arches, number and star, and windows all around the cabin."""
    rng = model.rng
    paint = model.one_of(*LACQUERS, gloss=0.85, in_object=True, mottle=(0.04, 3.0))
    cabin = model.material("pale" if rng.random() < 0.4 else "main", gloss=0.85)
    arch = model.material("dark", gloss=0.2)
    edge = rng.uniform(0.09, 0.16)
    model.new_group().box((body.width, 0.17, body.length), (0, body.waist - 0.06, 0), paint, edge=edge)
    half = (body.cabin_half, 0.62 * body.cabin_half, 0.5 * body.top + 0.06, 0.86 * body.width)
    shear, middle = rng.uniform(-0.25, 0.0), (0, body.cabin_y, body.cabin_z)
    model.prism(half, middle, cabin, edge=0.07, shear=shear, turn=(0, -90, 0), blend=0.05)
    for center in wheels:
        model.rod(center - (0.2, 0, 0), center + (0.2, 0, 0), 1.18 * body.wheel, arch, carve=True, blend=0.02)
    side = rng.choice(SIDES)
    number = (side * body.width, body.waist - 0.02, body.cabin_z - 0.05)
    model.decal(at.TEXT, number, (side, 0, 0), (0.26, 0.1), "pale dark accent", (4.0, 1.0))
    model.decal(at.STAR, (0.1, body.waist + 0.11, 0.8 * body.length), Y, 0.14, "accent pale", (5.0, 0.45))
    glass, y = "#27404d dark #8fb4c4", body.cabin_y + 0.03
    for sign in SIDES:
        spot, size = (sign * body.width, y, body.cabin_z), (0.62 * body.cabin_half, 0.36 * body.top)
        model.decal(at.WINDOW, spot, (sign, 0, 0), size, glass, (panes, 0.13), gloss=0.95, depth=0.3)
        spot, size = (0.0, y, body.cabin_z + sign * 0.85 * body.cabin_half), (0.7 * body.width, 0.4 * body.top)
        model.decal(at.WINDOW, spot, (0, 0.45, sign), size, glass, (1.0, 0.13), gloss=0.95, depth=0.3)


def _fittings(model: Model, body: Body) -> None:
    """Lights, grille and number plate; bumpers; exhaust and mirror on one side only."""
    x, y, front, back = 0.68 * body.width, body.waist, body.length, -body.length
    chrome = model.material([METALS[0]], gloss=0.9, metallic=0.9)
    for side in SIDES:
        model.new_group().disc((side * x, y, front), Z, 0.085, 0.08, chrome)
        model.decal(at.DISC, (side * x, y, front + 0.04), Z, 0.066, "#fff6d0 #ffffff #ffffff", (0.7, 0.3))
        model.box((0.07, 0.045, 0.03), (side * x, y, back), model.material("#c4201c", gloss=0.9))
    model.new_group().box((0.3, 0.07, 0.02), (0.0, y - 0.03, front - 0.02), chrome)
    model.decal(at.GRILLE, (0, y - 0.03, front), Z, (0.27, 0.055), "#b8bcc0 #1c1e20", (5.0, 0.0))
    plate = (0.12 * model.rng.choice(SIDES), y - 0.12, back - 0.02)
    model.box((0.15, 0.05, 0.02), plate, chrome)
    model.decal(at.TEXT, plate, BACK, (0.14, 0.045), "#f7f4e6 #20242a second", (6.0, 1.0))
    model.new_group()
    chrome, low = model.material([METALS[0]], gloss=0.9, metallic=0.9), body.waist - 0.2
    for sign in SIDES:
        left, right = ((s * 0.9 * body.width, low, sign * body.length) for s in SIDES)
        model.limb(left, right, 0.05, chrome)
    exhaust = [(0.25, low, -0.7 * body.length), (0.27, low - 0.02, -body.length - 0.1)]
    model.tube(exhaust, [0.035, 0.04], chrome, 2)
    mirror = np.array([body.width, body.waist + 0.16, 0.25 + body.cabin_z])
    model.limb(mirror, mirror + (0.1, 0.04, 0.02), (0.02, 0.05), chrome)


def _luggage(model: Model, top: float, z: float) -> None:
    """A suitcase and a roll, or a surfboard, on a roof rack."""
    rng = model.rng
    metal = model.new_group().material("#8d9096", gloss=0.8, metallic=0.8)
    for dz in (-0.18, 0.18):
        model.rod((-0.36, top, z + dz), (0.36, top, z + dz), 0.018, metal)
    model.new_group()
    if rng.random() < 0.5:
        case = model.material("second pale", at.CHECKS, 6.0, (1.0, 0.0), at.MAP_BOX)
        model.box((0.2, 0.1, 0.24), (-0.1, top + 0.12, z), case, edge=0.04, turn=(0, rng.uniform(-15, 15), 0))
        roll = model.material("accent pale", at.STRIPES, 7.0)
        model.limb((0.2, top + 0.1, z - 0.2), (0.22, top + 0.1, z + 0.22), 0.085, roll)
    else:
        board = model.material("pale second accent", at.BANDS, 2.2, (0.3, 0.2), gloss=0.8)
        turn = (90 + rng.uniform(-3, 3), 0, 0)
        model.ball((0.17, 0.75, 0.04), (rng.uniform(-0.12, 0.12), top + 0.06, z - 0.05), board, turn=turn)
        model.box((0.012, 0.08, 0.07), (0.0, top + 0.14, z - 0.6), board, edge=0.01, turn=(20, 0, 0))


def _load(model: Model, width: float, floor: float, bed: tuple[float, float]) -> None:
    """Plank sides around the bed of a pick-up; a crate and a barrel on it."""
    rng, (middle, half) = model.rng, bed
    woods = pick(rng, WOODS)
    wood = model.new_group().material(woods, at.WOOD, 2.5, (3.0, 0.0), gloss=0.35)
    for side in SIDES:
        for level in (0.05, 0.16):
            model.box((0.02, 0.045, half), (side * 0.9 * width, floor + level, middle), wood, edge=0.01)
        model.box((0.9 * width, 0.045, 0.02), (0, floor + 0.05, middle + side * half), wood, edge=0.01)
    crate = model.new_group().material(woods, at.WOOD, 3.0, (2.5, 0.0))
    size = rng.uniform(0.17, 0.22)
    where = np.array([-0.18, floor + size, middle - 0.1])
    model.box((size, size, size), where, crate, edge=0.015, turn=(0, rng.uniform(-20, 20), 0))
    model.decal(at.TEXT, where + (-size, 0, 0), (-1, 0, 0), (0.9 * size, 0.5 * size), "pale dark", (-3.0, 1.0))
    barrel = model.new_group().material("second accent pale", at.BANDS, 6.0, (0.3, 0.1), gloss=0.7)
    model.rod((0.22, floor, middle + 0.08), (0.22, floor + 0.36, middle + 0.08), 0.17, barrel, edge=0.03)


FLOOR = 0.36  # height of the engine's frame above the rails


def engine(model: Model) -> None:
    """A steam locomotive with boiler, cab, coal, wheels and buffers."""
    rng, _ = model.rng, model.draw_palette()
    dark, brass = model.material("dark"), model.material("brass", gloss=0.9, metallic=0.95)
    long, radius = rng.uniform(0.62, 0.8), rng.uniform(0.23, 0.29)
    model.new_group().box((0.3, 0.06, long + 0.25), (0, FLOOR, 0), dark)
    model.prism((0.34, 0.3, 0.1, 0.06), (0, FLOOR - 0.13, long + 0.26), model.material("accent", gloss=0.7))
    model.decal(at.GRILLE, (0, FLOOR - 0.13, long + 0.32), Z, (0.3, 0.08), "accent dark", (5, 0), depth=0.05)
    _boiler(model, brass, FLOOR + 0.06 + radius, radius, long)
    _cab(model, long)
    # Three pairs of driving wheels with a coupling rod, a small pair in front.
    steel, rim = model.material("#8a8d92", gloss=0.8, metallic=0.9), model.material("accent", gloss=0.7)
    places = [(-0.75 * long, 0.21), (-0.2 * long, 0.21), (0.35 * long, 0.21), (0.85 * long, 0.14)]
    phase = model.rng.uniform(0, 6.0)
    crank = 0.1 * np.array([0, np.cos(phase), np.sin(phase)])
    for side in SIDES:
        for z, size in places:
            center = np.array([side * 0.31, size, z])
            hub = center + (side * 0.04, 0, 0)
            model.new_group().disc(center, X, size, 0.08, rim)
            model.disc(center + (-side * 0.05, 0, 0), X, size + 0.03, 0.03, steel)
            model.disc(hub, X, 0.05, 0.06, brass)
            model.decal(at.STAR, hub, (side, 0, 0), 0.85 * size, "dark pale", (8, 0.55), depth=0.02)
        start, end = (np.array([side * 0.39, 0.21, z]) + crank for z in (places[0][0], places[2][0]))
        model.new_group().limb(start, end, 0.028, steel)
    model.new_group()
    for sign in SIDES:
        for side in SIDES:
            start = np.array([side * 0.2, FLOOR, sign * (long + 0.22)])
            model.rod(start, start + (0, 0, sign * 0.12), 0.03, dark)
            model.disc(start + (0, 0, sign * 0.13), Z, 0.06, 0.03, brass)


def _boiler(model: Model, brass: int, y: float, radius: float, long: float) -> None:
    """The boiler with its name on one side and the face of the smoke box; chimney, dome, whistle and lamp."""
    rng, front, soot = model.rng, long + 0.1, model.material("#2b2b2e", gloss=0.45)
    model.new_group().rod((0, y, -0.25 * long), (0, y, front), radius, model.one_of(*BOILERS), edge=0.03)
    side = rng.choice(SIDES)
    name = (side * radius, y, 0.5 * long)
    model.decal(at.TEXT, name, (side, 0, 0), (0.24, 0.08), "pale dark brass", (5, 1), depth=0.15)
    model.new_group().disc((0, y, front), Z, 0.88 * radius, 0.06, soot)
    face, hand = (0, y, front + 0.03), rng.uniform(-2, 2)
    model.decal(at.GAUGE, face, Z, 0.55 * radius, "#f3eddb #26282b #b33a2c", (hand, 0))
    # The chimney has one of three shapes, hollow at the top.
    top, z = y + radius, rng.uniform(0.62, 0.75) * long
    tall = rng.uniform(0.14, 0.22)
    paint = model.material("second accent", at.BANDS, 3.0, (0.3, 0.0), gloss=0.7)
    shape = ([0.07, 0.08, 0.13], [0.1, 0.08, 0.09], [0.07, 0.15, 0.1])[rng.integers(3)]
    model.new_group().lathe(tall, [-1.0, 0.5, 1.0], shape, (0, top + tall, z), paint)
    model.rod((0, top + 1.3 * tall, z), (0, top + 3 * tall, z), 0.055, soot, carve=True)
    model.new_group().ball((0.12, 0.14, 0.12), (0, y + 0.92 * radius, 0.28 * long), brass)
    model.limb((0.1, y + 0.9 * radius, 0.05), (0.1, y + radius + 0.16, 0.05), (0.02, 0.03), brass)
    lamp = np.array([0, y + radius + 0.06, front - 0.06])
    model.new_group().box((0.07, 0.07, 0.06), lamp, soot)
    model.decal(at.DISC, lamp + (0, 0, 0.06), Z, 0.055, "#fff3c4 #ffffff #fff8d8", (0.7, 0.3))


def _cab(model: Model, long: float) -> None:
    """Cab with a window and a crest on each side, and the coal behind it."""
    rng, z = model.rng, -0.55 * long
    high = rng.uniform(0.3, 0.38)
    y = FLOOR + 0.06 + high
    paint = model.material("main" if rng.random() < 0.5 else "second", gloss=0.8)
    model.new_group().box((0.32, high, 0.3 * long), (0, y, z), paint, edge=0.03)
    model.box((0.27, high - 0.05, 0.3 * long), (0, y + 0.02, z - 0.06), model.material("pale"), carve=True)
    for side in SIDES:
        where, size, glass = (side * 0.32, y + 0.4 * high, z), (0.16 * long, 0.3 * high), "#2e4a57 brass #8fb4c4"
        model.decal(at.WINDOW, where, (side, 0, 0), size, glass, (2, 0.18), depth=0.04, gloss=0.9)
        crest = (side * 0.32, y - 0.45 * high, z)
        if side > 0:
            model.decal(at.STAR, crest, (side, 0, 0), 0.1, "accent pale", (5, 0.45), depth=0.04)
        else:
            model.decal(at.TEXT, crest, (side, 0, 0), (0.16, 0.08), "pale dark brass", (2, 1), depth=0.04)
    roof = model.material("accent dark", at.PANELS, 4.0, (0.04, 1.0), at.MAP_BOX, gloss=0.6)
    model.new_group().ball((0.4, 0.11, 0.38 * long), (0, y + high + 0.01, z), roof)
    coal = model.material("#1c1c1f #333338", at.CELLS, 12.0, (0.08, 0.0), gloss=0.6, bump=(0.5, 14.0))
    model.new_group().box((0.3, 0.13, 0.16), (0, FLOOR + 0.19, -long - 0.05), paint)
    model.ball((0.25, 0.12, 0.14), (0.03, FLOOR + 0.32, -long - 0.05), coal)
