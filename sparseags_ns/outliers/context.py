"""What all parts of one repair share: the photographs, who makes reconstructions, the settings, what is known so far.

Frame: `world`, normalised. Losses are squared errors over the object's area.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from sparseags_ns.metrics.perceptual import PerceptualError
from sparseags_ns.metrics.view_errors import view_errors
from sparseags_ns.optimization.reconstruct import Reconstruction
from sparseags_ns.optimization.short_fits import Continuation, Fitter
from sparseags_ns.outliers.detection import LeaveOneOutRule, Rule
from sparseags_ns.outliers.fits import median_rotation_deg, start_cost
from sparseags_ns.outliers.registration_rule import RegistrationRule
from sparseags_ns.pose_search.leave_one_out import LeaveOneOut, leave_one_out
from sparseags_ns.pose_search.losses import view_losses
from sparseags_ns.pose_search.proxy import proxy
from sparseags_ns.pose_search.search import SearchResult
from sparseags_ns.pose_search.settings import QUICK_SEARCH, SearchSettings
from sparseags_ns.views import Views


@dataclass(frozen=True)
class RepairSettings:
    """How the outlier loop goes about it."""

    rule: Rule = field(default_factory=LeaveOneOutRule)
    """Who is suspect, who is guilty."""
    perceptual: PerceptualError | None = None
    """What the rule's errors are measured with, at the working size; None for the squared error at `pixels`."""
    passes: int = 3
    """So often outliers are looked for, if there were some the time before."""
    quick_searches: int = 8
    """So many of the worst explained views are glanced at in a round."""
    quick_search: SearchSettings = QUICK_SEARCH
    """The search behind a glance."""
    thorough: SearchSettings = field(default_factory=SearchSettings)
    """The search of a suspect."""
    fading: Continuation = field(default_factory=lambda: Continuation(pixels=32, steps=60, pose_lr=4e-3))
    """Before a glance at a view, what it painted fades from the splat."""
    joining: Continuation = field(default_factory=lambda: Continuation(pixels=64, steps=80, pose_lr=3e-3))
    """A view at a candidate pose is refined jointly with the others before the candidate is judged."""
    sharpening: Continuation = field(default_factory=lambda: Continuation(pixels=128, steps=80, pose_lr=1.5e-3))
    """Before whole reconstructions are compared: on near-symmetric objects only detail tells the poses apart."""
    own_deg: float = 10.0
    """In doubt, poses turned by less than this against the suspect's own are no other poses."""
    again_above: float = 2.5
    """A recovered view is searched once more if its loss is this many times the median."""
    candidates: int = 4
    """Poses of a search that are judged so, besides the given one."""
    pixels: int = 64
    """Views are compared at this size, but for the verdict, which compares at `sharpening.pixels`."""
    admission: RegistrationRule = field(default_factory=RegistrationRule)
    """When a view that was not trusted at first has found its place."""
    correct_below: float = 0.95
    """The sum of all views' losses must fall by this factor, and that of each view that is put elsewhere too, else the
    given poses stay."""
    correct_below_again: float = 0.85
    """The same once outliers were found: then some gain comes from refining longer alone. (Right: 0.4 to 0.8.)"""
    hopeless_above: float = 1.5
    """A reconstruction with one view back at its given pose is tried unless, joined there, it makes the sum of all
    views' losses this many times as large."""
    misfit_above: float = 6.0
    """A dropped view stays out if, wherever it is put, its loss is this many times the others' median..."""
    misfit_share: float = 0.3
    """...and this share of what an arbitrary pose has: the median over all hypotheses."""


