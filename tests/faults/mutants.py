"""Damaged scenes, made from valid ones by chance: each is read as it should be, or refused by an error that names it.

    python -m tests.faults.mutants --count 1000 --seed 0

They are read in a child process whose memory is limited; one that hangs or dies is replaced, and goes on with the next
scene. Exit status 1 where any outcome is not as it should be; `--keep FOLDER` writes these scenes there.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import random
import resource
import select
import subprocess
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

REPO = Path(__file__).parents[2]

LONGEST_S = 20.0
"""Seconds until a scene counts as one that hangs."""
MEMORY_BYTES = 1_500_000_000
"""Memory that reading may take, beside what the process has after its imports."""

GOOD = ("read", "refused")
BAD = ("unnamed", "traceback", "absurd", "memory", "hang", "crash")
"""Outcomes: read well; refused with the file's name or without; another exception; values accepted that no camera has;
too much memory; too long; the process died."""


@dataclass(frozen=True)
class Outcome:
    """What became of one damaged scene."""

    number: int
    kind: str
    outcome: str
    message: str = ""


def mutant(seed: int, number: int) -> tuple[str, str, dict[str, bytes]]:
    """Kind of the damaged file, its path, and the files of the scene."""
    from tests.faults.mutations import mutations_of

    scene = _scenes()[number % len(_scenes())]
    rng = random.Random(f"{seed} {number}")
    content = rng.choice(mutations_of(scene.kind))(scene.files[scene.target], rng)
    return scene.kind, scene.target, {**scene.files, scene.target: content}


def _scenes() -> list:
    from tests.faults.valid_scenes import all_scenes

    if not _made:
        _made.extend(all_scenes())
    return _made


_made: list = []


def write_scene(folder: Path, files: dict[str, bytes]) -> None:
    """Write the files of a scene."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def read(folder: Path, kind: str) -> str | None:
    """Read a scene as a training and, where it is refused, a preparation does; what is absurd about it, or None.

    Raises:
        ValueError: the scene is refused.
    """
    from sparseags_ns.formats.frame import PoseFileError
    from sparseags_ns.geometry.alignment import normalizing_similarity
    from sparseags_ns.pose_init.base import PoseInitError
    from sparseags_ns.preprocess.photo_files import PhotoError
    from sparseags_ns.preprocess.store import Store
    from sparseags_ns.preprocess.video import photographs_folder
    from sparseags_ns.scene.finding import SceneError, find_scene, find_unposed_scene
    from sparseags_ns.scene.reading import ReadingOptions, read_scene

    store = Store(folder / "sparseags")
    if kind == "video":
        photographs_folder(folder, store, 4)
        return None
    options = ReadingOptions(resolution=32, pose_init="files")
    try:
        views = read_scene(folder, options).views
    except ValueError:
        with contextlib.suppress(SceneError, PhotoError, PoseFileError, PoseInitError):
            find_unposed_scene(folder, options)  # as `sparseags prepare` does, to show the photographs
        raise
    similarity = normalizing_similarity(views.cameras.T_camera_world[views.posed])
    moved = views.moved(similarity)
    points = [] if moved.points is None else [moved.points.positions, moved.points.colors]
    tensors = [moved.images, moved.masks, moved.valid, moved.cameras.T_camera_world, moved.cameras.K, *points]
    if not all(bool(tensor.isfinite().all()) for tensor in tensors):
        return "NaN or infinity"
    if views.points is not None and float(views.points.positions.abs().max()) > 1e12:
        return "points beyond 1e12"
    for file in find_scene(folder, options, store).files:
        fx, fy, cx, cy = file.frame.intrinsics
        width, height = (file.frame.width or file.size[0], file.frame.height or file.size[1])
        side = max(width, height)
        if not (0.02 <= fx / side <= 200 and 0.02 <= fy / side <= 200 and 1 <= min(width, height) and side <= 1e6):
            return f"focal length {fx:g}, {fy:g} of {width}x{height}"
        if not (abs(cx / side) < 100 and abs(cy / side) < 100 and float(file.frame.T_camera_world.abs().max()) < 1e12):
            return f"principal point {cx:g}, {cy:g}, or the pose"
    return None


