"""nerfstudio's pipeline: joint steps instead of batches, strict loading, refined cameras outside of training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nerfstudio.engine.callbacks import TrainingCallback, TrainingCallbackAttributes
from nerfstudio.pipelines.base_pipeline import VanillaPipeline, VanillaPipelineConfig

from sparseags_ns.geometry.cameras import opengl_from_opencv
from sparseags_ns.plugin.datamanager import SparseAGSDataManager, SparseAGSDataManagerConfig
from sparseags_ns.plugin.model import SparseAGSModel, SparseAGSModelConfig
from sparseags_ns.plugin.outlier_callback import pose_repair_callback
from sparseags_ns.viewer.request_queue import RequestQueue
from sparseags_ns.viewer.updater import SparseAGSViewer


class CheckpointError(ValueError):
    """A checkpoint is missing, or was trained on other photographs."""


@dataclass
class SparseAGSPipelineConfig(VanillaPipelineConfig):
    """Configuration of the pipeline."""

    _target: type = field(default_factory=lambda: SparseAGSPipeline)
    datamanager: SparseAGSDataManagerConfig = field(default_factory=SparseAGSDataManagerConfig)
    """Photographs and initial poses."""
    model: SparseAGSModelConfig = field(default_factory=SparseAGSModelConfig)
    """Gaussians and camera corrections."""


class SparseAGSPipeline(VanillaPipeline):
    """Pipeline in which every step renders every trusted view and evaluation uses the refined cameras."""

    config: SparseAGSPipelineConfig
    datamanager: SparseAGSDataManager

    def __init__(self, config: SparseAGSPipelineConfig, device: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(config, device, *args, **kwargs)
        self.requests = RequestQueue(self.model)
        self.sparseags_viewer = SparseAGSViewer(self.model, self.requests)

    @property
    def model(self) -> SparseAGSModel:
        """The model."""
        assert isinstance(self._model, SparseAGSModel)
        return self._model

    def get_training_callbacks(self, attributes: TrainingCallbackAttributes) -> list[TrainingCallback]:
        """Pose repair, which may replace the state before a step begins, then the callbacks of the model."""
        repair = pose_repair_callback(self.model, attributes, self.requests)
        return [repair, *super().get_training_callbacks(attributes)]

    def get_train_loss_dict(self, step: int) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        """Run the forward pass of a joint step; returns no outputs, losses and metrics."""
        losses, metrics = self.model.joint_step(step)
        return {}, losses, metrics

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool | None = None) -> Any:
        """Load the model's part of a checkpoint, strictly: nerfstudio would silently retry a failed load leniently.

        Raises:
            CheckpointError: it was trained on another number of photographs.
        """
        prefix = "_model."
        model_state = {k.removeprefix(prefix): v for k, v in state_dict.items() if k.startswith(prefix)}
        saved, present = len(model_state["trusted"]), len(self.model.trusted)
        if saved != present:
            raise CheckpointError(
                f"the checkpoint was trained on {saved} photographs, but the data folder holds {present}: "
                "train again, or point --data to the folder it was trained on"
            )
        return self.model.load_state_dict(model_state, strict=True)

    def load_pipeline(self, loaded_state: dict[str, Any], step: int) -> None:
        """Load a checkpoint; outside of training, put the refined cameras into the datasets."""
        super().load_pipeline(loaded_state, step)
        if self.test_mode == "val":
            return
        refined = self.model.cameras().detach()
        camera_to_worlds = opengl_from_opencv(refined.T_camera_world)[:, :3]
        for cameras in (self.datamanager.train_dataset.cameras, self.datamanager.eval_dataset.cameras):
            cameras.camera_to_worlds = camera_to_worlds.to(cameras.device)
            cameras.fx, cameras.fy = (refined.K[:, i, i, None].to(cameras.device) for i in (0, 1))
        self.model.camera_optimizer.start_from(refined)
