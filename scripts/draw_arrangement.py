"""Draws photographs around the places where their cameras were found, from above, and the true places beside them.

Usage: python scripts/draw_arrangement.py POSES TRUTH PICTURE, where POSES is a folder that `sparseags poses` has
written and TRUTH a sample's `gt/transforms.json`. The figure in docs/ab_initio.md was made by:

    sparseags sample house --seed 3 --capture walk --bare
    sparseags poses house --pose-init ab-initio --output poses
    python scripts/draw_arrangement.py poses house/gt/transforms.json docs/images/arrangement.png
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from sparseags_ns.evaluation.cameras import frames_by_photograph
from sparseags_ns.geometry.alignment import normalizing_similarity
from sparseags_ns.geometry.cameras import Cameras, frustum_corners
from sparseags_ns.geometry.pose_errors import pose_errors

SIDE_PX, PHOTOGRAPH_PX = 760, 150
RING_PX, PHOTOGRAPHS_PX = 195, 300
"""Distances from the middle: of the cameras on average, and of the photographs."""
FRUSTUM = 0.3
"""Depth of a drawn camera, world units."""
INK, TRUE, FOUND = (40, 40, 40), (200, 120, 40), (20, 130, 50)


def main() -> None:
    """Draw and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("poses", "truth", "picture"):
        parser.add_argument(name, type=Path)
    arguments = parser.parse_args()
    found = frames_by_photograph(arguments.poses / "transforms.json")
    true = frames_by_photograph(arguments.truth)
    T_found, T_true = (torch.stack([frames[name].T_camera_world for name in found]) for frames in (found, true))
    # The found world is moved to the true one, and both to one whose +y is up.
    upright = normalizing_similarity(T_true)
    aligned = upright.compose(pose_errors(T_found, T_true).alignment).apply_to_poses(T_found)
    true_centers = torch.linalg.inv(upright.apply_to_poses(T_true))[:, :3, 3]
    Ks = torch.stack([frame.K for frame in found.values()])
    # A sample's photographs are squares around the principal point.
    side = round(2 * float(Ks[0, 0, 2]))
    corners = frustum_corners(Cameras(aligned, Ks, side, side), FRUSTUM)

    sheet = Image.new("RGB", (SIDE_PX, SIDE_PX), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=14)
    scale = RING_PX / float(true_centers[:, [0, 2]].norm(dim=-1).mean())

    def on_sheet(point: Float[Tensor, " 3"]) -> tuple[float, float]:
        return SIDE_PX / 2 + scale * float(point[0]), SIDE_PX / 2 + scale * float(point[2])

    for name, frame, center, (apex, *rim) in zip(found, found.values(), true_centers, corners, strict=True):
        x, y = on_sheet(center)
        draw.ellipse((x - 7, y - 7, x + 7, y + 7), outline=TRUE, width=2)
        for corner, following in zip(rim, [*rim[1:], rim[0]], strict=True):
            draw.line([on_sheet(apex), on_sheet(corner), on_sheet(following)], FOUND, 2)
        outward = apex[[0, 2]] / apex[[0, 2]].norm() * PHOTOGRAPHS_PX
        left, top = (round(SIDE_PX / 2 + way - PHOTOGRAPH_PX / 2) for way in outward.tolist())
        photograph = (
            Image.open(arguments.poses / frame.file_path).convert("RGBA").resize((PHOTOGRAPH_PX, PHOTOGRAPH_PX))
        )
        sheet.paste(photograph, (left, top), photograph)
        draw.text((left + 4, top + 4), name, INK, font)
    for line, (text, colour) in enumerate((("found", FOUND), ("true", TRUE))):
        draw.text((SIDE_PX / 2 - 16, SIDE_PX / 2 - 18 + 20 * line), text, colour, font)
    sheet.quantize(128).save(arguments.picture, optimize=True)


if __name__ == "__main__":
    main()
