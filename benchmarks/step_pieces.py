"""The pieces of a training step, each with the sizes, batch and precision that it has there, and what it costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import tensorflow as tf

from benchmarks import machine
from benchmarks.step_flops import discriminator_multiply_adds, generator_multiply_adds
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

Tensors = Sequence[tf.Tensor]


class Piece(NamedTuple):
    """A part of the step.

    Attributes:
        name: with its channels and side.
        times: how often a step has it.
        forward: its inputs -> its output.
        inputs: what it is given.
        flops: forward; a backward pass has twice as many where `learns`.
        bytes: read and written at least once, forward.
        weights: what it has gradients for beside the inputs.
        learns: whether it has a backward pass.
    """

    name: str
    times: float
    forward: Callable[..., tf.Tensor]
    inputs: Tensors
    flops: float
    bytes: float
    weights: Sequence[tf.Variable] = ()
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


def noise(shape: Sequence[int], seed: int, dtype: tf.DType | None = None) -> tf.Tensor:
    """Normal, of the networks' precision unless another is given."""
    return tf.cast(tf.random.stateless_normal(shape, [0, seed]), dtype or machine.compute_dtype())


def _layer(name: str, times: float, layer: keras.layers.Layer, shape: list[int], flops: float, **call) -> Piece:
    x = noise(shape, 0)
    y = layer(x, **call)
    touched = (tf.size(x).numpy() + tf.size(y).numpy()) * x.dtype.size
    return Piece(name, times, lambda x: layer(x, **call), [x], flops, touched, layer.trainable_variables)


def _operation(
    name: str, times: float, forward: Callable[..., tf.Tensor], inputs: Tensors, learns: bool = True
) -> Piece:
    touched = sum(tf.size(x).numpy() * x.dtype.size for x in [*inputs, *tf.nest.flatten(forward(*inputs))])
    return Piece(name, times, forward, inputs, 0.0, touched, learns=learns)


def pieces(config: Config) -> Iterator[Piece]:
    """All of them, in the step's order."""
    yield from _of_the_segmenter(config)
    yield from _of_losses(config)
    yield from _of_generation(config)
    yield from _of_updates(config)


def _of_the_segmenter(config: Config) -> Iterator[Piece]:
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
        x = noise(shape, 1)
        pool = lambda x, stride=block.pool_stride: tf.nn.max_pool2d(x, 3, stride, "SAME")  # noqa: E731
        yield _operation(f"max pool, stride {block.pool_stride}, {wide} @{side}", s.passes, pool, [x])
        blocks.append((wide, side))
        side, channels = -(-side // block.pool_stride), wide
    x = noise([s.pictures, side, side, channels], 2)
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
    networks, like = config.networks, tf.zeros([s.pictures, s.side, s.side, 3])

    def features(wide: int, side: int) -> tf.Tensor:
        return noise([s.pictures, side, side, wide], 3)

    def head(name: str, layer: UpsampledHead, seen: Tensors, like: tf.Tensor) -> Piece:
        layer(seen, like=like)
        values = sum(tf.size(x).numpy() for x in seen)
        flops = 2.0 * values * networks.head_kernel**2 * CLASSES
        forward = lambda *x: layer(list(x), like=like)  # noqa: E731
        return Piece(name, s.passes, forward, seen, flops, values * seen[0].dtype.size, layer.trainable_variables)

    x = features(*end)
    yield head("interior head", UpsampledHead(CLASSES, networks.head_kernel), [x], like=x)
    up = Upsample(half_pixel=networks.half_pixel, dtype="float32")
    logits = noise([s.pictures, end[1], end[1], CLASSES], 4, tf.float32)
    yield _operation("interpolation of its logits", s.passes, lambda x: up(x, like=like), [logits])
    if networks.boundary_branch:
        edge = UpsampledHead(CLASSES, networks.head_kernel, half_pixel=networks.half_pixel)
        yield head("boundary head", edge, [features(*blocks[number - 1]) for number in BOUNDARY_BLOCKS], like)


def _of_losses(config: Config) -> Iterator[Piece]:
    """Cross entropy and boundary of a pass, and the refinement of one kind of picture."""
    s, batch, step = sizes(config), config.optimization.batch_size, config.step
    k = tf.cast(tf.random.stateless_uniform([s.pictures, s.side, s.side, 1], [0, 5]) > 0.8, tf.float32)
    logits = noise([s.pictures, s.side, s.side, CLASSES], 6, tf.float32)
    terms = s.passes * (2 if config.networks.boundary_branch else 1)
    yield _operation("cross entropy", terms, lambda x: losses.cross_entropy(x, k), [logits])
    yield _operation("boundary of K", s.passes, lambda k: boundary(k, config.losses.boundary_size), [k], learns=False)
    k = k[:batch]
    picture = noise([batch, s.side, s.side, 3], 7, tf.float32)
    if step.refined:
        refined = step.refine_steps * len(step.refined)
        yield _operation("refinement (Eq. 8, 9)", refined, lambda m: refine(m, k, k, picture)[0], [picture], False)


def _of_generation(config: Config) -> Iterator[Piece]:
    """Generator and discriminator, whole, and the resizing between them and the segmenter."""
    if not config.step.generates:
        return
    batch, side = config.optimization.batch_size, config.preparation.input_size
    x = noise([batch, SIZE, SIZE, 3], 8, tf.float32)
    k = tf.zeros([batch, SIZE, SIZE, 1])
    for name, build, times, multiply_adds in (
        ("generator", build_generator, 1, generator_multiply_adds(config)),
        # D on the fake for G, on real and fake for D: eight thirds of a forward and backward pass.
        ("discriminator", build_discriminator, 8 / 3, discriminator_multiply_adds(config)),
    ):
        network = build(width=config.networks.width)
        flops = 2.0 * batch * multiply_adds
        forward = lambda x, network=network: network([x, k], training=True)  # noqa: E731
        weights = network.trainable_variables
        yield Piece(name, times, forward, [x], flops, 4.0 * sum(tf.size(v).numpy() for v in weights), weights)
    picture = noise([batch, side, side, 3], 9, tf.float32)
    yield _operation(f"resizing {side} to {SIZE}", 5, lambda x: resize(x, [SIZE, SIZE]), [picture])


def _of_updates(config: Config) -> Iterator[Piece]:
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

    yield Piece("sum of gradients", 1, total, [], 0.0, 4.0 * (count + 1) * values, learns=False)
    for network, adam in parts:
        variables = network.trainable_variables
        optimizer, zeros = adam(variables), [tf.zeros_like(v) for v in variables]

        def update(optimizer=optimizer, zeros=zeros, variables=variables) -> tf.Tensor:
            optimizer.apply_gradients(zip(zeros, variables))
            return tf.reshape(variables[-1], [-1])[0]

        touched = 28.0 * sum(tf.size(v).numpy() for v in variables)  # weight and two slots read and written, gradient
        yield Piece(f"Adam of the {network.name}", 1, update, [], 0.0, touched, learns=False)
