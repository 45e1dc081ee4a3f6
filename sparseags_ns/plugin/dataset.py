"""nerfstudio's dataset of the working photographs: cropped and masked, in memory instead of in files."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from nerfstudio.data.datasets.base_dataset import InputDataset

from sparseags_ns.views import Views


class ViewsDataset(InputDataset):
    """RGBA images from `metadata["views"]`."""

    @property
    def views(self) -> Views:
        """The views that the dataset serves."""
        return self.metadata["views"]

    def get_numpy_image(self, image_idx: int) -> npt.NDArray[np.uint8]:
        """A working photograph, height x width x RGBA, not multiplied by alpha."""
        rgb, alpha = self.views.images[image_idx], self.views.masks[image_idx, ..., None]
        rgba = np.concatenate([rgb.numpy(), alpha.numpy()], axis=-1)
        return (rgba * 255).round().astype(np.uint8)
