"""Where does a training step's time go? Every piece of it, timed alone, forward and backward.

    python -m benchmarks.layers --flagfile=flags/gsr_net.cfg
    python -m benchmarks.layers --flagfile=flags/gsr_net.cfg --precision=mixed_bfloat16 --batch_size=32

Each piece runs at the sizes, batch and precision that it has in the step, back to back, on whatever device there is;
no profiler is needed. The table says for each how often a step has it, milliseconds forward and in all, FLOPs and bytes
(what must be read and written at least once), and its share of the roofline: the larger of the times that its FLOPs
would take at the rate of a large matrix product and its bytes at the rate of a large addition, both measured first,
over the time it took. Pieces are listed in the step's order; the last column is what they add up to in a step. The
table is followed by one JSON line.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow as tf
from absl import flags
from tqdm import tqdm

from benchmarks import machine
from benchmarks.report import show
from benchmarks.step_pieces import Tensors, pieces
from gsr_tf import command
from gsr_tf import config as config_lib
from gsr_tf.config import Config
from gsr_tf.training.device import set_up


class Times(NamedTuple):
    """Seconds of a first call, of a forward pass, and of forward and backward together."""

    first: float
    forward: float
    both: float


def times(
    compute: Callable[..., tf.Tensor],
    inputs: Tensors,
    weights: Sequence[tf.Variable],
    learns: bool,
    repetitions: int,
) -> Times:
    """Of one tensor computed from others, back to back.

    All that is computed is an output: what no output needs TensorFlow leaves out, control dependencies or not.

    Args:
        compute: inputs -> a tensor.
        inputs: what it is given, and has gradients for.
        weights: what else it has gradients for.
        learns: whether there is a backward pass; without one `both` is `forward`.
        repetitions: of each.
    """
    forward = tf.function(lambda: _with_a_number(compute(*inputs)), autograph=False)
    first = machine.seconds(lambda: forward()[0])
    alone = machine.seconds(lambda: forward()[0], repetitions)
    if not learns:
        return Times(first, alone, alone)
    of_y = tf.ones_like(forward()[1])

    @tf.function(autograph=False)
    def both() -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            y = compute(*inputs)
        found = tape.gradient(y, [*inputs, *weights], output_gradients=of_y)
        return _with_a_number(y, *(gradient for gradient in found if gradient is not None))

    first = machine.seconds(lambda: both()[0])
    return Times(first, alone, machine.seconds(lambda: both()[0], repetitions))


def _with_a_number(*tensors: tf.Tensor) -> list[tf.Tensor]:
    """A scalar to wait for, and the tensors themselves."""
    return [tf.reshape(tensors[-1], [-1])[0], *tensors]


def measure(config: Config, repetitions: int) -> dict:
    """Times every piece."""
    tf.get_logger().setLevel("ERROR")  # each piece is traced anew, on purpose
    set_up(config.device, config.preparation.seed)
    multiply, product_flops = machine.product()
    machine.seconds(multiply)
    rate, bandwidth = product_flops / machine.product_seconds(multiply), machine.bytes_per_second()
    rows = []
    for piece in tqdm(pieces(config), unit="piece"):
        _, forward, both = times(piece.forward, piece.inputs, piece.weights, piece.learns, repetitions)
        work = 3 if piece.learns else 1
        least = max(work * piece.flops / rate, work * piece.bytes / bandwidth)
        rows.append(
            {
                "piece": piece.name,
                "times": round(piece.times, 2),
                "forward_ms": 1e3 * forward,
                "all_ms": 1e3 * both,
                "gflop": work * piece.flops / 1e9,
                "mebibytes": work * piece.bytes / 2**20,
                "share_of_roofline": least / both,
                "step_ms": 1e3 * piece.times * both,
            }
        )
    return {
        **machine.circumstances(config),
        "matmul_tflops_per_second": rate / 1e12,
        "gigabytes_per_second": bandwidth / 1e9,
        "step_ms": sum(row["step_ms"] for row in rows),
        "pieces": rows,
    }


def table(report: dict) -> str:
    """The report as text, one line a piece."""
    lines = [
        f"{report['device']}, {report['precision']}, batch {report['batch_size']}: product "
        f"{report['matmul_tflops_per_second']:.2f} TFLOP/s, addition {report['gigabytes_per_second']:.1f} GB/s",
        f"{'piece':34s} {'times':>6s} {'forward':>9s} {'all ms':>9s} {'GFLOP':>9s} {'MiB':>9s} {'roofline':>8s} "
        f"{'in a step':>10s}",
    ]
    for row in report["pieces"]:
        lines.append(
            f"{row['piece']:34s} {row['times']:6.1f} {row['forward_ms']:9.3f} {row['all_ms']:9.3f} "
            f"{row['gflop']:9.2f} {row['mebibytes']:9.1f} {row['share_of_roofline']:8.2f} {row['step_ms']:10.2f}"
        )
    return "\n".join([*lines, f"{'all pieces':34s} {'':54s} {report['step_ms']:17.1f}"])


def _define(values: flags.FlagValues) -> None:
    flags.DEFINE_integer("repetitions", 10, "Of each piece, back to back.", 1, flag_values=values)
    config_lib.define_flags(values)


def _action(args: flags.FlagValues) -> None:
    report = measure(config_lib.from_flags(args), args.repetitions)
    show(table(report), report)


main = functools.partial(command.main, _action, __doc__, _define)

if __name__ == "__main__":
    sys.exit(main())
