"""How fast is a training step, as a share of what the machine can do?

    python -m benchmarks.train_step --flagfile=flags/release.cfg --batch_size=1

Best training steps are interleaved with best products of two 4096x4096 float32 matrices, in one process, so that a
machine whose speed drifts slows both. Prints one JSON line: seconds_per_step, flops_per_step (see step_flops),
matmul_flops_per_second, fraction_of_matmul, peak_memory_bytes. Weights are random; pictures are noise.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Sequence
from typing import Optional

import numpy as np
import tensorflow as tf
from absl import flags
from tqdm import tqdm

from benchmarks.step_flops import step_flops
from gsr_tf import command
from gsr_tf import config as config_lib
from gsr_tf.config import Config
from gsr_tf.data.batch import Batch
from gsr_tf.data.composition import copy_paste
from gsr_tf.training.device import set_up

MATMUL_SIDE = 4096


def _define(values: flags.FlagValues) -> None:
    flags.DEFINE_integer("rounds", 5, "Steps timed, each between two matrix products.", 1, flag_values=values)
    config_lib.define_flags(values)


def _action(args: flags.FlagValues) -> None:
    print(json.dumps(measure(config_lib.from_flags(args), args.rounds)))


def measure(config: Config, rounds: int) -> dict[str, float]:
    """Times `rounds` steps and matrix products in turn; the best of each."""
    set_up(config.device, config.preparation.seed)
    net, batch = config.build(), noise_batch(config)
    matrix = tf.random.stateless_normal([MATMUL_SIDE, MATMUL_SIDE], [0, 0])
    multiply = tf.function(tf.matmul)
    step_seconds, matmul_seconds = [], []
    for number in tqdm(range(rounds + 1), unit="round"):
        step = seconds(lambda: net.train_step(batch)["loss/segmenter"])
        product = min(seconds(lambda: multiply(matrix, matrix)[0, 0]) for _ in range(2))
        if number > 0:  # the first one traces
            step_seconds.append(step)
        matmul_seconds.append(product)
    flops, matmul_rate = step_flops(config), 2 * MATMUL_SIDE**3 / min(matmul_seconds)
    return {
        "seconds_per_step": min(step_seconds),
        "flops_per_step": flops,
        "matmul_flops_per_second": matmul_rate,
        "fraction_of_matmul": flops / min(step_seconds) / matmul_rate,
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "batch_size": config.optimization.batch_size,
        "device": (tf.config.list_physical_devices("GPU") or tf.config.list_physical_devices("CPU"))[0].device_type,
    }


def seconds(compute: Callable[[], tf.Tensor]) -> float:
    """Wall-clock seconds until the value is on the host."""
    start = time.perf_counter()
    compute().numpy()
    return time.perf_counter() - start


def noise_batch(config: Config) -> Batch:
    """A batch of noise with a square K."""
    side, count, random = config.preparation.input_size, config.optimization.batch_size, np.random.default_rng(0)
    s, t, a = random.uniform(-120, 150, [3, count, side, side, 3]).astype(np.float32)
    k = np.zeros([count, side, side, 1], np.float32)
    k[:, side // 4 : side // 2, side // 4 : side // 2] = 1
    return Batch(*(tf.constant(x) for x in (s, k, t, copy_paste(s, k, t), a)))


def main(argv: Optional[Sequence[str]] = None) -> int:
    """The command line."""
    return command.main(_action, __doc__, _define, argv)


if __name__ == "__main__":
    sys.exit(main())
