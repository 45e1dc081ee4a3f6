"""Sailing boats and tugs on a stand, and propeller aeroplanes. +z is ahead."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sparseags_ns.sample import layout as at
from sparseags_ns.sample.model import BACK, SIDES, Model, Vec, X, Z
from sparseags_ns.sample.palettes import WOODS, pick

_DOWN = np.array([[0.0, 1.0, 0], [-1.0, 0.0, 0], [0, 0, 1.0]])
"""Rotation whose x axis points down."""
HEIGHT = 0.42  # of an aeroplane's fuselage above the ground


@dataclass(frozen=True)
class Hull:
    """Half length, half width, height of the deck."""

    long: float
    beam: float
    deck: float


def _hull(model: Model, hull: Hull) -> None:
    """Half an ellipsoid, painted in bands and hollowed to the planked deck, on two blocks."""
    rng, (light, dark) = model.rng, pick(model.rng, WOODS)
    long, beam, deck = hull.long, hull.beam, hull.deck
    bands = {"in_object": True, "gloss": 0.7, "mottle": (0.06, 7.0)}
    paint = model.material("main pale dark", at.BANDS, 1.55, (0.2, 0.1), **bands)
    seams = {"mapping": at.MAP_BOX, "in_object": True, "mottle": (0.15, 8.0)}
    planks = model.material((light, dark), at.STRIPES, 11.0, (0.08, 0.0), **seams)
    model.new_group().ball((beam, 0.5, long), (0, 0.5, 0), paint)
    model.box((2, 1, 2), (0, deck + 1.0, 0), planks, edge=0.0, carve=True)
    model.ball((0.9 * beam, 0.2, 0.92 * long), (0, deck, 0), planks, carve=True)
    model.box((2, 0.1, 2), (0, 0.0, 0), paint, edge=0.0, carve=True)
    side = rng.choice(SIDES)
    name = (side * beam, deck - 0.1, 0.45 * long)
    model.decal(at.TEXT, name, (side, 0, 0.2), (0.2, 0.055), "pale dark accent", (6, 1), depth=0.25)
    for i in range(3):
        spot = (-side * beam, deck - 0.1, (0.3 * i - 0.1) * long)
        model.decal(at.DISC, spot, (-side, 0, 0), 0.055, "brass pane shine", (0.7, 0.3), depth=0.2)
    block = model.new_group().material((dark, light), at.WOOD, 3.0, (3.0, 0.0), gloss=0.6)
    for z in (-0.4 * long, 0.4 * long):
        model.box((0.75 * beam, 0.09, 0.035), (0, 0.07, z), block, edge=0.01)


def _lifebelt(model: Model, where: Vec) -> None:
    """A striped ring that hangs on a wall."""
    belt = model.new_group().material("#d8452f #f5efe2", at.STRIPES, (4.0, 1.0), mapping=at.MAP_CYLINDER)
    model.ring(where, (0.075, 0.028), belt, turn=(0, 90, 0))


def sailing_boat(model: Model) -> None:
    """A boat with a mast, two sails that bulge to one side, a cabin and a pennant."""
    rng, _ = model.rng, model.draw_palette()
    hull = Hull(rng.uniform(0.75, 0.9), rng.uniform(0.28, 0.36), rng.uniform(0.32, 0.38))
    _hull(model, hull)
    swing_deg = rng.uniform(10, 30) * rng.choice(SIDES)
    _mast_and_sails(model, np.array([0, hull.deck - 0.1, 0.15]), swing_deg)
    roof = model.new_group().material("accent", gloss=0.6)
    wide = 0.62 * hull.beam
    model.box((wide, 0.13, 0.22), (0, hull.deck, -0.32), model.material("pale"), edge=0.03)
    model.box((1.1 * wide, 0.02, 0.25), (0, hull.deck + 0.14, -0.32), roof, edge=0.01)
    for side, panes in zip(SIDES, (2, 3), strict=True):
        spot = (side * wide, hull.deck + 0.05, -0.32)
        model.decal(at.WINDOW, spot, (side, 0, 0), (0.14, 0.05), "pane second shine", (panes, 0.25), depth=0.04)
    _lifebelt(model, (wide + 0.06, hull.deck + 0.02, -0.32))


def _mast_and_sails(model: Model, foot: np.ndarray, swing_deg: float) -> None:
    """Mast, boom swung out, main sail, jib, pennant."""
    rng, woods = model.rng, pick(model.rng, WOODS)
    tall, lee = rng.uniform(1.15, 1.35), float(np.sign(swing_deg))
    spar = model.material(woods, at.WOOD, 4.0, (3.0, 0.0), gloss=0.6)
    model.new_group().rod(foot, foot + (0, tall, 0), (0.032, 0.02), spar)
    out = np.array([np.sin(np.radians(swing_deg)), 0, -np.cos(np.radians(swing_deg))])
    boom = foot + (0, 0.28, 0)
    model.rod(boom, boom + 0.75 * out, 0.02, spar)
    cloth = model.material("pale accent second", at.BANDS, rng.uniform(3.0, 5.0), (0.35, 0.08), gloss=0.15)
    ground = "second" if rng.random() < 0.5 else "pale"
    jib = model.material(f"{ground} main accent", at.CHECKS, 3.0, (1.0, 0.0), gloss=0.15)
    _sail(model, boom + (0, 0.02, -0.02), (0.68, tall - 0.4), out, 0.1 * lee, cloth)
    _sail(model, foot + (0, 0.22, 0.06), (0.52, 0.75 * tall), np.array([0.12 * lee, 0, 1.0]), -0.07 * lee, jib)
    flag = model.new_group().material("main pale", at.STRIPES, 16.0, mapping=at.MAP_BOX, gloss=0.1)
    top = foot + (0.11 * lee, tall - 0.05, 0)
    model.prism((0.055, 0.01, 0.11, 0.008), top, flag, edge=0.002, turn=(0, 0, -90 * lee))


def _sail(
    model: Model, corner: np.ndarray, size: tuple[float, float], out: np.ndarray, bulge: float, cloth: int
) -> None:
    """A triangular sail: a piece of a thin spherical shell, cut along the mast, the foot and the slanting edge (and
    off the far half of the sphere).

    Args:
        corner: where mast and foot meet.
        size: length of the foot, height.
        out: horizontal direction of the foot.
        bulge: how far the middle swells, to the side of its sign.
    """
    wide, tall = size
    out = np.array([out[0], 0, out[2]]) / np.hypot(out[0], out[2])
    frame = np.stack([out, np.array([0, 1.0, 0]), np.cross(out, (0, 1, 0))], 1)
    middle = corner + frame @ np.array([0.4 * wide, 0.4 * tall, 0])
    radius = (0.25 * tall * tall + bulge * bulge) / (2 * abs(bulge))
    center = middle + frame @ np.array([0, 0, np.sign(bulge) * (abs(bulge) - radius)])
    reach = 0.62 * float(np.hypot(wide, tall)) + abs(bulge)
    near = {"R": frame, "middle": frame.T @ (middle - center), "bound": reach}
    model.new_group().ball(radius, center, cloth, **near)
    model.ball(radius - 0.016, center, cloth, carve=True, **near)
    slope = np.arctan2(wide, tall)
    turned = np.array([[np.cos(slope), -np.sin(slope), 0], [np.sin(slope), np.cos(slope), 0], [0, 0, 1.0]])
    back = -np.sign(bulge) * frame[:, [2, 0, 1]]
    cuts = [(corner + wide * out, frame @ turned), (corner, -frame), (corner, frame @ _DOWN), (center, back)]
    for start, R in cuts:
        model.box((3.0, 6.0, 6.0), start + R @ np.array([3.0, 0, 0]), cloth, edge=0.0, R=R, bound=9.0, carve=True)


def steamer(model: Model) -> None:
    """A tug with a deck house, bridge, funnel, mast, cargo and lifebelt."""
    rng, _ = model.rng, model.draw_palette()
    hull = Hull(rng.uniform(0.75, 0.9), rng.uniform(0.3, 0.38), rng.uniform(0.36, 0.4))
    deck = hull.deck
    _hull(model, hull)
    # House and bridge; the two sides of the house have different numbers of portholes.
    white = model.material("pale second", at.PANELS, 4.0, (0.03, 1.0), at.MAP_BOX, gloss=0.6)
    low, high, frame = 0.6 * hull.beam, 0.48 * hull.beam, "pane accent shine"
    model.new_group().box((low, 0.16, 0.34), (0, deck + 0.03, -0.05), white, edge=0.03)
    model.box((high, 0.13, 0.16), (0, deck + 0.3, 0.08), white, edge=0.03)
    for side, portholes in zip(SIDES, (2, 3), strict=True):
        for i in range(portholes):
            spot = (side * low, deck + 0.08, -0.28 + 0.2 * i)
            model.decal(at.DISC, spot, (side, 0, 0), 0.05, "accent pane shine", (0.72, 0.3), depth=0.03)
        spot = (side * high, deck + 0.32, 0.08)
        model.decal(at.WINDOW, spot, (side, 0, 0), (0.11, 0.07), frame, (2, 0.2), depth=0.03)
    model.decal(at.WINDOW, (0, deck + 0.32, 0.24), Z, (0.4 * hull.beam, 0.07), frame, (3, 0.2), depth=0.03)
    model.decal(at.DOOR, (0, deck + 0.05, -0.39), BACK, (0.08, 0.12), "second dark #e8cf7a", depth=0.03)
    roof = model.new_group().material("second", gloss=0.6)
    model.box((0.56 * hull.beam, 0.02, 0.2), (0, deck + 0.44, 0.08), roof, edge=0.015)
    funnel = model.new_group().material("accent dark pale", at.BANDS, 3.2, (0.35, 0.2), gloss=0.7)
    start, lean = np.array([0, deck + 0.15, -0.25]), np.array([0, 0.44, -0.1])
    model.rod(start, start + lean, (0.11, 0.1), funnel)
    model.rod(start + 0.9 * lean, start + 1.2 * lean, 0.075, model.material("#1d1d1f"), carve=True)
    model.decal(at.STAR, start + (0.1, 0.28, -0.06), X, 0.07, "pale main", (5, 0.45))
    # Fore mast with stays and a flag.
    wire = model.new_group().material("#a8adb3", gloss=0.8, metallic=0.7)
    top = np.array([0, deck + model.rng.uniform(0.75, 0.95), 0.45])
    model.rod((0, deck - 0.1, 0.45), top, (0.025, 0.015), wire)
    model.rod(top - (0, 0.2, 0), (0, deck, hull.long - 0.1), 0.008, wire)
    model.rod(top - (0, 0.2, 0), (0, deck + 0.4, 0.2), 0.008, wire)
    flag = model.material("main pale accent", at.BANDS, 14.0, (0.5, 0.2), gloss=0.1)
    model.box((0.008, 0.06, 0.1), top + (0, -0.07, -0.11), flag, edge=0.004)
    # A crate before the bridge, a coil of rope behind the house.
    crate = model.new_group().material("#b98a52 #7b4a26", at.WOOD, 3.0, (3.0, 0.0))
    where, turn = (0.06 * rng.choice(SIDES), deck - 0.06, 0.6), (0, rng.uniform(0, 45), 0)
    model.box((0.08, 0.08, 0.08), where, crate, edge=0.01, turn=turn)
    rope = model.new_group().material("#d9c49a #a88a58", at.STRIPES, 20.0)
    coil = [(0.2, deck - 0.1, -0.5), (0.05, deck - 0.03, -0.62), (-0.15, deck - 0.1, -0.5), (0.0, deck - 0.08, -0.42)]
    model.tube(coil, 0.025, rope)
    _lifebelt(model, (rng.choice(SIDES) * 0.62 * hull.beam, deck + 0.02, 0.15))


def aeroplane(model: Model) -> None:
    """One wing or two, cockpit with a pilot, tail, wheels; marks and lettering on different sides."""
    rng, _ = model.rng, model.draw_palette()
    long, fat, y = rng.uniform(0.8, 0.95), rng.uniform(0.17, 0.22), HEIGHT
    paint = model.material("main pale accent", at.BANDS, 1.6, (0.25, 0.08), gloss=0.8)
    radii = [0.05, 0.75 * fat, fat, 0.9 * fat, 0.6 * fat]
    model.new_group().lathe(long, [-1.0, -0.3, 0.4, 0.85, 1.0], radii, (0, y, 0), paint, edge=0.04, turn=(90, 0, 0))
    side = float(rng.choice(SIDES))
    model.decal(at.TEXT, (side * fat, y, -0.15), (side, 0, 0), (0.24, 0.07), "pale dark accent", (5, 1), depth=0.15)
    model.decal(at.DISC, (-side * fat, y, -0.2), (-side, 0, 0), 0.1, "pale accent dark", (0.7, 0.4), depth=0.15)
    model.ball((0.1, 0.1, 0.17), (0, y + 0.95 * fat, 0.1), model.material("dark"), carve=True)
    _wings(model, fat, side)
    # Tailplane and fin, with a star on one side and letters on the other.
    paint = model.new_group().material("second pale accent", at.BANDS, 6.0, (0.3, 0.1), gloss=0.6)
    top, z = HEIGHT + 0.2, -0.92 * long
    model.ball((0.33, 0.025, 0.12), (0, HEIGHT + 0.03, z + 0.02), paint)
    model.new_group().ball((0.022, 0.24, 0.14), (0, top - 0.06, z), model.material("accent", gloss=0.7))
    model.decal(at.STAR, (side * 0.02, top, z), (side, 0, 0), 0.07, "pale main", (6, 0.5))
    model.decal(at.TEXT, (-side * 0.02, top, z), (-side, 0, 0), (0.09, 0.05), "black dark", (-2, 1))
    cap = model.new_group().material("#8a5a36 #5e3a20", at.PATCHES, 8.0, gloss=0.4)
    model.ball(0.085, (0, y + fat + 0.05, 0.08), cap)
    model.ball((0.07, 0.035, 0.04), (0, y + fat + 0.06, 0.145), model.material("#22303a", gloss=1.0))
    nose = np.array([0, y, long])
    model.new_group().ball((0.08, 0.08, 0.13), nose, model.material("accent", gloss=0.9))
    wood = model.material("#a9713f #f0c53a", at.WOOD, 5.0, (2.0, 0.0), gloss=0.7)
    start, blades = rng.uniform(0, 180), int(rng.integers(2, 4))
    for i in range(blades):
        a = np.radians(start + i * 360.0 / blades)
        middle = nose + 0.2 * np.array([-np.sin(a), np.cos(a), 0]) + (0, 0, 0.05)
        model.ball((0.045, 0.19, 0.02), middle, wood, turn=(0, 25, float(np.degrees(a))))
    model.new_group()
    rubber, strut = model.material("#26262a", gloss=0.3), model.material("#a8adb3", gloss=0.8, metallic=0.8)
    for s in SIDES:
        model.rod((s * 0.12, HEIGHT - 0.1, 0.35), (s * 0.24, 0.13, 0.42), 0.022, strut)
        model.ring((s * 0.27, 0.13, 0.42), (0.085, 0.045), rubber, turn=(0, 90, 0))
        model.disc((s * 0.27, 0.13, 0.42), X, 0.08, 0.05, strut)


def _wings(model: Model, fat: float, side: float) -> None:
    """One pair or two with struts; a round mark on one tip, a star on the other, above and below."""
    rng, y = model.rng, HEIGHT
    span, chord, rise_deg = rng.uniform(0.85, 1.0), rng.uniform(0.18, 0.24), rng.uniform(2, 7)
    cloth = model.material("second pale", at.STRIPES, 2.2, (0.2, 0.0), gloss=0.6)
    double = rng.random() < 0.5
    levels = [y - 0.5 * fat, y + fat + 0.2] if double else [y - 0.3 * fat if rng.random() < 0.6 else y + 0.9 * fat]
    lift = np.sin(np.radians(rise_deg)) * span
    for level in levels:
        for s in SIDES:
            middle = (s * 0.5 * span, level + 0.5 * lift, 0.28)
            model.new_group().ball((0.6 * span, 0.035, chord), middle, cloth, turn=(0, 0, s * rise_deg))
            kind, params = (at.DISC, (0.7, 0.4)) if s == side else (at.STAR, (5.0, 0.45))
            spot = (s * 0.72 * span, middle[1], 0.28)
            for up in SIDES:
                model.decal(kind, spot, (0, up, 0), 0.12, "pale accent dark", params, up=Z, depth=0.12)
    if double:
        strut = model.new_group().material("#b98a52")
        for x in (-0.6, -0.18, 0.18, 0.6):
            low, high = (np.array([x * span, level + abs(x) * lift, 0.2]) for level in levels)
            model.rod(low, high, 0.014, strut)
            model.rod(low + (0, 0, 0.18), high + (0, 0, 0.18), 0.014, strut)
