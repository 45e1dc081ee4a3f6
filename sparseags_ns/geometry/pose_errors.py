"""How far predicted cameras are from the true ones, as RelPose++ and Ray Diffusion measure it (METHOD.md, Metrics).

Rotation errors compare the relative rotations between cameras and need no alignment. Centre errors are measured after
the least-squares similarity (Umeyama, 7 degrees of freedom) from predicted to true centres, in units of s, the distance
from the centroid of the true centres to the farthest of them.

Frames: `camera`, OpenCV axes; `world`, which may differ between prediction and truth by any similarity.
Units: degrees where a name ends in `_deg`; s for centre errors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.geometry import se3
from sparseags_ns.geometry.alignment import AlignmentError, Similarity, fit_similarity

Poses: TypeAlias = Float[Tensor, "views 4 4"]
"""`T_camera_world` of a list of views."""

CENTER_THRESHOLD = 0.1
"""Centre errors below this share of s count as right (RelPose++, Ray Diffusion)."""


@dataclass(frozen=True)
class PoseErrors:
    """Errors of a set of predicted cameras, in float64 on the CPU."""

    pairs_rotation_deg: Float[Tensor, "views views"]
    """Angle between the predicted and the true relative rotation of cameras i and j; zero on the diagonal."""
    center: Float[Tensor, " views"]
    """Distance of each aligned predicted centre to the true one, in units of s."""
    alignment: Similarity
    """Map of the predicted to the true world."""

    @property
    def rotation_deg(self) -> Float[Tensor, " views"]:
        """One rotation error for each view: the median over its pairs with the other views.

        It needs no alignment. A view keeps a small error as long as it is consistent with most others, so gross errors
        stay with the views that have them while these are fewer than half. With two views both get the same error.
        """
        return self._pairs().unflatten(0, (len(self.center), -1)).quantile(0.5, dim=1)

    def rotation_accuracy(self, threshold_deg: float) -> float:
        """Share of ordered pairs i != j whose rotation error is below the threshold (R@t)."""
        return float((self._pairs() < threshold_deg).double().mean())

    def center_accuracy(self, threshold: float = CENTER_THRESHOLD) -> float:
        """Share of views whose centre error is below the threshold (CC@0.1)."""
        return float((self.center < threshold).double().mean())

    def summary(self) -> dict[str, float]:
        """The figures that papers report (shares of pairs or views), and the median errors."""
        return {
            "R@5": self.rotation_accuracy(5.0),
            "R@15": self.rotation_accuracy(15.0),
            "CC@0.1": self.center_accuracy(),
            "median_rotation_error_deg": float(self._pairs().quantile(0.5)),
            "median_center_error": float(self.center.quantile(0.5)),
        }

    def _pairs(self) -> Float[Tensor, " pairs"]:
        """Rotation errors of the ordered pairs i != j, grouped by i."""
        return self.pairs_rotation_deg[~torch.eye(len(self.center), dtype=torch.bool)]


def pose_errors(predicted: Poses, true: Poses) -> PoseErrors:
    """Compare two lists of `T_camera_world` of the same views.

    Raises:
        AlignmentError: fewer than two views, or centres that coincide.
    """
    if len(predicted) < 2:
        raise AlignmentError(f"pose errors compare cameras with each other: need 2 or more views, got {len(predicted)}")
    predicted, true = predicted.detach().double().cpu(), true.detach().double().cpu()
    predicted_centers, true_centers = se3.inverse(predicted)[:, :3, 3], se3.inverse(true)[:, :3, 3]
    alignment = fit_similarity(predicted_centers, true_centers)
    distances = (alignment.apply_to_points(predicted_centers) - true_centers).norm(dim=-1)
    return PoseErrors(pairwise_rotation_errors_deg(predicted, true), distances / scene_scale(true_centers), alignment)


def pairwise_rotation_errors_deg(predicted: Poses, true: Poses) -> Float[Tensor, "views views"]:
    """Angle between the predicted and the true relative rotation of each ordered pair of cameras."""
    # relative[i, j] = R_i R_j^T rotates the frame of camera j to that of camera i; the world's orientation cancels.
    relative_predicted, relative_true = (R[:, None] @ R[None].mT for R in (predicted[:, :3, :3], true[:, :3, :3]))
    return se3.rotation_angle(relative_true.mT @ relative_predicted).rad2deg()


def scene_scale(true_centers: Float[Tensor, "views 3"]) -> Float[Tensor, ""]:
    """The unit s of centre errors: the distance from the centroid of the true centres to the farthest of them."""
    return (true_centers - true_centers.mean(0)).norm(dim=-1).max()


def pose_change(before: Poses, after: Poses) -> tuple[Float[Tensor, " views"], Float[Tensor, " views"]]:
    """Rotation angle (degrees) and centre distance (world units) of each camera between poses in the same world."""
    before, after = before.double(), after.double()
    rotation = se3.rotation_angle(after[:, :3, :3] @ before[:, :3, :3].mT)
    moved = se3.inverse(after)[:, :3, 3] - se3.inverse(before)[:, :3, 3]
    return rotation.rad2deg(), moved.norm(dim=-1)
