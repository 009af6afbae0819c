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
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import tensorflow as tf
from absl import flags
from tqdm import tqdm

from benchmarks import machine
from benchmarks.report import show
from benchmarks.step_flops import discriminator_multiply_adds, generator_multiply_adds
from gsr_tf import command
from gsr_tf import config as config_lib
from gsr_tf.config import Config
from gsr_tf.data.composition import refine
from gsr_tf.data.image_ops import boundary, resize
from gsr_tf.models import losses
from gsr_tf.models.convolution import Convolution, ConvolutionToNormalize, DilatedConvolution
from gsr_tf.models.discriminator import build_discriminator
from gsr_tf.models.generator import SIZE, build_generator
from gsr_tf.models.heads import Upsample, UpsampledHead
from gsr_tf.models.keras import keras
from gsr_tf.models.normalization import MomentNormalization, separate_moments
from gsr_tf.models.segmenter import BOUNDARY_BLOCKS, CLASSES, FC6_DILATION, FC_CHANNELS, VGG16, build_segmenter
from gsr_tf.training.device import set_up

Tensors = Sequence[tf.Tensor]


class Piece(NamedTuple):
    """A part of the step.

    Attributes:
        name: with its channels and side.
        times: how often a step has it.
        forward: its inputs -> its output.
        inputs: what it is given.
        variables: of a layer, filled once it has been called.
        flops: forward; a backward pass has twice as many where `learns`.
        bytes: read and written at least once, forward.
        learns: whether it has a backward pass.
    """

    name: str
    times: float
    forward: Callable[..., tf.Tensor]
    inputs: Tensors
    variables: Callable[[], Sequence[tf.Variable]]
    flops: float
    bytes: float
    learns: bool = True


class Sizes(NamedTuple):
    """Of the segmenter's passes in a step.

    Attributes:
        pictures: that go through at once.
        groups: of them with moments of their own.
        passes: of so many pictures, a step.
        side: of a picture, pixels.
        width: of the networks.
    """

    pictures: int
    groups: int
    passes: float
    side: int
    width: float

    def wide(self, channels: int) -> int:
        """So many channels at this width."""
        return max(1, round(channels * self.width))


def sizes(config: Config) -> Sizes:
    """What the settings make of a step's passes."""
    step, batch = config.step, config.optimization.batch_size
    kinds, refined = len(step.segment_on), step.refine_steps * len(step.refined)
    together = kinds if step.merged else 1
    pictures = batch * together
    groups = pictures if step.moments == "picture" else together
    return Sizes(pictures, groups, (kinds + refined) / together, config.preparation.input_size, config.networks.width)


def _layer(name: str, times: float, layer: keras.layers.Layer, shape: list[int], flops: float, **call) -> Piece:
    dtype = machine.compute_dtype()
    x = tf.cast(tf.random.stateless_normal(shape, [0, 0]), dtype)
    y = layer(x, **call)
    touched = (tf.size(x).numpy() + tf.size(y).numpy()) * dtype.size
    return Piece(name, times, lambda x: layer(x, **call), [x], lambda: layer.trainable_variables, flops, touched)


def _operation(
    name: str, times: float, forward: Callable[..., tf.Tensor], inputs: Tensors, learns: bool = True
) -> Piece:
    touched = sum(tf.size(x).numpy() * x.dtype.size for x in [*inputs, *tf.nest.flatten(forward(*inputs))])
    return Piece(name, times, forward, inputs, list, 0.0, touched, learns)


