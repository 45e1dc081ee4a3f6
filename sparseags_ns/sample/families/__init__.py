"""The families of objects that a sample can show, each with its own parts, proportions, colours and patterns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from sparseags_ns.sample.families.animals import bird, quadruped
from sparseags_ns.sample.families.buildings import house, windmill
from sparseags_ns.sample.families.craft import aeroplane, sailing_boat, steamer
from sparseags_ns.sample.families.lamps import desk_lamp, lantern
from sparseags_ns.sample.families.robots import robot
from sparseags_ns.sample.families.symmetric import bottle, globe, tin, vase
from sparseags_ns.sample.families.thin import bicycle, bird_cage, chair
from sparseags_ns.sample.families.things import cactus, guitar, radio
from sparseags_ns.sample.families.vehicles import car, engine
from sparseags_ns.sample.families.vessels import mug, teapot, watering_can
from sparseags_ns.sample.model import Model

Family = Literal[
    "any", "vehicle", "robot", "vessel", "house", "animal", "lamp", "craft", "thing", "thin", "near_symmetric"
]
Builder = Callable[[Model], None]

EASY: tuple[Builder, ...] = (
    *(car, teapot, robot, house, quadruped, desk_lamp, sailing_boat, radio, bird),
    *(engine, mug, cactus, aeroplane, windmill, lantern, steamer, watering_can, guitar),
)
"""What `any` draws, in this order with rising seed, so that neighbouring seeds show different things."""

FAMILIES: dict[str, tuple[Builder, ...]] = {
    "any": EASY,
    "vehicle": (car, engine),
    "robot": (robot,),
    "vessel": (teapot, mug, watering_can),
    "house": (house, windmill),
    "animal": (quadruped, bird),
    "lamp": (desk_lamp, lantern),
    "craft": (sailing_boat, aeroplane, steamer),
    "thing": (radio, cactus, guitar),
    "thin": (bicycle, chair, bird_cage),
    "near_symmetric": (vase, tin, bottle, globe),
}
"""The objects of each family. `thin` and `near_symmetric` are hard to reconstruct and not part of `any`."""


def draw_object(family: Family, seed: int) -> tuple[str, Model]:
    """Build the object of a seed; returns its name and its model."""
    choices = FAMILIES[family]
    build = choices[seed % len(choices)]
    model = Model(np.random.default_rng([seed, 0]))
    build(model)
    return build.__name__, model
