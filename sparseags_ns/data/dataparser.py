"""From a folder of photographs to nerfstudio's dataparser outputs.

Frames: the file's world, in which the poses were given; the normalised world (origin where the optical axes meet, mean
camera distance 1.85, +y up), in which everything is optimised. The similarity between them is handed on as
nerfstudio's dataparser transform and scale.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from nerfstudio.cameras.cameras import Cameras as NerfstudioCameras
from nerfstudio.cameras.cameras import CameraType
from nerfstudio.data.dataparsers.base_dataparser import DataParser, DataParserConfig, DataparserOutputs
from nerfstudio.data.scene_box import SceneBox
from tyro.conf import Suppress

from sparseags_ns.data.reading import Masks, read_views
from sparseags_ns.geometry.alignment import normalizing_similarity
from sparseags_ns.geometry.cameras import Cameras, opengl_from_opencv
from sparseags_ns.views import Views


@dataclass
class SparseAGSDataParserConfig(DataParserConfig):
    """Where photographs and initial poses come from."""

    _target: type = field(default_factory=lambda: SparseAGSDataParser)
    data: Suppress[Path] = Path()
    """Set by --data."""
    poses: Path | None = None
    """Take the initial poses from this cameras.json or transforms.json instead of the one in the data folder."""
    resolution: int = 256
    """Side of the square working photographs, pixels (paper: 256)."""
    allow_missing: bool = False
    """Leave out photographs that have no pose instead of refusing the folder."""
    masks: Masks = "auto"
    """Where the object's masks come from: transparency or the masks/ folder; or none, for whole photographs."""


class SparseAGSDataParser(DataParser):
    """Reads the views once and serves them for every split: every photograph is trained on and evaluated."""

    config: SparseAGSDataParserConfig

    @cached_property
    def outputs(self) -> DataparserOutputs:
        """The dataparser outputs; `metadata["views"]` holds the Views in the normalised world."""
        config = self.config
        views = read_views(
            config.data,
            poses=config.poses,
            resolution=config.resolution,
            masks=config.masks,
            allow_missing=config.allow_missing,
        )
        similarity = normalizing_similarity(views.cameras.T_camera_world)
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
    """The views in the precision that everything is optimised in."""
    return views.to(torch.float32)


def nerfstudio_cameras(cameras: Cameras) -> NerfstudioCameras:
    """The cameras as nerfstudio holds them (OpenGL camera-to-world)."""
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
        # ns-export cameras writes into it and fails on None.
        metadata={},
    )
