"""Joint refinement of whole arrangements at 32 and 64 pixels, which decides between the best of them.

The short fits of the search draw round spots and keep the guessed focal length. Here the ordinary joint optimisation
takes over, with anisotropic Gaussians and one focal length that is refined.

Frame: `world`, normalised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from sparseags_ns.geometry import se3
from sparseags_ns.geometry.alignment import AlignmentError, normalizing_similarity
from sparseags_ns.geometry.cameras import Cameras
from sparseags_ns.optimization.observer import observer
from sparseags_ns.optimization.reconstruct import Reconstruction, reconstruct
from sparseags_ns.optimization.settings import SPARSEAGS, Stage
from sparseags_ns.pose_init.ab_initio.arrangement import Arrangement, view_differences
from sparseags_ns.pose_init.ab_initio.crops import SIDE_PX, Crops
from sparseags_ns.pose_init.ab_initio.search import DIFFERENT_DEG
from sparseags_ns.pose_search.losses import view_losses
from sparseags_ns.pose_search.search import search_view
from sparseags_ns.views import Views

COMPARED_PX = 64
"""Longer side at which refined arrangements are compared."""
_USUAL_VIEWS, _FITTED_AGAIN = 8, 3
"""Fewer views are fitted in as many more steps the second time. Most arrangements that are fitted a second time."""
CONVERGED_DEG, _MOST_FITS_AGAIN = 3.0, 3
"""A fit from found poses has converged if it rotates no view by more than this. Most such fits of the best arrangement.

On a smooth round object single views slid around the axis for several fits: R@5 61, 79, 86 after the second, third and
fourth."""
_PLANES = "rgb", "mask", "valid"

PRESET = replace(
    SPARSEAGS,
    steps=500,
    settings=replace(
        SPARSEAGS.settings,
        stages=(
            Stage(share=0.4, pixels=32, pose_lr=4e-3, pose_lr_decay=0.5, smoothing_px=0.55),
            Stage(
                share=0.6,
                pixels=COMPARED_PX,
                pose_lr=4e-3,
                pose_lr_decay=0.2,
                precondition_poses=True,
                focal_lr=2e-3,
                split=True,
            ),
        ),
        num_gaussians=800,
        other_pose_rates=(),
        outlier_rule="off",
        seeding="ball",
        sh_degree=0,
    ),
)


STRANGER_RATIO, STRANGER_LOSS = 4.0, 0.008
"""A view does not fit to the others if its loss is this many times their median, and at least this much."""
MOST_STRANGERS = 0.34
"""Share of the views that may not fit to the others; with more of them, it is the arrangement that does not fit."""
_HOPELESS = 2.0
"""Arrangements with this many times the least loss are not fitted, or not a second time."""
_SUSPICIOUS = 0.0015
"""Photographs with a smaller mean loss all fit; with one of another object among eight it was 0.003 and more."""
_CROSS_CHECKED, _MUCH_BETTER = 5, 0.65
"""A view does not fit to so many others if their losses fall to this factor without it. Without a photograph of another
object they fell to 0.44, without one that belongs to 0.93 or not at all."""
_MAY_RISE = 1.3
"""Factor by which the others' loss may rise when a view that did not fit is tried elsewhere."""


@dataclass(frozen=True)
class Refined:
    """Cameras of an arrangement after joint refinement."""

    T_camera_world: Float[Tensor, "views 4 4"]
    focal_factor: float
    """Ratio of the refined focal length to the guessed one."""
    losses: Float[Tensor, " views"]
    """Squared error at COMPARED_PX over gray, over the object's area."""
    fits: Bool[Tensor, " views"]
    """Views that fit to the others; the others' poses mean nothing."""
    moved_deg: Float[Tensor, " views"] | None = None
    """How far the last fit has rotated each view against the others; None before a second fit."""

    @property
    def moving(self) -> Bool[Tensor, " views"]:
        """Views that fit to the others, and that the last fit has still moved."""
        return torch.zeros_like(self.fits) if self.moved_deg is None else self.fits & (self.moved_deg > CONVERGED_DEG)

    @property
    def loss(self) -> float:
        """Mean over the views that fit."""
        return float(self.losses[self.fits].mean())


