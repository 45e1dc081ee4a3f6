"""How far predicted cameras are from the true ones, as RelPose++ and Ray Diffusion measure it (METHOD.md, Metrics).

Rotation errors compare how cameras are turned relative to each other and need no alignment. Centre errors are measured
after the least-squares similarity (Umeyama, 7 degrees of pose_lr_scale) from predicted to true centres, in units of s, the
distance from the centroid of the true centres to the farthest of them.

Frames: `camera`, OpenCV axes; `world`, which may differ between prediction and truth by any similarity.
Units: degrees where a name ends in `_deg`; s for centre errors.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from sparseags_ns.geometry import se3
from sparseags_ns.geometry.alignment import AlignmentError, Similarity, fit_similarity

CENTER_THRESHOLD = 0.1
"""Centre errors below this share of s count as right (RelPose++, Ray Diffusion)."""


@dataclass(frozen=True)
class PoseErrors:
    """Errors of a set of predicted cameras, float64."""

    pairs_rotation_deg: Float[Tensor, "views views"]
    """Angle between the predicted and the true turn from camera i to camera j; zero on the diagonal."""
    center: Float[Tensor, " views"]
    """Distance of each aligned predicted centre to the true one, in units of s."""
    alignment: Similarity
    """From the predicted to the true world."""

    @property
    def rotation_deg(self) -> Float[Tensor, " views"]:
        """One rotation error for each view: the median over its pairs with the other views.

        It needs no alignment and a view keeps a small error as long as it agrees with most others, so gross errors
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
        """The published figures, as shares, and the medians behind them."""
        return {
            "R@5": self.rotation_accuracy(5.0),
            "R@15": self.rotation_accuracy(15.0),
            "CC@0.1": self.center_accuracy(),
            "median_rotation_error_deg": float(self._pairs().quantile(0.5)),
            "median_center_error": float(self.center.quantile(0.5)),
        }

    def _pairs(self) -> Float[Tensor, " pairs"]:
        """Rotation errors of the ordered pairs i != j, view by view."""
        return self.pairs_rotation_deg[~torch.eye(len(self.center), dtype=torch.bool)]


def pose_errors(predicted: Float[Tensor, "views 4 4"], true: Float[Tensor, "views 4 4"]) -> PoseErrors:
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
    return PoseErrors(
        pairs_rotation_deg=pairwise_rotation_errors_deg(predicted, true),
        center=distances / scene_scale(true_centers),
        alignment=alignment,
    )


def pairwise_rotation_errors_deg(
    predicted: Float[Tensor, "views 4 4"], true: Float[Tensor, "views 4 4"]
) -> Float[Tensor, "views views"]:
    """Angle between the predicted and the true relative rotation of each ordered pair of cameras."""
    relative_predicted, relative_true = _relative_rotations(predicted), _relative_rotations(true)
    return se3.rotation_angle(relative_true.transpose(-1, -2) @ relative_predicted).rad2deg()


def scene_scale(true_centers: Float[Tensor, "views 3"]) -> Float[Tensor, ""]:
    """s: the distance from the centroid of the true centres to the farthest of them."""
    return (true_centers - true_centers.mean(0)).norm(dim=-1).max()


def _relative_rotations(T_camera_world: Float[Tensor, "views 4 4"]) -> Float[Tensor, "views views 3 3"]:
    """Rotation from camera j to camera i for each pair (i, j)."""
    R = T_camera_world[:, :3, :3]
    return R[:, None] @ R[None].transpose(-1, -2)


def pose_change(
    before: Float[Tensor, "views 4 4"], after: Float[Tensor, "views 4 4"]
) -> tuple[Float[Tensor, " views"], Float[Tensor, " views"]]:
    """How far each camera turned (degrees) and its centre moved (world units), both `T_camera_world` in one world."""
    before, after = before.double(), after.double()
    turned = se3.rotation_angle(after[:, :3, :3] @ before[:, :3, :3].mT)
    moved = se3.inverse(after)[:, :3, 3] - se3.inverse(before)[:, :3, 3]
    return turned.rad2deg(), moved.norm(dim=-1)
