"""Four-legged animals: cat, dog, horse, elephant, giraffe, bear by their proportions. +z is ahead."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sparseags_ns.sample import layout as at
from sparseags_ns.sample.model import Model
from sparseags_ns.sample.palettes import FURS, Palette, draw_palette, pick
from sparseags_ns.sample.solids import ball, limb, ring, rod, tube

Y, Z = (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)


@dataclass(frozen=True)
class Build:
    """Proportions of a four-legged animal, in the length of its trunk."""

    leg: float
    leg_radius: float
    trunk: float
    neck: float
    neck_up: float
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


def _coat(model: Model) -> int:
    """Fur with patches, stripes, spots, cells or a plain one."""
    base, light, dark = pick(model.rng, FURS)
    fur = {"in_object": True, "gloss": 0.25, "bump": (0.14, 55.0), "mottle": (0.14, 9.0)}
    choice = model.rng.integers(5)
    if choice == 0:
        return model.material(base, light, dark, at.PATCHES, freq=2.3, params=(0.08, 0.34), **fur)
    if choice == 1:
        return model.material(base, dark, pattern=at.STRIPES, mapping=at.MAP_BOX, freq=5.0, params=(0.35, 0.5), **fur)
    if choice == 2:
        return model.material(light, base, dark, at.CELLS, freq=4.2, params=(0.1, 0.0), **fur)
    if choice == 3:
        return model.material(base, dark, light, at.PATCHES, freq=6.5, params=(0.3, 0.47), **fur)
    return model.material(light, base, dark, at.PATCHES, freq=1.6, params=(0.0, 0.4), **fur)


def quadruped(model: Model) -> None:
    """One animal standing, its head and tail turned to a side."""
    rng = model.rng
    kind = BUILDS[rng.integers(len(BUILDS))]
    colors, coat = draw_palette(rng), _coat(model)
    dark = model.material("#2c2522", gloss=0.5)
    hip, half, r = kind.leg + 0.6 * kind.trunk, 0.5, kind.trunk
    model.new_group()
    ball(model, (r, 1.05 * r, 0.34), (0, hip, 0.5 * half), coat)
    ball(model, (0.95 * r, r, 0.34), (0, hip + 0.01, -0.5 * half), coat, blend=0.2)
    _legs(model, kind, hip, half, coat, dark)
    start = np.array([0, hip + 0.35 * r, 0.8 * half])
    up, aside = np.radians(kind.neck_up), np.radians(rng.uniform(15, 40) * rng.choice([-1, 1]))
    rise = np.array([0.35 * np.sin(aside) * np.cos(up), np.sin(up), np.cos(up)])
    top = start + kind.neck * rise
    tube(
        model,
        [start, 0.5 * (start + top) + (0, 0, 0.03), top],
        [0.75 * r, 0.5 * r + 0.03, 0.62 * kind.head],
        coat,
        5,
        blend=0.12,
    )
    face = np.array([np.sin(aside), -0.12, np.cos(aside)])
    _head(model, kind, top + (0, 0.3 * kind.head, 0), face / np.linalg.norm(face), coat, dark)
    _tail(model, kind, np.array([0, hip + 0.4 * r, -half - 0.1]), coat)
    collar_at = start + 0.62 * (top - start)
    if rng.random() < 0.75:
        _collar(model, colors, collar_at, rise, 0.5 * r + 0.08)
    if kind.trunk > 0.22 and rng.random() < 0.7:
        _blanket(model, colors, hip, r)


def _legs(model: Model, kind: Build, hip: float, half: float, coat: int, dark: int) -> None:
    """Four legs in mid-stride, with darker feet."""
    r = kind.leg_radius
    feet = []
    for side in (-1.0, 1.0):
        for end in (-1.0, 1.0):
            step = model.rng.uniform(-0.1, 0.14)
            x, z = side * (kind.trunk - 0.9 * r), end * 0.72 * half
            knee = np.array([x, 0.5 * kind.leg, z + 0.5 * step - 0.04 * end])
            foot = np.array([x, r, z + step])
            limb(model, (0.85 * x, hip - 0.1, z), knee, (1.5 * r, 1.02 * r), coat, blend=0.1)
            limb(model, knee, foot, (r, 0.85 * r), coat, blend=0.05)
            feet.append(foot)
    model.new_group()
    for foot in feet:
        ball(model, (1.1 * r, 0.8 * r, 1.45 * r), foot + (0, -0.2 * r, 0.4 * r), dark)
    model.group -= 1


def _head(model: Model, kind: Build, center: np.ndarray, ahead: np.ndarray, coat: int, dark: int) -> None:
    size, right = kind.head, np.cross((0, 1, 0), ahead)
    right /= np.linalg.norm(right)
    up = np.cross(ahead, right)
    ball(model, (0.95 * size, 0.95 * size, size), center, coat, blend=0.1)
    tip = center + (0.75 * size + 0.55 * kind.snout) * ahead - 0.25 * size * up
    if kind.ear == "large":
        low = center + 0.5 * size * ahead
        points = [low, low + (0.3 * ahead - 0.4 * up), low + 0.35 * ahead - 0.85 * up, low + 0.75 * ahead - 0.85 * up]
        tube(model, points, [0.13, 0.1, 0.07, 0.05], coat, 8, blend=0.06)
        tusk = model.material("#efe6cf", gloss=0.8)
        for side in (-1.0, 1.0):
            base = low + 0.13 * side * right - 0.1 * up
            tube(model, [base, base + 0.2 * ahead - 0.1 * up, base + 0.36 * ahead], [0.04, 0.035, 0.012], tusk, 5)
    else:
        limb(model, center + 0.3 * size * ahead - 0.2 * size * up, tip, (0.62 * size, 0.4 * size), coat, blend=0.08)
    _ears(model, kind, center, (ahead, right, up), coat)
    model.new_group()
    black, white = model.material("#0d0c0d", gloss=1.0), model.material("#f6f3ea", gloss=0.9)
    for side in (-1.0, 1.0):
        eye = center + 0.66 * size * ahead + side * 0.52 * size * right + 0.34 * size * up
        ball(model, 0.2 * size, eye - 0.05 * size * ahead, white)
        ball(model, 0.16 * size, eye + 0.03 * size * (ahead + 0.5 * side * right), black)
    if kind.ear != "large":
        ball(model, (0.17 * size, 0.13 * size, 0.13 * size), tip + 0.34 * size * ahead + 0.1 * size * up, dark)
    if kind.neck > 0.5:
        _mane(model, kind, center, ahead, up)


def _ears(model: Model, kind: Build, center: np.ndarray, axes: tuple[np.ndarray, ...], coat: int) -> None:
    ahead, right, up = axes
    size = kind.head
    for side in (-1.0, 1.0):
        base = center + side * 0.55 * size * right + 0.62 * size * up - 0.15 * size * ahead
        if kind.ear == "pointed":
            limb(
                model,
                base,
                base + 0.75 * size * up + 0.22 * size * side * right,
                (0.32 * size, 0.06 * size),
                coat,
                blend=0.04,
            )
        elif kind.ear == "hanging":
            low = base - 0.75 * size * up + 0.4 * size * side * right
            tube(
                model,
                [base, base + 0.42 * size * side * right, low],
                [0.2 * size, 0.22 * size, 0.2 * size],
                coat,
                5,
                blend=0.03,
            )
        elif kind.ear == "round":
            ball(model, 0.36 * size, base + 0.1 * size * up + 0.1 * size * side * right, coat, blend=0.03)
        else:
            flap = base + 0.75 * size * side * right - 0.5 * size * up - 0.3 * size * ahead
            turn = (0.0, float(np.degrees(np.arctan2(ahead[0], ahead[2]))) + side * 25.0, side * 8.0)
            ball(model, (0.85 * size, 1.0 * size, 0.13 * size), flap, coat, turn=turn, blend=0.04)


def _mane(model: Model, kind: Build, center: np.ndarray, ahead: np.ndarray, up: np.ndarray) -> None:
    """Tufts from the forehead down the neck."""
    model.new_group()
    hair = model.material("#4a2f1c", "#6b4629", pattern=at.STRIPES, freq=12.0, gloss=0.3, bump=(0.4, 40.0))
    for i in range(6):
        where = center + (0.75 - 0.1 * i) * kind.head * up - (0.45 + 0.1 * i) * kind.head * ahead
        where = where - (0, 0.1 * i * kind.neck, 0.055 * i)
        ball(model, (0.045, 0.1, 0.09), where, hair, turn=(20.0, 0, model.rng.uniform(-12, 12)), blend=0.03)


def _tail(model: Model, kind: Build, start: np.ndarray, coat: int) -> None:
    rng, length = model.rng, kind.tail
    aside = rng.choice([-1.0, 1.0]) * rng.uniform(0.15, 0.45) * length
    lift = rng.choice([-0.6, 0.8]) if length < 0.7 else 0.8
    points = [
        start + (0, 0, 0.1),
        start + (0.2 * aside, 0.1 * lift * length, -0.4 * length),
        start + (aside, lift * length, -0.5 * length),
    ]
    radius = 0.055 + 0.03 * (length > 0.5)
    model.new_group()
    tube(model, points, [radius + 0.02, radius, 0.6 * radius], coat, 8, blend=0.04)


def _collar(model: Model, colors: Palette, where: np.ndarray, axis: np.ndarray, radius: float) -> None:
    """A ribbon around the neck with a bell."""
    model.new_group()
    ribbon = model.material(colors.main, colors.pale, pattern=at.STRIPES, mapping=at.MAP_BOX, freq=14.0, gloss=0.5)
    pitch = float(np.degrees(np.arctan2(axis[2], axis[1])))
    ring(model, where, (radius, 0.035), ribbon, turn=(90.0 + pitch, 0, 0))
    bell = model.material("#d9ae3c", gloss=0.95, metallic=0.9)
    ball(model, 0.06, where + (0, -0.35 * radius, radius), bell)


def _blanket(model: Model, colors: Palette, hip: float, r: float) -> None:
    """A cloth with fringes laid over the back."""
    model.new_group()
    cloth = model.material(
        colors.main, colors.accent, colors.pale, at.CHECKS, at.MAP_BOX, 7.0, (1.0, 0.0), gloss=0.15, in_object=True
    )
    ball(model, (1.13 * r, 1.13 * r, 0.36), (0, hip + 0.015, 0.02), cloth)
    under = model.material(colors.dark)
    rod(model, (0, hip - 1.5 * r, -1), (0, hip - 1.5 * r, 1), 1.35 * r, under, carve=True)
    for sign in (-1.0, 1.0):
        rod(model, (0, hip, sign * 0.2), (0, hip, sign * 0.8), 2.0 * r, under, edge=0.0, carve=True)
    model.decal(
        at.STAR, (1.1 * r, hip + 0.3 * r, 0), (1, 0.3, 0), (0.1, 0.1), [colors.pale, colors.second], (6, 0.5), depth=0.2
    )