@dataclass(frozen=True)
class _Fit:
    """A scene after joint optimisation."""

    refined: Refined
    views: Views
    """With the refined cameras."""
    scene: Reconstruction

    @property
    def loss(self) -> float:
        return self.refined.loss


def refine_all(crops: Crops, arrangements: Sequence[Arrangement], done: Callable[[], None]) -> list[Refined]:
    """Refine arrangements, best first, and find the views that fit to none of the others' places.

    Args:
        crops: the photographs.
        arrangements: of all views; those that cannot compete are left out.
        done: called once, after the last fit.

    Returns:
        Those that still differ, in the views that fit, best first; none if no scene can be made of any.
    """
    limit, fits = _HOPELESS * arrangements[0].loss, torch.ones(len(crops), dtype=torch.bool)
    found = _sorted(_fitted(crops, _poses(one), 1.0, fits) for one in arrangements if one.loss <= limit)
    if not found:
        done()
        return []
    fits, many = _fitting(found[0].refined.losses), int(MOST_STRANGERS * len(crops))
    fits = fits if (~fits).sum() <= many else torch.ones_like(fits)
    found = _all_again(crops, found, fits)
    while found and found[0].loss > _SUSPICIOUS and (~fits).sum() < many and fits.sum() > _CROSS_CHECKED:
        others = _without_worst(crops, found[0])
        if others is None:
            break
        found, fits = _all_again(crops, found, others), others
    if found and not fits.all():
        found[0] = _with_strangers(crops, found[0])
    done()
    return [fit.refined for fit in _different(found)]


def expected_steps(views: int, arrangements: int) -> int:
    """Optimisation steps that `refine_all` takes for so many arrangements, about."""
    # A fit of each, a check of the best one, and second fits of the best ones, of which one or two are usual.
    return PRESET.steps * (arrangements + 1) + min(arrangements, 2) * _steps_again(views)


def _steps_again(views: int) -> int:
    """Steps of a second fit: one costs as much as there are views, and few views leave more to be found."""
    return round(PRESET.steps * max(1, _USUAL_VIEWS / views))


def _different(fits: Sequence[_Fit]) -> list[_Fit]:
    """Those of which no earlier one is alike."""
    kept: list[_Fit] = []
    for fit in fits:
        if not any(_alike(fit.refined, other.refined) for other in kept):
            kept.append(fit)
    return kept


def _poses(arrangement: Arrangement) -> Float[Tensor, "views 4 4"]:
    return se3.pose(torch.from_numpy(arrangement.R).double(), torch.from_numpy(arrangement.t).double())


def _sorted(fits: Iterable[_Fit | None]) -> list[_Fit]:
    """The fits that there are, best first."""
    return sorted((fit for fit in fits if fit is not None), key=lambda fit: fit.loss)


def _fitting(losses: Float[Tensor, " views"]) -> Bool[Tensor, " views"]:
    return losses < max(STRANGER_RATIO * float(losses.median()), STRANGER_LOSS)


def _all_again(crops: Crops, found: Sequence[_Fit], fits: Bool[Tensor, " views"]) -> list[_Fit]:
    """The best fits fitted again, of the views that fit, and the others where they are of the same views."""
    different = _different(found)
    close = [fit for fit in different[:_FITTED_AGAIN] if fit.loss <= _HOPELESS * found[0].loss]
    rest = [fit for fit in different[len(close) :] if torch.equal(fit.refined.fits, fits)]
    best, *others = _sorted(_refitted(crops, fit, fits) for fit in close) or [None]
    for _ in range(_MOST_FITS_AGAIN - 1):
        if best is None or not best.refined.moving.any():
            break
        best = _refitted(crops, best, fits)
    return _sorted([best, *others]) + rest


