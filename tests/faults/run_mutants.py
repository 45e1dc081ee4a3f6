"""Damaged and foreign runs, made by chance from a valid one: each is shown as it should be, or refused by an error.

    python -m tests.faults.run_mutants --count 300 --seed 0

Every run is opened, reported and exported in a child process whose memory is limited; one that hangs or dies is
replaced, and goes on with the next run. An error must name the file that was changed, nothing may be written outside of
the run's folder and the exports, and nothing in the run may be executed. Exit status 1 where any outcome is not as it
should be. Flipped bits of checkpoints are a kind of their own: checksums find them.
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
import shutil
import subprocess
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from PIL import Image
from torch import Tensor

REPO = Path(__file__).parents[2]
LONGEST_S = 30.0
"""Seconds until a run counts as one that hangs."""
MEMORY_BYTES = 1_500_000_000
"""Memory that a run may take, beside what the process has after its imports."""

GOOD = ("shown", "refused")
BAD = ("unnamed", "traceback", "absurd", "outside", "executed", "memory", "hang", "crash")
"""Outcomes: shown well; refused with the file's name or without; another exception; values accepted that no run has; a
file written outside, or code executed; too much memory; too long; the process died."""

CHECKPOINT = "nerfstudio_models/step-000000059.ckpt"
EXPORTS = ("cameras", "splat", "depth", "masks")
CONFIG = """!!python/object:sparseags_ns.plugin.trainer.SparseAGSTrainerConfig
_target: &id001 !!python/name:sparseags_ns.plugin.trainer.SparseAGSTrainer ''
data: &id002 !!python/object/apply:pathlib.PosixPath [/, photographs, toy]
experiment_name: toy
max_num_iterations: 120
method_name: sparseags
pipeline: !!python/object:sparseags_ns.plugin.pipeline.SparseAGSPipelineConfig
  datamanager: !!python/object:sparseags_ns.plugin.datamanager.SparseAGSDataManagerConfig
    data: *id002
    dataparser: !!python/object:sparseags_ns.plugin.dataparser.SparseAGSDataParserConfig {resolution: 16, masks: none}
  model: !!python/object:sparseags_ns.plugin.model.SparseAGSModelConfig
    other_pose_rates: !!python/tuple [0.4]
    num_gaussians: 2000
    refine_focal: shared
    guidance: none
