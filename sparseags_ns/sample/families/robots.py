"""Tin robots: head, chest with instruments, jointed arms with two different tools, legs or a pair of tracks."""

from __future__ import annotations

import numpy as np

from sparseags_ns.sample import layout as at
from sparseags_ns.sample.model import BACK, SIDES, Model, X, Y, Z
from sparseags_ns.sample.palettes import METALS

Materials = tuple[int, int, int]
"""Body paint with panels, paint of the head, bare metal."""


def robot(model: Model) -> None:
    """One robot, front to +z."""
    rng, _ = model.rng, model.draw_palette()
    seams = {"params": (0.025, 1.0), "mapping": at.MAP_BOX, "gloss": 0.7, "mottle": (0.09, 5.0)}
    body = model.material("main second #e8e4da", at.PANELS, rng.uniform(2.6, 3.4), **seams)
    paint = model.material("second main #e8e4da", at.PANELS, rng.uniform(3.0, 4.0), **seams)
    bare = model.material([METALS[rng.integers(len(METALS))]], gloss=0.75, metallic=0.9, mottle=(0.12, 9.0))
    materials = body, paint, bare
    width, height, depth = rng.uniform(0.34, 0.46), rng.uniform(0.34, 0.44), rng.uniform(0.24, 0.32)
    hips = _legs(model, materials, width) if rng.random() < 0.6 else _tracks(model, materials, width)
    chest = hips + height + 0.08
    _chest(model, materials, chest, (width, height, depth))
    _head(model, materials, chest + height)
    for side in SIDES:
        shoulder = np.array([side * (width + 0.07), chest + 0.55 * height, 0.0])
        _arm(model, materials, side, shoulder, claw=rng.random() < 0.5)


def _chest(model: Model, materials: Materials, y: float, half: tuple[float, float, float]) -> None:
    """A box or a drum with gauge, label, grille and buttons in front; a star, slots and perhaps a bottle behind."""
    rng, (body, _, bare), (width, height, depth) = model.rng, materials, half
    model.new_group()
    if rng.random() < 0.35:
        model.rod((0, y - height, 0), (0, y + height, 0), (0.85 * width, width), body, edge=0.08)
        depth = 0.95 * width
    else:
        model.box(half, (0, y, 0), body, edge=rng.uniform(0.04, 0.12))
    side, slots = rng.choice(SIDES), "#5b5f63 #17181a"
    gauge, hand = (side * 0.4 * width, y + 0.35 * height, depth), rng.uniform(-2, 2)
    model.decal(at.GAUGE, gauge, Z, 0.13, "#f4efdf #22262a #c0392b", (hand, 0), depth=0.2)
    label = (0.0, y - 0.62 * height, depth)
    model.decal(at.TEXT, label, Z, (0.68 * width, 0.085), "pale dark accent", (6, 1), depth=0.2)
    grille = (-side * 0.42 * width, y + 0.36 * height, depth)
    model.decal(at.GRILLE, grille, Z, (0.13, 0.12), slots, (6.0, float(rng.integers(2))), depth=0.2)
    model.decal(at.STAR, (0, y + 0.1, -depth), BACK, 0.2, "accent pale", (5, 0.45), depth=0.2)
    model.decal(at.GRILLE, (0, y - 0.2, -depth), BACK, (0.2, 0.08), slots, (4, 0), depth=0.2)
    buttons = rng.integers(2, 5)
    for i in range(buttons):
        lamp = model.new_group().material(("accent", "#d23b2f", "#3f9b57", "#f0c53a")[i], gloss=0.95)
        where = (side * (0.1 + 0.13 * (i - 0.5 * buttons)), y - 0.2 * height, depth)
        model.ball((0.042, 0.042, 0.035), where, lamp)
    if rng.random() < 0.6:
        low, high = (side * 0.5 * width, y, -depth), (side * 0.5 * width, y + 0.3, -depth)
        model.new_group().rod(low, high, 0.09, bare, edge=0.06)
    reach, y = width + 0.08, y + 0.55 * height
    model.new_group().rod((-reach, y, 0), (reach, y, 0), 0.085, bare)


