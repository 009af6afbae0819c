"""Batch normalisation by the moments at hand: a batch's in training, a picture's own at test (Sections 3.2, 4.1)."""

from __future__ import annotations

import contextlib
import contextvars
import functools
from collections.abc import Callable, Iterator

import tensorflow as tf

from gsr_tf.models.convolution import on_gpu, spatial_size
from gsr_tf.models.keras import keras
from gsr_tf.models.within import within

Moments = tuple[tf.Tensor, tf.Tensor]  # mean and variance, [1 or b, 1, 1, c] each

_moments: contextvars.ContextVar[Callable[[tf.Tensor], Moments] | None] = contextvars.ContextVar(
    "_moments", default=None
)


@contextlib.contextmanager
def recorded_moments() -> Iterator[list[tf.Tensor]]:
    """Within it a network, called at test on one picture, notes the moments that it normalises by.

    Yields:
        A list that fills, in the order of the layers: mean [c], variance [c], and so on.
    """
    record: list[tf.Tensor] = []

    def measure(x: tf.Tensor) -> Moments:
        mean, variance = tf.nn.moments(x, axes=[1, 2], keepdims=True)
        record.extend([tf.reshape(mean, [-1]), tf.reshape(variance, [-1])])
        return mean, variance

    with within(_moments, measure):
        yield record


@contextlib.contextmanager
def given_moments(moments: tf.Tensor) -> Iterator[None]:
    """Within it a network normalises by these moments, not by its picture's own: it is one convolutional function.

    Args:
        moments: [m] float32, what `recorded_moments` noted of the same network, joined.
    """
    position = 0

    def take(x: tf.Tensor) -> Moments:
        nonlocal position
        channels = x.shape[-1]
        mean, variance = (
            tf.ensure_shape(moments[start : start + channels], [channels]) for start in (position, position + channels)
        )
        position += 2 * channels
        return mean, variance

    with within(_moments, take):
        yield


EPSILON = 1e-5  # added to variances
FEW_GROUPS = 4  # as kinds of pictures are; pictures are more, and an operation each would be a large graph
_groups: contextvars.ContextVar[int] = contextvars.ContextVar("_groups", default=1)


def separate_moments(groups: int) -> contextlib.AbstractContextManager[None]:
    """Within it, in training, a batch is normalised in so many equal parts, each by its own moments."""
    return within(_groups, groups)


