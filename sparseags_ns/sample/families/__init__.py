"""The families of objects that a sample can show, each with its own parts, proportions, colours and patterns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from sparseags_ns.sample.families import symmetric, thin
from sparseags_ns.sample.families.aeroplanes import aeroplane
from sparseags_ns.sample.families.birds import bird
from sparseags_ns.sample.families.boats import sailing_boat, steamer
from sparseags_ns.sample.families.cacti import cactus
from sparseags_ns.sample.families.engines import engine
from sparseags_ns.sample.families.guitars import guitar
from sparseags_ns.sample.families.houses import house
from sparseags_ns.sample.families.lamps import desk_lamp
from sparseags_ns.sample.families.lanterns import lantern
from sparseags_ns.sample.families.mills import windmill
from sparseags_ns.sample.families.quadrupeds import quadruped
from sparseags_ns.sample.families.radios import radio
from sparseags_ns.sample.families.robots import robot
from sparseags_ns.sample.families.vehicles import car
from sparseags_ns.sample.families.vessels import mug, teapot, watering_can
from sparseags_ns.sample.model import Model

Family = Literal[
    "any", "vehicle", "robot", "vessel", "house", "animal", "lamp", "craft", "thing", "thin", "near_symmetric"
]

FAMILIES: dict[str, tuple[Callable[[Model], None], ...]] = {
    "vehicle": (car, engine),
    "robot": (robot,),
    "vessel": (teapot, mug, watering_can),
    "house": (house, windmill),
    "animal": (quadruped, bird),
    "lamp": (desk_lamp, lantern),
    "craft": (sailing_boat, aeroplane, steamer),
    "thing": (radio, cactus, guitar),
    "thin": (thin.bicycle, thin.chair, thin.bird_cage),
    "near_symmetric": (symmetric.vase, symmetric.tin, symmetric.bottle, symmetric.globe),
}
"""What each family can draw. `thin` and `near_symmetric` are hard to reconstruct and only come when asked for."""

EASY = (
    car,
    teapot,
    robot,
    house,
    quadruped,
    desk_lamp,
    sailing_boat,
    radio,
    bird,
    engine,
    mug,
    cactus,
    aeroplane,
    windmill,
    lantern,
    steamer,
    watering_can,
    guitar,
)
"""What family `any` draws, in this order with rising seed, so that neighbouring seeds show different things."""


def draw_object(family: Family, seed: int) -> tuple[str, Model]:
    """Build the object of a seed; returns what it is and its model."""
    choices = EASY if family == "any" else FAMILIES[family]
    build = choices[seed % len(choices)]
    model = Model(np.random.default_rng([seed, 0]))
    build(model)
    return build.__name__, model
