"""Four-legged animals, and plump toy birds. +z is ahead."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sparseags_ns.sample import layout as at
from sparseags_ns.sample.model import SIDES, Model, heading
from sparseags_ns.sample.palettes import FURS, pick


@dataclass(frozen=True)
class Build:
    """Proportions of a four-legged animal, in the length of its trunk."""

    leg: float
    leg_radius: float
    trunk: float
    neck: float
    neck_up_deg: float
    head: float
    snout: float
    ear: str
    tail: float


BUILDS = (
    Build(0.42, 0.07, 0.21, 0.26, 55, 0.19, 0.12, "pointed", 0.75),  # cat
    Build(0.46, 0.075, 0.22, 0.3, 50, 0.19, 0.24, "hanging", 0.4),  # dog
    Build(0.75, 0.075, 0.25, 0.55, 52, 0.17, 0.3, "pointed", 0.55),  # horse
    Build(0.5, 0.13, 0.37, 0.2, 30, 0.27, 0.85, "large", 0.3),  # elephant
    Build(0.85, 0.065, 0.24, 1.0, 72, 0.15, 0.24, "pointed", 0.35),  # giraffe
    Build(0.3, 0.07, 0.26, 0.16, 35, 0.2, 0.2, "round", 0.12),  # bear or pig
)


def quadruped(model: Model) -> None:
    """A standing cat, dog, horse, elephant, giraffe or bear, its head and tail turned to a side."""
    rng = model.rng
    kind = BUILDS[rng.integers(len(BUILDS))]
    model.draw_palette()
    coat = _coat(model)
    dark = model.material("#2c2522")
    hip, half, r = kind.leg + 0.6 * kind.trunk, 0.5, kind.trunk
    model.new_group().ball((r, 1.05 * r, 0.34), (0, hip, 0.5 * half), coat)
    model.ball((0.95 * r, r, 0.34), (0, hip + 0.01, -0.5 * half), coat, blend=0.2)
    _legs(model, kind, hip, half, coat, dark)
    start = np.array([0, hip + 0.35 * r, 0.8 * half])
    up, aside = np.radians(kind.neck_up_deg), np.radians(rng.uniform(15, 40) * rng.choice([-1, 1]))
    rise = np.array([0.35 * np.sin(aside) * np.cos(up), np.sin(up), np.cos(up)])
    top = start + kind.neck * rise
    neck, radii = [start, 0.5 * (start + top) + (0, 0, 0.03), top], [0.75 * r, 0.5 * r + 0.03, 0.62 * kind.head]
    model.tube(neck, radii, coat, 5, blend=0.12)
    face = np.array([np.sin(aside), -0.12, np.cos(aside)])
    _head(model, kind, top + (0, 0.3 * kind.head, 0), face / np.linalg.norm(face), coat, dark)
    # A tail bent to one side, lifted or hanging.
    root, length = np.array([0, hip + 0.4 * r, -half - 0.1]), kind.tail
    swing = rng.choice(SIDES) * rng.uniform(0.15, 0.45) * length
    lift = rng.choice([-0.6, 0.8]) if length < 0.7 else 0.8
    bend, end = (0.2 * swing, 0.1 * lift * length, -0.4 * length), (swing, lift * length, -0.5 * length)
    radius = 0.055 + 0.03 * (length > 0.5)
    points, radii = [root + (0, 0, 0.1), root + bend, root + end], [radius + 0.02, radius, 0.6 * radius]
    model.new_group().tube(points, radii, coat, 8, blend=0.04)
    if rng.random() < 0.75:
        # A ribbon around the neck with a bell.
        where, radius = start + 0.62 * (top - start), 0.5 * r + 0.08
        ribbon = model.new_group().material("main pale", at.STRIPES, 14.0, mapping=at.MAP_BOX)
        pitch = float(np.degrees(np.arctan2(rise[2], rise[1])))
        model.ring(where, (radius, 0.035), ribbon, turn=(90.0 + pitch, 0, 0))
        model.ball(0.06, where + (0, -0.35 * radius, radius), model.material("#d9ae3c", gloss=0.95, metallic=0.9))
    if kind.trunk > 0.22 and rng.random() < 0.7:
        # A cloth laid over the back, with a star on one side.
        model.new_group()
        cloth = model.material("main accent pale", at.CHECKS, 7.0, (1.0, 0.0), at.MAP_BOX, gloss=0.15, in_object=True)
        model.ball((1.13 * r, 1.13 * r, 0.36), (0, hip + 0.015, 0.02), cloth)
        under = model.material("dark")
        model.rod((0, hip - 1.5 * r, -1), (0, hip - 1.5 * r, 1), 1.35 * r, under, carve=True)
        for sign in SIDES:
            model.rod((0, hip, sign * 0.2), (0, hip, sign * 0.8), 2.0 * r, under, edge=0.0, carve=True)
        model.decal(at.STAR, (1.1 * r, hip + 0.3 * r, 0), (1, 0.3, 0), 0.1, "pale second", (6, 0.5), depth=0.2)


def _coat(model: Model) -> int:
    """Fur with patches, stripes, cells or spots."""
    base, light, dark = pick(model.rng, FURS)
    return model.one_of(
        {"colors": (base, light, dark), "pattern": at.PATCHES, "freq": 2.3, "params": (0.08, 0.34)},
        {"colors": (base, dark), "pattern": at.STRIPES, "mapping": at.MAP_BOX, "freq": 5.0, "params": (0.35, 0.5)},
        {"colors": (light, base, dark), "pattern": at.CELLS, "freq": 4.2, "params": (0.1, 0.0)},
        {"colors": (base, dark, light), "pattern": at.PATCHES, "freq": 6.5, "params": (0.3, 0.47)},
        {"colors": (light, base, dark), "pattern": at.PATCHES, "freq": 1.6, "params": (0.0, 0.4)},
        in_object=True, gloss=0.25, bump=(0.14, 55.0), mottle=(0.14, 9.0),
    )  # fmt: skip


def _legs(model: Model, kind: Build, hip: float, half: float, coat: int, dark: int) -> None:
    """Four legs in mid-stride, part of the trunk's group; their darker feet are a group of their own."""
    r, feet = kind.leg_radius, []
    for side in SIDES:
        for end in SIDES:
            step = model.rng.uniform(-0.1, 0.14)
            x, z = side * (kind.trunk - 0.9 * r), end * 0.72 * half
            knee = np.array([x, 0.5 * kind.leg, z + 0.5 * step - 0.04 * end])
            foot = np.array([x, r, z + step])
            model.limb((0.85 * x, hip - 0.1, z), knee, (1.5 * r, 1.02 * r), coat, blend=0.1)
            model.limb(knee, foot, (r, 0.85 * r), coat, blend=0.05)
            feet.append(foot)
    model.new_group()
    for foot in feet:
        model.ball((1.1 * r, 0.8 * r, 1.45 * r), foot + (0, -0.2 * r, 0.4 * r), dark)
    model.group -= 1


