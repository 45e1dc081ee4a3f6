"""Toy cars and pick-ups. +z is the direction of travel, y = 0 the ground."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sparseags_ns.sample import layout as at
from sparseags_ns.sample.model import Model
from sparseags_ns.sample.palettes import METALS, WOODS, Palette, draw_palette, pick
from sparseags_ns.sample.solids import ball, box, disc, limb, prism, ring, rod, tube

X, Y, Z = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
SIDES = (-1.0, 1.0)


def _paint(model: Model, colors: Palette) -> int:
    """Lacquer with a stripe, flames of patches, tartan or panels."""
    common = {"gloss": 0.85, "in_object": True, "mottle": (0.04, 3.0)}
    choice = model.rng.integers(4)
    if choice == 0:
        return model.material(colors.main, colors.pale, pattern=at.STRIPES, freq=0.9, params=(0.16, 0.0), **common)
    if choice == 1:
        return model.material(
            colors.main, colors.accent, colors.pale, pattern=at.PATCHES, freq=2.4, params=(0.12, 0.33), **common
        )
    if choice == 2:
        return model.material(
            colors.main, colors.pale, pattern=at.DOTS, mapping=at.MAP_BOX, freq=3.2, params=(0.26, 0.2), **common
        )
    return model.material(
        colors.main, colors.accent, pattern=at.PANELS, mapping=at.MAP_BOX, freq=2.1, params=(0.02, 1.0), **common
    )


def _wheel(model: Model, center: np.ndarray, radius: float, width: float, rubber: int, rim: int, spokes: str) -> None:
    """A tyre with a rim and a hub that carries a star."""
    side = np.sign(center[0])
    model.new_group()
    ring(model, center, (radius - 0.42 * width, 0.5 * width), rubber, turn=(0, 90, 0))
    disc(model, center, X, radius - 0.5 * width, 0.75 * width, rim)
    ball(model, 0.16 * radius, center + (side * 0.4 * width, 0, 0), rim)
    points = float(model.rng.integers(5, 8))
    half = 0.78 * (radius - 0.5 * width)
    model.decal(
        at.STAR, center + (side * 0.38 * width, 0, 0), (side, 0, 0), (half, half), [spokes, spokes], (points, 0.42)
    )


def _lights(model: Model, colors: Palette, x: float, y: float, front: float, back: float) -> None:
    chrome = model.material(METALS[0], gloss=0.9, metallic=0.9)
    for side in (-1.0, 1.0):
        model.new_group()
        disc(model, (side * x, y, front), Z, 0.085, 0.08, chrome)
        model.decal(
            at.DISC, (side * x, y, front + 0.04), Z, (0.066, 0.066), ["#fff6d0", "#ffffff", "#ffffff"], (0.7, 0.3)
        )
        red = model.material("#c4201c", gloss=0.9)
        box(model, (0.07, 0.045, 0.03), (side * x, y, back), red, edge=0.02)
    model.new_group()
    box(model, (0.3, 0.07, 0.02), (0.0, y - 0.03, front - 0.02), chrome)
    model.decal(at.GRILLE, (0, y - 0.03, front), Z, (0.27, 0.055), ["#b8bcc0", "#1c1e20"], (5.0, 0.0))
    plate = (0.12 * model.rng.choice([-1.0, 1.0]), y - 0.12, back - 0.02)
    box(model, (0.15, 0.05, 0.02), plate, chrome)
    model.decal(at.TEXT, plate, (0, 0, -1), (0.14, 0.045), ["#f7f4e6", "#20242a", colors.second], (6.0, 1.0))


@dataclass(frozen=True)
class Body:
    """Proportions of a car, in the object's units."""

    length: float
    """Half of it."""
    width: float
    """Half of it."""
    waist: float
    """Height of the waistline."""
    cabin_z: float
    cabin_half: float
    """Half length of the cabin at the waistline."""
    top: float
    """Height of the glass."""
    wheel: float

    @property
    def cabin_y(self) -> float:
        """Height of the cabin's middle."""
        return self.waist + 0.06 + 0.5 * self.top


