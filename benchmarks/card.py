"""What a card makes of a training step: all benchmarks that tell it, in one go. What to run first on a new card.

    python -m benchmarks.card --output=card --minutes=9
    python -m benchmarks.card --output=rehearsal --setting=width=.0625 --setting=vgg16_weights=random

Each benchmark runs in a process of its own, the most telling ones first, until --minutes are over; then what runs is
ended, as is one that takes more than --each, as XLA may that compiles a whole step. While one runs, the next one's
process imports what it needs, and waits. --output has for each NAME.json, its report, and NAME.txt, all that it
printed; the same command goes on with those that have no report yet. A summary comes last: milliseconds a step, its
rate, and that as a share of a large product's in the same precision. --setting is given to each, as a flag of
gsr_tf.train.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from absl import flags
from tqdm import tqdm

from benchmarks.report import last
from gsr_tf import command
from gsr_tf.data.writing import write_atomically

RUN = "gsr_net"
BFLOAT16, TENSORFLOAT32, FLOAT32 = "mixed_bfloat16", "tensorfloat32", "float32"
REFERENCE = Path(__file__).with_name("first_losses.json")  # of a CPU, in float32


class Benchmark(NamedTuple):
    """A report's name, and the module and flags that make it."""

    name: str
    module: str
    flags: tuple[str, ...]


def benchmarks() -> Iterator[Benchmark]:
    """All of them, the most telling first."""
    yield _of("kernels", BFLOAT16, 4, "passes=merged")
    for batch_size in (4, 32, 16):
        yield _of("train_step", BFLOAT16, batch_size, "passes=merged")
    yield _of("train_step", BFLOAT16, 32, "passes=apart")
    for ahead in ((), ("libraries_ahead=true",)):
        yield _of("start", BFLOAT16, 4, "vgg16_weights=random", *ahead)
    yield _of("alternatives", BFLOAT16, 4, "passes=merged")
    for batch_size in (4, 16, 32):
        yield _of("train_step", TENSORFLOAT32, batch_size, "passes=merged")
    for precision in (FLOAT32, TENSORFLOAT32, BFLOAT16):
        weights = "initial_weights=gsr-net-coco"
        yield _of("first_losses", precision, 4, "passes=merged", weights, f"against={REFERENCE}")
    yield _of("kernels", BFLOAT16, 32, "passes=merged")
    yield _of("layers", BFLOAT16, 32)
    yield _of("layers", BFLOAT16, 4)
    for batch_size in (4, 16):
        yield _of("train_step", BFLOAT16, batch_size, "passes=apart")
    for batch_size in (4, 16, 32):
        yield _of("train_step", TENSORFLOAT32, batch_size, "passes=apart")
    yield _of("alternatives", TENSORFLOAT32, 4, "passes=merged")
    for batch_size in (4, 16, 32):
        yield _of("train_step", BFLOAT16, batch_size, "passes=merged", "jit_compile=true")
    yield Benchmark("inference", "benchmarks.inference", ())


TOLD = {"jit_compile=true": "xla", "libraries_ahead=true": "ahead"}


def _of(module: str, precision: str, batch_size: int, *settings: str) -> Benchmark:
    """A benchmark of `RUN`; its name says what of its flags is told apart here."""
    own = (f"precision={precision}", f"batch_size={batch_size}", *settings)
    told = [value.partition("=")[2] for value in settings if value.startswith("passes")]
    told += [word for setting, word in TOLD.items() if setting in settings]
    name = "_".join([module, precision, str(batch_size), *told])
    return Benchmark(name, f"benchmarks.{module}", tuple(f"--{flag}" for flag in (f"flagfile={RUN}", *own)))


# Of a benchmark's process: what takes its seconds without the card comes before it is its turn.
WAITING = "import importlib, sys; m = importlib.import_module(sys.argv[1]); input(); sys.exit(m.main(sys.argv[1:]))"


class Process(NamedTuple):
    """A benchmark that waits for its turn; what it prints goes to NAME.txt."""

    benchmark: Benchmark
    output: Path
    process: subprocess.Popen


def start(benchmark: Benchmark, output: Path, settings: Sequence[str]) -> Process:
    """It imports what it needs, and waits."""
    given = () if benchmark.module == "benchmarks.inference" else tuple(f"--{setting}" for setting in settings)
    line = [sys.executable, "-c", WAITING, benchmark.module, *benchmark.flags, *given]
    with (output / f"{benchmark.name}.txt").open("w") as printed:
        print("python -m", *line[3:], file=printed, flush=True)
        streams = {"stdin": subprocess.PIPE, "stdout": printed, "stderr": subprocess.STDOUT}
        process = subprocess.Popen(line, start_new_session=True, **streams)
    return Process(benchmark, output, process)


def run(waiting: Process, seconds: float) -> str:
    """It is its turn. Leaves its report; returns why there is none, "" where there is one."""
    name, process = waiting.benchmark.name, waiting.process
    try:
        process.communicate(b"\n", timeout=max(0.0, seconds))
    except subprocess.TimeoutExpired:
        return "the minutes were over"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # what it has started, too, which would keep the card busy
        process.wait()
    report = last((waiting.output / f"{name}.txt").read_text(errors="replace"))
    if report is None:
        return f"ended with {process.returncode} and no report; see {name}.txt"
    write_atomically(waiting.output / f"{name}.json", (json.dumps(report) + "\n").encode())
    return ""


def summary(output: Path) -> str:
    """Of the training steps that were timed, a line each."""
    lines = [f"{'step':52s} {'ms':>8s} {'alone':>8s} {'TFLOP/s':>8s} {'share':>6s} {'GB':>6s} {'first s':>8s}"]
    for path in sorted(output.glob("train_step_*.json")):
        found = json.loads(path.read_text())
        memory = found.get("peak_device_memory_bytes", found["peak_memory_bytes"]) / 1e9
        lines.append(
            f"{path.stem.removeprefix('train_step_'):52s} {1e3 * found['seconds_per_step']:8.1f} "
            f"{1e3 * found['seconds_alone']:8.1f} {found['tflops_per_second']:8.2f} "
            f"{found['fraction_of_matmul']:6.2f} {memory:6.2f} {found['first_step_seconds']:8.1f}"
        )
    return "\n".join(lines)


def _define(values: flags.FlagValues) -> None:
    own = {"flag_values": values}
    flags.DEFINE_string("output", None, "Folder of the reports; made if missing.", required=True, **own)
    flags.DEFINE_float("minutes", 9.0, "For all of it.", 0.0, **own)
    flags.DEFINE_float("each", 2.5, "Minutes for one benchmark at most.", 0.0, **own)
    flags.DEFINE_multi_string(
        "setting", [], "NAME=VALUE, a flag of gsr_tf.train for each; several may be given.", **own
    )


def _action(args: flags.FlagValues) -> int:
    output, end = Path(args.output), time.monotonic() + 60.0 * args.minutes
    output.mkdir(parents=True, exist_ok=True)
    missing = [one for one in benchmarks() if not (output / f"{one.name}.json").exists()]
    waiting, failed = (start(one, output, args.setting) for one in missing), 0
    process = next(waiting, None)
    for one in tqdm(missing, unit="benchmark"):
        following = next(waiting, None)
        reason = run(process, min(end - time.monotonic(), 60.0 * args.each))
        if reason:
            tqdm.write(f"{one.name}: {reason}")
            failed += 1
        process = following
    print(summary(output))
    return int(failed > 0)


main = functools.partial(command.main, _action, __doc__, _define)

if __name__ == "__main__":
    sys.exit(main())
