"""Key frames of a video in place of photographs: sharp ones, spread evenly over the camera's motion.

People who film an object stop, hurry and shake. So frames are spaced by how far the image has moved since the
beginning, not by time, and the sharpest of each interval is taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from sparseags_ns.console import announce
from sparseags_ns.formats.frame import PHOTO_FOLDERS
from sparseags_ns.preprocess.photo_files import list_photo_files
from sparseags_ns.preprocess.store import Store, fingerprint
from sparseags_ns.storage import replacing_folder

VIDEO_ENDINGS = (".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm")

MIN_FRAMES = 2

_CANDIDATES = 400
"""Number of frames that the key frames are chosen from; up to twice as many where it does not divide the video's."""
_SHARPNESS_PX = 640
"""Longer side at which sharpness is measured."""
_MOTION_PX = 160
"""Longer side at which motion is measured."""
_TIME_SHARE = 0.1
"""Motion added to each step, in mean steps: frames of a still image are then spread over time, not at one end."""

Grey = UInt8[np.ndarray, "height width"]


class VideoError(ValueError):
    """A video cannot be used."""


def photographs_folder(scene: Path, store: Store, num_frames: int) -> Path:
    """The folder of a scene's photographs: its own, or that of the key frames of its video, which are taken once.

    Raises:
        VideoError: there are several videos, or the only one cannot be used.
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


def write_key_frames(video: Path, count: int, folder: Path) -> None:
    """Write key frames as PNG files, named by their position in the video, into a new folder: all of them or none.

    Raises:
        VideoError: the video cannot be read, or has fewer than `count` frames.
    """
    if count < MIN_FRAMES:
        raise VideoError(f"{count} of a video's frames make no scene; ask for {MIN_FRAMES} or more (num-frames)")
    positions, sharpness, greys = _candidates(video)
    if len(positions) < count:
        raise VideoError(
            f"{video} has {len(positions)} frames that can be read, fewer than the {count} that were asked for; ask "
            "for fewer (num-frames)"
        )
    steps = np.array([0.0, *(_motion(greys[i - 1], greys[i]) for i in range(1, len(greys)))])
    chosen = {positions[index] for index in choose_frames(np.array(sharpness), steps, count)}
    with replacing_folder(folder) as part:
        for position, bgr in _frames(video):
            if position in chosen:
                # Encoded here: imwrite does not tell why a file cannot be written, and not all names work on Windows.
                encoded = cv2.imencode(".png", bgr)[1]
                (part / f"frame_{position:06d}.png").write_bytes(encoded.tobytes())


def choose_frames(
    sharpness: Float[np.ndarray, " frames"], steps: Float[np.ndarray, " frames"], count: int
) -> list[int]:
    """Indices of the sharpest frame of each of `count` equal parts of the motion, in ascending order.

    Args:
        sharpness: any measure that is higher for sharper frames.
        steps: how far the image moved since the frame before.
    """
    steps = steps + _TIME_SHARE * max(float(steps.mean()), 1e-6)
    motion = steps.cumsum() - steps[0]
    middles = (np.arange(count) + 0.5) / count * motion[-1]
    part = np.abs(motion[:, None] - middles).argmin(axis=1)
    chosen: list[int] = []
    for index, middle in enumerate(middles):
        inside = np.flatnonzero(part == index)
        if len(inside):
            chosen.append(int(inside[sharpness[inside].argmax()]))
            continue
        # The image jumped over this part, so the nearest frame that is still free is taken.
        free = np.setdiff1d(np.arange(len(motion)), chosen)
        chosen.append(int(free[np.abs(motion[free] - middle).argmin()]))
    # Such a frame may also be the sharpest of a later part: then the nearest free one takes its place.
    distinct: list[int] = []
    for index in chosen:
        free = np.setdiff1d(np.arange(len(motion)), distinct)
        distinct.append(int(free[np.abs(free - index).argmin()]))
    return sorted(distinct)


def _candidates(video: Path) -> tuple[list[int], list[float], list[Grey]]:
    """Positions, sharpness and small grey images of a few hundred frames, evenly spaced in time."""
    positions, sharpness, greys = [], [], []
    for position, bgr in _frames(video, about=_CANDIDATES):
        grey = _shrunk(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY), _SHARPNESS_PX)
        positions.append(position)
        sharpness.append(float(cv2.Laplacian(grey, cv2.CV_32F).var()))
        greys.append(_shrunk(grey, _MOTION_PX))
    return positions, sharpness, greys


def _shrunk(grey: Grey, side: int) -> Grey:
    scale = min(1.0, side / max(grey.shape))
    return np.asarray(cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _frames(video: Path, about: int | None = None) -> Iterator[tuple[int, UInt8[np.ndarray, "height width 3"]]]:
    """The readable frames (BGR) of a video with their positions; OpenCV applies the rotation of the video's header.

    Args:
        about: the least number of frames, evenly spaced in time, if the header tells the video's length; None for all.
    """
    capture = cv2.VideoCapture(str(video))
    try:
        if not capture.isOpened():
            raise VideoError(f"cannot read the video {video}: it is damaged, or of a kind that OpenCV cannot decode")
        stride = 1 if about is None else max(1, int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) // about)
        position = 0
        while capture.grab():
            if position % stride == 0:
                readable, bgr = capture.retrieve()
                if readable:
                    yield position, np.asarray(bgr, dtype=np.uint8)
            position += 1
    finally:
        capture.release()


def _motion(before: Grey, after: Grey) -> float:
    """Mean length of the optical flow (Farneback 2003), in pixels of the small images."""
    flow = np.zeros((*before.shape, 2), np.float32)
    flow = cv2.calcOpticalFlowFarneback(before, after, flow, 0.5, 3, 15, 2, 5, 1.2, 0)
    return float(np.linalg.norm(flow, axis=-1).mean())


def _video_of(scene: Path) -> Path | None:
    """The video in place of photographs: the scene itself, or the only video of a folder without photographs."""
    if scene.is_file():
        return scene if scene.suffix.lower() in VIDEO_ENDINGS else None
    if not scene.is_dir():
        return None
    videos = sorted(path for path in scene.iterdir() if path.suffix.lower() in VIDEO_ENDINGS and path.is_file())
    folders = [folder for folder in (scene, *(scene / name for name in PHOTO_FOLDERS)) if folder.is_dir()]
    if not videos or any(list_photo_files(folder) for folder in folders):
        return None
    if len(videos) > 1:
        raise VideoError(
            f"{len(videos)} videos and no photographs in {scene}: name the one that is meant as the data, for example "
            f"{videos[0]}"
        )
    return videos[0]
