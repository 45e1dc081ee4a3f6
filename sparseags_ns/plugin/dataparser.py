"""nerfstudio's dataparser: from a folder of photographs to `Views` in the normalised world.

Frames: the given world, that of the pose file or initialiser; the normalised world (origin where the optical axes meet,
mean camera distance 1.85, +y up), in which everything is optimised. The similarity between them goes into nerfstudio's
dataparser transform and scale.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float
from nerfstudio.cameras.cameras import Cameras as NerfstudioCameras
from nerfstudio.cameras.cameras import CameraType
from nerfstudio.data.dataparsers.base_dataparser import DataParser, DataParserConfig, DataparserOutputs
from nerfstudio.data.scene_box import SceneBox
from torch import Tensor
from tyro.conf import Suppress

from sparseags_ns.geometry.alignment import Similarity, normalizing_similarity
from sparseags_ns.geometry.cameras import Cameras, opengl_from_opencv
from sparseags_ns.runs.opening import OpenedRun
from sparseags_ns.runs.record import PoseInitRecord
from sparseags_ns.scene.origin import pose_init_record
from sparseags_ns.scene.reading import ReadingOptions, read_scene
from sparseags_ns.views import Views


@dataclass
class SparseAGSDataParserConfig(ReadingOptions, DataParserConfig):
    """Source of photographs, masks and initial poses."""

    _target: type = field(default_factory=lambda: SparseAGSDataParser)
    data: Suppress[Path] = Path()
    """Set by --data."""


class PreciseOutputs(DataparserOutputs):
    """nerfstudio's outputs with a transform in float64: given worlds may have coordinates of millions of metres."""

    def transform_poses_to_original_space(
        self, poses: Float[Tensor, "views 3 4"], camera_convention: Literal["opengl", "opencv"] = "opencv"
    ) -> Float[Tensor, "views 3 4"]:
        """Camera-to-world matrices of the normalised world in the given one; float64."""
        return super().transform_poses_to_original_space(poses.double(), camera_convention)


class SparseAGSDataParser(DataParser):
    """Dataparser that reads the views once, for all splits: every photograph is trained on and evaluated."""

    config: SparseAGSDataParserConfig

    @cached_property
    def outputs(self) -> DataparserOutputs:
        """nerfstudio's outputs; `metadata` holds the `Views` in the normalised world and the origin of their poses."""
        scene = read_scene(self.config.data, self.config)
        views = scene.views
        similarity = normalizing_similarity(views.cameras.T_camera_world[views.posed])
        views = views.moved(similarity).to(torch.float32)
        return _outputs(views, views.cameras, similarity, pose_init_record(scene))

    def _generate_dataparser_outputs(self, split: str = "train", **kwargs: Any) -> DataparserOutputs:
        return self.outputs


class OpenedRunParser(SparseAGSDataParser):
    """Dataparser of a run that was opened: its own photographs, with the refined cameras; reads no other folder."""

    def __init__(self, run: OpenedRun, config: SparseAGSDataParserConfig) -> None:
        super().__init__(config)
        self.run = run

    @cached_property
    def outputs(self) -> DataparserOutputs:
        """nerfstudio's outputs, in the run's world."""
        run = self.run
        return _outputs(run.views.to("cpu"), run.refined.to("cpu"), run.normalisation, run.record.pose_init)


def _outputs(
    views: Views, cameras: Cameras, similarity: Similarity, pose_init: PoseInitRecord | None
) -> DataparserOutputs:
    """nerfstudio's outputs for views in the normalised world.

    Args:
        cameras: those of the datasets.
        similarity: from the given world to the normalised one.
    """
    scale = float(similarity.scale)
    return PreciseOutputs(
        image_filenames=list(views.paths),
        cameras=nerfstudio_cameras(cameras),
        scene_box=SceneBox(aabb=torch.tensor([[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]])),
        metadata={"views": views, "pose_init": pose_init},
        dataparser_transform=torch.cat([similarity.rotation, similarity.translation[:, None] / scale], dim=1),
        dataparser_scale=scale,
    )


def nerfstudio_cameras(cameras: Cameras) -> NerfstudioCameras:
    """The cameras in nerfstudio's form (OpenGL camera-to-world)."""
    K = cameras.K.float()
    return NerfstudioCameras(
        camera_to_worlds=opengl_from_opencv(cameras.T_camera_world)[:, :3].float(),
        fx=K[:, 0, 0],
        fy=K[:, 1, 1],
        cx=K[:, 0, 2],
        cy=K[:, 1, 2],
        width=cameras.width,
        height=cameras.height,
        camera_type=CameraType.PERSPECTIVE,
        # ns-export cameras writes into the dictionary and fails on None.
        metadata={},
    )
