"""Lists uses of words that this project's house style replaces by the field's terms (CONTRIBUTING.md, Words).

Usage: python scripts/check_words.py [PATH ...]. Exit status 1 where something is left that is not a reviewed exception.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

PATTERNS = {
    r"\b(desk|steward|workplace)\b": "request queue, viewer updater, repair context",
    r"\b[Ss]ettl(e|es|ed|ing)\b|\w*_?settl(e|ed|ing)_?\w*": "start selection; outlier repair",
    r"\bnewcomers?\b|\bunplaced\b|\bUNPLACED\b": "unregistered views, registration",
    r"\b(views?|photographs?) (that )?(still )?wait(s|ing)?\b|\bclass Waiting\b": "unregistered views, registration",
    r"\b(hold|holding|held)_(?!out|silhouettes)\w+|\bHold\b|\bfreedom\b": "fixed cameras",
    r"\b(cameras?|poses?|views?) (are|is|be) held\b": "fixed cameras",
    r"\bone lens\b|\bone_lens\b|\blens_scale\w*": "shared intrinsics",
    r"\bbeliev\w+": "match filtering",
    r"\bfaded\b|\bglanc\w+|\brelocat\w+": "left-out fit, quick search, leave-one-out test",
    r"\bturned_deg\b|\bturned by\b|\bturns? (them|it|views?) by\b": "rotated by 8 deg (rotation_deg)",
    r"\bbetween_batches\b": "observer().pause()",
    r"[\"'](keep|replace)[\"']": "reject, re-search",
    r"\b(Raster|Picture|PosedPhotograph|Photograph)\b(?=.*\bclass\b)": "PhotoFile, Photo, PosedPhotoFile, Target",
    r"\bclaim(s|ed)?\b|\beased?\b|\bbears? (one another|them|it) out\b": "start poses, improves, consistent",
    r"^\s*\"\"\"(Of|The same|Theirs|So many|Likewise|And|But|Its|Their)\b": "a docstring that leans on its neighbour",
}
"""Patterns, each with what to write instead."""

EXCEPTIONS: dict[str, tuple[str, ...]] = {
    "tests/faults/kill_saves.py": ('"replace"',),  # a function of os
    "scripts/check_viewer.py": ('"replace"',),  # an argument of bytes.decode
    "sparseags_ns/geometry/pose_errors.py": ("degrees of freedom",),
    "sparseags_ns/rasterizer/kernels/binning.py": ("turned by 180 degrees",),  # a curve
    "sparseags_ns/report/assets/cameras.html": ("Photograph",),
    "sparseags_ns/report/assets/errors.html": ("Photograph",),
    "sparseags_ns/report/assets/space.js": ("turned by dragging",),
    "sparseags_ns/report/assets/turntable.js": ("turned by dragging",),
    "sparseags_ns/sample/families/lamps.py": ("desk lamp", "Desk lamp", "desk_lamp"),
    "sparseags_ns/sample/shading.py": ("glancing",),  # angles of light
    # The keys of records of version 0.1.0, which are converted when they are read.
    "sparseags_ns/runs/format_0_1_0.py": ("settled", "turned_deg", "keep", "glance", "relocation"),
    "tests/unit/runs/test_record.py": ("turned_deg",),
}
"""Reviewed uses that stay: path to the texts in its lines that are meant in their ordinary sense."""


def findings(path: Path) -> list[str]:
    """Lines of one file with a replaced word, exceptions left out."""
    name = path.relative_to(ROOT).as_posix()
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if any(text in line for text in EXCEPTIONS.get(name, ())):
            continue
        for pattern, instead in PATTERNS.items():
            match = re.search(pattern, line)
            if match:
                found.append(f"{name}:{number}: {match.group(0).strip()!r}, better: {instead}\n    {line.strip()}")
    return found


def main() -> int:
    """Check the tracked text files below the given paths."""
    listed = subprocess.run(
        ["git", "ls-files", "*.py", "*.md", "*.html", "*.js", "*.snap", "*.toml", "*.sh", *sys.argv[1:]],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    skipped = {Path(__file__).resolve(), ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md"}
    files = [ROOT / name for name in listed if (ROOT / name).is_file() and ROOT / name not in skipped]
    lines = [line for file in files for line in findings(file)]
    print("\n".join(lines) if lines else "no replaced words")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
