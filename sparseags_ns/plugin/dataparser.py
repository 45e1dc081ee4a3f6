"""nerfstudio's dataparser: from a folder of photographs to `Views` in the normalised world.

Frames: the given world, that of the pose file or initialiser; the normalised world (origin where the optical axes meet,
mean camera distance 1.85, +y up), in which everything is optimised. The similarity between them goes into nerfstudio's
dataparser transform and scale.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from nerfstudio.cameras.cameras import Cameras as NerfstudioCameras
from nerfstudio.cameras.cameras import CameraType
from nerfstudio.data.dataparsers.base_dataparser import DataParser, DataParserConfig, DataparserOutputs
from nerfstudio.data.scene_box import SceneBox
from tyro.conf import Suppress

from sparseags_ns.geometry.alignment import normalizing_similarity
from sparseags_ns.geometry.cameras import Cameras, opengl_from_opencv
from sparseags_ns.pose_init.choice import PoseInitName
from sparseags_ns.preprocess.mask_plan import Masks
from sparseags_ns.scene.reading import FixCameras, ReadingOptions, read_scene
from sparseags_ns.scene.unregistered import MissingPoses
from sparseags_ns.views import Views


@dataclass
class SparseAGSDataParserConfig(DataParserConfig):
    """Source of photographs, masks and initial poses."""

    _target: type = field(default_factory=lambda: SparseAGSDataParser)
    data: Suppress[Path] = Path()
    """Set by --data."""
    poses: Path | None = None
    """Take the initial poses from this cameras.json, transforms.json or folder of a COLMAP model instead of the one in
    the data folder."""
    pose_init: PoseInitName = "auto"
    """Source of the initial poses: a pose file, or an initialiser; auto takes a file where there is one, else dust3r
    where its package and weights are here, else features."""
    pose_weights: str = "auto"
    """Weights for dust3r (a checkpoint, its folder or name) or id-pose (as for the prior); auto looks where they
    usually lie."""
    resolution: int = 256
    """Side of the square working photographs, pixels (paper: 256)."""
    missing_poses: MissingPoses = "refuse"
    """What happens to photographs without a pose in the pose file: refuse the folder, leave-out the photographs, or
    search: training searches for their poses."""
    masks: Masks = "auto"
    """Where the object's masks come from: given (transparency or the masks/ folder), rembg, background (by colours,
    where backgrounds are plain), or none, for whole photographs; auto takes the first that applies."""
    masks_drop: bool = False
    """The masks in masks/ are white where photographs are to be left out (VGGSfM's convention)."""
    num_frames: int = 12
    """Number of frames that are taken of a video."""
    fix_cameras: FixCameras = "auto"
    """Which cameras are fixed, that is, not refined: auto fixes those that were fitted to many points and, where
    photographs are reconstructed whole, without masks, all that have a pose; all; or none."""
    cache_dir: Path | None = None
    """Where poses, masks and key frames that were found are kept, instead of in sparseags/ inside the data folder."""


class SparseAGSDataParser(DataParser):
    """Dataparser that reads the views once, for all splits: every photograph is trained on and evaluated."""

    config: SparseAGSDataParserConfig

    @cached_property
    def outputs(self) -> DataparserOutputs:
        """nerfstudio's outputs; `metadata["views"]` holds the `Views` in the normalised world."""
        config = self.config
        options = {field.name: getattr(config, field.name) for field in fields(ReadingOptions)}
        views = read_scene(config.data, ReadingOptions(**options)).views
        similarity = normalizing_similarity(views.cameras.T_camera_world[views.posed])
        views = views.moved(similarity)
        scale = float(similarity.scale)
        transform = torch.cat([similarity.rotation, similarity.translation[:, None] / scale], dim=1).float()
        return DataparserOutputs(
            image_filenames=list(views.paths),
            cameras=nerfstudio_cameras(views.cameras),
            scene_box=SceneBox(aabb=torch.tensor([[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]])),
            metadata={"views": as_float32(views)},
            dataparser_transform=transform,
            dataparser_scale=scale,
        )

    def _generate_dataparser_outputs(self, split: str = "train", **kwargs: Any) -> DataparserOutputs:
        return self.outputs


def as_float32(views: Views) -> Views:
    """The views in float32, the precision of the optimisation."""
    return views.to(torch.float32)


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
