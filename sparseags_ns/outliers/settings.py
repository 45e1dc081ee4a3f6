"""All thresholds of start selection and outlier repair, each with the source of its value.

"Paper" is SparseAGS. Values without a source were measured on generated samples and the real sets of docs/results.md,
and lie between what right and wrong poses showed there.

Units: degrees where a name ends in `_deg`; pixels of the photographs' longer side. Losses are squared errors over the
object's area (pose_search/losses.py). The *ratio* of a view is the result of its leave-one-out test: its least loss at
other poses over its least loss near its own, below 1 where another pose fits better.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from sparseags_ns.metrics.images import PerceptualError
from sparseags_ns.optimization.short_fits import Continuation
from sparseags_ns.pose_search.settings import QUICK_SEARCH, THOROUGH_SEARCH, SearchSettings

SLIDE_DEG = 12.0
"""A start that rotated the median view by this must have half the loss of one that left it in place. With two wrong
views of eight, the views of a near-symmetric cup slid around its axis by 13 degrees in the median; rough poses that are
refined rightly rotate by 4 to 7."""
MIN_VIEWS = 2
"""Trusted views without which nothing can be reconstructed, so nothing can be searched either (paper)."""


@dataclass(frozen=True)
class PublishedSettings:
    """Thresholds of the published rule."""

    min_fall: float = 0.05
    """Fall of the others' mean perceptual error that proves a suspect guilty (paper: 0.05, of the
    authors' LPIPS over area, see `metrics.images.published_error`)."""


@dataclass(frozen=True)
class LeaveOneOutSettings:
    """Thresholds of the leave-one-out rule."""

    suspect_below: float = 1.6
    """Ratio on the left-out fit below which a view is suspected. Right poses have 1.4 to 12; a view 32 degrees wrong in
    a real set, rendered by Gaussians of its own, had 1.40 and 1.49, and 0.78 once the others were reconstructed
    without it. A suspect that is right costs a quarter of a minute."""
    suspect_below_few: float = 2.0
    """The threshold `suspect_below` where views are few."""
    few_views: int = 8
    """Fewer views than this are few: each is constrained by few others, so its ratio is less certain."""
    lost_above: float = 10.0
    """Error over the median error above which a view is suspected whatever its ratio: it does not see the object."""
    drop_below: float = 0.8
    """Ratio on the splat reconstructed without a suspect below which it is dropped, if `must_improve` holds too."""
    must_improve: float = 0.9
    """Factor to which the others' errors must fall as well: while another view is wrong, right views fit better at
    other poses too, but leaving them out does not lower the others' errors."""
    drop_improvement: float = 0.5
    """Factor on the others' errors at or below which a suspect is dropped whatever its ratio."""
    doubt_below: float = 1.3
    """Ratio at or below which a suspect that is not dropped is in doubt: its best pose is tried."""
    correct_below: float = 0.97
    """Factor to which the sum of all views' errors must fall for a doubtful suspect to get its best pose."""
    max_cleared: int = 2
    """Number of cleared suspects in a row that ends the search for outliers."""
    max_cleared_few: int = 3
    """The number `max_cleared` where views are few."""


@dataclass(frozen=True)
class FewViewsSettings:
    """Thresholds of the exhaustive trial of few views."""

    max_views: int = 5
    """Up to this many views, all are tried in turn (paper: 1 of up to 5 views may be dropped)."""
    arrangements: int = 3
    """Number of the most promising arrangements that are reconstructed from scratch."""
    must_fall: float = 0.9
    """Factor to which the sum of losses must fall: among few views, wrong arrangements come close to the right one."""


@dataclass(frozen=True)
class VerdictSettings:
    """Thresholds of the verdict between given and recovered poses."""

    correct_below: float = 0.95
    """Factor to which the sum of all views' losses must fall, or else the given poses stay."""
    correct_below_again: float = 0.85
    """The factor `correct_below` once outliers were found before, when refining longer alone lowers the sum a little.
    Right corrections had 0.4 to 0.8."""
    hopeless_above: float = 1.5
    """A reconstruction with one view back at its given pose is made unless joining the view there makes the sum of
    losses this many times as large."""
    search_again_above: float = 2.5
    """A recovered view is searched once more if its loss is this many times the median."""
    reject_above: float = 6.0
    """A view is rejected if its loss, at the best pose known, is above both this many times the others' median and
    `reject_share` of its loss at an arbitrary pose."""
    reject_share: float = 0.3
    """Share of a view's loss at an arbitrary pose below which it is not rejected."""


@dataclass(frozen=True)
class RecheckSettings:
    """Thresholds of what is repeated after views were corrected."""

    may_rise: float = 1.1
    """A reconstruction from scratch replaces a fit that had more steps unless its sum of losses is this many times as
    large. Within this factor, poses of the reconstruction from scratch were nearer the truth."""
    confirmed_deg: float = 5.0
    """A pose that is found again within this angle confirms the last one."""


