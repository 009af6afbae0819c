"""How fast is a training step, as a share of what the machine can do?

    python -m benchmarks.train_step --flagfile=flags/release.cfg --batch_size=1

Training steps take turns with products of two square matrices in the step's own precision (4096 wide; on a GPU 8192
wide, several in flight), in one process, so that a machine whose speed drifts slows both; the best of each counts.
Prints one JSON line:

* seconds_per_step: steps back to back, as training runs them: the host does not wait for one before the next.
* seconds_alone: a step whose losses are waited for before the next one starts.
* flops_per_step (see step_flops), tflops_per_second, matmul_flops_per_second, fraction_of_matmul.
* first_step_seconds: tracing, and on a GPU choosing kernels.
* graph_nodes: operations in the step's graph, those of its functions too.
* device, precision, batch_size, passes, peak_memory_bytes, on a GPU peak_device_memory_bytes.

Weights are random; pictures are noise.
"""

from __future__ import annotations

import functools
import json
import sys
from typing import Any

import numpy as np
import tensorflow as tf
from absl import flags
from tqdm import tqdm

from benchmarks import machine
from benchmarks.step_flops import step_flops
from gsr_tf import command
from gsr_tf import config as config_lib
from gsr_tf.config import Config
from gsr_tf.data.batch import Batch
from gsr_tf.data.composition import copy_paste
from gsr_tf.training.device import set_up

BACK_TO_BACK = 10  # steps on a GPU; on a CPU a step is over before the next one starts


def _define(values: flags.FlagValues) -> None:
    flags.DEFINE_integer("rounds", 5, "Rounds of steps, each between matrix products.", 1, flag_values=values)
    config_lib.define_flags(values)


def _action(args: flags.FlagValues) -> None:
    print(json.dumps(measure(config_lib.from_flags(args), args.rounds)))


def measure(config: Config, rounds: int) -> dict[str, Any]:
    """Times rounds of steps and matrix products in turn; the best of each."""
    set_up(config.device, config.preparation.seed)
    net, batch = config.build(), noise_batch(config)
    multiply, product_flops = machine.product()

    def step() -> tf.Tensor:
        return net.train_step(batch)["loss/segmenter"]

    first, _ = machine.seconds(step), machine.product_seconds(multiply)
    many = BACK_TO_BACK if machine.on_gpu() else 1
    alone, together, products = [], [], []
    for _ in tqdm(range(rounds), unit="round"):
        alone.append(machine.seconds(step))
        together.append(machine.seconds(step, many) if many > 1 else alone[-1])
        products.append(machine.product_seconds(multiply))
    flops, rate = step_flops(config), product_flops / min(products)
    return {
        "seconds_per_step": min(together),
        "seconds_alone": min(alone),
        "first_step_seconds": first,
        "flops_per_step": flops,
        "tflops_per_second": flops / min(together) / 1e12,
        "matmul_flops_per_second": rate,
        "fraction_of_matmul": flops / min(together) / rate,
        "graph_nodes": graph_nodes(net.train_step.get_concrete_function(batch).graph),
        **machine.circumstances(config),
        **machine.peak_memory_bytes(),
    }


def graph_nodes(graph: tf.Graph) -> int:
    """Operations of a graph and of the functions that it calls."""
    definition = graph.as_graph_def()
    return len(definition.node) + sum(len(function.node_def) for function in definition.library.function)


def noise_batch(config: Config) -> Batch:
    """A batch of noise with a square K."""
    side, count, random = config.preparation.input_size, config.optimization.batch_size, np.random.default_rng(0)
    s, t, a = random.uniform(-120, 150, [3, count, side, side, 3]).astype(np.float32)
    k = np.zeros([count, side, side, 1], np.float32)
    k[:, side // 4 : side // 2, side // 4 : side // 2] = 1
    return Batch(*(tf.constant(x) for x in (s, k, t, copy_paste(s, k, t), a)))


main = functools.partial(command.main, _action, __doc__, _define)

if __name__ == "__main__":
    sys.exit(main())
