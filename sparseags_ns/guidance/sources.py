"""Where the published weights are, and what is on this machine. Only what somebody names is downloaded."""

from __future__ import annotations

import re
from pathlib import Path

from sparseags_ns.guidance.checkpoints import CheckpointError
from sparseags_ns.guidance.folders import is_complete

BASE_NAMES = ("ashawkey/zero123-xl-diffusers", "bennyguo/zero123-xl-diffusers", "kxic/zero123-xl")
"""Zero123-XL on the model hub, in the layouts of `folders.py`; the first is preferred."""

SIX_DOF_FILE = "zero123_6dof_23k.ckpt"
"""The SparseAGS authors' 6-DoF weights, under the name they gave them."""

SIX_DOF_SOURCE = (
    f"The 6-DoF weights ({SIX_DOF_FILE}) are linked in the README of github.com/QitaoZhao/SparseAGS; put them into "
    "checkpoints/ or ~/.cache/sparseags_ns/"
)

_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")


def find_six_dof() -> Path | None:
    """The authors' 6-DoF checkpoint, where their README and ours say to put it."""
    places = (Path("checkpoints"), Path.home() / ".cache" / "sparseags_ns")
    return next((place / SIX_DOF_FILE for place in places if (place / SIX_DOF_FILE).is_file()), None)


def find_base() -> Path | None:
    """A Zero123-XL that was downloaded before."""
    for name in BASE_NAMES:
        try:
            return hub_folder(name, half=True, download=False)
        except CheckpointError:
            continue
    return None


def is_hub_name(name: str) -> bool:
    """Whether a string is a name on the model hub and not a path that exists."""
    return _HUB_NAME.fullmatch(name) is not None and not Path(name).exists()


def hub_folder(name: str, *, half: bool, download: bool) -> Path:
    """The local folder of a model on the hub.

    Args:
        half: which files to download where there are both.
        download: False takes what an earlier download left.

    Raises:
        CheckpointError: it is not here, and it could not be fetched or must not be.
    """
    from huggingface_hub import snapshot_download

    try:
        if not download:
            folder = Path(snapshot_download(name, local_files_only=True))
            if not is_complete(folder):
                raise FileNotFoundError(f"{folder} lacks weights")
            return folder
        return Path(snapshot_download(name, allow_patterns=_wanted_files(name, half)))
    except Exception as error:
        what = "could not be fetched" if download else "is not on this machine"
        raise CheckpointError(
            f"{name} {what} ({type(error).__name__}). On a machine that reaches the model hub: hf download {name} "
            "--local-dir DIR; then give --pipeline.model.guidance DIR"
        ) from error


def _wanted_files(name: str, half: bool) -> list[str]:
    """Configurations, and of each network's weights safetensors before pickles, in one precision."""
    from huggingface_hub import list_repo_files

    files = [file for file in list_repo_files(name) if "/" in file and not file.startswith("safety_checker/")]
    weights = [file for file in files if file.endswith((".safetensors", ".bin")) and "_ema" not in file]
    chosen = [file for file in files if file.endswith(".json")]
    for folder in sorted({file.rpartition("/")[0] for file in weights}):
        mine = [file for file in weights if file.rpartition("/")[0] == folder]
        mine = [file for file in mine if file.endswith(".safetensors")] or mine
        chosen += [file for file in mine if (".fp16." in file) == half] or mine
    return chosen
