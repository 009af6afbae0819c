"""Would a piece of a training step be quicker another way? Each as the step has it, beside other ways to the same.

    python -m benchmarks.alternatives --flagfile=flags/gsr_net.cfg --passes=merged
    python -m benchmarks.alternatives --flagfile=flags/gsr_net.cfg --precision=mixed_bfloat16 --device=gpu

At the sizes, batch and precision of the step, on whatever device there is. The table says for each way the seconds of
its first call (tracing, compiling, choosing kernels), milliseconds forward and forward with backward, how long that is
beside the step's own way, and by how much the answers differ at most, as a share of the largest. The table is followed
by one JSON line. What a device cannot do has its reason in the table.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator

import numpy as np
import tensorflow as tf
from absl import flags
from tqdm import tqdm

from benchmarks import machine
from benchmarks.layers import times
from benchmarks.other_ways import Question, questions
from benchmarks.report import show
from gsr_tf import command
from gsr_tf import config as config_lib
from gsr_tf.config import Config
from gsr_tf.training.device import set_up


def measure(config: Config, repetitions: int) -> dict:
    """Times every way to every piece."""
    tf.get_logger().setLevel("ERROR")  # each way is traced anew, on purpose
    set_up(config.device, config.preparation.seed)
    rows = [row for question in tqdm(questions(config), unit="piece") for row in _answers(question, repetitions)]
    return {
        **machine.circumstances(config),
        "ways": rows,
    }


def _answers(question: Question, repetitions: int) -> Iterator[dict]:
    """A row a way; what the device refuses has the reason in it."""
    own, expected = None, None
    for way, forward in question.ways.items():
        row = {"piece": question.piece, "way": way}
        try:
            found = tf.cast(tf.function(forward, autograph=False)(*question.inputs), tf.float32).numpy()
            taken = times(forward, question.inputs, question.weights, question.learns, repetitions)
        except (tf.errors.OpError, ValueError) as error:
            yield {**row, "refused": str(error).strip().splitlines()[0]}
            continue
        own, expected = (taken, found) if expected is None else (own, expected)
        yield {
            **row,
            "first_seconds": taken.first,
            "forward_ms": 1e3 * taken.forward,
            "all_ms": 1e3 * taken.both,
            "beside_own": taken.both / own.both,
            "difference": float(np.abs(found - expected).max() / np.abs(expected).max()),
        }


def table(report: dict) -> str:
    """The report as text, one line a way."""
    lines = [
        f"{report['device']}, {report['precision']}, batch {report['batch_size']}, passes {report['passes']}",
        f"{'piece':34s} {'way':28s} {'first s':>8s} {'forward':>9s} {'all ms':>9s} {'beside':>7s} {'differs':>8s}",
    ]
    for row in report["ways"]:
        start = f"{row['piece']:34s} {row['way']:28s} "
        if "refused" in row:
            lines.append(f"{start}refused: {row['refused'][:80]}")
            continue
        lines.append(
            f"{start}{row['first_seconds']:8.2f} {row['forward_ms']:9.3f} {row['all_ms']:9.3f} "
            f"{row['beside_own']:7.2f} {row['difference']:8.1e}"
        )
    return "\n".join(lines)


def _define(values: flags.FlagValues) -> None:
    flags.DEFINE_integer("repetitions", 5, "Of each way, back to back.", 1, flag_values=values)
    config_lib.define_flags(values)


def _action(args: flags.FlagValues) -> None:
    report = measure(config_lib.from_flags(args), args.repetitions)
    show(table(report), report)


main = functools.partial(command.main, _action, __doc__, _define)

if __name__ == "__main__":
    sys.exit(main())