viewer: !!python/object:nerfstudio.configs.base_config.ViewerConfig {websocket_host: 127.0.0.1}
"""


@dataclass(frozen=True)
class Outcome:
    """What became of one run."""

    number: int
    kind: str
    outcome: str
    message: str = ""


# --- the valid run ---


def make_run(folder: Path) -> None:
    """Write a run with something in every part of its record."""
    from tests.faults import toy_saves

    plain = toy_saves.run_state

    def state(steps: int) -> Any:
        made = plain(steps)
        return replace(made, record=_record(made.record.names), seconds=lambda: {"optimisation": 1.5})

    with mock.patch.object(toy_saves, "run_state", state):
        toy_saves.begin(folder)
    (folder / "config.yml").write_text(CONFIG)
    (folder / "sparseags" / "valid").mkdir()
    Image.new("L", (toy_saves.SIDE_PX, toy_saves.SIDE_PX), 255).save(folder / "sparseags" / "valid" / "001.png")


def _record(names: tuple[str, ...]) -> Any:
    from sparseags_ns.runs import record as r

    places = [[0.0, 0.1 * view, 1.85] for view in range(len(names))]
    forward: list[Any] = [[0.0, 0.0, -1.0] for _ in names]
    decision = r.Decision("correct", 1, "it fits better", {"before": 0.2, "after": 0.1})
    search = r.SearchRecord(
        view=1,
        kind="thorough",
        by="search",
        step=60,
        camera_centers=places,
        camera_forward=forward,
        tried=40,
        score_median=0.3,
        hypothesis_centers=places[:2],
        hypothesis_scores=[0.1, 0.2],
        finalist_centers=places[:2],
        finalist_forward=forward[:2],
        finalist_scores=[0.05, 0.1],
        finalist_rotation_deg=[3.0, 120.0],
        here=0.1,
        elsewhere=0.2,
        chosen=0,
    )
    arrangements = tuple(r.Arrangement(loss, [*places], forward) for loss in (1.0, 1.3))
    start = r.Start(1.0, 0.5), r.Start(0.4, 0.4, 2.0)
    rows = [r.HistoryRow(step, 16, [0.1, 0.2, 0.3], [1.0, 2, 3], [0.1, 0.2, 0.3], [True] * 3) for step in (10, 20, 60)]
    return r.RunRecord(
        names,
        120,
        rows=rows,
        phases=(r.Phase("coarse", 0, 60, 16), r.Phase(r.POSE_REPAIR_PHASE, 60, 60, None), r.Phase("fine", 60, 120, 16)),
        events=[r.Event(30, r.Decision("leave out", 2, "asked for in the viewer", {}))],
        searches=[search],
        pose_repair=r.PoseRepairRecord(start, start[0], (1,), (), (decision,)),
        seconds={"optimisation": 1.5},
        pose_init=r.PoseInitRecord("ab-initio", True, "two arrangements are alike", (1.0, 0.9, 0.5), 1, arrangements),
    )


# --- damage ---

Change = Callable[[Path, random.Random, Path], None]
"""Changes a file of the run; the last path is where code that is executed leaves a trace."""

NUMBERS = (0, -1, 3, 1e-300, 1e20, -1e300, float("inf"), float("nan"), 10**30, -0.5, 1e6)
TEXTS = ("", "a b\nc", "x" * 5000, "\u202e<script>alert(1)</script>", "../../../../escaped", "[red]\x1b[31m", "\udcff")
NAMES = ("../escaped", "../../../escaped", "/escaped", "a/../../../../escaped", "", ".", "a\0b", "x" * 300, "//a")


def change_bytes(path: Path, rng: random.Random, trace: Path) -> None:
    content = path.read_bytes()
    first, length = rng.randrange(len(content)), rng.choice([1, 4, 16, 100])
    changed = bytearray(content)
    changed[first] ^= 1 << rng.randrange(8)
    cut = content[: rng.choice([0, 1, len(content) // 2, len(content) - 1, first])]
    pieces = content[:first] + content[first + length :], content[: first + length] + content[first:]
    others = rng.randbytes(200), b"[" * 100_000, b"{}", b"[]", b"null", b"\xff\xfe", b"PK\x03\x04" + bytes(99)
    path.write_bytes(rng.choice([bytes(changed), cut, *pieces, rng.choice(others)]))


def flip_bits(path: Path, rng: random.Random, trace: Path) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(rng.choice([1, 1, 8])):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(bytes(content))


def remove(path: Path, rng: random.Random, trace: Path) -> None:
    path.unlink()
    if rng.random() < 0.3:
        path.mkdir()


def change_json(path: Path, rng: random.Random, trace: Path) -> None:
    content = json.loads(path.read_text())
    for _ in range(rng.choice([1, 1, 3])):
        content = changed_value(content, rng)
    path.write_text(json.dumps(content))


def changed_value(content: Any, rng: random.Random) -> Any:
    """A copy of plain values or tensors in which one, somewhere, is another."""
    inner = isinstance(content, dict | list | tuple) and len(content) > 0
    if not inner or rng.random() < 0.08:
        return other_value(content, rng)
    if isinstance(content, dict):
        key, kept = rng.choice(list(content)), dict(content)
        if rng.random() < 0.1:
            del kept[key]
            return kept
        return kept | {key: changed_value(content[key], rng)}
    place, values = rng.randrange(len(content)), list(content)
    if rng.random() < 0.15:
        return values[:place] + rng.choice([[], [values[place]] * 2, values[place:] * 400]) + values[place + 1 :]
    values[place] = changed_value(values[place], rng)
    return values


def other_value(value: Any, rng: random.Random) -> Any:
    """Something in the place of a value, most often of its kind."""
    plain = rng.choice([None, True, [], {}, [[]], [1, 2], {"a": 1}, rng.choice(NUMBERS), rng.choice(TEXTS)])
    if isinstance(value, Tensor):
        number = rng.choice(NUMBERS)
        whole = torch.zeros_like(value) if value.dtype == torch.bool else torch.full_like(value, float(number))
        one = value.clone().contiguous()
        if one.numel():
            one.view(-1)[rng.randrange(one.numel())] = bool(number) if value.dtype == torch.bool else float(number)
        repeated = torch.zeros(1).expand(10**9, *value.shape[1:])
        others = value[:0], value[1:], value[None], value.double(), value.to(torch.int64), value.to_sparse(), repeated
        return rng.choice([whole, one, one, rng.choice(others), plain])
    if isinstance(value, str) and rng.random() < 0.7:
        return rng.choice([*TEXTS, *NAMES])
    if isinstance(value, int | float) and rng.random() < 0.7:
        return rng.choice(NUMBERS)
    return plain


def change_checkpoint(path: Path, rng: random.Random, trace: Path) -> None:
    """A checkpoint whose checksums are right, as a person can make it."""
    content = torch.load(path, weights_only=True)
    for _ in range(rng.choice([1, 1, 3])):
        content = changed_value(content, rng)
    torch.save(content, path)


def rename_view(path: Path, rng: random.Random, trace: Path) -> None:
    """A view with the name of a file elsewhere, in all that names it, and a photograph there if it is near."""
    content, name = torch.load(path, weights_only=True), rng.choice(NAMES)
    old = content["views"]["names"][1]
    state = content["pipeline"]["_model._extra_state"]
    content["views"]["names"][1] = name
    state["record"] = json.loads(json.dumps(state["record"]).replace(json.dumps(old), json.dumps(name)))
    torch.save(content, path)
    images = path.parents[1] / "sparseags" / "images"
    with contextlib.suppress(OSError, ValueError):
        if (images / f"{name}.png").resolve().is_relative_to(path.parents[2]):
            shutil.copy(images / f"{old}.png", images / f"{name}.png")


def make_older(path: Path) -> None:
    """Take out of a checkpoint what versions before 0.4.0 did not write, so that the files of the record are read."""
    content = torch.load(path, weights_only=True)
    del content["views"]
    torch.save(content, path)


class _Evil:
    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (f"touch '{self.trace}'",)


def plant_pickle(path: Path, rng: random.Random, trace: Path) -> None:
    content = torch.load(path, weights_only=True)
    content[rng.choice(["step", "pipeline", "views", "optimizers"])] = _Evil(trace)
    torch.save(content, path, _use_new_zipfile_serialization=rng.random() < 0.7)


def plant_tag(path: Path, rng: random.Random, trace: Path) -> None:
    tags = (
        f"!!python/object/apply:os.system ['touch {trace}']",
        f"!!python/object/new:os.system ['touch {trace}']",
        f"!!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.PosixPath ['{trace}']]",
        f"!!python/object/apply:subprocess.check_output [[touch, '{trace}']]",
        "!!python/object/new:type {args: [z, !!python/tuple [], {extend: !!python/name:exec }], "
        f"listitems: 'import os; os.mkdir(\"{trace}\")'}}",
        "!!python/module:antigravity",
    )
    lines = path.read_text().splitlines()
    place = rng.randrange(2, len(lines))
    path.write_text("\n".join([*lines[:place], f"evil: {rng.choice(tags)}", *lines[place:]]) + "\n")


def change_config(path: Path, rng: random.Random, trace: Path) -> None:
    laughs = "\n".join(f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 9)}]" if i else "l0: &l0 [1]" for i in range(12))
    values = (
        *("[1, 2]", "{a: {b: c}}", "1" * 5000, "1e999", "2020-13-45", "!!binary x", "!!python/tuple {a: 1}", "&a [*a]"),
        *(
            "{[1]: 2}",
            "!!int x",
            "!!float y",
            "'\\x00'",
            "<<: 1",
            "!!omap 3",
            "!unknown z",
            "/",
            "0.0.0.0",
            "~",
            "-1",
            "*id001",
        ),
        *(
            "[" * 3000,
            "!!python/object/apply:pathlib.PosixPath [{a: b}]",
            "!!python/object:os.environ {a: 1}",
            "!!timestamp q",
        ),
    )
    lines = path.read_text().splitlines()
    place = rng.randrange(1, len(lines))
    key, _, _ = lines[place].partition(":")
    lines[place] = rng.choice(
        [f"{key}: {rng.choice(values)}", f"{key}: {rng.choice(values)}", key, "", "  " + lines[place], laughs]
    )
    path.write_text("\n".join(lines) + "\n")


def change_image(path: Path, rng: random.Random, trace: Path) -> None:
    header = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
    bomb = rng.choice([30_000, 12_000, 2**31 - 1]).to_bytes(4, "big") * 2 + b"\x08\x06\x00\x00\x00"
    if rng.random() < 0.3:
        path.write_bytes(header + bomb + rng.randbytes(4) + b"\x00\x00\x00\x01IDATx")
        return
    mode, side = rng.choice(["L", "P", "1", "I;16", "RGB", "CMYK", "F"]), rng.choice([1, 8, 16, 16, 16, 17, 6000])
    form = {"CMYK": "JPEG", "F": "TIFF"}.get(mode, "PNG")
    Image.new(mode, (side, 16 if side == 16 else side)).save(path, form)


def add_files(path: Path, rng: random.Random, trace: Path) -> None:
    """Files beside the run's own, as other programs leave them, or none at all in the checkpoints' folder."""
    for name in rng.sample([".DS_Store", "._step-000000059.ckpt", "step-.ckpt", "step-9" + "9" * 30 + ".ckpt"], 2):
        (path.parent / name).write_bytes(rng.choice([b"", b"junk"]))
    if rng.random() < 0.3:
        (path.parent / "step-000000099.ckpt").mkdir()
    if rng.random() < 0.3:
        path.unlink()


KINDS: dict[str, tuple[str, tuple[Change, ...]]] = {
    "config": ("config.yml", (change_config, change_config, plant_tag, change_bytes, remove)),
    "normalisation": ("dataparser_transforms.json", (change_json, change_json, change_bytes, remove)),
    "checkpoint": (CHECKPOINT, (change_checkpoint,)),
    "checkpoint's bits": (CHECKPOINT, (flip_bits,)),
    "pickled checkpoint": (CHECKPOINT, (plant_pickle,)),
    "checkpoint's file": (CHECKPOINT, (change_bytes, remove, add_files)),
    "names of views": (CHECKPOINT, (rename_view,)),
    **{
        part: (f"sparseags/{part}", (change_json, change_json, change_json, change_bytes, remove))
        for part in ("summary.json", "history.json", "searches.json", "transforms.json")
    },
    "photograph": ("sparseags/images/001.png", (change_image, change_image, change_bytes, remove)),
    "valid region": ("sparseags/valid/001.png", (change_image, change_bytes)),
    "other outputs": ("sparseags/views.png", (change_bytes, remove)),
}
"""Kinds of damage: the file that is changed, and how; checkpoints have several, since most is in them."""


# --- what becomes of it ---


def commands(run: Path, out: Path) -> list[list[str]]:
    """The commands that read a run, with their outputs in one folder."""
    exports = [["export", str(run), kind, "--output", str(out / kind)] for kind in EXPORTS]
    exports[EXPORTS.index("splat")][-1] += ".ply"
    return [["report", str(run), "--output", str(out / "report.html")], *exports]


def use(run: Path, out: Path, outside: Callable[[], list[str]]) -> tuple[str, str]:
    """Open a run by all that reads one; the outcome and a message."""
    from sparseags_ns.cli import main
    from sparseags_ns.runs.opening import open_run

    try:
        opened = open_run(run)
    except ValueError as error:
        outcome = "refused", str(error)
        if not type(error).__module__.startswith("sparseags_ns"):
            outcome = "traceback", traceback.format_exc()[-2000:]
    else:
        absurd = absurdity(opened)
        outcome = ("absurd", absurd) if absurd else ("shown", "")
    for command in commands(run, out):
        try:
            main(command)
        except SystemExit as ended:
            cause, expected = ended.__context__, outcome[0] == "refused"
            own = cause is not None and type(cause).__module__.startswith("sparseags_ns")
            if not own or not expected:
                return "traceback", f"{command[0]}: {''.join(traceback.format_exception(cause))[-2000:]}"
        if found := outside():
            return "outside", ", ".join(found)
    return outcome


def absurdity(run: Any) -> str:
    """What no run has, in an opened run; empty if nothing."""
    tensors = [run.views.images, run.views.masks, run.views.valid, *vars(run.gaussians).values()]
    tensors += [one for cameras in (run.initial, run.refined) for one in (cameras.T_camera_world, cameras.K)]
    if not all(bool(tensor.isfinite().all()) for tensor in tensors):
        return "NaN or infinity"
    K, side = run.refined.K, max(run.refined.width, run.refined.height)
    if not (0.01 < float(K[:, 0, 0].min()) / side and float(K.abs().max()) / side < 1000):
        return f"intrinsics {K.tolist()}"
    if not 1e-10 < float(run.normalisation.scale) < 1e10:
        return f"scale {run.normalisation.scale}"
    for view in run.outcome.views:
        measured = view.mse_before, view.mse_after, view.perceptual_before, view.perceptual_after, view.camera_moved
        if not (all(0 <= one < 1e6 for one in measured) and 0 <= view.rotation_deg < 181):
            return f"figures {view}"
    for row in run.record.rows:
        if not all(0 <= one < 1e10 for one in (row.step, row.pixels, *row.errors, *row.moved_percent)):
            return f"history {row}"
    if any(".." in Path(name).parts or Path(name).is_absolute() for name in run.views.names):
        return f"names {run.views.names}"
    return "" if 0 <= run.steps_done < 1e9 and 0 <= run.record.num_steps < 1e9 else "steps"


def outcome_of(seed: int, number: int, valid: Path) -> Outcome:
    """Change one run, and use it."""
    from sparseags_ns.console import printable

    kind = list(KINDS)[number % len(KINDS)]
    target, changes = KINDS[kind]
    rng = random.Random(f"{seed} {number}")
    with tempfile.TemporaryDirectory(prefix="mutant-") as name:
        parent = Path(name)
        run, out, trace = parent / "run", parent / "out", parent / "trace"
        shutil.copytree(valid, run)
        out.mkdir()
        change = rng.choice(changes)
        if target.endswith(".json") and rng.random() < 0.5:
            make_older(run / CHECKPOINT)
        change(run / target, rng, trace)
        before = {*parent.rglob("*"), trace}

        def outside() -> list[str]:
            written = (path for path in parent.rglob("*") if path not in before)
            allowed = (run / "sparseags", *(out / kind for kind in EXPORTS), out / "splat.ply", out / "report.html")
            return [str(path) for path in written if not any(path.is_relative_to(place) for place in allowed)]

        try:
            with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
                outcome, message = use(run, out, outside)
        except MemoryError:
            outcome, message = "memory", traceback.format_exc()[-2000:]
        except BaseException:
            outcome, message = "traceback", traceback.format_exc()[-2000:]
        if trace.exists():
            outcome, message = "executed", change.__name__
        if outcome == "refused" and Path(target).name not in message:
            # What is not there is known by its folder, and a name too long for a file by the photograph's.
            otherwise = change in (add_files, remove, rename_view) and str(run) in message
            outcome = outcome if otherwise else "unnamed"
        return Outcome(number, kind, outcome, printable(f"{change.__name__}: {message}"))


def _work(seed: int, numbers: range, valid: Path) -> None:
    """Use runs in this process, and print an outcome for each."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    with contextlib.redirect_stderr(io.StringIO()):
        with tempfile.TemporaryDirectory() as name:  # What is imported and compiled now does not count as the others'
            shutil.copytree(valid, Path(name) / "run")
            (Path(name) / "out").mkdir()
            used = use(Path(name) / "run", Path(name) / "out", list)
    assert used == ("shown", ""), used
    bytes_used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (bytes_used + MEMORY_BYTES, resource.RLIM_INFINITY))
    print("ready", file=answers, flush=True)
    for number in numbers:
        answers.write(json.dumps(asdict(outcome_of(seed, number, valid))) + "\n")
        answers.flush()


