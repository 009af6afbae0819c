"""Pieces of a training step, and other ways to compute each: what `alternatives` compares."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from benchmarks import machine
from benchmarks.step_pieces import Grouped, Sizes, Tensors, noise, sizes
from gsr_tf.config import Config
from gsr_tf.models import losses
from gsr_tf.models.convolution import Convolution, DilatedConvolution
from gsr_tf.models.generator import SIZE, build_generator
from gsr_tf.models.heads import Upsample, interpolation_matrix
from gsr_tf.models.normalization import EPSILON, normalized
from gsr_tf.models.segmenter import CLASSES, FC6_DILATION, FC_CHANNELS, VGG16, build_segmenter

Forward = Callable[..., tf.Tensor]


class Question(NamedTuple):
    """A piece of the step, and ways to compute it.

    Attributes:
        piece: with its channels and side.
        ways: by name; the first is the step's own.
        inputs: what each is given.
        weights: what each has a gradient for beside the inputs.
        learns: whether it has a backward pass.
    """

    piece: str
    ways: dict[str, Forward]
    inputs: Tensors
    weights: Sequence[tf.Variable] = ()
    learns: bool = True


def questions(config: Config) -> Iterator[Question]:
    """All of them, in the step's order."""
    s = sizes(config)
    yield first_convolution(s)
    yield convolution(s, VGG16[0].channels, s.side)
    yield convolution(s, VGG16[-2].channels, -(-s.side // 8))
    yield dilated_convolution(s)
    if s.groups > 1:
        yield normalization(s, VGG16[0].channels, s.side)
        yield normalization(s, VGG16[-1].channels, -(-s.side // 8))
    yield pooling(s, VGG16[0].channels, s.side)
    yield rectified_pooling(s, VGG16[0].channels, s.side)
    yield fc6(s)
    yield interpolation(s, config)
    yield cross_entropy(s)
    yield adam(config)
    yield from networks(s, config)


def _convolution(channels: int, x: tf.Tensor, dilation: int = 1) -> Convolution:
    """Of x, as in training: without a bias."""
    layer = Convolution(channels, 3, dilation_rate=dilation, use_bias=False)
    layer(x)
    return layer


def first_convolution(s: Sizes) -> Question:
    """Of three channels, or of eight, as tensor cores like them: five of zeros."""
    x = noise([s.pictures, s.side, s.side, 3], 0)
    layer = _convolution(s.wide(VGG16[0].channels), x)

    def of_eight(x: tf.Tensor) -> tf.Tensor:
        kernel = tf.pad(tf.cast(layer.kernel, x.dtype), [[0, 0], [0, 0], [0, 5], [0, 0]])
        return tf.nn.conv2d(tf.pad(x, [[0, 0], [0, 0], [0, 0], [0, 5]]), kernel, 1, "SAME")

    ways = {"three channels": layer, "padded to eight channels": of_eight}
    return Question(f"conv1_1 @{s.side}", ways, [x], layer.trainable_variables)


def convolution(s: Sizes, channels: int, side: int) -> Question:
    """Channels last, or channels first with both transposes, as a network of that layout would not need them."""
    wide = s.wide(channels)
    x = noise([s.pictures, side, side, wide], 1)
    layer = _convolution(wide, x)

    def channels_first(x: tf.Tensor) -> tf.Tensor:
        kernel = tf.cast(layer.kernel, x.dtype)
        y = tf.nn.conv2d(tf.transpose(x, [0, 3, 1, 2]), kernel, 1, "SAME", data_format="NCHW")
        return tf.transpose(y, [0, 2, 3, 1])

    ways = {"channels last": layer, "channels first, transposed": channels_first}
    return Question(f"convolution {wide} to {wide} @{side}", ways, [x], layer.trainable_variables)


def dilated_convolution(s: Sizes) -> Question:
    """Of conv5: by TensorFlow's space to batch, or as one operation, as on a GPU; most CPUs have no gradient of it."""
    side, wide, dilation = -(-s.side // 8), s.wide(VGG16[-1].channels), VGG16[-1].dilation
    x = noise([s.pictures, side, side, wide], 10)
    layer = _convolution(wide, x, dilation)

    def one_operation(x: tf.Tensor) -> tf.Tensor:
        return tf.nn.conv2d(x, tf.cast(layer.kernel, x.dtype), 1, "SAME", dilations=dilation)

    def space_to_batch(x: tf.Tensor) -> tf.Tensor:
        return tf.nn.convolution(x, tf.cast(layer.kernel, x.dtype), padding="SAME", dilations=dilation)

    ways = {"as in the step": layer, "space to batch": space_to_batch, "one operation": one_operation}
    return Question(f"conv5 {wide} to {wide} @{side}", ways, [x], layer.trainable_variables)


def normalization(s: Sizes, channels: int, side: int) -> Question:
    """With its ReLU: groups one by one, side by side in one operation, or with XLA, all or joining and ReLU alone."""
    layer, x = Grouped(s.groups), noise([s.pictures, side, side, s.wide(channels)], 2)
    layer(x)

    @tf.function(autograph=False, jit_compile=True)
    def with_xla(x: tf.Tensor) -> tf.Tensor:
        return normalized(x, layer.gamma, layer.beta, s.groups, rectified=True)

    @tf.function(autograph=False, jit_compile=True)
    def joined(*parts: tf.Tensor) -> tf.Tensor:
        return tf.nn.relu(tf.concat(parts, 0))

    def joined_with_xla(x: tf.Tensor) -> tf.Tensor:
        normalize = functools.partial(tf.compat.v1.nn.fused_batch_norm, epsilon=EPSILON)
        return joined(*(normalize(part, layer.gamma, layer.beta)[0] for part in tf.split(x, s.groups)))

    ways = {
        "as in the step": layer,
        "one by one": lambda x: layer.one_by_one(x, s.groups),
        "side by side": lambda x: layer.side_by_side(x, s.groups),
        "one by one, joined with XLA": joined_with_xla,
        "XLA": with_xla,
    }
    return Question(f"moments of {s.groups} groups, {x.shape[-1]} @{side}", ways, [x], layer.trainable_variables)


def _pool(x: tf.Tensor) -> tf.Tensor:
    return tf.nn.max_pool2d(x, 3, 2, "SAME")


def pooling(s: Sizes, channels: int, side: int) -> Question:
    """The largest of 3x3 pixels, in the step's precision, in float32, of rows and then of columns, or by its place."""
    x = noise([s.pictures, side, side, s.wide(channels)], 3)

    def separately(x: tf.Tensor) -> tf.Tensor:
        return tf.nn.max_pool2d(tf.nn.max_pool2d(x, [3, 1], [2, 1], "SAME"), [1, 3], [1, 2], "SAME")

    in_float32 = lambda x: tf.cast(_pool(tf.cast(x, tf.float32)), x.dtype)  # noqa: E731
    by_place = lambda x: tf.nn.max_pool_with_argmax(x, 3, 2, "SAME")[0]  # noqa: E731
    ways = {"3x3": _pool, "3x3 in float32": in_float32, "3x1, then 1x3": separately, "3x3, with its place": by_place}
    return Question(f"max pool {x.shape[-1]} @{side}", ways, [x])


def rectified_pooling(s: Sizes, channels: int, side: int) -> Question:
    """ReLU before the largest of 3x3 pixels, or behind it, of a quarter of the pixels: the same bits."""
    x = noise([s.pictures, side, side, s.wide(channels)], 11)
    ways = {"ReLU first": lambda x: _pool(tf.nn.relu(x)), "pooled first": lambda x: tf.nn.relu(_pool(x))}
    return Question(f"ReLU and max pool {x.shape[-1]} @{side}", ways, [x])


def fc6(s: Sizes) -> Question:
    """Nine products on a CPU and one dilated convolution on a GPU, or one product of all nine taps."""
    side, inward = -(-s.side // 8), s.wide(VGG16[-1].channels)
    layer, x = DilatedConvolution(s.wide(FC_CHANNELS), FC6_DILATION), noise([s.pictures, side, side, inward], 4)
    layer(x)

    def weights(dtype: tf.DType) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.cast(layer.kernel, dtype), tf.cast(layer.bias, dtype)

    def dilated(x: tf.Tensor) -> tf.Tensor:
        kernel, bias = weights(x.dtype)
        return tf.nn.bias_add(tf.nn.conv2d(x, kernel, 1, "SAME", dilations=FC6_DILATION), bias)

    def one_product(x: tf.Tensor) -> tf.Tensor:
        kernel, bias = weights(x.dtype)
        padded = tf.pad(x, [[0, 0], [FC6_DILATION] * 2, [FC6_DILATION] * 2, [0, 0]])
        starts = range(0, 3 * FC6_DILATION, FC6_DILATION)
        seen = tf.concat([padded[:, i : i + side, j : j + side] for i in starts for j in starts], -1)
        return tf.nn.bias_add(tf.tensordot(seen, tf.reshape(kernel, [9 * inward, -1]), 1), bias)

    ways = {"as in the step": layer, "one dilated convolution": dilated, "one product": one_product}
    return Question(f"fc6 @{side}", ways, [x], layer.trainable_variables)


def interpolation(s: Sizes, config: Config) -> Question:
    """Of the interior logits, in float32, in the step's precision, or as products with two matrices."""
    side, like = -(-s.side // 8), tf.zeros([s.pictures, s.side, s.side, 3])
    x = noise([s.pictures, side, side, CLASSES], 5, tf.float32)
    full, own = (
        Upsample(half_pixel=config.networks.half_pixel, dtype=dtype) for dtype in (tf.float32, machine.compute_dtype())
    )
    matrix = interpolation_matrix(side, s.side, 0, config.networks.half_pixel)
    ways = {
        "in float32": lambda x: full(x, like=like),
        "products": lambda x: tf.einsum("Hh,bhwc,Ww->bHWc", matrix, x, matrix),
        "in the step's precision": lambda x: tf.cast(own(tf.cast(x, machine.compute_dtype()), like=like), tf.float32),
    }
    return Question(f"interpolation of logits to {s.side}", ways, [x])


def cross_entropy(s: Sizes) -> Question:
    """As a softplus of the difference, in float32 or in the step's precision, or by TensorFlow's softmax of classes."""
    shape = [s.pictures, s.side, s.side]
    x = noise([*shape, CLASSES], 6, tf.float32)
    k = tf.cast(tf.random.stateless_uniform([*shape, 1], [0, 7]) > 0.8, tf.float32)

    def softmax(x: tf.Tensor) -> tf.Tensor:
        label = tf.cast(k[..., 0], tf.int32)
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(label, x), [1, 2])

    own = machine.compute_dtype()
    ways = {
        "softplus, in float32": lambda x: losses.cross_entropy(x, k),
        "in the step's precision": lambda x: losses.cross_entropy(tf.cast(x, own), tf.cast(k, own)),
        "softmax of two classes": softmax,
    }
    return Question("cross entropy", ways, [x])


def adam(config: Config) -> Question:
    """Of the segmenter: an update a variable, or one of all weights in one variable."""
    variables = build_segmenter(config.networks).trainable_variables
    flat = tf.Variable(tf.concat([tf.reshape(v, [-1]) for v in variables], 0))
    gradients = [1e-3 * tf.ones_like(v) for v in variables]
    each, whole = config.optimization.adam(variables), config.optimization.adam([flat])
    lengths = [int(np.prod(v.shape)) for v in variables]

    def first_of(weights: Sequence[tf.Tensor]) -> tf.Tensor:
        return tf.stack([tf.reshape(w, [-1])[0] for w in weights])

    def one_update_each() -> tf.Tensor:
        each.apply_gradients(zip(gradients, variables))
        return first_of(variables)

    def one_update() -> tf.Tensor:
        whole.apply_gradients([(tf.concat([tf.reshape(g, [-1]) for g in gradients], 0), flat)])
        return first_of([tf.reshape(w, v.shape) for w, v in zip(tf.split(flat, lengths), variables)])

    ways = {f"{len(variables)} updates": one_update_each, "one update": one_update}
    return Question("Adam of the segmenter", ways, [], learns=False)


def networks(s: Sizes, config: Config) -> Iterator[Question]:
    """Segmenter and generator, operation by operation, or compiled with XLA."""
    segmenter = build_segmenter(config.networks)
    picture = noise([s.pictures, s.side, s.side, 3], 8, tf.float32)
    # As at test, by each picture's own moments: without dropout, whose draws would differ.
    segment = lambda x: segmenter(x, training=False)["segmentation"]  # noqa: E731
    yield _compiled(f"segmenter on {s.pictures} pictures", segment, [picture], segmenter.trainable_variables)
    if config.step.generates:
        generator, batch = build_generator(width=s.width), config.optimization.batch_size
        m, k = noise([batch, SIZE, SIZE, 3], 9, tf.float32), tf.zeros([batch, SIZE, SIZE, 1])
        generate = lambda x: generator([x, k], training=True)  # noqa: E731
        yield _compiled("generator", generate, [m], generator.trainable_variables)


def _compiled(piece: str, network: Forward, inputs: Tensors, weights: Sequence[tf.Variable]) -> Question:
    ways = {"operations": network, "XLA": tf.function(network, autograph=False, jit_compile=True)}
    return Question(piece, ways, inputs, weights)