def _head(model: Model, kind: Build, center: np.ndarray, ahead: np.ndarray, coat: int, dark: int) -> None:
    """Head with snout or trunk and tusks, ears, eyes, nose; a mane on long necks."""
    size, right = kind.head, np.cross((0, 1, 0), ahead)
    right /= np.linalg.norm(right)
    up = np.cross(ahead, right)
    model.ball((0.95 * size, 0.95 * size, size), center, coat, blend=0.1)
    tip = center + (0.75 * size + 0.55 * kind.snout) * ahead - 0.25 * size * up
    if kind.ear == "large":
        low = center + 0.5 * size * ahead
        points = [low, low + (0.3 * ahead - 0.4 * up), low + 0.35 * ahead - 0.85 * up, low + 0.75 * ahead - 0.85 * up]
        model.tube(points, [0.13, 0.1, 0.07, 0.05], coat, 8, blend=0.06)
        tusk = model.material("#efe6cf", gloss=0.8)
        for side in SIDES:
            base = low + 0.13 * side * right - 0.1 * up
            model.tube([base, base + 0.2 * ahead - 0.1 * up, base + 0.36 * ahead], [0.04, 0.035, 0.012], tusk, 5)
    else:
        root = center + 0.3 * size * ahead - 0.2 * size * up
        model.limb(root, tip, (0.62 * size, 0.4 * size), coat, blend=0.08)
    for side in SIDES:
        _ear(model, kind, center, side, (ahead, right, up), coat)
    model.new_group()
    black, white = model.material("#0d0c0d", gloss=1.0), model.material("#f6f3ea", gloss=0.9)
    for side in SIDES:
        eye = center + 0.66 * size * ahead + side * 0.52 * size * right + 0.34 * size * up
        model.ball(0.2 * size, eye - 0.05 * size * ahead, white)
        model.ball(0.16 * size, eye + 0.03 * size * (ahead + 0.5 * side * right), black)
    if kind.ear != "large":
        model.ball((0.17 * size, 0.13 * size, 0.13 * size), tip + 0.34 * size * ahead + 0.1 * size * up, dark)
    if kind.neck > 0.5:
        hair = model.new_group().material("#4a2f1c #6b4629", at.STRIPES, 12.0, gloss=0.3, bump=(0.4, 40.0))
        for i in range(6):
            where = center + (0.75 - 0.1 * i) * size * up - (0.45 + 0.1 * i) * size * ahead
            where = where - (0, 0.1 * i * kind.neck, 0.055 * i)
            model.ball((0.045, 0.1, 0.09), where, hair, turn=(20.0, 0, model.rng.uniform(-12, 12)), blend=0.03)


