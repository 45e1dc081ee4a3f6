"""Old table radios. Front to +z."""

from __future__ import annotations

import numpy as np

from sparseags_ns.sample import layout as at
from sparseags_ns.sample.model import Model
from sparseags_ns.sample.palettes import METALS, WOODS, Palette, draw_palette, pick
from sparseags_ns.sample.solids import ball, box, disc, limb, rod, tube

Z, BACK = (0.0, 0.0, 1.0), (0.0, 0.0, -1.0)
Half = tuple[float, float, float]


def _case(model: Model, colors: Palette) -> int:
    """Polished wood or marbled bakelite."""
    light, dark = pick(model.rng, WOODS)
    if model.rng.random() < 0.5:
        grain = {"pattern": at.WOOD, "freq": (2.2, 0.7), "params": (4.0, 0.0), "gloss": 0.75, "in_object": True}
        return model.material(light, dark, **grain)
    marble = {"freq": 2.6, "params": (0.1, 0.36), "gloss": 0.8, "in_object": True}
    return model.material(colors.main, colors.second, colors.main, at.PATCHES, **marble)


def radio(model: Model) -> None:
    """Dial, cloth or slots before the loudspeaker, knobs, handle, aerial, ventilated back."""
    rng, colors = model.rng, draw_palette(model.rng)
    half = wide, high, deep = rng.uniform(0.55, 0.7), rng.uniform(0.32, 0.42), rng.uniform(0.2, 0.26)
    chrome = model.material(METALS[rng.integers(3)], gloss=0.9, metallic=0.95)
    side, y = float(rng.choice([-1.0, 1.0])), high + 0.06
    model.new_group()
    box(model, half, (0, y, 0), _case(model, colors), edge=rng.uniform(0.05, 0.14))
    _front(model, colors, half, side)
    _other_sides(model, colors, half, side)
    _knobs(model, colors, half, side, chrome)
    model.new_group()
    leather = model.material("#6b3f26", "#4a2a18", pattern=at.STRIPES, freq=18.0, gloss=0.4)
    low, top = y + high - 0.03, y + high + 0.2
    ends = [(-0.55 * wide, low, 0), (-0.5 * wide, top, -0.02), (0.5 * wide, top, -0.02), (0.55 * wide, low, 0)]
    tube(model, ends, [0.03, 0.04, 0.04, 0.03], leather, 16)
    model.new_group()
    root = np.array([side * 0.88 * wide, y + high - 0.02, -0.6 * deep])
    tip = root + (side * rng.uniform(0.0, 0.3), rng.uniform(0.35, 0.55), 0)
    rod(model, root, tip, (0.016, 0.009), chrome)
    ball(model, 0.025, tip, chrome)
    rubber = model.material("#242428", gloss=0.2)
    for x in (-0.8 * wide, 0.8 * wide):
        model.new_group()
        limb(model, (x, 0.05, -0.5 * deep), (x, 0.05, 0.5 * deep), (0.05, 0.05), rubber)


def _front(model: Model, colors: Palette, half: Half, side: float) -> None:
    """Loudspeaker on one half; on the other a round dial or a scale of stations."""
    rng, (wide, high, deep) = model.rng, half
    y, holes = high + 0.06, float(rng.integers(2))
    speaker, cloth = (side * 0.42 * wide, y + 0.05, deep), [colors.pale, "#4a3c2c"]
    model.decal(at.GRILLE, speaker, Z, (0.46 * wide, 0.72 * high), cloth, (9.0 + 3.0 * holes, holes), gloss=0.3)
    dial = np.array([-side * 0.52 * wide, y + 0.32 * high, deep])
    if rng.random() < 0.5:
        face, hand = ["#f6eccb", "#3a2c20", "#c0392b"], rng.uniform(-2, 2)
        model.decal(at.GAUGE, dial, Z, (0.36 * high, 0.36 * high), face, (hand, 0), gloss=0.95)
    else:
        lines, needle = ["#000000", "#4a2f1c"], ["#c0392b", "#c0392b"]
        model.decal(at.PLATE, dial, Z, (0.38 * wide, 0.3 * high), ["#f6eccb", "#b8893a"], (0.15, 0.12), gloss=0.95)
        model.decal(at.TEXT, dial + (0, 0.03, 0), Z, (0.34 * wide, 0.2 * high), lines, (-7.0, 3.0), gloss=0.95)
        model.decal(at.PLATE, dial + (0.1 * wide, 0, 0), Z, (0.008, 0.26 * high), needle, (0.0, 0.0))
    maker = (side * 0.4 * wide, y - 0.82 * high, deep)
    model.decal(at.TEXT, maker, Z, (0.22, 0.045), ["#000000", colors.accent], (-6, 1))


def _other_sides(model: Model, colors: Palette, half: Half, side: float) -> None:
    """Slots, a type plate and a socket at the back; a star on one end, slots on the other."""
    wide, high, deep = half
    y, slots = high + 0.06, ["#5a4a38", "#191512"]
    model.decal(at.GRILLE, (0.3 * side * wide, y, -deep), BACK, (0.5 * wide, 0.5 * high), slots, (8, 0))
    plate = (-0.55 * side * wide, y + 0.3 * high, -deep)
    model.decal(at.TEXT, plate, BACK, (0.22, 0.1), colors.label, (6, 2))
    socket = (-0.6 * side * wide, y - 0.5 * high, -deep)
    model.decal(at.DISC, socket, BACK, (0.06, 0.06), ["#8d9096", "#1d1e20", "#c9c7c2"], (0.7, 0.3))
    star = [colors.accent, colors.pale]
    model.decal(at.STAR, (side * wide, y + 0.2 * high, 0), (side, 0, 0), (0.13, 0.13), star, (7, 0.5))
    model.decal(at.GRILLE, (-side * wide, y, 0), (-side, 0, 0), (0.6 * deep, 0.12), slots, (4, 0))


def _knobs(model: Model, colors: Palette, half: Half, side: float, chrome: int) -> None:
    wide, high, deep = half
    black = model.material(colors.dark, gloss=0.8)
    for size, x in ((0.085, 0.72), (0.065, 0.34)):
        model.new_group()
        knob = np.array([-side * x * wide, 0.5 * high + 0.06, deep])
        disc(model, knob + (0, 0, 0.03), Z, size, 0.08, black)
        disc(model, knob + (0, 0, 0.07), Z, 0.6 * size, 0.02, chrome)
        model.decal(at.PLATE, knob + (0.02, 0.02, 0.08), Z, (0.006, 0.03), [colors.accent, colors.accent], (0, 0))
