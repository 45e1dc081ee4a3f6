"""A procedural sample scene with exact truth: any number of different objects, photographed by our own ray caster.

config, palettes, model, families   settings; how objects are built from solids, materials and decals
layout, sdf, patterns, decals,
shading, caster                     compiled kernels, from the object's tables to photographs
studio, surface                     light and true cameras; the true surface and the object's size
noise, faults                       rough initial cameras; imperfect masks, objects cut by the edge
scene, files                        one sample in memory, and on disk
"""

from sparseags_ns.sample.config import HARD, NOISE, Noise, SampleConfig, SampleError, hard_sample
from sparseags_ns.sample.files import make_sample
from sparseags_ns.sample.scene import Sample, render_sample

__all__ = [
    "HARD",
    "NOISE",
    "Noise",
    "Sample",
    "SampleConfig",
    "SampleError",
    "hard_sample",
    "make_sample",
    "render_sample",
]
