"""nerfstudio's dataset and datamanager for `Views`; the model takes the photographs once, from the metadata."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from nerfstudio.data.datamanagers.full_images_datamanager import FullImageDatamanager, FullImageDatamanagerConfig
from nerfstudio.data.datasets.base_dataset import InputDataset
from tyro.conf import Suppress

from sparseags_ns.plugin.dataparser import SparseAGSDataParserConfig
from sparseags_ns.views import Views


class ViewsDataset(InputDataset):
    """Working photographs from `metadata["views"]`: cropped and masked, in memory instead of in files."""

    @property
    def views(self) -> Views:
        """The views that the dataset serves."""
        return self.metadata["views"]

    def get_numpy_image(self, image_idx: int) -> npt.NDArray[np.uint8]:
        """A working photograph, height x width x RGBA, not multiplied by alpha."""
        rgb, alpha = self.views.images[image_idx], self.views.masks[image_idx, ..., None]
        rgba = np.concatenate([rgb.numpy(), alpha.numpy()], axis=-1)
        return (rgba * 255).round().astype(np.uint8)


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