@dataclass(frozen=True)
class FallbackSettings:
    """Thresholds for views that refinement has carried far from their given poses."""

    far_deg: float = 8.0
    """Least rotation of a view that is questioned: one rotated by less cannot have left its basin of convergence."""
    far_factor: float = 2.0
    """Least rotation of a view that is questioned, in rotations of the median view."""
    max_views: int = 3
    """Number of views that are questioned, those that were rotated most."""
    must_fall: float = 0.9
    """Factor to which the sum of losses must fall at the given pose, or else the refined pose stays."""
    wrong_deg: float = 12.0
    """Least rotation of a view whose given pose is declared wrong."""
    wrong_factor: float = 3.0
    """Least rotation of such a view in rotations of the median view: where all poses are rough, none is wrong."""
    must_rise: float = 10.0
    """Factor between the losses near the given and near the refined pose above which the given pose is declared wrong,
    for a view that was rotated by `wrong_deg`. The factor falls in proportion for views that were rotated farther, down
    to `min_rise`."""
    min_rise: float = 3.0
    """Least value of the factor `must_rise`. A shoe that refinement carried from 76 degrees off to 5 had 8."""


@dataclass(frozen=True)
class RegistrationSettings:
    """Thresholds for views that start without trust: when the pose found for one is accepted."""

    max_over_median: float = 3.0
    """The view's loss is at most this many times the others' median, or within `max_over_arbitrary`."""
    max_over_arbitrary: float = 0.05
    """Share of its loss at an arbitrary pose up to which a view's loss is accepted whatever the others' median is."""
    may_rise: float = 1.7
    """Largest factor by which the others' losses may rise: a view at a wrong pose is rendered at the others' expense.
    Samples had 1.2 to 1.3 at right poses, and 2.5 or more at wrong ones and for photographs of something else."""
    max_before: float = 0.2
    """A photograph without a mask must be rendered by the others' splat before it is joined to it: its loss is at most
    this share of that at an arbitrary pose, and `max_over_next` holds too."""
    max_over_next: float = 0.85
    """Largest loss of such a photograph over that at the next best pose. In a room, a camera before what no other view
    sees costs the others nothing, and once joined it paints Gaussians of its own there. At right poses photographs had
    `max_before` 0.05 and 0.18, `max_over_next` 0.2 and 0.7; at wrong ones 0.21 to 0.28 and 0.94 to 1.0."""


@dataclass(frozen=True)
class RearrangementSettings:
    """Thresholds for arranging all photographs anew where repair leaves some unexplained."""

    least_views: int = 5
    """Among fewer views a wrong arrangement may explain all photographs."""
    most_views: int = 24
    """With more views, the others outvote those that fit nowhere, and the search takes long."""
    over_median: float = 3.0
    """Loss over the median loss above which a view is unexplained."""
    explained_loss: float = 0.004
    """Loss up to which every view is explained. Views at right poses have 0.001 to 0.003, on samples; with four wrong
    poses of eight, which supported each other, all views had 0.005 to 0.01."""
    tried: int = 2
    """Number of the best arrangements that are reconstructed from scratch."""
    work: float = 12.0
    """Work of the search, in reconstructions from scratch."""
    must_fall: float = 0.85
    """Factor to which the sum of all views' losses must fall, those left out included. Both sums are of sharpened
    fits."""


@dataclass(frozen=True)
class RepairSettings:
    """Settings of outlier repair and registration."""

    rule: Literal["leave-one-out", "published"] = "leave-one-out"
    """How outliers are detected."""
    perceptual: PerceptualError | None = None
    """Measure of the errors that the rule sees, at the working size; None for the squared error at `pixels`."""
    pixels: int = 64
    """Size at which losses are compared, except in the verdict, which compares at the size of `sharpening`."""

    passes: int = 3
    """Number of times outliers are looked for, as long as some were found the time before."""
    quick_searches: int = 8
    """Number of views, those of largest error, that are tested before a suspect is chosen (published rule: 0)."""
    quick_search: SearchSettings = QUICK_SEARCH
    """The search of a view that is not suspected."""
    thorough_search: SearchSettings = THOROUGH_SEARCH
    """The search of a suspect."""
    candidates: int = 4
    """Number of poses of a search that are joined to the other views on trial, besides the known poses."""
    own_deg: float = 10.0
    """Where a view's other poses are tried, those rotated by less than this against its own do not count."""

    left_out: Continuation = field(default_factory=lambda: Continuation(pixels=32, steps=60, pose_lr=4e-3))
    """Steps without a view in which what it painted fades from the splat: they make a left-out fit."""
    joining: Continuation = field(default_factory=lambda: Continuation(pixels=64, steps=80, pose_lr=3e-3))
    """Joint refinement of all views before a candidate pose is judged."""
    sharpening: Continuation = field(default_factory=lambda: Continuation(pixels=128, steps=80, pose_lr=1.5e-3))
    """Refinement before whole reconstructions are compared: on near-symmetric objects only detail tells poses apart."""

    published: PublishedSettings = field(default_factory=PublishedSettings)
    """Thresholds of the published rule."""
    leave_one_out: LeaveOneOutSettings = field(default_factory=LeaveOneOutSettings)
    """Thresholds of the leave-one-out rule."""
    few: FewViewsSettings = field(default_factory=FewViewsSettings)
    """Thresholds where five views or fewer are tried one by one."""
    verdict: VerdictSettings = field(default_factory=VerdictSettings)
    """Thresholds between given and recovered poses."""
    recheck: RecheckSettings = field(default_factory=RecheckSettings)
    """Thresholds of what is repeated after a correction."""
    fallback: FallbackSettings = field(default_factory=FallbackSettings)
    """Thresholds for views that refinement carried far."""
    rearrangement: RearrangementSettings = field(default_factory=RearrangementSettings)
    """Thresholds for arranging all photographs anew."""
    registration: RegistrationSettings = field(default_factory=RegistrationSettings)
    """Thresholds for views that start without trust."""