def car(model: Model) -> None:
    """A rounded car with something on its roof, or a pick-up with a load."""
    rng, colors = model.rng, draw_palette(model.rng)
    truck = rng.random() < 0.4
    cabin = (0.32, 0.34) if truck else (rng.uniform(-0.15, 0.05), rng.uniform(0.42, 0.55))
    sizes = rng.uniform(0.95, 1.15), rng.uniform(0.46, 0.54), rng.uniform(0.4, 0.46)
    body = Body(*sizes, *cabin, rng.uniform(0.27, 0.34), rng.uniform(0.2, 0.25))
    places = [np.array([s * body.width * 0.98, body.wheel, e * 0.6 * body.length]) for s in SIDES for e in SIDES]
    _shell(model, colors, body, places)
    _glazing(model, colors, body, 1.0 if truck else 2.0)
    rubber = model.material("#242428", "#3a3a40", pattern=at.STRIPES, freq=9.0, gloss=0.25, bump=(0.1, 30.0))
    rim = model.material(METALS[rng.integers(3)], gloss=0.85, metallic=0.9)
    for center in places:
        _wheel(model, center, body.wheel, 0.15, rubber, rim, colors.second)
    _lights(model, colors, 0.68 * body.width, body.waist, body.length, -body.length)
    _fittings(model, body)
    if truck:
        _load(model, colors, body.width, body.waist + 0.11, (-0.55 * body.length, 0.36 * body.length))
    else:
        _luggage(model, colors, body.cabin_y + 0.5 * body.top + 0.06, body.cabin_z)


def _shell(model: Model, colors: Palette, body: Body, wheels: list[np.ndarray]) -> None:
    """Lacquered body and cabin in one group, wheel arches cut out of them; number and star."""
    rng = model.rng
    paint = _paint(model, colors)
    cabin = model.material(colors.pale if rng.random() < 0.4 else colors.main, gloss=0.85)
    arch = model.material(colors.dark, gloss=0.2)
    model.new_group()
    edge = rng.uniform(0.09, 0.16)
    box(model, (body.width, 0.17, body.length), (0, body.waist - 0.06, 0), paint, edge=edge)
    half = (body.cabin_half, 0.62 * body.cabin_half, 0.5 * body.top + 0.06, 0.86 * body.width)
    shear, middle = rng.uniform(-0.25, 0.0), (0, body.cabin_y, body.cabin_z)
    prism(model, half, middle, cabin, edge=0.07, shear=shear, turn=(0, -90, 0), blend=0.05)
    for center in wheels:
        rod(model, center - (0.2, 0, 0), center + (0.2, 0, 0), 1.18 * body.wheel, arch, carve=True, blend=0.02)
    side = rng.choice(SIDES)
    number = (side * body.width, body.waist - 0.02, body.cabin_z - 0.05)
    model.decal(at.TEXT, number, (side, 0, 0), (0.26, 0.1), colors.label, (4.0, 1.0))
    bonnet, star = (0.1, body.waist + 0.11, 0.8 * body.length), [colors.accent, colors.pale]
    model.decal(at.STAR, bonnet, Y, (0.14, 0.14), star, (5.0, 0.45))


def _glazing(model: Model, colors: Palette, body: Body, panes: float) -> None:
    """Windows on the four sides of the cabin."""
    glass, y = ["#27404d", colors.dark, "#8fb4c4"], body.cabin_y + 0.03
    clear: dict[str, Any] = {"gloss": 0.95, "depth": 0.3}
    for sign in SIDES:
        side, size = (sign * body.width, y, body.cabin_z), (0.62 * body.cabin_half, 0.36 * body.top)
        model.decal(at.WINDOW, side, (sign, 0, 0), size, glass, (panes, 0.13), **clear)
        screen, size = (0.0, y, body.cabin_z + sign * 0.85 * body.cabin_half), (0.7 * body.width, 0.4 * body.top)
        model.decal(at.WINDOW, screen, (0, 0.45, sign), size, glass, (1.0, 0.13), **clear)


