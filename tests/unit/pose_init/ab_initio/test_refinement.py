"""Joint refinement of arrangements: alike ones, strangers, and cameras from which no scene can be made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from sparseags_ns.geometry import se3
from sparseags_ns.geometry.pose_errors import pairwise_rotation_errors_deg
from sparseags_ns.pose_init.ab_initio import refinement
from sparseags_ns.pose_init.ab_initio.arrangement import Arrangement, Effort, joint_fit
from sparseags_ns.pose_init.ab_initio.crops import Crops
from sparseags_ns.pose_init.ab_initio.refinement import STRANGER_LOSS, STRANGER_RATIO, Refined, refine_all
from sparseags_ns.preprocess.photo import Photo

pytestmark = pytest.mark.usefixtures("short_refinement")

STRANGER = 4
EFFORT = Effort(12, 100, 120)


def errors_deg(refined: Refined, orientations: np.ndarray) -> torch.Tensor:
    """Rotation errors of pairs of views."""
    true = se3.pose(torch.from_numpy(orientations), torch.zeros(len(orientations), 3).double())
    return pairwise_rotation_errors_deg(refined.T_camera_world, true)


def test_alike_arrangements_end_as_one_and_wrong_ones_are_worse(crops: Crops, orientations: np.ndarray) -> None:
    right = joint_fit(crops, orientations, EFFORT)
    again = joint_fit(crops, orientations, EFFORT, seed=1)
    wrong = joint_fit(crops, orientations[[0, 2, 1, 3, 5, 4]], EFFORT)
    wrong = replace(wrong, losses=right.losses * 1.5)  # so that it competes
    done: list[int] = []
    refined = refine_all(crops, [right, again, wrong], lambda: done.append(1))
    best, other = refined
    assert errors_deg(best, orientations).max() < 15
    assert best.fits.all() and best.loss == pytest.approx(float(best.losses.mean()))
    assert other.loss > 2 * best.loss
    assert best.focal_factor == pytest.approx(1, abs=0.1)
    assert done


def test_hopeless_arrangements_are_not_refined(
    crops: Crops, orientations: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []
    monkeypatch.setattr(refinement, "_fitted", lambda crops, poses, *rest: asked.append(float(poses[0, 2, 3])))
    losses = np.ones(len(crops), np.float32)
    first = Arrangement(orientations, np.zeros((6, 3)), orientations, losses, np.zeros((1, 8)))
    others = [replace(first, losses=factor * losses, t=np.full((6, 3), factor)) for factor in (1.5, 2.5)]
    assert refine_all(crops, [first, *others], lambda: None) == []
    assert asked == [0.0, 1.5]


def test_a_photograph_of_something_else_is_left_out(
    crops: Crops, orientations: np.ndarray, photograph: Callable[..., list[Photo]]
) -> None:
    (photo,) = photograph([100.0], [30.0], seed=5)
    photo = replace(photo, rgb=1 - photo.rgb.flip(-1) ** 2)
    photos = [*crops.photos]
    photos[STRANGER] = Crops.of([photo]).photos[0]
    mixed = Crops(tuple(photos))
    fitted = joint_fit(mixed, orientations, EFFORT, active=np.arange(6) != STRANGER)
    arrangement = joint_fit(mixed, fitted.orientations, EFFORT, t=fitted.t)
    (best,) = refine_all(mixed, [arrangement], lambda: None)
    assert best.fits.tolist() == [view != STRANGER for view in range(6)]
    assert best.losses[STRANGER] > max(STRANGER_RATIO * float(best.losses.median()), STRANGER_LOSS)
    assert best.loss == pytest.approx(float(best.losses[best.fits].mean()))
    assert errors_deg(best, orientations)[best.fits][:, best.fits].max() < 15


def test_a_photograph_at_a_wrong_place_is_put_where_it_fits(crops: Crops, orientations: np.ndarray) -> None:
    fitted = joint_fit(crops, orientations, EFFORT)
    R = fitted.R.copy()
    R[STRANGER] = R[STRANGER] * np.array([-1, 1, -1], np.float32)  # from the other side
    (best,) = refine_all(crops, [replace(fitted, R=R)], lambda: None)
    assert best.fits.all()
    assert errors_deg(best, orientations).max() < 15


def test_no_scene_is_made_of_cameras_that_look_the_same_way(crops: Crops, orientations: np.ndarray) -> None:
    same = np.tile(orientations[:1], (len(crops), 1, 1)).astype(np.float32)
    t = crops.object_in_camera.astype(np.float32)
    losses = np.ones(len(crops), np.float32)
    parallel = Arrangement(same, t, same, losses, np.zeros((1, 8), np.float32))
    assert refine_all(crops, [parallel], lambda: None) == []


@pytest.mark.parametrize(("moves_deg", "fits"), [((1.0,), 1), ((12.0, 2.0), 2), ((12.0, 9.0, 8.0, 7.0), 3)])
def test_the_best_arrangement_is_fitted_until_its_poses_converge(
    moves_deg: tuple[float, ...], fits: int, crops: Crops, orientations: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At most three times; another arrangement that still moves is fitted once."""
    count, here = len(crops), torch.zeros(len(crops), 3).double()
    best, other = (
        Refined(se3.pose(torch.from_numpy(R), here), 1.0, torch.full((count,), loss), torch.ones(count) > 0)
        for R, loss in ((orientations, 0.001), (orientations[[0, 2, 1, 3, 5, 4]], 0.0015))
    )
    asked: list[float] = []
    left = list(moves_deg)

    def of(refined: Refined) -> refinement._Fit:
        """A fit without a scene."""
        fit = object.__new__(refinement._Fit)
        object.__setattr__(fit, "refined", refined)
        return fit

    def again(crops: Crops, fit: refinement._Fit, fits: torch.Tensor) -> refinement._Fit:
        asked.append(fit.loss)
        moved = left.pop(0) if fit.loss == best.loss else 30.0
        return of(replace(fit.refined, moved_deg=torch.full((count,), moved)))

    monkeypatch.setattr(refinement, "_refitted", again)
    converged = refinement._all_again(crops, [of(best), of(other)], best.fits)
    assert asked.count(best.loss) == fits and asked.count(other.loss) == 1
    assert bool(converged[0].refined.moving.any()) == (moves_deg[fits - 1] > refinement.CONVERGED_DEG)
