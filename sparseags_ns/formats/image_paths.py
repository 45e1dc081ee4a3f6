"""Where the photograph is that a pose file names.

Pose files travel: the authors' `cameras.json` names files relative to their repository, nerfstudio's `transforms.json`
relative to its own folder, others relative to the scene. The basename is what stays.
"""

from __future__ import annotations

from pathlib import Path

HEIC_ENDINGS = (".heic", ".heif")
PHOTO_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", *HEIC_ENDINGS)
"""Endings of photographs, in lower case; a path without one of them is tried with each."""

PHOTO_FOLDERS = ("processed", "images")
"""Folders of a scene that may hold the photographs, in the order in which they are searched."""


def find_image(file_path: str, pose_file: Path, scene: Path) -> Path | None:
    """The photograph that `file_path` of a pose file means, or None if there is none in any of the likely places.

    Args:
        pose_file: the file that names the photograph.
        scene: the folder of the scene, which the pose file need not lie in.
    """
    return next((path for path in image_candidates(file_path, pose_file, scene) if path.is_file()), None)


def image_candidates(file_path: str, pose_file: Path, scene: Path) -> list[Path]:
    """All places where `find_image` looks, in its order."""
    written = Path(file_path.replace("\\", "/"))
    places = [pose_file.parent / written, scene / written]
    places += [scene / folder / written.name for folder in PHOTO_FOLDERS]
    places = list(dict.fromkeys(places))
    if written.suffix.lower() in PHOTO_ENDINGS:
        return places
    endings = ("", *PHOTO_ENDINGS, *(ending.upper() for ending in PHOTO_ENDINGS))
    return [place.with_name(place.name + ending) for place in places for ending in endings]
