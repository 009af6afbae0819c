"""What a Beam pipeline costs beside `predict`; prints one JSON object.

    python -m benchmarks.beam --count=2000

The same small pictures of many shapes are answered by `gsr_tf.predict` and by `gsr_tf.predict_beam` with Beam's
DirectRunner, each a process of its own on all cores, by a network with random weights. `throughput` is in pictures a
second of the whole command, its start included; `ratio` is that of predict_beam over that of predict. `equal` says
that all files and all records are the same but for times; `megabytes` is the memory of the command and its children
together: at most, and the median of each third of its time.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from absl import flags

from benchmarks.pictures import write_photographs
from benchmarks.processes import by_thirds, resident
from benchmarks.random_model import save_random_model
from gsr_tf import command

LOOK_SECONDS = 0.5  # between two looks at the memory


def _define(values: flags.FlagValues) -> None:
    flags.DEFINE_integer("count", 2000, "How many pictures.", 3, flag_values=values)
    flags.DEFINE_float("width", 0.25, "Of the network, as in gsr_tf.train.", flag_values=values)
    flags.DEFINE_integer("side", 192, "Of the pictures, about, in pixels.", 32, flag_values=values)


def _action(args: flags.FlagValues) -> None:
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(Path(folder), args.count, args.width, args.side), indent=1))


def timed(count: int, module: str, *arguments: str) -> dict:
    """Runs a command to its end: its seconds and its memory."""
    held = []
    start = time.perf_counter()
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([sys.executable, "-m", module, *arguments], **silent) as process:
        while process.poll() is None:
            held.append(resident(process.pid) // 1_000_000)
            time.sleep(LOOK_SECONDS)
    seconds = time.perf_counter() - start
    if process.returncode:
        raise RuntimeError(f"{module} {' '.join(arguments)} ended with {process.returncode}")
    return {
        "seconds": round(seconds, 1),
        "throughput": round(count / seconds, 2),
        "megabytes": by_thirds(held),
    }


def contents(folder: Path) -> dict[str, bytes]:
    """All files of answers, by name."""
    files = (path for path in folder.rglob("*") if path.suffix in (".png", ".jpg") and ".previews" not in path.parts)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def records(paths: list[Path]) -> dict[str, dict]:
    """All records without times, by name."""
    lines = (json.loads(line) for path in paths for line in path.read_text().splitlines())
    return {line["name"]: {key: line[key] for key in line if key != "seconds"} for line in lines}


def equal(one: Path, many: Path, count: int) -> bool:
    """Whether all answers are there and the same, to the bit."""
    of_one, of_many = records([one / "results.jsonl"]), records(sorted(many.glob("answers-*.jsonl")))
    return len(of_one) == count and of_one == of_many and contents(one) == contents(many)


def measure(folder: Path, count: int, width: float, side: int) -> dict:
    """Everything, in one temporary folder."""
    model, pictures, one, many = (folder / name for name in ("model", "pictures", "one", "many"))
    save_random_model(model, width)
    # Sides differ by up to a quarter.
    write_photographs(pictures, np.random.default_rng(0).integers(side * 7 // 8, side * 9 // 8, [count, 2]).tolist())
    given = [f"--saved_model={model}", f"--input={pictures}"]
    load = os.getloadavg()[0]
    predict = timed(count, "gsr_tf.predict", *given, f"--output={one}")
    beam = timed(count, "gsr_tf.predict_beam", *given, f"--output={many}")
    return {
        "pictures": count,
        "cores": os.cpu_count(),
        "load_before": round(load, 1),
        "predict": predict,
        "predict_beam": beam,
        "ratio": round(predict["seconds"] / beam["seconds"], 3),
        "equal": equal(one, many, count),
    }


main = functools.partial(command.main, _action, __doc__, _define)

if __name__ == "__main__":
    sys.exit(main())
