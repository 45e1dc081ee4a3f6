"""Propeller aeroplanes on their wheels. +z is ahead."""

from __future__ import annotations

import numpy as np

from sparseags_ns.sample import layout as at
from sparseags_ns.sample.model import Model
from sparseags_ns.sample.palettes import Palette, draw_palette
from sparseags_ns.sample.solids import ball, disc, lathe, ring, rod

X, Z = (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)
SIDES = (-1.0, 1.0)
HEIGHT = 0.42  # of the fuselage above the ground


def aeroplane(model: Model) -> None:
    """One wing or two, cockpit with a pilot, tail, wheels; marks and lettering on different sides."""
    rng, colors = model.rng, draw_palette(model.rng)
    long, fat, y = rng.uniform(0.8, 0.95), rng.uniform(0.17, 0.22), HEIGHT
    bands = {"pattern": at.BANDS, "freq": 1.6, "params": (0.25, 0.08), "gloss": 0.8}
    paint = model.material(colors.main, colors.pale, colors.accent, **bands)
    model.new_group()
    radii = [0.05, 0.75 * fat, fat, 0.9 * fat, 0.6 * fat]
    lathe(model, long, [-1.0, -0.3, 0.4, 0.85, 1.0], radii, (0, y, 0), paint, edge=0.04, turn=(90, 0, 0))
    side = float(rng.choice(SIDES))
    model.decal(at.TEXT, (side * fat, y, -0.15), (side, 0, 0), (0.24, 0.07), colors.label, (5, 1), depth=0.15)
    rings = [colors.pale, colors.accent, colors.dark]
    model.decal(at.DISC, (-side * fat, y, -0.2), (-side, 0, 0), (0.1, 0.1), rings, (0.7, 0.4), depth=0.15)
    ball(model, (0.1, 0.1, 0.17), (0, y + 0.95 * fat, 0.1), model.material(colors.dark), carve=True)
    _wings(model, colors, fat, side)
    _tail(model, colors, long, side)
    model.new_group()
    cap = model.material("#8a5a36", "#5e3a20", pattern=at.PATCHES, freq=8.0, gloss=0.4)
    ball(model, 0.085, (0, y + fat + 0.05, 0.08), cap)
    ball(model, (0.07, 0.035, 0.04), (0, y + fat + 0.06, 0.145), model.material("#22303a", gloss=1.0))
    _propeller(model, colors, np.array([0, y, long]))
    _wheels(model)


def _propeller(model: Model, colors: Palette, nose: np.ndarray) -> None:
    rng = model.rng
    model.new_group()
    ball(model, (0.08, 0.08, 0.13), nose, model.material(colors.accent, gloss=0.9))
    wood = model.material("#a9713f", "#f0c53a", pattern=at.WOOD, freq=5.0, params=(2.0, 0.0), gloss=0.7)
    start, blades = rng.uniform(0, 180), int(rng.integers(2, 4))
    for i in range(blades):
        a = np.radians(start + i * 360.0 / blades)
        middle = nose + 0.2 * np.array([-np.sin(a), np.cos(a), 0]) + (0, 0, 0.05)
        ball(model, (0.045, 0.19, 0.02), middle, wood, turn=(0, 25, float(np.degrees(a))))


def _wheels(model: Model) -> None:
    model.new_group()
    rubber, strut = model.material("#26262a", gloss=0.3), model.material("#a8adb3", gloss=0.8, metallic=0.8)
    for s in SIDES:
        rod(model, (s * 0.12, HEIGHT - 0.1, 0.35), (s * 0.24, 0.13, 0.42), 0.022, strut)
        ring(model, (s * 0.27, 0.13, 0.42), (0.085, 0.045), rubber, turn=(0, 90, 0))
        disc(model, (s * 0.27, 0.13, 0.42), X, 0.08, 0.05, strut)


def _wings(model: Model, colors: Palette, fat: float, side: float) -> None:
    """One pair or two with struts; a round mark on one tip, a star on the other, above and below."""
    rng, y = model.rng, HEIGHT
    span, chord, rise = rng.uniform(0.85, 1.0), rng.uniform(0.18, 0.24), rng.uniform(2, 7)
    stripes = {"pattern": at.STRIPES, "freq": 2.2, "params": (0.2, 0.0), "gloss": 0.6}
    cloth = model.material(colors.second, colors.pale, **stripes)
    double = rng.random() < 0.5
    levels = [y - 0.5 * fat, y + fat + 0.2] if double else [y - 0.3 * fat if rng.random() < 0.6 else y + 0.9 * fat]
    lift = np.sin(np.radians(rise)) * span
    mark = [colors.pale, colors.accent, colors.dark]
    for level in levels:
        for s in SIDES:
            model.new_group()
            middle = (s * 0.5 * span, level + 0.5 * lift, 0.28)
            ball(model, (0.6 * span, 0.035, chord), middle, cloth, turn=(0, 0, s * rise))
            kind, params = (at.DISC, (0.7, 0.4)) if s == side else (at.STAR, (5.0, 0.45))
            for up in SIDES:
                spot = (s * 0.72 * span, middle[1], 0.28)
                model.decal(kind, spot, (0, up, 0), (0.12, 0.12), mark, params, up=Z, depth=0.12)
    if double:
        model.new_group()
        strut = model.material("#b98a52", gloss=0.5)
        for x in (-0.6, -0.18, 0.18, 0.6):
            low, high = (np.array([x * span, level + abs(x) * lift, 0.2]) for level in levels)
            rod(model, low, high, 0.014, strut)
            rod(model, low + (0, 0, 0.18), high + (0, 0, 0.18), 0.014, strut)


def _tail(model: Model, colors: Palette, long: float, side: float) -> None:
    model.new_group()
    bands = {"pattern": at.BANDS, "freq": 6.0, "params": (0.3, 0.1), "gloss": 0.6}
    paint, y, z = model.material(colors.second, colors.pale, colors.accent, **bands), HEIGHT + 0.2, -0.92 * long
    ball(model, (0.33, 0.025, 0.12), (0, HEIGHT + 0.03, z + 0.02), paint)
    model.new_group()
    ball(model, (0.022, 0.24, 0.14), (0, y - 0.06, z), model.material(colors.accent, gloss=0.7))
    star, letters = [colors.pale, colors.main], ["#000000", colors.dark]
    model.decal(at.STAR, (side * 0.02, y, z), (side, 0, 0), (0.07, 0.07), star, (6, 0.5))
    model.decal(at.TEXT, (-side * 0.02, y, z), (-side, 0, 0), (0.09, 0.05), letters, (-2, 1))