def segmenter_pieces(config: Config) -> Iterator[Piece]:
    """Each VGG block's convolutions, normalisation and pooling; fc6 and fc7; heads."""
    s = sizes(config)
    side, channels, blocks = s.side, 3, []
    for number, block in enumerate(VGG16, start=1):
        wide = s.wide(block.channels)
        shapes = [(channels, 1), (wide, block.convolutions - 1)]
        for inward, count in shapes:
            layer = ConvolutionToNormalize(wide, 3, dilation_rate=block.dilation)
            flops = 2.0 * s.pictures * side * side * 9 * inward * wide
            name = f"conv{number} {inward} to {wide} @{side}"
            yield _layer(name, s.passes * count, layer, [s.pictures, side, side, inward], flops, training=True)
        shape = [s.pictures, side, side, wide]
        yield _layer(f"moments, ReLU {wide} @{side}", s.passes * block.convolutions, Grouped(s.groups), shape, 0.0)
        x = tf.cast(tf.random.stateless_normal(shape, [0, 1]), machine.compute_dtype())
        pool = lambda x, stride=block.pool_stride: tf.nn.max_pool2d(x, 3, stride, "SAME")  # noqa: E731
        yield _operation(f"max pool, stride {block.pool_stride}, {wide} @{side}", s.passes, pool, [x])
        blocks.append((wide, side))
        side, channels = -(-side // block.pool_stride), wide
    x = tf.cast(tf.random.stateless_normal([s.pictures, side, side, channels], [0, 2]), machine.compute_dtype())
    yield _operation(f"average pool {channels} @{side}", s.passes, lambda x: tf.nn.avg_pool2d(x, 3, 1, "SAME"), [x])
    fc = s.wide(FC_CHANNELS)
    pixels = s.pictures * side * side
    layers = (("fc6", DilatedConvolution(fc, FC6_DILATION), channels, 9), ("fc7", Convolution(fc, 1), fc, 1))
    for name, layer, inward, taps in layers:
        shape = [s.pictures, side, side, inward]
        yield _layer(f"{name} {inward} to {fc} @{side}", s.passes, layer, shape, 2.0 * pixels * taps * inward * fc)
    yield from _heads(config, s, blocks, (fc, side))


class Grouped(MomentNormalization):
    """The step's normalisation, groups and all."""

    def __init__(self, groups: int):
        super().__init__(rectified=True)
        self.groups = groups

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """x [groups * b, h, w, c], normalised as in training."""
        with separate_moments(self.groups):
            return super().call(x, training=True)


def _heads(config: Config, s: Sizes, blocks: list[tuple[int, int]], end: tuple[int, int]) -> Iterator[Piece]:
    networks, dtype = config.networks, machine.compute_dtype()
    like = tf.zeros([s.pictures, s.side, s.side, 3])

    def features(wide: int, side: int) -> tf.Tensor:
        return tf.cast(tf.random.stateless_normal([s.pictures, side, side, wide], [0, 3]), dtype)

    interior = UpsampledHead(CLASSES, networks.head_kernel)
    x = features(*end)
    interior([x], like=x)
    yield Piece(
        "interior head", s.passes, lambda x: interior([x], like=x), [x], lambda: interior.trainable_variables,
        2.0 * tf.size(x).numpy() * networks.head_kernel**2 * CLASSES, tf.size(x).numpy() * dtype.size,
    )  # fmt: skip
    up = Upsample(half_pixel=networks.half_pixel, dtype="float32")
    logits = tf.random.stateless_normal([s.pictures, end[1], end[1], CLASSES], [0, 4])
    yield _operation("interpolation of its logits", s.passes, lambda x: up(x, like=like), [logits])
    if not networks.boundary_branch:
        return
    edge = UpsampledHead(CLASSES, networks.head_kernel, half_pixel=networks.half_pixel)
    seen = [features(*blocks[number - 1]) for number in BOUNDARY_BLOCKS]
    edge(seen, like=like)
    values = sum(tf.size(x).numpy() for x in seen)
    yield Piece(
        "boundary head", s.passes, lambda *x: edge(list(x), like=like), seen, lambda: edge.trainable_variables,
        2.0 * values * networks.head_kernel**2 * CLASSES, values * dtype.size,
    )  # fmt: skip


def loss_pieces(config: Config) -> Iterator[Piece]:
    """Cross entropy and boundary of a pass, and the refinement of one kind of picture."""
    s, batch, step = sizes(config), config.optimization.batch_size, config.step
    k = tf.cast(tf.random.stateless_uniform([s.pictures, s.side, s.side, 1], [0, 5]) > 0.8, tf.float32)
    logits = tf.random.stateless_normal([s.pictures, s.side, s.side, CLASSES], [0, 6])
    terms = s.passes * (2 if config.networks.boundary_branch else 1)
    yield _operation("cross entropy", terms, lambda x: losses.cross_entropy(x, k), [logits])
    yield _operation("boundary of K", s.passes, lambda k: boundary(k, config.losses.boundary_size), [k], learns=False)
    k = k[:batch]
    picture = tf.random.stateless_normal([batch, s.side, s.side, 3], [0, 7])
    if step.refined:
        refined = step.refine_steps * len(step.refined)
        yield _operation("refinement (Eq. 8, 9)", refined, lambda m: refine(m, k, k, picture)[0], [picture], False)


def generation_pieces(config: Config) -> Iterator[Piece]:
    """Generator and discriminator, whole, and the resizing between them and the segmenter."""
    if not config.step.generates:
        return
    batch, side = config.optimization.batch_size, config.preparation.input_size
    x = tf.random.stateless_normal([batch, SIZE, SIZE, 3], [0, 8])
    k = tf.zeros([batch, SIZE, SIZE, 1])
    for name, build, times, multiply_adds in (
        ("generator", build_generator, 1, generator_multiply_adds(config)),
        # D on the fake for G, on real and fake for D: eight thirds of a forward and backward pass.
        ("discriminator", build_discriminator, 8 / 3, discriminator_multiply_adds(config)),
    ):
        network = build(width=config.networks.width)
        flops = 2.0 * batch * multiply_adds
        forward = lambda x, network=network: network([x, k], training=True)  # noqa: E731
        weights = lambda network=network: network.trainable_variables  # noqa: E731
        touched = sum(tf.size(v).numpy() for v in network.trainable_variables) * 4.0
        yield Piece(name, times, forward, [x], weights, flops, touched)
    picture = tf.random.stateless_normal([batch, side, side, 3], [0, 9])
    yield _operation(f"resizing {side} to {SIZE}", 5, lambda x: resize(x, [SIZE, SIZE]), [picture])


def update_pieces(config: Config) -> Iterator[Piece]:
    """The sum of the passes' gradients, and Adam."""
    s = sizes(config)
    segmenter = build_segmenter(config.networks)
    optimization = config.optimization
    parts = [(segmenter, optimization.adam)]
    if config.step.generates:
        parts += [
            (build_generator(width=s.width), optimization.adam),
            (build_discriminator(width=s.width), optimization.discriminator_adam),
        ]
    count = round(s.passes) + 1
    gradients = [[tf.zeros_like(v) for v in segmenter.trainable_variables] for _ in range(count)]
    values = sum(tf.size(v).numpy() for v in segmenter.trainable_variables)

    def total() -> tf.Tensor:
        return tf.add_n([tf.reshape(tf.add_n(list(of_one)), [-1])[0] for of_one in zip(*gradients)])

    yield Piece("sum of gradients", 1, total, [], list, 0.0, 4.0 * (count + 1) * values, False)
    for network, adam in parts:
        variables = network.trainable_variables
        optimizer, zeros = adam(variables), [tf.zeros_like(v) for v in variables]

        def update(optimizer=optimizer, zeros=zeros, variables=variables) -> tf.Tensor:
            optimizer.apply_gradients(zip(zeros, variables))
            return tf.reshape(variables[-1], [-1])[0]

        touched = 28.0 * sum(tf.size(v).numpy() for v in variables)  # weight and two slots read and written, gradient
        yield Piece(f"Adam of the {network.name}", 1, update, [], list, 0.0, touched, False)


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
    groups = (segmenter_pieces, loss_pieces, generation_pieces, update_pieces)
    for piece in tqdm((piece for group in groups for piece in group(config)), unit="piece"):
        _, forward, both = times(piece.forward, piece.inputs, piece.variables(), piece.learns, repetitions)
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