def _fittings(model: Model, body: Body) -> None:
    """Bumpers, exhaust and mirror: the last two on one side only."""
    model.new_group()
    chrome, low = model.material(METALS[0], gloss=0.9, metallic=0.9), body.waist - 0.2
    for sign in SIDES:
        left, right = ((s * 0.9 * body.width, low, sign * body.length) for s in SIDES)
        limb(model, left, right, (0.05, 0.05), chrome)
    exhaust = [(0.25, low, -0.7 * body.length), (0.27, low - 0.02, -body.length - 0.1)]
    tube(model, exhaust, [0.035, 0.04], chrome, 2)
    mirror = np.array([body.width, body.waist + 0.16, 0.25 + body.cabin_z])
    limb(model, mirror, mirror + (0.1, 0.04, 0.02), (0.02, 0.05), chrome)


def _luggage(model: Model, colors: Palette, top: float, z: float) -> None:
    """A suitcase and a roll, or a surfboard, on a roof rack."""
    rng = model.rng
    model.new_group()
    metal = model.material("#8d9096", gloss=0.8, metallic=0.8)
    for dz in (-0.18, 0.18):
        rod(model, (-0.36, top, z + dz), (0.36, top, z + dz), 0.018, metal)
    model.new_group()
    if rng.random() < 0.5:
        case = model.material(
            colors.second, colors.pale, pattern=at.CHECKS, mapping=at.MAP_BOX, freq=6.0, params=(1.0, 0.0)
        )
        box(model, (0.2, 0.1, 0.24), (-0.1, top + 0.12, z), case, edge=0.04, turn=(0, rng.uniform(-15, 15), 0))
        roll = model.material(colors.accent, colors.pale, pattern=at.STRIPES, freq=7.0)
        limb(model, (0.2, top + 0.1, z - 0.2), (0.22, top + 0.1, z + 0.22), (0.085, 0.085), roll)
    else:
        board = model.material(
            colors.pale, colors.second, colors.accent, pattern=at.BANDS, freq=2.2, params=(0.3, 0.2), gloss=0.8
        )
        turn = (90 + rng.uniform(-3, 3), 0, 0)
        ball(model, (0.17, 0.75, 0.04), (rng.uniform(-0.12, 0.12), top + 0.06, z - 0.05), board, turn=turn)
        box(model, (0.012, 0.08, 0.07), (0.0, top + 0.14, z - 0.6), board, edge=0.01, turn=(20, 0, 0))


def _load(model: Model, colors: Palette, width: float, floor: float, bed: tuple[float, float]) -> None:
    """Plank sides around the bed of a pick-up; a crate and a barrel on it."""
    rng, (middle, half) = model.rng, bed
    light, dark = pick(rng, WOODS)
    wood = model.material(light, dark, pattern=at.WOOD, freq=2.5, params=(3.0, 0.0), gloss=0.35)
    model.new_group()
    for side in (-1.0, 1.0):
        for level in (0.05, 0.16):
            box(model, (0.02, 0.045, half), (side * 0.9 * width, floor + level, middle), wood, edge=0.01)
        box(model, (0.9 * width, 0.045, 0.02), (0, floor + 0.05, middle + side * half), wood, edge=0.01)
    model.new_group()
    crate = model.material(light, dark, pattern=at.WOOD, freq=3.0, params=(2.5, 0.0))
    size = rng.uniform(0.17, 0.22)
    where = np.array([-0.18, floor + size, middle - 0.1])
    box(model, (size, size, size), where, crate, edge=0.015, turn=(0, rng.uniform(-20, 20), 0))
    model.decal(
        at.TEXT, where + (-size, 0, 0), (-1, 0, 0), (0.9 * size, 0.5 * size), [colors.pale, colors.dark], (-3.0, 1.0)
    )
    model.new_group()
    barrel = model.material(
        colors.second, colors.accent, colors.pale, pattern=at.BANDS, freq=6.0, params=(0.3, 0.1), gloss=0.7
    )
    rod(model, (0.22, floor, middle + 0.08), (0.22, floor + 0.36, middle + 0.08), 0.17, barrel, edge=0.03)