def outcomes(seed: int, count: int) -> Iterator[Outcome]:
    """The outcomes of `count` changed runs."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1", "PYTHONPATH": str(REPO)}
    done = 0
    with tempfile.TemporaryDirectory(prefix="valid-run-") as name:
        make_run(Path(name) / "run")
        while done < count:
            arguments = ["--work", f"{done}", "--count", f"{count}", "--seed", f"{seed}", "--run", f"{name}/run"]
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.run_mutants", *arguments],
                stdout=subprocess.PIPE,
                env=environment,
                cwd=REPO,
            )
            assert process.stdout is not None
            if not process.stdout.readline():
                raise RuntimeError("the valid run cannot be used")
            while done < count:
                ready, _, _ = select.select([process.stdout], [], [], LONGEST_S)
                line = process.stdout.readline() if ready else b""
                if not line:
                    process.kill()
                    kind = list(KINDS)[done % len(KINDS)]
                    yield Outcome(done, kind, "crash" if ready else "hang", f"exit status {process.wait()}")
                    done += 1
                    break
                yield Outcome(**json.loads(line))
                done += 1
            process.kill()
            process.wait()


def table(found: list[Outcome]) -> str:
    """Numbers of outcomes by kind of damage."""
    names = (*GOOD, *BAD)
    counts = Counter((one.kind, one.outcome) for one in found)
    rows = [[kind, *(str(counts[kind, name]) for name in names)] for kind in KINDS]
    rows.append(["all", *(str(sum(counts[kind, name] for kind in KINDS)) for name in names)])
    return "\n".join(
        f"{kind:>20}" + "".join(f" | {cell:>9}" for cell in cells) for kind, *cells in [["", *names], *rows]
    )


def main() -> int:
    """Use changed runs, and print a table and what is not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--run", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work is not None:
        _work(options.seed, range(options.work, options.count), options.run)
        return 0
    found = list(outcomes(options.seed, options.count))
    bad = [one for one in found if one.outcome in BAD]
    for one in bad:
        print(f"{one.number} {one.kind}: {one.outcome}: {one.message}\n")
    print(table(found))
    good = ", ".join(f"{sum(one.outcome == name for one in found)} {name}" for name in GOOD)
    print(f"{len(found)} runs: {good}, {len(bad)} faults")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
