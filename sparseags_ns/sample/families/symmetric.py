"""Bodies of revolution, where only the texture tells one side from another. For the hard samples."""

from __future__ import annotations

import numpy as np

from sparseags_ns.sample import layout as at
from sparseags_ns.sample.model import BACK, Model, Y, heading


def _label(model: Model, radius: float, y: float, wide: float, tall: float) -> None:
    """A printed label on one side, small print on another, perhaps a flower on a third.

    Args:
        y: height of the label's middle.
        wide, tall: half width and half height of the label.
    """
    rng = model.rng
    start, star = rng.uniform(0, 2 * np.pi), min(0.3 * tall / wide, 0.5)
    pictures = [
        # kind, azimuth on the body, height and half size in the label's half sizes, colours, parameters
        (at.PLATE, 0.0, 0.0, (1.0, 1.0), "pale accent", (0.15, 0.06)),
        (at.TEXT, 0.0, 0.45, (0.85, 0.3), "black dark", (-5, 1)),
        (at.TEXT, 0.0, -0.66, (0.7, 0.16), "black main", (-9, 2)),
        (at.STAR, 0.0, -0.15, (star, star * wide / tall), "second main", None),
        (at.TEXT, 2.6, 0.0, (0.5, 0.6), "pale dark accent", (7, 5)),
        (at.FLOWER, 4.2, 0.0, (0.5 * tall / wide, 0.8), "accent #4f7a3f #f2c84b", (6, 0)),
    ]
    for kind, azimuth, height, size, colors, params in pictures:
        if kind == at.FLOWER and rng.random() >= 0.6:
            continue
        out, _ = heading(start + azimuth)
        where, half = radius * out + (0, y + height * tall, 0), (size[0] * wide, size[1] * tall)
        params = params or (float(rng.integers(5, 9)), 0.5)
        model.decal(kind, where, out, half, colors, params, depth=0.6 * radius, gloss=0.5)


def bottle(model: Model) -> None:
    """A bottle with a label and a cork or cap."""
    rng, _ = model.rng, model.draw_palette()
    glass = model.material(("#2f5d46", "#5a3a1e", "#35506b", "main")[rng.integers(4)], gloss=0.97, mottle=(0.1, 2.0))
    half, radius, shoulder = rng.uniform(0.8, 1.0), rng.uniform(0.24, 0.34), rng.uniform(0.05, 0.3)
    heights = [-1.0, -0.94, shoulder - 0.1, shoulder + 0.25, 0.7, 0.93, 0.95, 1.0]
    radii = [0.85 * radius, radius, radius, 0.5 * radius, 0.27 * radius, 0.25 * radius, 0.31 * radius, 0.31 * radius]
    model.new_group().lathe(half, heights, radii, (0, half, 0), glass)
    _label(model, radius, half + 0.5 * (shoulder - 1.0) * half, 0.8 * radius, 0.36 * half * (shoulder + 0.9))
    cork = {"colors": "#c79a66 #8d6238", "pattern": at.PATCHES, "freq": 14.0, "params": (0.2, 0.4)}
    stopper = model.material(**cork if rng.random() < 0.5 else {"colors": "accent", "gloss": 0.8})
    model.new_group().rod((0, 1.95 * half, 0), (0, 2 * half + 0.08, 0), 0.27 * radius, stopper)


def vase(model: Model) -> None:
    """A vase whose glaze is irregular, with painted flowers on one side."""
    rng, _ = model.rng, model.draw_palette()
    half, level = rng.uniform(0.5, 0.7), rng.uniform(-0.35, 0.25)
    foot, belly, neck, lip = (rng.uniform(*r) for r in ((0.2, 0.28), (0.38, 0.5), (0.14, 0.24), (0.2, 0.32)))
    glaze = model.one_of(
        {"colors": "main second pale", "pattern": at.PATCHES, "freq": 3.2, "params": (0.12, 0.34), "gloss": 0.95},
        {"colors": "pale main second", "pattern": at.CELLS, "freq": 4.0, "params": (0.08, 0.0)},
        {"colors": "second pale", "pattern": at.STRIPES, "freq": 2.6, "params": (0.45, 1.2)},
        gloss=0.9,
    )
    model.new_group().lathe(half, [-1.0, level, 0.7, 1.0], [foot, belly, neck, lip], (0, half, 0), glaze, edge=0.02)
    start = rng.uniform(0, 2 * np.pi)
    for i in range(int(rng.integers(2, 5))):
        out, _ = heading(start + 0.8 * i)
        where = belly * out + (0, half + level * half + rng.uniform(-0.08, 0.08), 0)
        colors, petals = ("accent", "pale")[i % 2] + " #3f6a3a #f2c84b", float(rng.integers(5, 9))
        model.decal(at.FLOWER, where, out, (0.16, 0.25), colors, (petals, 0), depth=0.3, gloss=0.9)
    inside = model.material("dark")
    model.rod((0, 2 * half - 0.2, 0), (0, 2 * half + 0.1, 0), (0.7 * neck, lip - 0.04), inside, carve=True)


def tin(model: Model) -> None:
    """A printed tin with a lid."""
    rng, _ = model.rng, model.draw_palette()
    half, radius = rng.uniform(0.35, 0.55), rng.uniform(0.34, 0.42)
    steel = model.material("#c9c7c2", gloss=0.9, metallic=0.95)
    count, around = float(rng.integers(10, 16)), {"mapping": at.MAP_CYLINDER, "gloss": 0.6}
    papers = (
        model.material("main pale accent", at.BANDS, 2.6, (0.3, 0.1), gloss=0.6),
        model.material("main pale second", at.GLYPHS, (count, 7.0), (0.5, 0.09), **around),
        model.material("main accent pale", at.DOTS, (count, 6.0), (0.28, 0.5), **around),
    )
    paper = papers[rng.integers(3)]
    model.new_group().rod((0, 0.02, 0), (0, 2 * half, 0), radius, paper, edge=0.005)
    _label(model, radius, half, 0.8 * radius, 0.6 * half)
    for y in (0.02, 2 * half):
        model.new_group().disc((0, y, 0), Y, radius + 0.015, 0.05, steel)
    model.decal(at.TEXT, (0, 2 * half + 0.025, 0.1), Y, (0.22, 0.06), "black #5b5f63", (-6, 1), up=BACK, depth=0.02)


def globe(model: Model) -> None:
    """A ball with continents or a patchwork, on a turned foot."""
    rng, _ = model.rng, model.draw_palette()
    skins = (
        model.material("#3f78a8 #7f9f55 #c9b27a", at.PATCHES, 2.1, (0.05, 0.3), gloss=0.85),
        model.material("main pale accent", at.CELLS, 2.6, (0.07, 0.0), gloss=0.7),
        model.material("pale main second", at.PATCHES, 3.0, (0.02, 0.25), gloss=0.8),
    )
    model.new_group().ball(0.42, (0, 0.72, 0), skins[rng.integers(3)])
    model.decal(at.STAR, (0.25, 0.8, 0.33), (0.6, 0.2, 0.8), 0.12, "accent dark", (7, 0.5), depth=0.2)
    model.decal(at.TEXT, (-0.3, 0.7, 0.3), (-0.7, 0, 0.7), (0.2, 0.06), "pale dark second", (6, 1), depth=0.2)
    wood = model.new_group().material("#8a5430 #5c351c", at.WOOD, 3.0, (4.0, 0.0), gloss=0.7)
    model.lathe(0.17, [-1.0, -0.7, 0.0, 0.7, 1.0], [0.3, 0.27, 0.07, 0.1, 0.16], (0, 0.17, 0), wood, edge=0.015)
