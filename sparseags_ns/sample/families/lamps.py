"""Desk lamps on a base, with a jointed arm and a shade that looks down at books."""

from __future__ import annotations

import numpy as np

from sparseags_ns.sample import layout as at
from sparseags_ns.sample.model import Model, along
from sparseags_ns.sample.palettes import METALS, Palette, draw_palette
from sparseags_ns.sample.solids import ball, box, disc, lathe, rod, tube

Y = (0.0, 1.0, 0.0)


def desk_lamp(model: Model) -> None:
    """A jointed lamp that looks down at a pile of books."""
    rng, colors = model.rng, draw_palette(model.rng)
    enamel = model.material(colors.main, gloss=0.85)
    metal = model.material(METALS[rng.integers(len(METALS))], gloss=0.85, metallic=0.95)
    radius, turn = rng.uniform(0.26, 0.34), rng.uniform(-0.5, 0.5)
    ahead, side = np.array([np.sin(turn), 0, np.cos(turn)]), np.array([np.cos(turn), 0, -np.sin(turn)])
    _base(model, colors, radius, enamel)
    base = np.array([0, 0.1, -0.1])
    elbow = np.array([0, rng.uniform(0.6, 0.75), 0]) - rng.uniform(0.22, 0.34) * ahead
    wrist = elbow + rng.uniform(0.5, 0.6) * ahead + (0, rng.uniform(0.2, 0.36), 0)
    coils = {"pattern": at.BANDS, "freq": 30.0, "params": (0.4, 0.0), "gloss": 0.7}
    spring = model.material("#8d9096", "#45484c", **coils)
    for start, end in ((base, elbow), (elbow, wrist)):
        model.new_group()
        for sign in (-1.0, 1.0):
            rod(model, start + 0.035 * sign * side, end + 0.035 * sign * side, 0.017, metal)
        rod(model, start + 0.2 * (end - start), start + 0.62 * (end - start), 0.026, spring)
    model.new_group()
    for joint in (base, elbow, wrist):
        disc(model, joint, side, 0.055, 0.14, enamel)
        disc(model, joint, side, 0.025, 0.18, metal)
    _shade(model, colors, wrist, ahead)
    _books(model, colors, 0.62 * ahead + 0.1 * side)


def _base(model: Model, colors: Palette, radius: float, enamel: int) -> None:
    """A heavy foot with a switch, a dial and a cord."""
    model.new_group()
    radii = [radius, 0.97 * radius, 0.7 * radius]
    lathe(model, 0.05, [-1.0, 0.2, 1.0], radii, (0, 0.05, 0), enamel, edge=0.02)
    face, up = ["#f1ead8", "#26282b", "#b33a2c"], (0.0, 0.0, -1.0)
    hand = model.rng.uniform(-2, 2)
    model.decal(at.GAUGE, (0.12, 0.1, 0.5 * radius), Y, (0.09, 0.09), face, (hand, 0), up=up, depth=0.06)
    model.new_group()
    disc(model, (-0.13, 0.1, 0.45 * radius), Y, 0.045, 0.05, model.material(colors.accent, gloss=0.9))
    model.new_group()
    back = -radius
    points = [(0, 0.05, back), (0.1, 0.02, back - 0.12), (-0.2, 0.02, back - 0.2), (-0.36, 0.02, back)]
    tube(model, points, [0.018] * 4, model.material(colors.dark, gloss=0.4), 12)