@dataclass
class RepairContext:
    """The state of one repair."""

    views: Views
    fitter: Fitter
    settings: RepairSettings
    claims: Float[Tensor, "views 4 4"]
    """Where reconstructions start: the given poses, but for views that were corrected."""
    others: Sequence[Fitter] = ()
    """The same as `fitter`, with other pose learning rates."""
    searches: dict[int, SearchResult] = field(default_factory=dict)
    """The latest thorough search of each suspect."""
    _made: dict[tuple[int, bytes, bytes], Reconstruction] = field(default_factory=dict)
    """Reconstructions from scratch: the same is asked for more than once."""
    _sharpened: dict[int, tuple[Reconstruction, Reconstruction, Float[Tensor, " views"]]] = field(default_factory=dict)
    """The same of fits with more detail; each with what it was made of, whose id stays its own that way."""

    def errors(self, fit: Reconstruction) -> Float[Tensor, " views"]:
        """What the rule sees: how badly each view is explained."""
        if self.settings.perceptual is None:
            return self.losses(fit)
        visible = proxy(fit.gaussians)
        cameras = fit.cameras.resized(self.views.cameras.width, self.views.cameras.height)
        return view_errors(visible, cameras, self.views, self.settings.perceptual, sh_degree=None).perceptual

    def losses(self, fit: Reconstruction) -> Float[Tensor, " views"]:
        """Of every view."""
        return view_losses(fit, self.views, self.settings.pixels)

    def loss_sum(self, fit: Reconstruction) -> float:
        """Of the views that a fit trusts: what joint refinements are compared by."""
        return float(self.losses(fit)[fit.trusted].sum())

    def leave_one_out(self, fit: Reconstruction, view: int, settings: SearchSettings) -> LeaveOneOut:
        """Where a view would rather stand."""
        return leave_one_out(fit, self.views, view, settings)

    def thoroughly(self, fit: Reconstruction, view: int) -> LeaveOneOut:
        """The same, by a thorough search that is kept."""
        found = self.leave_one_out(fit, view, self.settings.thorough)
        self.searches[view] = found.search
        return found

    def faded(self, fit: Reconstruction, view: int) -> Reconstruction:
        """The fit after a view has left it, and what it painted has faded."""
        return self.fitter.continued(fit.with_trusted(without(fit.trusted, view)), self.settings.fading)

    def from_scratch(self, claims: Float[Tensor, "views 4 4"], trusted: Bool[Tensor, " views"]) -> Reconstruction:
        """A reconstruction from some poses."""
        return self.fit_by(self.fitter, claims, trusted)

    def fit_by(
        self, fitter: Fitter, claims: Float[Tensor, "views 4 4"], trusted: Bool[Tensor, " views"]
    ) -> Reconstruction:
        """A reconstruction from some poses by a certain fitter."""
        key = (id(fitter), claims.cpu().numpy().tobytes(), trusted.cpu().numpy().tobytes())
        if key not in self._made:
            self._made[key] = fitter.from_scratch(self.views.cameras.with_poses(claims), trusted)
        return self._made[key]

    def best_from_scratch(self, claims: Float[Tensor, "views 4 4"], trusted: Bool[Tensor, " views"]) -> Reconstruction:
        """A reconstruction from some poses by the fitter that suits them best, which is kept from now on: grossly wrong
        poses want a high pose learning rate, and what is left without them wants a low one."""

        def cost(one: tuple[Fitter, Reconstruction]) -> float:
            return start_cost(self.loss_sum(one[1]), median_rotation_deg(one[1], claims))

        made = [(fitter, self.fit_by(fitter, claims, trusted)) for fitter in (self.fitter, *self.others)]
        best = min(made, key=cost)
        self.others = tuple(fitter for fitter, _ in made if fitter is not best[0])
        self.fitter = best[0]
        return best[1]

    def sharpened(self, fit: Reconstruction) -> tuple[Reconstruction, Float[Tensor, " views"]]:
        """A fit with more detail, and the losses of its views at that size."""
        if id(fit) not in self._sharpened:
            sharp = self.fitter.continued(fit, self.settings.sharpening)
            self._sharpened[id(fit)] = fit, sharp, view_losses(sharp, self.views, self.settings.sharpening.pixels)
        return self._sharpened[id(fit)][1:]

    def sharpened_sum(self, fit: Reconstruction) -> float:
        """By which whole reconstructions are compared: the sum of the losses of the views that a fit trusts."""
        return float(self.sharpened(fit)[1][fit.trusted].sum())

    def best_joined(self, fit: Reconstruction, view: int, poses: Float[Tensor, "candidates 4 4"]) -> Reconstruction:
        """The fit with a view added at that of some poses which all views together like best."""
        trusted = fit.trusted.clone()
        trusted[view] = True
        best, least = fit, torch.inf
        for pose in poses:
            joined = self.fitter.continued(fit.with_pose(view, pose).with_trusted(trusted), self.settings.joining)
            total = self.loss_sum(joined)
            if total < least:
                best, least = joined, total
        return best


def without(trusted: Bool[Tensor, " views"], view: int) -> Bool[Tensor, " views"]:
    """The same views but one."""
    left = trusted.clone()
    left[view] = False
    return left