def _ear(model: Model, kind: Build, center: np.ndarray, side: float, axes: tuple[np.ndarray, ...], coat: int) -> None:
    """One ear; the axes point ahead, to the right and up."""
    size, (ahead, right, up) = kind.head, axes
    base = center + side * 0.55 * size * right + 0.62 * size * up - 0.15 * size * ahead
    if kind.ear == "pointed":
        tip = base + 0.75 * size * up + 0.22 * size * side * right
        model.limb(base, tip, (0.32 * size, 0.06 * size), coat, blend=0.04)
    elif kind.ear == "hanging":
        points = [base, base + 0.42 * size * side * right, base - 0.75 * size * up + 0.4 * size * side * right]
        model.tube(points, [0.2 * size, 0.22 * size, 0.2 * size], coat, 5, blend=0.03)
    elif kind.ear == "round":
        model.ball(0.36 * size, base + 0.1 * size * up + 0.1 * size * side * right, coat, blend=0.03)
    else:
        flap = base + 0.75 * size * side * right - 0.5 * size * up - 0.3 * size * ahead
        turn = (0.0, float(np.degrees(np.arctan2(ahead[0], ahead[2]))) + side * 25.0, side * 8.0)
        model.ball((0.85 * size, 1.0 * size, 0.13 * size), flap, coat, turn=turn, blend=0.04)


def bird(model: Model) -> None:
    """A bird on its feet, head turned, wings lifted a little, perhaps with a scarf."""
    rng, _ = model.rng, model.draw_palette()
    soft = {"in_object": True, "gloss": 0.25, "bump": (0.12, 50.0), "mottle": (0.1, 8.0)}
    coat = model.material("main pale accent", at.PATCHES, 1.9, (0.05, 0.36), **soft)
    fat, tall = rng.uniform(0.36, 0.46), rng.uniform(0.42, 0.6)
    model.new_group().ball((fat, tall, fat), (0, tall + 0.18, 0), coat, turn=(rng.uniform(5, 25), 0, 0))
    aside, size = np.radians(rng.uniform(20, 50) * rng.choice([-1, 1])), rng.uniform(0.26, 0.33)
    head = np.array([0, 1.75 * tall + 0.25, 0.12])
    model.ball(size, head, coat, blend=0.15)
    _face(model, head, size, aside)
    feathers = model.material("second accent", at.SHINGLES, (7.0, 9.0), mapping=at.MAP_BOX, gloss=0.3)
    for side in SIDES:
        lift = model.new_group().rng.uniform(0, 35)
        shoulder = (side * (fat + 0.1 * lift / 35), tall + 0.14, -0.08)
        model.ball((0.09, 0.85 * tall, 0.62 * fat), shoulder, feathers, turn=(25, 0, side * (4 + lift)))
    model.new_group()
    for i in range(3):  # tail
        tip = (0.12 * (i - 1), 0.1 + 0.05 * i, -fat - 0.45)
        model.limb((0, 0.35, -0.8 * fat), tip, (0.1, 0.06), feathers, blend=0.04)
    skin = model.new_group().material("#e08a2b", gloss=0.4)
    for x in (-0.17, 0.17):
        model.rod((x, 0.35, 0.05), (x, 0.03, 0.08), 0.035, skin)
        for toe in (-0.09, 0.0, 0.09):
            model.limb((x, 0.03, 0.06), (x + toe, 0.03, 0.26), (0.035, 0.025), skin)
    if rng.random() < 0.6:  # scarf
        knit = model.new_group().material("accent pale second", at.BANDS, 9.0, (0.3, 0.2), bump=(0.4, 40.0))
        model.ring(head - (0, 0.9 * size, 0.03), (0.82 * size, 0.09), knit, turn=(80, 0, 8))
        start, end = head + (0.12, -0.95 * size, 0.85 * size), head + (0.22, -1.9 * size, 1.05 * size + 0.1)
        model.limb(start, end, (0.08, 0.07), knit)


def _face(model: Model, head: np.ndarray, size: float, aside: float) -> None:
    """Beak, eyes and crest of a bird that looks aside by an angle."""
    rng, (ahead, right) = model.rng, heading(aside)
    beak = model.new_group().material("#e59a2f", gloss=0.6)
    tip = head + (0.9 + 2 * rng.uniform(0.25, 0.5)) * size * ahead - (0, 0.08, 0)
    model.limb(head + 0.8 * size * ahead, tip, (0.3 * size, 0.06), beak)
    white, black = model.material("#fbfaf2", gloss=0.9), model.material("#0e0d0f", gloss=1.0)
    for side in SIDES:
        eye = head + 0.72 * size * ahead + side * 0.58 * size * right + (0, 0.35 * size, 0)
        model.new_group().ball(0.22 * size, eye, white)
        model.ball(0.16 * size, eye + 0.1 * size * ahead + 0.06 * size * side * right, black)
    crest = model.new_group().material("accent second", at.STRIPES, 8.0, gloss=0.4)
    for i in range(int(rng.integers(2, 5))):
        base = head + (0, 0.9 * size, 0) - 0.25 * size * (i - 1) * ahead
        model.limb(base, base + (0, 0.55 * size, 0) - 0.5 * size * ahead, (0.1 * size, 0.05 * size), crest)
