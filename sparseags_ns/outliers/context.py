"""Everything that the parts of one repair share: photographs, fitters, settings, start poses, and what was computed.

Frame: `world`, normalised. Losses are squared errors over the object's area (pose_search/losses.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from sparseags_ns.geometry.pose_errors import pose_change
from sparseags_ns.metrics.view_errors import view_errors
from sparseags_ns.optimization.reconstruct import Reconstruction
from sparseags_ns.optimization.short_fits import Fitter
from sparseags_ns.outliers.alignment import median_rotation_deg
from sparseags_ns.outliers.budget import Budget
from sparseags_ns.outliers.settings import RepairSettings
from sparseags_ns.outliers.start_selection import start_cost
from sparseags_ns.pose_search.leave_one_out import LeaveOneOut, candidate_poses, leave_one_out
from sparseags_ns.pose_search.losses import view_losses
from sparseags_ns.pose_search.proxy import proxy
from sparseags_ns.pose_search.search import SearchResult
from sparseags_ns.views import Views


@dataclass
class RepairContext:
    """The state of one repair."""

    views: Views
    """The photographs with their given cameras."""
    fitter: Fitter
    """Makes short reconstructions, at the pose learning rate that suits the trusted views best so far."""
    settings: RepairSettings
    start_poses: Float[Tensor, "views 4 4"]
    """`T_camera_world` from which reconstructions start: the given poses, except those of corrected views."""
    other_fitters: Sequence[Fitter] = ()
    """Fitters with other pose learning rates."""
    budget: Budget = field(default_factory=Budget)
    """Work that may be done; parts of a repair begin nothing new once it is exhausted."""
    searches: dict[int, SearchResult] = field(default_factory=dict)
    """The latest thorough search of each view that had one."""
    _made: dict[tuple[int, bytes, bytes], Reconstruction] = field(default_factory=dict)
    """Cache of reconstructions from scratch, keyed by `id(fitter)`, start poses and trust."""
    _sharpened: dict[int, tuple[Reconstruction, Reconstruction, Float[Tensor, " views"]]] = field(default_factory=dict)
    """Cache of sharpened fits and their losses, keyed by `id(fit)`; the source fit is stored so that its id cannot be
    reused."""

    def errors(self, fit: Reconstruction) -> Float[Tensor, " views"]:
        """Error of every view as the detection rule sees it."""
        if self.settings.perceptual is None:
            return self.losses(fit)
        visible = proxy(fit.gaussians)
        cameras = fit.cameras.resized(self.views.cameras.width, self.views.cameras.height)
        return view_errors(visible, cameras, self.views, self.settings.perceptual, sh_degree=None).perceptual

    def losses(self, fit: Reconstruction) -> Float[Tensor, " views"]:
        """Loss of every view at the working size."""
        return view_losses(fit, self.views, self.settings.pixels)

    def loss_sum(self, fit: Reconstruction) -> float:
        """Sum of the trusted views' losses at the working size, by which joint refinements are compared."""
        return float(self.losses(fit)[fit.trusted].sum())

    def search_thoroughly(self, fit: Reconstruction, view: int) -> LeaveOneOut:
        """Leave-one-out test of a view by a thorough search, which is kept in `searches`.

        Args:
            fit: made without that view, whose camera has its own pose there.
            view: index of the view.
        """
        tested = leave_one_out(fit, self.views, view, self.settings.thorough_search)
        self.searches[view] = tested.search
        return tested

    def left_out_fit(self, fit: Reconstruction, view: int) -> Reconstruction:
        """The fit continued without a view, until the splat no longer shows what that view alone painted."""
        return self.fitter.continued(fit.with_trusted(without(fit.trusted, view)), self.settings.left_out)

    def from_scratch(
        self, poses: Float[Tensor, "views 4 4"], trusted: Bool[Tensor, " views"], fitter: Fitter | None = None
    ) -> Reconstruction:
        """Reconstruct from some poses with some views; each reconstruction is made once.

        Args:
            poses: `T_camera_world` of all views.
            trusted: the views that take part.
            fitter: makes it; the current one if None.
        """
        fitter = fitter or self.fitter
        key = (id(fitter), poses.cpu().numpy().tobytes(), trusted.cpu().numpy().tobytes())
        if key not in self._made:
            self._made[key] = fitter.from_scratch(self.views.cameras.with_poses(poses), trusted)
        return self._made[key]

    def best_from_scratch(self, poses: Float[Tensor, "views 4 4"], trusted: Bool[Tensor, " views"]) -> Reconstruction:
        """Reconstruct with every fitter, and keep the fitter whose reconstruction has the least start cost.

        Grossly wrong poses among the views want a high pose learning rate; what is left without them wants a low one.
        """
        fitters = (self.fitter, *self.other_fitters)
        fits = [self.from_scratch(poses, trusted, fitter) for fitter in fitters]
        costs = [start_cost(self.loss_sum(fit), median_rotation_deg(poses, fit)) for fit in fits]
        best = min(range(len(fits)), key=costs.__getitem__)
        self.fitter = fitters[best]
        self.other_fitters = tuple(fitter for fitter in fitters if fitter is not self.fitter)
        return fits[best]

    def sharpened(self, fit: Reconstruction) -> tuple[Reconstruction, Float[Tensor, " views"]]:
        """The fit continued with more detail, and the losses of its views at that size."""
        if id(fit) not in self._sharpened:
            sharp = self.fitter.continued(fit, self.settings.sharpening)
            self._sharpened[id(fit)] = fit, sharp, self.sharp_losses(sharp)
        return self._sharpened[id(fit)][1:]

    def sharp_losses(self, fit: Reconstruction) -> Float[Tensor, " views"]:
        """Loss of every view at the size of sharpened fits."""
        return view_losses(fit, self.views, self.settings.sharpening.pixels)

    def sharpened_sum(self, fit: Reconstruction) -> float:
        """Sum of the trusted views' losses once sharpened, by which whole reconstructions are compared."""
        return float(self.sharpened(fit)[1][fit.trusted].sum())

    def best_joined(self, fit: Reconstruction, view: int, poses: Float[Tensor, "candidates 4 4"]) -> Reconstruction:
        """Join a view to a fit at each of some poses, refine all views jointly, and return the fit of least loss.

        Without poses, the fit is returned as it is.
        """
        trusted = fit.trusted.clone()
        trusted[view] = True
        best, least = fit, torch.inf
        for pose in poses:
            joined = self.fitter.continued(fit.with_pose(view, pose).with_trusted(trusted), self.settings.joining)
            total = self.loss_sum(joined)
            if total < least:
                best, least = joined, total
        return best

    def joined_as_found(self, fit: Reconstruction, view: int, known: Float[Tensor, "known 4 4"]) -> Reconstruction:
        """The fit with a view joined at the best of what its latest search found and of the known poses."""
        candidates = candidate_poses(self.searches[view], known, self.settings.candidates)
        return self.best_joined(fit, view, candidates)

    def other_poses(self, view: int, own: Float[Tensor, "4 4"]) -> Float[Tensor, "candidates 4 4"]:
        """The best poses of a view's latest search that are not its own pose."""
        poses = self.searches[view].poses
        rotation_deg, _ = pose_change(own.expand(len(poses), 4, 4), poses)
        return poses[rotation_deg > self.settings.own_deg][: self.settings.candidates]

    def reject_above(self, view: int, usual_losses: Float[Tensor, " others"]) -> float:
        """Loss above which a view fits nowhere.

        Args:
            view: it must have been searched.
            usual_losses: of views that are right.
        """
        settings = self.settings.verdict
        usual = float(usual_losses.quantile(0.5))
        return max(settings.reject_above * usual, settings.reject_share * self.searches[view].arbitrary_loss)


def without(trusted: Bool[Tensor, " views"], view: int) -> Bool[Tensor, " views"]:
    """The trust of all views with one view left out."""
    left = trusted.clone()
    left[view] = False
    return left
