"""Key frames of a video: sharp ones, spread evenly along the way that the picture moves.

Whoever films an object stands still, hurries and shakes. So frames are chosen by how far the picture has moved since
the beginning, not by time, and among neighbours the sharpest is taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt8

VIDEO_ENDINGS = (".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm")

FEWEST_FRAMES = 2

_CANDIDATES = 400
_SHARP_PX = 640
_GREY_PX = 160
# Time counts a little too: pictures that stand still are spread over it, not heaped at one end.
_TIME_SHARE = 0.1

Grey = UInt8[np.ndarray, "height width"]


class VideoError(ValueError):
    """A video cannot be used."""


def write_key_frames(video: Path, count: int, folder: Path) -> None:
    """Write so many frames as PNG files, named by their place in the video, into a new folder: all of them or none.

    Raises:
        VideoError: the video cannot be read, or has too few frames.
    """
    if count < FEWEST_FRAMES:
        raise VideoError(f"{count} of a video's frames make no scene; ask for {FEWEST_FRAMES} or more (num-frames)")
    places, sharpness, greys = _candidates(video)
    if len(places) < count:
        raise VideoError(
            f"{video} has {len(places)} frames that can be read, fewer than the {count} that were asked for; ask for "
            "fewer (num-frames)"
        )
    steps = np.array([0.0, *(_motion(greys[i - 1], greys[i]) for i in range(1, len(greys)))])
    chosen = {places[index] for index in choose_frames(np.array(sharpness), steps, count)}
    part = folder.with_name(folder.name + ".part")
    part.mkdir(parents=True, exist_ok=True)
    for place, pixels in _frames(video):
        if place in chosen:
            cv2.imwrite(str(part / f"frame_{place:06d}.png"), pixels)
    part.replace(folder)


def choose_frames(
    sharpness: Float[np.ndarray, " frames"], steps: Float[np.ndarray, " frames"], count: int
) -> list[int]:
    """Indices of frames, in their order: the way is cut into equal parts, and each gives its sharpest.

    Args:
        sharpness: any measure that is higher for sharper frames.
        steps: how far the picture moved since the frame before.
    """
    steps = steps + _TIME_SHARE * max(float(steps.mean()), 1e-6)
    way = steps.cumsum() - steps[0]
    middles = (np.arange(count) + 0.5) / count * way[-1]
    part = np.abs(way[:, None] - middles).argmin(axis=1)
    chosen: list[int] = []
    for index, middle in enumerate(middles):
        inside = np.flatnonzero(part == index)
        if len(inside):
            chosen.append(int(inside[sharpness[inside].argmax()]))
            continue
        # The picture jumped over this part: the nearest frame that nobody else takes.
        free = np.setdiff1d(np.arange(len(way)), chosen)
        chosen.append(int(free[np.abs(way[free] - middle).argmin()]))
    return sorted(_distinct(chosen, len(way)))


def _distinct(chosen: list[int], frames: int) -> list[int]:
    """The same, with another free frame for each that is there twice."""
    taken: list[int] = []
    for index in chosen:
        free = [other for other in range(frames) if other not in taken]
        taken.append(min(free, key=lambda other: abs(other - index)))
    return taken


def _candidates(video: Path) -> tuple[list[int], list[float], list[Grey]]:
    """Places, sharpness and small grey pictures of a few hundred frames, evenly in time."""
    places, sharpness, greys = [], [], []
    for place, pixels in _frames(video, stride=max(1, _length(video) // _CANDIDATES)):
        grey = _shrunk(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), _SHARP_PX)
        places.append(place)
        sharpness.append(float(cv2.Laplacian(grey, cv2.CV_32F).var()))
        greys.append(_shrunk(grey, _GREY_PX))
    return places, sharpness, greys


def _shrunk(grey: Grey, side: int) -> Grey:
    scale = min(1.0, side / max(grey.shape))
    return np.asarray(cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _length(video: Path) -> int:
    """How many frames the video says it has; 0 where it does not say."""
    capture = _open(video)
    try:
        return max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT)))
    finally:
        capture.release()


def _frames(video: Path, stride: int = 1) -> Iterator[tuple[int, UInt8[np.ndarray, "height width 3"]]]:
    """Every so many-th frame (BGR) with its place; OpenCV turns it as the video's tag asks."""
    capture = _open(video)
    try:
        place = 0
        while capture.grab():
            if place % stride == 0:
                readable, pixels = capture.retrieve()
                if readable:
                    yield place, np.asarray(pixels, dtype=np.uint8)
            place += 1
    finally:
        capture.release()


def _open(video: Path) -> cv2.VideoCapture:
    capture = cv2.VideoCapture(str(video))
    if not capture.isOpened():
        raise VideoError(f"cannot read the video {video}: it is damaged, or of a kind that OpenCV cannot decode")
    return capture


def _motion(before: Grey, after: Grey) -> float:
    """Mean length of the optical flow, in pixels of the small pictures."""
    flow = np.zeros((*before.shape, 2), np.float32)
    flow = cv2.calcOpticalFlowFarneback(before, after, flow, 0.5, 3, 15, 2, 5, 1.2, 0)
    return float(np.linalg.norm(flow, axis=-1).mean())
