"""A video in place of photographs: its key frames are taken once and kept."""

from __future__ import annotations

from pathlib import Path

from sparseags_ns.console import announce
from sparseags_ns.formats.image_paths import PHOTO_FOLDERS
from sparseags_ns.preprocess.photographs import list_photographs
from sparseags_ns.preprocess.store import Store, fingerprint
from sparseags_ns.preprocess.video import VIDEO_ENDINGS, VideoError, write_key_frames


def photographs_folder(scene: Path, store: Store, num_frames: int) -> Path:
    """The folder to look for photographs in: the scene's own, or that of the key frames of its video.

    Raises:
        VideoError: there are several videos, or the one cannot be used.
    """
    video = _video_of(scene)
    if video is None:
        return scene
    folder = store.folder / f"frames-{fingerprint('frames', str(num_frames), video)}"
    if not folder.is_dir():
        store.new_file(folder.name)
        write_key_frames(video, num_frames, folder)
    announce(f"photographs: {num_frames} key frames of {video.name}", f"kept in {folder}")
    return folder


def _video_of(scene: Path) -> Path | None:
    """The video that stands for a scene: itself, or the only one in a folder without photographs."""
    if scene.is_file():
        return scene if scene.suffix.lower() in VIDEO_ENDINGS else None
    if not scene.is_dir():
        return None
    videos = sorted(path for path in scene.iterdir() if path.suffix.lower() in VIDEO_ENDINGS and path.is_file())
    folders = [folder for folder in (scene, *(scene / name for name in PHOTO_FOLDERS)) if folder.is_dir()]
    if not videos or any(list_photographs(folder) for folder in folders):
        return None
    if len(videos) > 1:
        raise VideoError(
            f"{len(videos)} videos and no photographs in {scene}: name the one that is meant as the data, for example "
            f"{videos[0]}"
        )
    return videos[0]
