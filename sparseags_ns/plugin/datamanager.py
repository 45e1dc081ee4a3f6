"""nerfstudio's datamanager for `Views`; the model takes the photographs once, from the dataset's metadata."""

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
    """Configuration of the datamanager."""

    _target: type = field(default_factory=lambda: SparseAGSDataManager)
    data: Path | None = None
    """Folder of the photographs."""
    dataparser: SparseAGSDataParserConfig = field(default_factory=SparseAGSDataParserConfig)
    """Reading of the folder."""
    # "cpu" would pin memory, which raises an error without a CUDA driver; "gpu" means the training device.
    cache_images: Suppress[Literal["cpu", "gpu"]] = "gpu"


class SparseAGSDataManager(FullImageDatamanager[ViewsDataset]):
    """Datamanager without sampling: every trusted view takes part in every step."""

    config: SparseAGSDataManagerConfig

    @cached_property
    def dataset_type(self) -> type[ViewsDataset]:
        """Dataset class of both splits."""
        return ViewsDataset

    def get_train_rays_per_batch(self) -> int:
        """Number of pixels in a training step, over all views."""
        cameras = self.train_dataset.views.cameras
        return len(cameras) * cameras.width * cameras.height
