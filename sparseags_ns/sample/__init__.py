"""A procedural sample scene with exact truth: any number of different objects, photographed by our own ray caster.

config, model, solids, families   what there is: settings, and how objects are built from solids
layout, sdf, patterns, decals,
light, surface_color, caster      compiled kernels: from the object's tables to photographs
studio, surface, viewpoints       light and size, the true surface, the true cameras
noise, faults                     rough initial cameras, imperfect masks, objects cut by the edge
scene, files                      one sample in memory, and on disk
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
