"""Colours that go together, as sRGB hex strings; drawn by seed."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

_SETS = (
    "c8452f f2e3c6 2f5d73 e8a33d 3a2e2a",
    "2b6e8f f4efe4 e2703a f2c14e 26323a",
    "3f7d4e f5ecd7 c9482b e9b44c 33302c",
    "7b3f61 f3e9dc 3d8b8b e6a65d 2d2733",
    "e0a526 fbf3e0 2f4b7c d45d43 2c2c34",
    "5b8fb9 fdf6ec b6413a f0b94a 2d3142",
    "d96c75 fff3e8 4d8076 f4c95d 3b3340",
    "486b3a efe6d0 a83f2d d99a3a 2b2a26",
    "e9804d fdf1dc 3a6ea5 7fb069 2e2c33",
    "8d5a3b f6ead6 4a7c86 d8a441 312822",
    "b0343c f7efe2 3b5f8a e5b25d 29262b",
    "4aa3a2 fff5e4 e4572e f3a712 2f3437",
    "6b5b95 f7f1e5 d9825b 88b04b 2f2b3a",
    "d1495b edf2ef 30638e edae49 1f2d3a",
)
WOODS = ("a9713f 7b4a26", "c99a63 a3743f", "8a5430 5c351c", "d8b07a b98a52", "6e4226 472815")
METALS = ("#c9c7c2", "#b9a06a", "#a8adb3", "#c98d5e", "#8d9096")
FURS = (
    "d79a52 f6ead5 5b3a22",
    "8a8178 e9e4dc 3c3733",
    "f2ece0 c98f4e 3b2f28",
    "4a3a30 c7a27a 1f1a17",
    "c8b08a 6e5238 2e241c",
)
NAMED = {"black": "#000000", "brass": "#c9a24a", "pane": "#2c4654", "shine": "#7fa3b5"}
"""Colours that several families use whatever the palette: `pane` is a window's glass, `shine` the reflection in it."""


@dataclass(frozen=True)
class Palette:
    """Five roles that the families paint with."""

    main: str
    pale: str
    second: str
    accent: str
    dark: str

    def colors(self, names: str | Sequence[str]) -> list[str]:
        """Hex strings of roles, `NAMED` colours and hex strings, as in "main pale #d04a35"."""
        names = names.split() if isinstance(names, str) else names
        return [str(name) if name.startswith("#") else NAMED.get(name) or getattr(self, name) for name in names]


def linear(color: str) -> Float[np.ndarray, " 3"]:
    """Linear RGB of an sRGB hex string such as "#d04a35"."""
    srgb = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255.0
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def _shifted(color: str, hue: float, light: float) -> str:
    """The colour with its hue shifted (by a share of the circle) and its lightness scaled."""
    red, green, blue = (int(color[i : i + 2], 16) / 255.0 for i in (0, 2, 4))
    h, value, s = colorsys.rgb_to_hls(red, green, blue)
    rgb = colorsys.hls_to_rgb((h + hue) % 1.0, min(max(value * light, 0.0), 1.0), s)
    return "#" + "".join(f"{round(255 * c):02x}" for c in rgb)


def draw_palette(rng: np.random.Generator) -> Palette:
    """One of the sets, with its strong colours in random roles and every colour shifted a little."""
    main, pale, second, accent, dark = _SETS[rng.integers(len(_SETS))].split()
    strong = rng.permutation([main, second, accent])
    hue = rng.uniform(-0.03, 0.03)
    main, second, accent = (_shifted(str(color), hue, rng.uniform(0.9, 1.08)) for color in strong)
    return Palette(main, _shifted(pale, hue, 1.0), second, accent, _shifted(dark, hue, 1.0))


def pick(rng: np.random.Generator, sets: tuple[str, ...]) -> list[str]:
    """The colours of one of the sets, slightly varied."""
    light = rng.uniform(0.92, 1.08)
    return [_shifted(color, rng.uniform(-0.01, 0.01), light) for color in sets[rng.integers(len(sets))].split()]
