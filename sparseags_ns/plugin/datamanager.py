"""Hands the photographs to nerfstudio; the model takes its own copy of them once, through the dataset's metadata."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

from nerfstudio.data.datamanagers.full_images_datamanager import FullImageDatamanager, FullImageDatamanagerConfig
from tyro.conf import Suppress

from sparseags_ns.plugin.dataparser import SparseAGSDataParserConfig
from sparseags_ns.plugin.dataset import ViewsDataset


@dataclass
class SparseAGSDataManagerConfig(FullImageDatamanagerConfig):
    """Photographs and initial poses."""

    _target: type = field(default_factory=lambda: SparseAGSDataManager)
    data: Path | None = None
    """Folder of the photographs."""
    dataparser: SparseAGSDataParserConfig = field(default_factory=SparseAGSDataParserConfig)
    """How the folder is read."""
    # "cpu" would pin memory, which raises where there is no driver; "gpu" means the training device.
    cache_images: Suppress[Literal["cpu", "gpu"]] = "gpu"


class SparseAGSDataManager(FullImageDatamanager[ViewsDataset]):
    """Every trusted view takes part in every step, so nothing is sampled here."""

    config: SparseAGSDataManagerConfig

    @cached_property
    def dataset_type(self) -> type[ViewsDataset]:
        """The dataset that both splits use."""
        return ViewsDataset

    def get_train_rays_per_batch(self) -> int:
        """Pixels of one training step: all views."""
        cameras = self.train_dataset.views.cameras
        return len(cameras) * cameras.width * cameras.height