def _shade(model: Model, colors: Palette, wrist: np.ndarray, ahead: np.ndarray) -> None:
    """A hollow shade of its own curve, glowing inside."""
    rng = model.rng
    axis = 0.55 * ahead - (0, 0.85, 0)
    axis /= np.linalg.norm(axis)
    half, mouth = rng.uniform(0.17, 0.22), rng.uniform(0.24, 0.31)
    choice = rng.integers(3)
    patterns = [
        {"pattern": at.PLAIN},
        {"b": colors.pale, "c": colors.accent, "pattern": at.BANDS, "freq": 7.0, "params": (0.3, 0.1)},
        {"b": colors.pale, "pattern": at.DOTS, "mapping": at.MAP_CYLINDER, "freq": (11.0, 7.0), "params": (0.25, 0.0)},
    ][choice]
    paint = model.material(colors.second, gloss=0.85, **patterns)
    inside = model.material("#fff4d6", gloss=0.3)
    middle = wrist + (0.6 * half) * axis
    frame, heights = along(axis), [-1.0, -0.5, 0.3, 1.0]
    radii = [
        [0.09, 0.15, 0.8 * mouth, mouth],
        [0.08, 0.1, 0.4 * mouth, mouth],
        [0.1, 0.75 * mouth, 0.95 * mouth, mouth],
    ][rng.integers(3)]
    model.new_group()
    for carve, shrink, material in ((False, 0.0, paint), (True, 0.02, inside)):
        row = model.profile(half, heights, [r - shrink for r in radii])
        bound = ((0, 0, 0), float(np.hypot(half, mouth)))
        model.part(at.LATHE, [half, 0.006, row], material, middle + 1.5 * shrink * axis, frame, bound, carve=carve)
    model.new_group()
    ball(model, (0.09, 0.09, 0.09), middle + 0.35 * half * axis, model.material("#fff9e6", gloss=0.95))
    model.new_group()
    ball(model, 0.1, wrist - 0.4 * half * axis, model.material("#9a9ca0", gloss=0.85, metallic=0.9))


def _books(model: Model, colors: Palette, where: np.ndarray) -> None:
    """Two or three books on top of each other, and an apple."""
    rng, place = model.rng, where
    for cover in (colors.accent, colors.second, colors.dark)[: int(rng.integers(2, 4))]:
        thick = rng.uniform(0.035, 0.055)
        _book(model, colors, place + (0, thick, 0), thick, cover)
        place = place + (0, 2 * thick, 0)
    model.new_group()
    skin = {"pattern": at.PATCHES, "freq": 4.0, "params": (0.1, 0.4), "gloss": 0.85}
    ball(
        model, (0.09, 0.08, 0.09), place + (0.04, 0.075, -0.05), model.material("#b8322a", "#d9a53b", "#7da04a", **skin)
    )
    rod(model, place + (0.04, 0.14, -0.05), place + (0.06, 0.2, -0.05), 0.01, model.material("#4a3220"))


def _book(model: Model, colors: Palette, place: np.ndarray, thick: float, cover: str) -> None:
    """Lettered cover and spine, pages seen at the open edge."""
    rng, turn = model.rng, model.rng.uniform(-25, 25)
    half = np.array([rng.uniform(0.17, 0.22), thick, rng.uniform(0.23, 0.28)])
    out = np.array([np.cos(np.radians(turn)), 0, -np.sin(np.radians(turn))])
    paper = model.material("#f3ead2", "#cdbf9d", pattern=at.BANDS, freq=60.0, params=(0.4, 0.0), gloss=0.1)
    model.new_group()
    box(model, half, place, model.material(cover, gloss=0.5), edge=0.008, turn=(0, turn, 0))
    pages, edge_of_pages = (0.03, 0.75 * thick, 0.94 * half[2]), place + half[0] * out
    box(model, pages, edge_of_pages, paper, carve=True, edge=0.0, turn=(0, turn, 0))
    title, star = [colors.pale, colors.dark, cover], [colors.pale, colors.accent]
    up = (0.1 * turn / 25, 0.0, -1.0)
    model.decal(at.TEXT, place + (0, thick, 0.08), Y, (0.14, 0.06), title, (4, 1), up=up, depth=0.02)
    model.decal(at.STAR, place + (0, thick, -0.1), Y, (0.08, 0.08), star, (7, 0.5), up=up, depth=0.02)
    spine = place - half[0] * out
    model.decal(at.TEXT, spine, -out, (0.2, 0.8 * thick), ["#000000", colors.pale], (-6, 1), depth=0.03)
