"""A save: a checkpoint and the outputs that belong to it, written as one.

The files are written and flushed to the disk under temporary names. Then all take their places, the checkpoint first
and the summary, which names the checkpoint's digest, last; older checkpoints are removed after that. Whatever a process
that is killed in between leaves behind, or a machine that loses power, is one whole save: `open_run` makes the outputs
anew from the checkpoint if they are of another save.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sparseags_ns.metrics.images import PerceptualError
from sparseags_ns.runs.checkpoint import CHECKPOINTS, VIEWS, digest, encoded
from sparseags_ns.runs.outputs import FOLDER, RunState, write_photographs, write_run_outputs
from sparseags_ns.runs.record import RunRecord
from sparseags_ns.storage import all_at_once, flush_folder, flush_tree, replacing


def save_run(
    folder: Path, state: dict[str, Any], run: RunState, perceptual: PerceptualError, only_latest: bool = True
) -> RunRecord:
    """Save a run at one step.

    Args:
        folder: the run's folder.
        state: what training goes on from: `step`, the last that was done, counted from 0, and what nerfstudio's trainer
            loads.
        run: the same state, as the outputs need it.
        only_latest: remove older checkpoints.

    Returns:
        The record with the outcome that was measured here.

    Raises:
        OutputError: a file cannot be written; the save before is as it was.
    """
    checkpoints, outputs = folder / CHECKPOINTS, folder / FOLDER
    content = encoded({**state, VIEWS: _views(run)})
    path = checkpoints / f"step-{state['step']:09d}.ckpt"
    write_photographs(outputs, run.views)
    if not any(checkpoints.glob("*.ckpt")):  # what nerfstudio has written itself must outlast a loss of power, too
        flush_tree(folder)
        for above in list(folder.absolute().parents)[:3]:  # METHOD, PHOTOS, and the folder of all outputs
            flush_folder(above)
    with all_at_once():
        # nerfstudio takes every file in the checkpoints' folder for a checkpoint: the temporary one lies outside.
        with replacing(path, folder=folder, size=len(content)) as temporary:
            temporary.write_bytes(content)
        record = write_run_outputs(outputs, run, perceptual, digest(content))
    for old in checkpoints.glob("*.ckpt") if only_latest else ():
        if old != path:
            old.unlink()
    return record


def _views(run: RunState) -> dict[str, Any]:
    """What a checkpoint says of the views, so that the outputs can be made from it and the photographs."""
    refined = run.refined.to("cpu")
    return {
        "names": list(run.views.names),
        "unposed": list(run.views.unposed),
        "T_camera_world": refined.T_camera_world.detach().clone(),
        "K": refined.K.detach().clone(),
    }