def _without_worst(crops: Crops, fit: _Fit) -> Bool[Tensor, " views"] | None:
    """The views without the worst explained one, if they fit much better to each other without it."""
    losses, others = fit.refined.losses, fit.refined.fits.clone()
    others[losses.masked_fill(~others, 0.0).argmax()] = False
    without = _refitted(crops, fit, others)
    better = without is not None and (without.refined.losses / losses)[others].log().mean().exp() <= _MUCH_BETTER
    return others if better else None


def _refitted(crops: Crops, fit: _Fit, fits: Bool[Tensor, " views"]) -> _Fit | None:
    """A fit with new Gaussians, from the poses and the focal length of this one, of the views that fit.

    The Gaussians of a fit hold on to the errors that its poses had at first; new ones do not.
    """
    before = fit.refined.T_camera_world
    again = _fitted(crops, before, fit.refined.focal_factor, fits, _steps_again(len(crops)))
    if again is None:
        return None
    moved, among = torch.zeros(len(crops)), fits.nonzero().flatten().tolist()
    R = (poses[among, :3, :3].numpy() for poses in (before, again.refined.T_camera_world))
    moved[among] = torch.from_numpy(view_differences(*R)).float()
    return replace(again, refined=replace(again.refined, moved_deg=moved))


def _fitted(
    crops: Crops,
    poses: Float[Tensor, "views 4 4"],
    focal_factor: float,
    fits: Bool[Tensor, " views"],
    steps: int | None = None,
) -> _Fit | None:
    """A joint fit of the views that fit; None if they look at no common place, so that no scene can be made."""
    K = crops.K.double().clone()
    K[:, [0, 1], [0, 1]] *= focal_factor
    rgb, mask, valid = (torch.stack([getattr(photo, name) for photo in crops.photos]) for name in _PLANES)
    names = tuple(str(view) for view in range(len(crops)))
    views = Views(names, tuple(map(Path, names)), rgb, mask, valid, Cameras(poses, K, SIDE_PX, SIDE_PX), trusted=fits)
    try:
        similarity = normalizing_similarity(poses[fits])
    except AlignmentError:
        return None
    views = views.moved(similarity).to(torch.float32)
    scene = reconstruct(views, PRESET, steps=steps, progress=lambda *_: observer().pause())
    factor = float(scene.cameras.K[0, 0, 0] / crops.K[0, 0, 0])
    refined = Refined(scene.cameras.T_camera_world.double(), factor, view_losses(scene, views, COMPARED_PX), fits)
    return _Fit(refined, replace(views, cameras=scene.cameras), scene)


def _with_strangers(crops: Crops, fit: _Fit) -> _Fit:
    """The fit with those views that fit after all: where they are, or where a search on the Gaussians finds them."""
    before, everyone = fit.refined, torch.ones_like(fit.refined.fits)
    poses = before.T_camera_world.clone()
    for view in (~before.fits).nonzero().flatten().tolist():
        result = search_view(fit.scene.gaussians, fit.views, view, fit.scene.camera_distance)
        poses[view] = result.poses[0].double()
    elsewhere = replace(fit, refined=replace(before, T_camera_world=poses))
    joined = next(iter(_sorted(_refitted(crops, one, everyone) for one in (elsewhere, fit))), None)
    if joined is None or joined.refined.losses[before.fits].mean() > _MAY_RISE * before.loss:
        return fit
    fits = _fitting(joined.refined.losses) | before.fits
    if fits.all():
        return joined
    if torch.equal(fits, before.fits):
        return fit
    return _refitted(crops, joined, fits) or fit


def _alike(one: Refined, other: Refined) -> bool:
    R = (refined.T_camera_world[one.fits, :3, :3].numpy() for refined in (one, other))
    return bool(view_differences(*R).max() <= DIFFERENT_DEG)
