"""A result against the truth: refined cameras against true ones, the splat against held-out photographs.

cameras      cameras in files, matched by the photographs' names: pose errors, focal lengths
held_out     the held-out photographs of a scene
novel_views  the splat seen from where they were taken
regularity   silhouettes, what lies beside the object, needles
"""

from sparseags_ns.evaluation.cameras import CameraErrors, compare_pose_files, focal_ratio, frames_by_photograph
from sparseags_ns.evaluation.held_out import HeldOut, read_held_out
from sparseags_ns.evaluation.novel_views import NovelViewErrors, novel_view_errors
from sparseags_ns.evaluation.regularity import Regularity, measure_regularity

__all__ = [
    "CameraErrors",
    "HeldOut",
    "NovelViewErrors",
    "Regularity",
    "compare_pose_files",
    "focal_ratio",
    "frames_by_photograph",
    "measure_regularity",
    "novel_view_errors",
    "read_held_out",
]
