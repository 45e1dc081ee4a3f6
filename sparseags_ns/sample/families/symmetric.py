"""Bodies of revolution: only their texture tells one side from another. For the hard samples."""

from __future__ import annotations

from typing import Any

import numpy as np

from sparseags_ns.sample import layout as at
from sparseags_ns.sample.model import Model
from sparseags_ns.sample.palettes import Palette, draw_palette
from sparseags_ns.sample.solids import ball, disc, lathe, rod

Y = (0.0, 1.0, 0.0)


def _label(model: Model, colors: Palette, radius: float, y: float, half: tuple[float, float]) -> None:
    """A printed label on one side, small print on another, perhaps a flower on a third."""
    rng, start = model.rng, model.rng.uniform(0, 2 * np.pi)
    wide, tall = half
    around: dict[str, Any] = {"depth": 0.6 * radius, "gloss": 0.5}

    def press(
        kind: int, turn: float, height: float, size: tuple[float, float], paint: list[str], *params: float
    ) -> None:
        """One picture; its height from the label's middle, and its size, in the label's half sizes."""
        out = np.array([np.sin(start + turn), 0.0, np.cos(start + turn)])
        where, at_size = radius * out + (0, y + height * tall, 0), (size[0] * wide, size[1] * tall)
        model.decal(kind, where, out, at_size, paint, (params[0], params[1]), **around)

    star = min(0.3 * tall / wide, 0.5)
    press(at.PLATE, 0.0, 0.0, (1.0, 1.0), [colors.pale, colors.accent], 0.15, 0.06)
    press(at.TEXT, 0.0, 0.45, (0.85, 0.3), ["#000000", colors.dark], -5, 1)
    press(at.TEXT, 0.0, -0.66, (0.7, 0.16), ["#000000", colors.main], -9, 2)
    press(at.STAR, 0.0, -0.15, (star, star * wide / tall), [colors.second, colors.main], float(rng.integers(5, 9)), 0.5)
    press(at.TEXT, 2.6, 0.0, (0.5, 0.6), colors.label, 7, 5)
    if rng.random() < 0.6:
        press(at.FLOWER, 4.2, 0.0, (0.5 * tall / wide, 0.8), [colors.accent, "#4f7a3f", "#f2c84b"], 6, 0)


def bottle(model: Model) -> None:
    """A bottle with a label and a cork or cap."""
    rng, colors = model.rng, draw_palette(model.rng)
    glass = model.material(
        ["#2f5d46", "#5a3a1e", "#35506b", colors.main][rng.integers(4)], gloss=0.97, mottle=(0.1, 2.0)
    )
    half, radius, shoulder = rng.uniform(0.8, 1.0), rng.uniform(0.24, 0.34), rng.uniform(0.05, 0.3)
    model.new_group()
    heights = [-1.0, -0.94, shoulder - 0.1, shoulder + 0.25, 0.7, 0.93, 0.95, 1.0]
    radii = [0.85 * radius, radius, radius, 0.5 * radius, 0.27 * radius, 0.25 * radius, 0.31 * radius, 0.31 * radius]
    lathe(model, half, heights, radii, (0, half, 0), glass, edge=0.01)
    middle = half + 0.5 * (shoulder - 1.0) * half
    _label(model, colors, radius, middle, (0.8 * radius, 0.36 * half * (shoulder + 0.9)))
    model.new_group()
    cork = (
        model.material("#c79a66", "#8d6238", pattern=at.PATCHES, freq=14.0, params=(0.2, 0.4))
        if rng.random() < 0.5
        else model.material(colors.accent, gloss=0.8)
    )
    rod(model, (0, 1.95 * half, 0), (0, 2 * half + 0.08, 0), 0.27 * radius, cork)


def vase(model: Model) -> None:
    """A vase whose glaze is irregular, with painted flowers on one side."""
    rng, colors = model.rng, draw_palette(model.rng)
    half, level = rng.uniform(0.5, 0.7), rng.uniform(-0.35, 0.25)
    foot, belly, neck, lip = (rng.uniform(*r) for r in ((0.2, 0.28), (0.38, 0.5), (0.14, 0.24), (0.2, 0.32)))
    model.new_group()
    lathe(
        model, half, [-1.0, level, 0.7, 1.0], [foot, belly, neck, lip], (0, half, 0), _glaze(model, colors), edge=0.02
    )
    start = rng.uniform(0, 2 * np.pi)
    for i in range(int(rng.integers(2, 5))):
        out = np.array([np.sin(start + 0.8 * i), 0, np.cos(start + 0.8 * i)])
        where = belly * out + (0, half + level * half + rng.uniform(-0.08, 0.08), 0)
        paint = [(colors.accent, colors.pale)[i % 2], "#3f6a3a", "#f2c84b"]
        petals = float(rng.integers(5, 9))
        model.decal(at.FLOWER, where, out, (0.16, 0.25), paint, (petals, 0), depth=0.3, gloss=0.9)
    dark = model.material(colors.dark)
    rod(model, (0, 2 * half - 0.2, 0), (0, 2 * half + 0.1, 0), (0.7 * neck, lip - 0.04), dark, carve=True)