def _head(model: Model, materials: Materials, y: float) -> None:
    """A box, a drum or a dome with eyes, mouth, ears and one or two aerials."""
    rng, (_, paint, bare) = model.rng, materials
    model.new_group().rod((0, y - 0.03, 0), (0, y + 0.1, 0), 0.11, bare)
    model.new_group()
    wide, high, deep = rng.uniform(0.24, 0.32), rng.uniform(0.19, 0.25), rng.uniform(0.2, 0.25)
    middle, shape = y + 0.08 + high, rng.integers(3)
    if shape == 0:
        model.box((wide, high, deep), (0, middle, 0), paint, edge=rng.uniform(0.03, 0.1))
    elif shape == 1:
        model.rod((0, middle - high, 0), (0, middle + high, 0), (1.05 * wide, 0.9 * wide), paint, edge=0.07)
        deep = 0.97 * wide
    else:
        model.ball((wide, 1.35 * high, 0.95 * wide), (0, middle, 0), paint)
        deep = 0.93 * wide
    size, iris = rng.uniform(0.07, 0.1), ("accent", "#3f9b57", "#d23b2f")[rng.integers(3)]
    for side in SIDES:
        eye = (side * 0.45 * wide, middle + 0.2 * high, 0.97 * deep)
        model.decal(at.DISC, eye, Z, size, f"#f8f6ee {iris} #15171a", (0.68, 0.34), depth=0.2, gloss=0.95)
    mouth = (0, middle - 0.5 * high, deep)
    model.decal(at.GRILLE, mouth, Z, (0.6 * wide, 0.06), "#e9e4d6 #2a2a2c", (2.0, 0.0), depth=0.2)
    model.decal(at.TEXT, (0, middle, -deep), BACK, (0.7 * wide, 0.09), "pale dark", (3, 1), depth=0.2)
    for side in SIDES:
        model.new_group().disc((side * (wide + 0.02), middle, 0), X, 0.09, 0.09, bare)
    tip = np.array([rng.uniform(-0.12, 0.12) - 0.15, middle + high + rng.uniform(0.2, 0.3), rng.uniform(-0.1, 0.1)])
    model.new_group().rod((-0.1, middle + 0.8 * high, 0), tip, 0.018, bare)
    model.ball(0.05, tip, model.material("accent", gloss=0.9))
    if rng.random() < 0.5:
        model.ring((0.12, middle + high + 0.1, 0), (0.1, 0.018), bare, turn=(0, rng.uniform(0, 90), 0))
        model.rod((0.12, middle + 0.8 * high, 0), (0.12, middle + high + 0.02, 0), 0.02, bare)


def _arm(model: Model, materials: Materials, side: float, shoulder: np.ndarray, claw: bool) -> None:
    """Upper arm, elbow and forearm in a pose of its own; a claw, or a hand with a hammer or a wrench."""
    rng, (body, paint, bare) = model.rng, materials
    out, lift = rng.uniform(0.05, 0.2), rng.uniform(-0.35, 0.15)
    elbow = shoulder + (side * (0.06 + out), -0.34, 0.04)
    hand = elbow + np.array([side * 0.05, lift, np.sqrt(0.16 - lift**2)])
    model.new_group().ball(0.12, shoulder, paint)
    model.limb(shoulder, elbow, (0.075, 0.065), bare)
    model.ball(0.09, elbow, body)
    model.limb(elbow, hand, (0.08, 0.1), paint)
    ahead = (hand - elbow) / np.linalg.norm(hand - elbow)
    model.new_group()
    if claw:
        for sign in SIDES:
            points = [hand, hand + 0.13 * ahead + (sign * 0.11, 0, 0), hand + 0.26 * ahead + (sign * 0.03, 0, 0)]
            model.tube(points, [0.05, 0.045, 0.025], bare, 5)
        return
    model.ball(0.11, hand + 0.05 * ahead, bare)
    low, high = hand + (0, -0.25, 0.08), hand + (0, 0.38, 0.08)
    model.rod(low, high, 0.03, model.material("dark accent", at.STRIPES, 7.0, mapping=at.MAP_BOX))
    if rng.random() < 0.5:
        model.box((0.15, 0.06, 0.06), high, bare, edge=0.015, turn=(0, rng.uniform(0, 90), 0))
    else:
        model.ring(high + (0, 0.1, 0), (0.1, 0.035), bare, arc_deg=270, turn=(0, rng.uniform(0, 90), 180))


def _legs(model: Model, materials: Materials, width: float) -> float:
    """Two legs, one a little ahead; returns the height of the hips."""
    body, paint, bare = materials
    stride, height = model.rng.uniform(-0.12, 0.12), model.rng.uniform(0.5, 0.62)
    for side in SIDES:
        x, z = side * 0.55 * width, side * stride
        model.new_group().rod((x, height, 0), (x, 0.34, 0.5 * z), 0.085, bare)
        model.ball(0.105, (x, 0.34, 0.5 * z), paint)
        model.rod((x, 0.34, 0.5 * z), (x, 0.1, z), (0.1, 0.13), body, edge=0.03)
        model.new_group().box((0.15, 0.07, 0.22), (x, 0.07, z + 0.05), paint, edge=0.05)
        model.decal(at.STAR, (x, 0.14, z + 0.15), Y, 0.08, "accent dark", (5, 0.45))
    model.new_group().box((0.75 * width, 0.07, 0.16), (0, height + 0.02, 0), bare, edge=0.04)
    return height


def _tracks(model: Model, materials: Materials, width: float) -> float:
    """Two tracks with wheels; returns the height of the hips."""
    body, _, bare = materials
    rubber = model.material("#2a2a2e #4a4a50", at.STRIPES, 9.0, mapping=at.MAP_BOX, gloss=0.25)
    for side in SIDES:
        x = side * (width - 0.02)
        model.new_group().box((0.12, 0.18, 0.42), (x, 0.18, 0), rubber, edge=0.11)
        for z in (-0.26, 0.0, 0.26):
            model.new_group().disc((x + side * 0.12, 0.17, z), X, 0.11, 0.05, bare)
            model.decal(at.STAR, (x + side * 0.145, 0.17, z), (side, 0, 0), 0.09, "accent dark", (6, 0.5))
    model.new_group().box((0.8 * width, 0.12, 0.3), (0, 0.24, 0), body, edge=0.04)
    model.rod((0, 0.3, 0), (0, 0.48, 0), 0.16, bare)
    return 0.38
