"""Plump toy birds. +z is ahead."""

from __future__ import annotations

import numpy as np

from sparseags_ns.sample import layout as at
from sparseags_ns.sample.model import Model
from sparseags_ns.sample.palettes import Palette, draw_palette
from sparseags_ns.sample.solids import ball, limb, ring, rod


def bird(model: Model) -> None:
    """A bird on its feet, head turned, wings lifted a little, perhaps with a scarf."""
    rng, colors = model.rng, draw_palette(model.rng)
    soft = {"in_object": True, "gloss": 0.25, "bump": (0.12, 50.0), "mottle": (0.1, 8.0)}
    coat = model.material(colors.main, colors.pale, colors.accent, at.PATCHES, freq=1.9, params=(0.05, 0.36), **soft)
    fat, tall = rng.uniform(0.36, 0.46), rng.uniform(0.42, 0.6)
    model.new_group()
    ball(model, (fat, tall, fat), (0, tall + 0.18, 0), coat, turn=(rng.uniform(5, 25), 0, 0))
    aside, size = np.radians(rng.uniform(20, 50) * rng.choice([-1, 1])), rng.uniform(0.26, 0.33)
    head = np.array([0, 1.75 * tall + 0.25, 0.12])
    ball(model, size, head, coat, blend=0.15)
    ahead, right = np.array([np.sin(aside), 0, np.cos(aside)]), np.array([np.cos(aside), 0, -np.sin(aside)])
    _face(model, colors, head, size, (ahead, right))
    _feathers(model, colors, fat, tall)
    _feet(model)
    if rng.random() < 0.6:
        _scarf(model, colors, head, size)


def _feathers(model: Model, colors: Palette, fat: float, tall: float) -> None:
    """Wings, each lifted by an angle of its own, and the tail."""
    layered = {"pattern": at.SHINGLES, "mapping": at.MAP_BOX, "freq": (7.0, 9.0), "gloss": 0.3}
    feathers = model.material(colors.second, colors.accent, **layered)
    for side in (-1.0, 1.0):
        model.new_group()
        lift = model.rng.uniform(0, 35)
        shoulder = (side * (fat + 0.1 * lift / 35), tall + 0.14, -0.08)
        ball(model, (0.09, 0.85 * tall, 0.62 * fat), shoulder, feathers, turn=(25, 0, side * (4 + lift)))
    model.new_group()
    for i in range(3):
        tip = (0.12 * (i - 1), 0.1 + 0.05 * i, -fat - 0.45)
        limb(model, (0, 0.35, -0.8 * fat), tip, (0.1, 0.06), feathers, blend=0.04)


def _feet(model: Model) -> None:
    model.new_group()
    skin = model.material("#e08a2b", gloss=0.4)
    for x in (-0.17, 0.17):
        rod(model, (x, 0.35, 0.05), (x, 0.03, 0.08), 0.035, skin)
        for toe in (-0.09, 0.0, 0.09):
            limb(model, (x, 0.03, 0.06), (x + toe, 0.03, 0.26), (0.035, 0.025), skin)


def _scarf(model: Model, colors: Palette, head: np.ndarray, size: float) -> None:
    model.new_group()
    rows = {"pattern": at.BANDS, "freq": 9.0, "params": (0.3, 0.2), "bump": (0.4, 40.0)}
    knit = model.material(colors.accent, colors.pale, colors.second, **rows)
    ring(model, head - (0, 0.9 * size, 0.03), (0.82 * size, 0.09), knit, turn=(80, 0, 8))
    start, end = head + (0.12, -0.95 * size, 0.85 * size), head + (0.22, -1.9 * size, 1.05 * size + 0.1)
    limb(model, start, end, (0.08, 0.07), knit)


def _face(model: Model, colors: Palette, head: np.ndarray, size: float, axes: tuple[np.ndarray, np.ndarray]) -> None:
    """Beak, eyes and crest; the axes point ahead and to the right of the bird."""
    rng, (ahead, right) = model.rng, axes
    model.new_group()
    beak = model.material("#e59a2f", gloss=0.6)
    tip = head + (0.9 + 2 * rng.uniform(0.25, 0.5)) * size * ahead - (0, 0.08, 0)
    limb(model, head + 0.8 * size * ahead, tip, (0.3 * size, 0.06), beak)
    white, black = model.material("#fbfaf2", gloss=0.9), model.material("#0e0d0f", gloss=1.0)
    for side in (-1.0, 1.0):
        model.new_group()
        eye = head + 0.72 * size * ahead + side * 0.58 * size * right + (0, 0.35 * size, 0)
        ball(model, 0.22 * size, eye, white)
        ball(model, 0.16 * size, eye + 0.1 * size * ahead + 0.06 * size * side * right, black)
    model.new_group()
    crest = model.material(colors.accent, colors.second, pattern=at.STRIPES, freq=8.0, gloss=0.4)
    for i in range(int(rng.integers(2, 5))):
        base = head + (0, 0.9 * size, 0) - 0.25 * size * (i - 1) * ahead
        limb(model, base, base + (0, 0.55 * size, 0) - 0.5 * size * ahead, (0.1 * size, 0.05 * size), crest)
