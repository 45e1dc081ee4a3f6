"""Boats on the blocks of a stand: a sailing boat and a tug. +z is ahead, `deck` is the height of the deck."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sparseags_ns.sample import layout as at
from sparseags_ns.sample.families.sails import sail
from sparseags_ns.sample.model import Model
from sparseags_ns.sample.palettes import PANE, WOODS, Palette, draw_palette, pick
from sparseags_ns.sample.solids import ball, box, prism, ring, rod, tube

X, Z = (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)
SIDES = (-1.0, 1.0)


@dataclass(frozen=True)
class Hull:
    """Half length, half width, height of the deck."""

    long: float
    beam: float
    deck: float


def _hull(model: Model, colors: Palette, hull: Hull) -> None:
    """Half an ellipsoid, painted in bands and hollowed to the planked deck, on two blocks."""
    rng, (light, dark) = model.rng, pick(model.rng, WOODS)
    bands = {"pattern": at.BANDS, "freq": 1.55, "params": (0.2, 0.1), "in_object": True, "gloss": 0.7}
    paint = model.material(colors.main, colors.pale, colors.dark, mottle=(0.06, 7.0), **bands)
    seams = {"pattern": at.STRIPES, "mapping": at.MAP_BOX, "freq": 11.0, "params": (0.08, 0.0), "in_object": True}
    planks = model.material(light, dark, mottle=(0.15, 8.0), **seams)
    model.new_group()
    ball(model, (hull.beam, 0.5, hull.long), (0, 0.5, 0), paint)
    box(model, (2, 1, 2), (0, hull.deck + 1.0, 0), planks, edge=0.0, carve=True)
    ball(model, (0.9 * hull.beam, 0.2, 0.92 * hull.long), (0, hull.deck, 0), planks, carve=True)
    box(model, (2, 0.1, 2), (0, 0.0, 0), paint, edge=0.0, carve=True)
    side = rng.choice(SIDES)
    name = (side * hull.beam, hull.deck - 0.1, 0.45 * hull.long)
    model.decal(at.TEXT, name, (side, 0, 0.2), (0.2, 0.055), colors.label, (6, 1), depth=0.25)
    for i in range(3):
        spot = (-side * hull.beam, hull.deck - 0.1, (0.3 * i - 0.1) * hull.long)
        model.decal(at.DISC, spot, (-side, 0, 0), (0.055, 0.055), ["#c9a24a", *PANE], (0.7, 0.3), depth=0.2)
    model.new_group()
    block = model.material(dark, light, pattern=at.WOOD, freq=3.0, params=(3.0, 0.0), gloss=0.6)
    for z in (-0.4 * hull.long, 0.4 * hull.long):
        box(model, (0.75 * hull.beam, 0.09, 0.035), (0, 0.07, z), block, edge=0.01)


def _lifebelt(model: Model, where: tuple[float, float, float]) -> None:
    model.new_group()
    bands = {"pattern": at.STRIPES, "mapping": at.MAP_CYLINDER, "freq": (4.0, 1.0), "gloss": 0.5}
    ring(model, where, (0.075, 0.028), model.material("#d8452f", "#f5efe2", **bands), turn=(0, 90, 0))


def sailing_boat(model: Model) -> None:
    """A boat with a mast, two sails that bulge to one side, a cabin and a pennant."""
    rng, colors = model.rng, draw_palette(model.rng)
    hull = Hull(rng.uniform(0.75, 0.9), rng.uniform(0.28, 0.36), rng.uniform(0.32, 0.38))
    _hull(model, colors, hull)
    swing = rng.uniform(10, 30) * rng.choice(SIDES)
    _mast_and_sails(model, colors, np.array([0, hull.deck - 0.1, 0.15]), swing)
    model.new_group()
    roof = model.material(colors.accent, gloss=0.6)
    wide = 0.62 * hull.beam
    box(model, (wide, 0.13, 0.22), (0, hull.deck, -0.32), model.material(colors.pale, gloss=0.5), edge=0.03)
    box(model, (1.1 * wide, 0.02, 0.25), (0, hull.deck + 0.14, -0.32), roof, edge=0.01)
    for side, panes in zip(SIDES, (2, 3), strict=True):
        spot, frame = (side * wide, hull.deck + 0.05, -0.32), [PANE[0], colors.second, PANE[1]]
        model.decal(at.WINDOW, spot, (side, 0, 0), (0.14, 0.05), frame, (panes, 0.25), depth=0.04)
    _lifebelt(model, (wide + 0.06, hull.deck + 0.02, -0.32))


def _mast_and_sails(model: Model, colors: Palette, foot: np.ndarray, swing_deg: float) -> None:
    """Mast, boom swung out, main sail, jib, pennant."""
    rng, (light, dark) = model.rng, pick(model.rng, WOODS)
    tall, lee = rng.uniform(1.15, 1.35), float(np.sign(swing_deg))
    spar = model.material(light, dark, pattern=at.WOOD, freq=4.0, params=(3.0, 0.0), gloss=0.6)
    model.new_group()
    rod(model, foot, foot + (0, tall, 0), (0.032, 0.02), spar)
    out = np.array([np.sin(np.radians(swing_deg)), 0, -np.cos(np.radians(swing_deg))])
    boom = foot + (0, 0.28, 0)
    rod(model, boom, boom + 0.75 * out, 0.02, spar)
    stripes = {"pattern": at.BANDS, "freq": rng.uniform(3.0, 5.0), "params": (0.35, 0.08), "gloss": 0.15}
    cloth = model.material(colors.pale, colors.accent, colors.second, **stripes)
    ground = colors.second if rng.random() < 0.5 else colors.pale
    tartan = {"pattern": at.CHECKS, "freq": 3.0, "params": (1.0, 0.0), "gloss": 0.15}
    jib = model.material(ground, colors.main, colors.accent, **tartan)
    sail(model, boom + (0, 0.02, -0.02), (0.68, tall - 0.4), out, 0.1 * lee, cloth)
    sail(model, foot + (0, 0.22, 0.06), (0.52, 0.75 * tall), np.array([0.12 * lee, 0, 1.0]), -0.07 * lee, jib)
    model.new_group()
    flag = model.material(colors.main, colors.pale, pattern=at.STRIPES, mapping=at.MAP_BOX, freq=16.0, gloss=0.1)
    top = foot + (0.11 * lee, tall - 0.05, 0)
    prism(model, (0.055, 0.01, 0.11, 0.008), top, flag, edge=0.002, turn=(0, 0, -90 * lee))


def steamer(model: Model) -> None:
    """A tug with a deck house, bridge, funnel, mast, cargo and lifebelt."""
    rng, colors = model.rng, draw_palette(model.rng)
    hull = Hull(rng.uniform(0.75, 0.9), rng.uniform(0.3, 0.38), rng.uniform(0.36, 0.4))
    _hull(model, colors, hull)
    _deck_house(model, colors, hull)
    model.new_group()
    bands = {"pattern": at.BANDS, "freq": 3.2, "params": (0.35, 0.2), "gloss": 0.7}
    funnel = model.material(colors.accent, colors.dark, colors.pale, **bands)
    start, lean = np.array([0, hull.deck + 0.15, -0.25]), np.array([0, 0.44, -0.1])
    rod(model, start, start + lean, (0.11, 0.1), funnel)
    rod(model, start + 0.9 * lean, start + 1.2 * lean, 0.075, model.material("#1d1d1f"), carve=True)
    model.decal(at.STAR, start + (0.1, 0.28, -0.06), X, (0.07, 0.07), [colors.pale, colors.main], (5, 0.45), depth=0.1)
    _rigging(model, colors, hull)
    _cargo(model, hull)
    _lifebelt(model, (rng.choice(SIDES) * 0.62 * hull.beam, hull.deck + 0.02, 0.15))


def _deck_house(model: Model, colors: Palette, hull: Hull) -> None:
    """House and bridge with portholes, windows and a door; its two sides have different numbers of portholes."""
    panels = {"pattern": at.PANELS, "mapping": at.MAP_BOX, "freq": 4.0, "params": (0.03, 1.0), "gloss": 0.6}
    white = model.material(colors.pale, colors.second, **panels)
    deck, low, high = hull.deck, 0.6 * hull.beam, 0.48 * hull.beam
    frame = [PANE[0], colors.accent, PANE[1]]
    model.new_group()
    box(model, (low, 0.16, 0.34), (0, deck + 0.03, -0.05), white, edge=0.03)
    box(model, (high, 0.13, 0.16), (0, deck + 0.3, 0.08), white, edge=0.03)
    for side, portholes in zip(SIDES, (2, 3), strict=True):
        for i in range(portholes):
            spot = (side * low, deck + 0.08, -0.28 + 0.2 * i)
            model.decal(at.DISC, spot, (side, 0, 0), (0.05, 0.05), [colors.accent, *PANE], (0.72, 0.3), depth=0.03)
        model.decal(
            at.WINDOW, (side * high, deck + 0.32, 0.08), (side, 0, 0), (0.11, 0.07), frame, (2, 0.2), depth=0.03
        )
    model.decal(at.WINDOW, (0, deck + 0.32, 0.24), Z, (0.4 * hull.beam, 0.07), frame, (3, 0.2), depth=0.03)
    door = [colors.second, colors.dark, "#e8cf7a"]
    model.decal(at.DOOR, (0, deck + 0.05, -0.39), (0, 0, -1), (0.08, 0.12), door, depth=0.03)
    model.new_group()
    roof = model.material(colors.second, gloss=0.6)
    box(model, (0.56 * hull.beam, 0.02, 0.2), (0, deck + 0.44, 0.08), roof, edge=0.015)


def _rigging(model: Model, colors: Palette, hull: Hull) -> None:
    """Fore mast with stays and a flag."""
    model.new_group()
    wire = model.material("#a8adb3", gloss=0.8, metallic=0.7)
    top = np.array([0, hull.deck + model.rng.uniform(0.75, 0.95), 0.45])
    rod(model, (0, hull.deck - 0.1, 0.45), top, (0.025, 0.015), wire)
    rod(model, top - (0, 0.2, 0), (0, hull.deck, hull.long - 0.1), 0.008, wire)
    rod(model, top - (0, 0.2, 0), (0, hull.deck + 0.4, 0.2), 0.008, wire)
    bands = {"pattern": at.BANDS, "freq": 14.0, "params": (0.5, 0.2), "gloss": 0.1}
    flag = model.material(colors.main, colors.pale, colors.accent, **bands)
    box(model, (0.008, 0.06, 0.1), top + (0, -0.07, -0.11), flag, edge=0.004)


def _cargo(model: Model, hull: Hull) -> None:
    """A crate before the bridge, a coil of rope behind the house."""
    rng, deck = model.rng, hull.deck
    model.new_group()
    crate = model.material("#b98a52", "#7b4a26", pattern=at.WOOD, freq=3.0, params=(3.0, 0.0))
    where, turn = (0.06 * rng.choice(SIDES), deck - 0.06, 0.6), (0, rng.uniform(0, 45), 0)
    box(model, (0.08, 0.08, 0.08), where, crate, edge=0.01, turn=turn)
    model.new_group()
    rope = model.material("#d9c49a", "#a88a58", pattern=at.STRIPES, freq=20.0)
    loop = [(0.2, deck - 0.1, -0.5), (0.05, deck - 0.03, -0.62), (-0.15, deck - 0.1, -0.5), (0.0, deck - 0.08, -0.42)]
    tube(model, loop, [0.025] * 4, rope)
