"""Guitars on a small stand. Front to +z."""

from __future__ import annotations

from sparseags_ns.sample import layout as at
from sparseags_ns.sample.model import Model
from sparseags_ns.sample.palettes import WOODS, Palette, draw_palette, pick
from sparseags_ns.sample.solids import ball, box, limb, ring, rod

Z, BACK = (0.0, 0.0, 1.0), (0.0, 0.0, -1.0)
SIDES = (-1.0, 1.0)
BODY, DEEP = 0.46, 0.085  # height of the middle of the lower bout; half thickness


def guitar(model: Model) -> None:
    """Waisted body, perhaps with a cutaway, rose and ornaments, neck with frets, head with pegs."""
    rng, colors = model.rng, draw_palette(model.rng)
    light, dark = pick(rng, WOODS)
    grain = {"pattern": at.WOOD, "freq": (4.0, 0.8), "params": (2.5, 0.0), "gloss": 0.85, "in_object": True}
    face = model.material(light, dark, **grain)
    shade = model.material(dark, "#2b1a10", pattern=at.WOOD, freq=3.0, params=(3.0, 0.0), gloss=0.8)
    low, high = rng.uniform(0.34, 0.4), rng.uniform(0.25, 0.3)
    model.new_group()
    rod(model, (0, BODY, -DEEP), (0, BODY, DEEP), low, face, edge=0.03)
    rod(model, (0, BODY + 0.46, -DEEP), (0, BODY + 0.46, DEEP), high, face, edge=0.03, blend=0.24)
    if rng.random() < 0.5:
        rod(model, (0.27, BODY + 0.68, -1), (0.27, BODY + 0.68, 1), 0.15, shade, edge=0.0, carve=True, blend=0.02)
    _ornaments(model, colors)
    model.new_group()
    box(model, (0.13, 0.025, 0.02), (0, BODY - 0.1, DEEP + 0.015), shade, edge=0.008)
    _neck(model, shade)
    _strings(model)
    _stand(model, colors)


def _ornaments(model: Model, colors: Palette) -> None:
    """Rose with the sound hole, guard and flower in front; a star and a name at the back."""
    hole, black = (0, BODY + 0.3, DEEP), ["#150e09"] * 3
    rose = [colors.accent, colors.pale, "#1a120c"]
    model.decal(at.DISC, hole, Z, (0.15, 0.15), rose, (0.88, 0.74), depth=0.12)
    model.decal(at.DISC, (0.012, hole[1] + 0.01, DEEP), Z, (0.112, 0.112), black, (0.9, 0.5), depth=0.12)
    guard, flower = [colors.second, colors.dark], [colors.accent, "#4f7a3f", "#f2c84b"]
    lean = (0.3, 1.0, 0.0)
    model.decal(
        at.PLATE, (-0.17, BODY + 0.16, DEEP), Z, (0.1, 0.16), guard, (0.6, 0.08), up=lean, depth=0.12, gloss=0.9
    )
    model.decal(at.FLOWER, (0.2, BODY - 0.1, DEEP), Z, (0.09, 0.14), flower, (6, 0), depth=0.12)
    star = [colors.main, colors.pale]
    model.decal(at.STAR, (0.05, BODY + 0.1, -DEEP), BACK, (0.2, 0.2), star, (8, 0.6), depth=0.12)
    model.decal(at.TEXT, (0, BODY + 0.48, -DEEP), BACK, (0.2, 0.06), colors.label, (5, 1), depth=0.12)


def _neck(model: Model, shade: int) -> None:
    top = BODY + 1.42
    frets = {"pattern": at.BANDS, "freq": 14.0, "params": (0.1, 0.0), "in_object": True, "gloss": 0.6}
    ebony = model.material("#3a261a", "#d8d2c4", **frets)
    model.new_group()
    box(model, (0.042, 0.46, 0.022), (0, top - 0.46, DEEP + 0.015), ebony, edge=0.006)
    limb(model, (0, BODY + 0.65, DEEP - 0.02), (0, top, DEEP - 0.01), (0.045, 0.036), shade)
    box(model, (0.075, 0.11, 0.02), (0, top + 0.1, DEEP - 0.01), shade, edge=0.01, turn=(-12, 0, 0))


def _strings(model: Model) -> None:
    """Strings, pegs and a ring."""
    top = BODY + 1.42
    model.new_group()
    wire = model.material("#d9d5c8", gloss=0.9, metallic=0.9)
    for x in (-0.025, 0.0, 0.025):
        rod(model, (1.6 * x, BODY - 0.1, DEEP + 0.04), (x, top + 0.05, DEEP + 0.04), 0.004, wire)
    for side in SIDES:
        for y in (0.05, 0.1, 0.15):
            rod(model, (side * 0.06, top + y, DEEP - 0.01), (side * 0.12, top + y, DEEP - 0.01), 0.01, wire)
            ball(model, (0.016, 0.022, 0.022), (side * 0.13, top + y, DEEP - 0.01), wire)
    ring(model, (0, top + 0.16, DEEP), (0.04, 0.01), wire)


def _stand(model: Model, colors: Palette) -> None:
    model.new_group()
    steel, knob = model.material("#2a2a2e", gloss=0.6, metallic=0.6), model.material(colors.accent, gloss=0.5)
    for side in SIDES:
        rod(model, (side * 0.2, 0.1, 0.16), (side * 0.22, 0.0, -0.36), 0.02, steel)
        rod(model, (side * 0.2, 0.1, -0.1), (side * 0.2, 0.1, 0.16), 0.02, steel)
        ball(model, 0.035, (side * 0.2, 0.1, 0.16), knob)
    rod(model, (-0.22, 0.03, -0.3), (0.22, 0.03, -0.3), 0.02, steel)
    rod(model, (0, 0.03, -0.3), (0, 0.62, -0.1), 0.018, steel)