class MomentNormalization(keras.layers.Layer):
    """Batch normalisation without moving averages (Sections 3.2 and 4.1).

    Training normalises by the moments of the batch at hand; at test the paper normalises by the instance, so each
    picture's own moments are used and a result never depends on its batch mates. The two agree at batch 1. The
    release keeps moving averages that nothing reads; we keep none. `recorded_moments` and `given_moments` let one
    picture be normalised by another's moments, `separate_moments` several batches go through the network as one.

    Input and output: [b, h, w, c].
    """

    def __init__(self, *, rectified: bool = False, **kwargs):
        """rectified: what is negative after it becomes 0 (ReLU)."""
        super().__init__(**kwargs)
        self.rectified = rectified

    def build(self, input_shape) -> None:
        """gamma and beta, [c] each, float32 whatever the compute precision."""
        settings = {"shape": [input_shape[-1]], "dtype": tf.float32, "experimental_autocast": False}
        self.gamma = self.add_weight("gamma", initializer="ones", **settings)
        self.beta = self.add_weight("beta", initializer="zeros", **settings)
        super().build(input_shape)

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Normalises x [b, h, w, c] by batch (training) or picture (test) moments."""
        moments = _moments.get()
        if moments is None and (training or x.shape[0] == 1):
            return self._in_groups(x, _groups.get()) if training else self._fused(x, self.gamma, self.beta)
        wide = tf.cast(x, tf.float32)  # a sum over a picture in bfloat16 stops growing long before its end
        mean, variance = moments(wide) if moments else tf.nn.moments(wide, axes=[1, 2], keepdims=True)
        normalised = tf.nn.batch_normalization(wide, mean, variance, self.beta, self.gamma, EPSILON)
        return self._rectify(tf.cast(normalised, x.dtype))

    def _in_groups(self, x: tf.Tensor, groups: int) -> tf.Tensor:
        """In training: x [groups * b, h, w, c], each group by its own moments."""
        if x.dtype == tf.float32 and on_gpu() and tf.config.experimental.tensor_float_32_execution_enabled():
            scale, offset = map(tf.convert_to_tensor, (self.gamma, self.beta))
            return _program(groups, self.rectified)(x, scale, offset)
        if groups == 1:
            return self._fused(x, self.gamma, self.beta)
        return self.one_by_one(x, groups) if groups <= FEW_GROUPS else self.side_by_side(x, groups)

    def one_by_one(self, x: tf.Tensor, groups: int) -> tf.Tensor:
        """An operation a group; forward and backward x is copied once each."""
        return tf.concat([self._fused(part, self.gamma, self.beta) for part in tf.split(x, groups)], 0)

    def side_by_side(self, x: tf.Tensor, groups: int) -> tf.Tensor:
        """One operation, over groups * c channels; forward and backward x is transposed twice each."""
        b, (h, w), c = (x.shape[0] or tf.shape(x)[0]) // groups, spatial_size(x), x.shape[-1]
        beside = tf.transpose(tf.reshape(x, [groups, b, h, w, c]), [1, 2, 3, 0, 4])
        gamma, beta = tf.tile(self.gamma, [groups]), tf.tile(self.beta, [groups])
        normalised = self._fused(tf.reshape(beside, [b, h, w, groups * c]), gamma, beta)
        stacked = tf.transpose(tf.reshape(normalised, [b, h, w, groups, c]), [3, 0, 1, 2, 4])
        return tf.reshape(stacked, [groups * b, h, w, c])

    def _fused(self, x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) -> tf.Tensor:
        return self._rectify(tf.compat.v1.nn.fused_batch_norm(x, gamma, beta, epsilon=EPSILON)[0])

    def _rectify(self, x: tf.Tensor) -> tf.Tensor:
        return tf.nn.relu(x) if self.rectified else x


@functools.cache
def _program(groups: int, rectified: bool) -> Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]:
    """x [groups * b, h, w, c], gamma and beta [c] -> x normalised in groups; a program of XLA each way.

    For tensorfloat32, whose convolutions are quick channels last, where cuDNN normalises float32 channels first alone:
    TensorFlow would turn x there and back each time.
    """

    def normalize(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) -> tf.Tensor:
        return normalized(x, gamma, beta, groups, rectified)

    return tf.function(normalize, autograph=False, jit_compile=True)


def normalized(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, groups: int, rectified: bool) -> tf.Tensor:
    """x [groups * b, h, w, c], each group by its own moments, in operations that XLA makes one or two kernels of.

    Its gradient keeps x and the moments alone (Ioffe and Szegedy, Batch normalization, 2015, Section 3): what would be
    kept of each operation in float32 is many times that.
    """

    def in_groups(x: tf.Tensor) -> tf.Tensor:
        return tf.cast(tf.reshape(x, [groups, -1, x.shape[-1]]), tf.float32)

    def mean(x: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(x, axis=1, keepdims=True)

    @tf.custom_gradient
    def compute(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor):
        wide = in_groups(x)
        center = mean(wide)
        scale = tf.math.rsqrt(mean(tf.square(wide - center)) + EPSILON)
        y = (wide - center) * scale * gamma + beta

        def gradient(dy: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            unit, of_y = (in_groups(x) - center) * scale, in_groups(dy)
            of_y = tf.where(unit * gamma + beta > 0.0, of_y, 0.0) if rectified else of_y
            along, level = mean(of_y * unit), mean(of_y)
            of_x = gamma * scale * (of_y - level - unit * along)
            count = tf.cast(tf.shape(of_y)[1], tf.float32)
            sums = (count * tf.reduce_sum(part, axis=[0, 1]) for part in (along, level))
            return tf.cast(tf.reshape(of_x, tf.shape(x)), x.dtype), *sums

        y = tf.nn.relu(y) if rectified else y
        return tf.cast(tf.reshape(y, tf.shape(x)), x.dtype), gradient

    return tf.ensure_shape(compute(x, gamma, beta), x.shape)
