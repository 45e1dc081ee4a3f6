"""One sample in memory: photographs, initial and true cameras, held-out views, the true surface.

Frame: `world`, the object in the sphere of radius 0.5 around the origin, +y up. Images are straight sRGB of 8 bits, as
a PNG holds them; cameras are float64.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.sample.caster import photograph
from sparseags_ns.sample.config import MaskFault, SampleConfig
from sparseags_ns.sample.families import draw_object
from sparseags_ns.sample.faults import Images, Masks, padded, with_mask_faults
from sparseags_ns.sample.noise import RoughCameras, roughen
from sparseags_ns.sample.studio import draw_cameras, draw_lights
from sparseags_ns.sample.surface import fitted, seen_by, surface
from sparseags_ns.views import Views

Progress = Callable[[int, int], None]
"""Called with the number of photographs done and their total."""


@dataclass(frozen=True)
class Sample:
    """A scene whose truth is known."""

    config: SampleConfig
    object_name: str
    views: Views
    """The photographs with their rough initial cameras; all are trusted."""
    true_cameras: Cameras
    """True cameras of `views`."""
    rough: RoughCameras
    """The initial cameras, and what was done to them."""
    mask_faults: tuple[MaskFault, ...]
    """Fault of the mask of each view."""
    aliens: tuple[int, ...]
    """Indices of the views that show another object."""
    test_images: Float[Tensor, "tests height width 4"]
    """Held-out photographs, RGBA."""
    test_cameras: Cameras
    surface_points: Float[Tensor, "points 3"]
    """Points spread evenly over the object's whole surface."""
    surface_normals: Float[Tensor, "points 3"]
    seen: Int[Tensor, " points"]
    """Number of the object's photographs that see each surface point; points that none sees cannot be reconstructed."""


def render_sample(config: SampleConfig, progress: Progress | None = None) -> Sample:
    """Make a sample in memory.

    The object, the viewpoints, the pose errors, the faults and the way of capture each have their own random numbers,
    so that another level leaves the photographs as they are.
    """
    object_rng, view_rng, noise_rng, fault_rng, capture_rng = (
        np.random.default_rng([config.seed, i]) for i in range(1, 6)
    )
    name, model = draw_object(config.family, config.seed)
    tables = fitted(model.tables(draw_lights(object_rng)))
    points, normals = surface(tables, config.surface_points, object_rng)
    true, tests = draw_cameras(config, points, view_rng, capture_rng)
    both = replace(
        true, T_camera_world=torch.cat([true.T_camera_world, tests.T_camera_world]), K=torch.cat([true.K, tests.K])
    )
    report = None if progress is None else (lambda done: progress(done, len(both)))
    images, masks = photograph(tables, both, config.samples, report)
    count, width_px = len(true), config.mask_px * config.size / 256.0
    test_images = torch.cat([_eight_bits(images[count:]), _eight_bits(masks[count:])[..., None]], dim=-1)
    aliens = sorted(capture_rng.permutation(count)[: config.aliens].tolist())
    if aliens:
        _, other = draw_object(config.family, int(capture_rng.integers(2**31)))
        other_tables = fitted(other.tables(tables.lights))
        images[aliens], masks[aliens] = photograph(other_tables, true[aliens], config.samples)
    own = [view for view in range(count) if view not in aliens]
    images, masks, mask_faults = with_mask_faults(images[:count], masks[:count], config.mask, width_px, fault_rng)
    valid = np.ones_like(masks)
    if config.cut > 0 and config.cut_style == "pad":
        images, masks, valid = padded(images, masks, config.cut, fault_rng)
    rough = roughen(true, config.noise, config.outlier_kind, noise_rng)
    return Sample(
        config=config,
        object_name=name,
        views=_views(images, masks, valid, rough.cameras),
        true_cameras=true,
        rough=rough,
        mask_faults=mask_faults,
        aliens=tuple(aliens),
        test_images=test_images,
        test_cameras=tests,
        surface_points=torch.from_numpy(points),
        surface_normals=torch.from_numpy(normals),
        seen=torch.from_numpy(seen_by(tables, points, normals, true[own])),
    )


def _eight_bits(values: Float[np.ndarray, "*shape"]) -> Float[Tensor, "*shape"]:
    """The values rounded to what 8 bits hold."""
    return torch.from_numpy(values.astype(np.float32)).mul(255.0).round().div(255.0)


def _views(images: Images, masks: Masks, valid: Masks, cameras: Cameras) -> Views:
    eight_bit_masks = _eight_bits(masks)
    names = tuple(f"{view:03d}" for view in range(len(cameras)))
    return Views(
        names=names,
        paths=tuple(Path("images") / f"{name}.png" for name in names),
        images=torch.where(eight_bit_masks[..., None] > 0, _eight_bits(images), 0.0),
        masks=eight_bit_masks,
        valid=torch.from_numpy(valid.astype(np.float32)),
        cameras=cameras,
        trusted=torch.ones(len(cameras), dtype=torch.bool),
    )
