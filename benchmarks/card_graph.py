"""What would a GPU do in a training step? The step's graph as TensorFlow rewrites it for one, where there is none.

    python -m benchmarks.card_graph --flagfile=flags/gsr_net.cfg --precision=mixed_bfloat16 --passes=merged

TensorFlow's graph optimisers are told that there is a card of --architecture (its compute capability), and rewrite the
step for it; nothing is computed. The table says for each kind of operation how many are left that the card has to
start, and how many gigabytes they read and write, each tensor once. The table is followed by one JSON line: also how
many convolutions have which layout, since a layout that is not the network's own costs transposes, and how many
milliseconds the gigabytes alone would take at the card's --bandwidth. Products come on top (see layers).
"""

from __future__ import annotations

import collections
import sys
from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf
from absl import flags
from tensorflow.core.protobuf import device_properties_pb2
from tensorflow.python.eager import context
from tensorflow.python.framework import meta_graph
from tensorflow.python.grappler import cluster, tf_optimizer

from benchmarks.report import show
from benchmarks.train_step import noise_batch
from gsr_tf import command
from gsr_tf import config as config_lib
from gsr_tf.config import Config
from gsr_tf.training.device import set_up

HOST, CARD = "/job:localhost/replica:0/task:0/device:CPU:0", "/job:localhost/replica:0/task:0/device:GPU:0"
# What starts nothing on a card: other names for what is there, and what is known before the step.
NAMES = {"Const", "Placeholder", "NoOp", "Identity", "IdentityN", "ReadVariableOp", "Reshape", "ShapeN", "Shape"}
PARTS = {"Slice", "StridedSlice", "Split", "SplitV"}  # of their input they read no more than they write


class Work(NamedTuple):
    """Operations of one kind: how many, and bytes that they read and write."""

    count: int
    bytes: int


def step_graph(config: Config) -> tf.Graph:
    """Of one training step."""
    net = config.build()
    return net.train_step.get_concrete_function(noise_batch(config)).graph


def for_a_card(graph: tf.Graph, architecture: str) -> tf.Graph:
    """A function's graph as TensorFlow rewrites it for a card, with the options of this process.

    Args:
        graph: of a concrete function.
        architecture: of the card, as "9.0".
    """
    with tf.Graph().as_default() as whole:
        tf.import_graph_def(graph.as_graph_def(), name="")
        kept = [*(tensor.op.name for tensor in graph.outputs), *(op.name for op in graph.control_outputs)]
        for name in kept:
            whole.add_to_collection("train_op", whole.get_operation_by_name(name))
        for operation in whole.get_operations():
            operation._set_device(operation.device or CARD)
    rewritten = tf_optimizer.OptimizeGraph(
        context.context().config, meta_graph.create_meta_graph_def(graph=whole), cluster=_cluster(architecture)
    )
    return _with_shapes(rewritten, graph)


def _cluster(architecture: str) -> cluster.Cluster:
    card = device_properties_pb2.DeviceProperties(type="GPU", num_cores=132, environment={"architecture": architecture})
    host = device_properties_pb2.DeviceProperties(type="CPU", num_cores=16)
    named = device_properties_pb2.NamedDevice
    return cluster.Cluster(devices=[named(name=CARD, properties=card), named(name=HOST, properties=host)])


def _with_shapes(rewritten: tf.compat.v1.GraphDef, graph: tf.Graph) -> tf.Graph:
    """The rewritten graph, in which reading a variable has the variable's shape, so that all others can be inferred."""
    variables = {
        placeholder.op.name: outer._handle_data.shape_and_type[0]
        for outer, placeholder in graph.captures
        if outer.dtype == tf.resource and outer._handle_data.shape_and_type
    }
    for node in rewritten.node:
        found = variables.get(node.input[0]) if node.op == "ReadVariableOp" else None
        if found:
            node.op, node.input[:] = "Placeholder", []
            node.attr["shape"].shape.CopyFrom(found.shape)
    with tf.Graph().as_default() as result:
        tf.import_graph_def(rewritten, name="")
    return result


def work(graph: tf.Graph) -> dict[str, Work]:
    """By kind of operation, most bytes first."""
    counts, moved = collections.Counter(), collections.Counter()
    for operation in graph.get_operations():
        if operation.type not in NAMES and "CPU" not in operation.device:
            counts[operation.type] += 1
            moved[operation.type] += _moved(operation)
    return {kind: Work(counts[kind], moved[kind]) for kind in sorted(counts, key=lambda kind: -moved[kind])}


def _moved(operation: tf.Operation) -> int:
    """Bytes that it reads and writes; none where the outputs are whole pictures of the input, which stay in place."""
    written = sum(_bytes(tensor) for tensor in operation.outputs)
    if operation.type not in PARTS:
        return written + sum(_bytes(tensor) for tensor in operation.inputs)
    whole = max(operation.inputs, key=_bytes).shape[1:]
    return 0 if all(tensor.shape[1:] == whole for tensor in operation.outputs) else 2 * written


def _bytes(tensor: tf.Tensor) -> int:
    if tensor.dtype in (tf.resource, tf.variant) or not tensor.shape.is_fully_defined():
        return 0
    return tensor.shape.num_elements() * tensor.dtype.base_dtype.size


def layouts(graph: tf.Graph) -> dict[str, int]:
    """Of the convolutions, gradients included: NHWC, NCHW."""
    found = (o.get_attr("data_format").decode() for o in graph.get_operations() if o.type.startswith("Conv2D"))
    return dict(collections.Counter(found))


def measure(config: Config, architecture: str, bandwidth: float) -> dict:
    """Rewrites the step and counts."""
    set_up(config.device, config.preparation.seed)
    graph = for_a_card(step_graph(config), architecture)
    kinds = work(graph)
    moved = sum(of_kind.bytes for of_kind in kinds.values())
    return {
        "device": f"none; rewritten for compute capability {architecture}",
        "precision": config.device.precision,
        "batch_size": config.optimization.batch_size,
        "passes": "merged" if config.step.merged else "apart",
        "operations": sum(of_kind.count for of_kind in kinds.values()),
        "gigabytes": moved / 1e9,
        "milliseconds_of_bytes": moved / bandwidth / 1e9,
        "layouts": layouts(graph),
        "kinds": {kind: of_kind._asdict() for kind, of_kind in kinds.items()},
    }


def table(report: dict) -> str:
    """The report as text, one line a kind of operation."""
    lines = [
        f"{report['device']}; {report['precision']}, batch {report['batch_size']}, passes {report['passes']}: "
        f"{report['operations']} operations, {report['gigabytes']:.2f} GB",
        f"{'kind':32s} {'count':>6s} {'GB':>8s}",
    ]
    kinds = report["kinds"].items()
    return "\n".join([*lines, *(f"{kind:32s} {of['count']:6d} {of['bytes'] / 1e9:8.3f}" for kind, of in kinds)])


def _define(values: flags.FlagValues) -> None:
    own = {"flag_values": values}
    flags.DEFINE_string("architecture", "9.0", "The card's compute capability.", **own)
    flags.DEFINE_float("bandwidth", 3.35, "Of the card's memory, TB a second; an H100's by default.", 0.0, **own)
    config_lib.define_flags(values)


def _action(args: flags.FlagValues) -> None:
    report = measure(config_lib.from_flags(args), args.architecture, args.bandwidth)
    show(table(report), report)


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    return command.main(_action, __doc__, _define, argv)


if __name__ == "__main__":
    sys.exit(main())
