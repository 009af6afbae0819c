"""Which kernels does a training step run, and how long does the card wait between them? A profile of whole steps.

    python -m benchmarks.kernels --flagfile=flags/gsr_net.cfg --precision=mixed_bfloat16 --device=gpu

Where `benchmarks.layers` times pieces by themselves, this looks at steps as training runs them. On a GPU it needs
CUPTI, which `pip install "tensorflow[and-cuda]..."` brings along; on a CPU the operations stand in for kernels. Tables
say by kind of operation, by operation and by kernel how many a step has and how many milliseconds they take; the last
line is JSON: also busy_ms, in which at least one of them ran, of step_ms.
"""

from __future__ import annotations

import collections
import functools
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import tensorflow as tf
from absl import flags
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from benchmarks import machine
from benchmarks.report import show
from benchmarks.train_step import noise_batch
from gsr_tf import command
from gsr_tf import config as config_lib
from gsr_tf.config import Config
from gsr_tf.errors import UserError
from gsr_tf.training.device import set_up

WARM = 12  # steps before: tracing, choosing kernels, and what a GPU's clock needs


class Kernel(NamedTuple):
    """One that ran: its name, its operation as "name:Kind", and when, in picoseconds."""

    name: str
    operation: str
    start: int
    end: int


def kernels(folder: Path) -> Iterator[Kernel]:
    """In a profile that TensorFlow wrote: of the GPUs where there are any, else the CPU's operations."""
    (path,) = folder.rglob("*.xplane.pb")
    planes = xplane_pb2.XSpace.FromString(path.read_bytes()).planes
    on_gpu = machine.on_gpu()
    for plane in planes:
        if plane.name.startswith("/device:GPU" if on_gpu else "/host:CPU"):
            yield from _of_plane(plane, on_gpu)


def _of_plane(plane, on_gpu: bool) -> Iterator[Kernel]:
    names = {number: stat.name for number, stat in plane.stat_metadata.items()}
    for line in plane.lines:
        for event in line.events:
            name = plane.event_metadata[event.metadata_id].name
            stats = {names[stat.metadata_id]: stat for stat in event.stats}
            operation = _text(stats["tf_op"], names) if "tf_op" in stats else ("" if on_gpu else name)
            start = 1000 * line.timestamp_ns + event.offset_ps
            if on_gpu or re.fullmatch(r"[^:]+:_?[A-Z]\w+", name):
                yield Kernel(name, operation, start, start + event.duration_ps)


def _text(stat, names: dict[int, str]) -> str:
    return stat.str_value or names.get(stat.ref_value, "")


def profile(config: Config, steps: int, folder: Path) -> dict:
    """Times steps back to back, then profiles as many."""
    set_up(config.device, config.preparation.seed)
    net, batch = config.build(), noise_batch(config)

    def step() -> tf.Tensor:
        return net.train_step(batch)["loss/segmenter"]

    first = machine.seconds(step)
    machine.seconds(step, WARM)
    taken = min(machine.seconds(step, steps) for _ in range(2))
    with tf.profiler.experimental.Profile(str(folder)):
        machine.seconds(step, steps)
    found = list(kernels(folder))
    if not found:
        raise UserError(
            "the profile holds no kernels: TensorFlow found no CUPTI (libcupti.so), which "
            '`pip install "tensorflow[and-cuda]"` brings along'
        )
    return {
        **machine.circumstances(config),
        "first_step_seconds": first,
        "step_ms": 1e3 * taken,
        **summary(found, steps),
    }


def summary(found: Sequence[Kernel], steps: int) -> dict:
    """Of so many steps: busy_ms and launches a step, and {name: [count, ms]} by kind, operation and kernel."""
    by_kind, by_operation, by_kernel = (collections.defaultdict(lambda: [0.0, 0.0]) for _ in range(3))
    for kernel in found:
        name, _, kind = kernel.operation.rpartition(":")
        kind = kind or kernel.name
        for table, key in ((by_kind, kind), (by_operation, f"{name}:{kind}"), (by_kernel, kernel.name)):
            table[key][0] += 1 / steps
            table[key][1] += (kernel.end - kernel.start) / 1e9 / steps
    return {
        "busy_ms": _busy(found) / 1e9 / steps,
        "launches": len(found) / steps,
        "kinds": _largest(by_kind),
        "operations": _largest(by_operation),
        "kernels": _largest(by_kernel),
    }


def _busy(found: Sequence[Kernel]) -> int:
    """Picoseconds in which at least one ran."""
    busy, until = 0, 0
    for kernel in sorted(found, key=lambda kernel: kernel.start):
        busy += max(0, kernel.end - max(kernel.start, until))
        until = max(until, kernel.end)
    return busy


def _largest(table: dict[str, list[float]]) -> dict[str, list[float]]:
    return dict(sorted(table.items(), key=lambda item: -item[1][1]))


def table(report: dict, rows: int) -> str:
    """The report as text, the largest ones of each kind."""
    lines = [
        f"{report['device']}, {report['precision']}, batch {report['batch_size']}, passes {report['passes']}: "
        f"{report['step_ms']:.1f} ms a step, busy for {report['busy_ms']:.1f}; {report['launches']:.0f} launches"
    ]
    for what in ("kinds", "operations", "kernels"):
        lines += [f"{what:100s} {'count':>7s} {'ms':>8s}"]
        lines += [f"{key[:100]:100s} {count:7.1f} {ms:8.3f}" for key, (count, ms) in list(report[what].items())[:rows]]
    return "\n".join(lines)


def _define(values: flags.FlagValues) -> None:
    own = {"flag_values": values}
    flags.DEFINE_integer("profiled_steps", 5, "How many are profiled, and timed before.", 1, **own)
    flags.DEFINE_integer("rows", 40, "Of each table.", 1, **own)
    config_lib.define_flags(values)


def _action(args: flags.FlagValues) -> None:
    with tempfile.TemporaryDirectory() as folder:
        report = profile(config_lib.from_flags(args), args.profiled_steps, Path(folder))
    show(table(report, args.rows), report)


main = functools.partial(command.main, _action, __doc__, _define)

if __name__ == "__main__":
    sys.exit(main())