def _glaze(model: Model, colors: Palette) -> int:
    choice = model.rng.integers(3)
    if choice == 0:
        drops = {"pattern": at.PATCHES, "freq": 3.2, "params": (0.12, 0.34), "gloss": 0.95}
        return model.material(colors.main, colors.second, colors.pale, **drops)
    if choice == 1:
        cells = {"pattern": at.CELLS, "freq": 4.0, "params": (0.08, 0.0), "gloss": 0.9}
        return model.material(colors.pale, colors.main, colors.second, **cells)
    waves = {"pattern": at.STRIPES, "freq": 2.6, "params": (0.45, 1.2), "gloss": 0.9}
    return model.material(colors.second, colors.pale, **waves)


def tin(model: Model) -> None:
    """A printed tin with a lid."""
    rng, colors = model.rng, draw_palette(model.rng)
    half, radius = rng.uniform(0.35, 0.55), rng.uniform(0.34, 0.42)
    steel = model.material("#c9c7c2", gloss=0.9, metallic=0.95)
    count = float(rng.integers(10, 16))
    paper = [
        model.material(colors.main, colors.pale, colors.accent, at.BANDS, freq=2.6, params=(0.3, 0.1), gloss=0.6),
        model.material(
            colors.main, colors.pale, colors.second, at.GLYPHS, at.MAP_CYLINDER, (count, 7.0), (0.5, 0.09), gloss=0.6
        ),
        model.material(
            colors.main, colors.accent, colors.pale, at.DOTS, at.MAP_CYLINDER, (count, 6.0), (0.28, 0.5), gloss=0.6
        ),
    ][rng.integers(3)]
    model.new_group()
    rod(model, (0, 0.02, 0), (0, 2 * half, 0), radius, paper, edge=0.005)
    _label(model, colors, radius, half, (0.8 * radius, 0.6 * half))
    for y in (0.02, 2 * half):
        model.new_group()
        disc(model, (0, y, 0), Y, radius + 0.015, 0.05, steel)
    model.decal(
        at.TEXT, (0, 2 * half + 0.025, 0.1), Y, (0.22, 0.06), ["#000000", "#5b5f63"], (-6, 1), up=(0, 0, -1), depth=0.02
    )


def globe(model: Model) -> None:
    """A ball with continents or a patchwork, on a turned foot."""
    rng, colors = model.rng, draw_palette(model.rng)
    skin = [
        model.material("#3f78a8", "#7f9f55", "#c9b27a", at.PATCHES, freq=2.1, params=(0.05, 0.3), gloss=0.85),
        model.material(colors.main, colors.pale, colors.accent, at.CELLS, freq=2.6, params=(0.07, 0.0), gloss=0.7),
        model.material(colors.pale, colors.main, colors.second, at.PATCHES, freq=3.0, params=(0.02, 0.25), gloss=0.8),
    ][rng.integers(3)]
    model.new_group()
    ball(model, 0.42, (0, 0.72, 0), skin)
    model.decal(
        at.STAR, (0.25, 0.8, 0.33), (0.6, 0.2, 0.8), (0.12, 0.12), [colors.accent, colors.dark], (7, 0.5), depth=0.2
    )
    model.decal(
        at.TEXT,
        (-0.3, 0.7, 0.3),
        (-0.7, 0, 0.7),
        (0.2, 0.06),
        [colors.pale, colors.dark, colors.second],
        (6, 1),
        depth=0.2,
    )
    model.new_group()
    wood = model.material("#8a5430", "#5c351c", pattern=at.WOOD, freq=3.0, params=(4.0, 0.0), gloss=0.7)
    lathe(model, 0.17, [-1.0, -0.7, 0.0, 0.7, 1.0], [0.3, 0.27, 0.07, 0.1, 0.16], (0, 0.17, 0), wood, edge=0.015)