def outcome_of(seed: int, number: int) -> Outcome:
    """Make and read one damaged scene."""
    kind, target, files = mutant(seed, number)
    with tempfile.TemporaryDirectory(prefix="mutant-") as parent:
        folder = Path(parent) / "scene"
        write_scene(folder, files)
        try:
            with contextlib.redirect_stderr(io.StringIO()):
                absurd = read(folder, kind)
        except MemoryError:
            return Outcome(number, kind, "memory", traceback.format_exc()[-2000:])
        except ValueError as error:
            from sparseags_ns.console import printable

            text, own = str(error), type(error).__module__.startswith("sparseags_ns")
            # The files of a COLMAP model are known to users by its folder.
            names = {Path(target).name, *(str(folder / name) for name in (*files, "sparse/0"))}
            is_named = any(name in text for name in names)
            outcome = "traceback" if not own else "refused" if is_named else "unnamed"
            return Outcome(number, kind, outcome, printable(traceback.format_exc()[-2000:] if not own else text))
        except BaseException:
            return Outcome(number, kind, "traceback", traceback.format_exc()[-2000:])
        return Outcome(number, kind, "absurd" if absurd else "read", absurd or "")


def _work(seed: int, numbers: range) -> None:
    """Read scenes in this process, and print an outcome for each."""
    _scenes()
    outcome_of(seed, 0)  # what is imported now does not count as memory of the others
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY_BYTES, resource.RLIM_INFINITY))
    for number in numbers:
        answers.write(json.dumps(asdict(outcome_of(seed, number))) + "\n")
        answers.flush()


def outcomes(seed: int, count: int) -> Iterator[Outcome]:
    """The outcomes of `count` damaged scenes."""
    done = 0
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPO)}
    while done < count:
        command = [sys.executable, "-m", "tests.faults.mutants", "--work", f"{done}", "--count", f"{count}"]
        process = subprocess.Popen(
            [*command, "--seed", f"{seed}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            cwd=REPO,
        )
        assert process.stdout is not None
        patience = 6 * LONGEST_S  # imports take their time
        while done < count:
            ready, _, _ = select.select([process.stdout], [], [], patience)
            line = process.stdout.readline() if ready else b""
            if not line:
                process.kill()
                kind = _scenes()[done % len(_scenes())].kind
                yield Outcome(done, kind, "crash" if ready else "hang", f"exit status {process.wait()}")
                done += 1
                break
            yield Outcome(**json.loads(line))
            done, patience = done + 1, LONGEST_S
        process.kill()
        process.wait()


def table(found: list[Outcome]) -> str:
    """Numbers of outcomes by kind of file."""
    names = (*GOOD, *BAD)
    counts = Counter((one.kind, one.outcome) for one in found)
    kinds = list(dict.fromkeys(one.kind for one in found))
    rows = [[kind, *(str(counts[kind, name]) for name in names)] for kind in kinds]
    rows.append(["all", *(str(sum(counts[kind, name] for kind in kinds)) for name in names)])
    return "\n".join(
        f"{kind:>26}" + "".join(f" | {cell:>9}" for cell in cells) for kind, *cells in [["", *names], *rows]
    )


def main() -> int:
    """Read damaged scenes, and print a table and what is not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder for the scenes whose outcome is bad")
    parser.add_argument("--work", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work is not None:
        _work(options.seed, range(options.work, options.count))
        return 0
    found = list(outcomes(options.seed, options.count))
    bad = [one for one in found if one.outcome in BAD]
    for one in bad:
        print(f"{one.number} {one.kind}: {one.outcome}: {one.message}\n")
        if options.keep:
            write_scene(options.keep / f"{one.number}", mutant(options.seed, one.number)[2])
    print(table(found))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
