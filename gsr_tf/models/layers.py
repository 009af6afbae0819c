"""The layers that Keras lacks: normalisation by a picture's moments, a wide dilation, a head on upsampled features."""

from __future__ import annotations

import contextlib
import contextvars
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Optional

import tensorflow as tf
from numpy.core._multiarray_umath import __cpu_features__
from tensorflow import keras

from gsr_tf.data.image_ops import resize


def normal() -> keras.initializers.Initializer:
    """The release's initialisation of the heads, generator and discriminator (pix2pix's); one a layer."""
    return keras.initializers.RandomNormal(0.0, 0.02)


def spatial_size(x: tf.Tensor) -> tuple:
    """(h, w) of x [b, h, w, c]: integers where they are known when the graph is built, else scalar tensors."""
    dynamic = tf.shape(x)
    return x.shape[1] or dynamic[1], x.shape[2] or dynamic[2]


Moments = tuple[tf.Tensor, tf.Tensor]  # mean and variance, [1 or b, 1, 1, c] each

_moments: contextvars.ContextVar[Optional[Callable[[tf.Tensor], Moments]]] = contextvars.ContextVar(
    "_moments", default=None
)


@contextlib.contextmanager
def _moments_by(moments: Callable[[tf.Tensor], Moments]) -> Iterator[None]:
    token = _moments.set(moments)
    try:
        yield
    finally:
        _moments.reset(token)


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

    with _moments_by(measure):
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

    with _moments_by(take):
        yield


class MomentNormalization(keras.layers.Layer):
    """Batch normalisation without moving averages (Sections 3.2 and 4.1).

    Training normalises by the moments of the batch at hand; at test the paper normalises by the instance, so each
    picture's own moments are used and a result never depends on its batch mates. The two agree at batch 1. The
    release keeps moving averages that nothing reads; we keep none. `recorded_moments` and `given_moments` let one
    picture be normalised by another's moments.

    Input and output: [b, h, w, c].
    """

    def __init__(self, epsilon: float = 1e-5, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = epsilon

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
            return tf.compat.v1.nn.fused_batch_norm(x, self.gamma, self.beta, epsilon=self.epsilon)[0]
        mean, variance = moments(x) if moments else tf.nn.moments(x, axes=[1, 2], keepdims=True)
        gamma, beta = tf.cast(self.gamma, x.dtype), tf.cast(self.beta, x.dtype)
        return tf.nn.batch_normalization(x, mean, variance, beta, gamma, self.epsilon)


_gradients: contextvars.ContextVar[bool] = contextvars.ContextVar("_gradients", default=True)


@contextlib.contextmanager
def without_gradients() -> Iterator[None]:
    """Within it a network is traced for answers alone: what is saved of it holds no gradient of our own."""
    token = _gradients.set(False)
    try:
        yield
    finally:
        _gradients.reset(token)


class Convolution(keras.layers.Conv2D):
    """keras.layers.Conv2D of stride 1 and an odd kernel, zero-padded, whose gradient is quick on every CPU.

    The same function and the same gradient. On CPUs without AVX-512, TensorFlow's filter gradient runs at a quarter
    of a matrix product's rate; there it is computed as one product a tap, which is two to three times as fast.
    """

    def __init__(self, filters: int, kernel_size: int, **kwargs):
        super().__init__(filters, kernel_size, padding="same", **kwargs)

    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """inputs [b, h, w, in] and kernel [k, k, in, out] -> [b, h, w, out]."""
        if _native_filter_gradient() or inputs.shape[-1] < 16 or not _gradients.get():
            return super().convolution_op(inputs, kernel)
        return _convolve(inputs, tf.convert_to_tensor(kernel), self.dilation_rate[0])


@functools.cache
def _native_filter_gradient() -> bool:
    """Whether TensorFlow's own filter gradient is the quick one here: on GPUs, and CPUs with AVX-512."""
    return bool(tf.config.list_physical_devices("GPU")) or __cpu_features__["AVX512F"]


def _convolve(x: tf.Tensor, kernel: tf.Tensor, dilation: int) -> tf.Tensor:
    """Convolution whose filter gradient is a matrix product a tap."""

    @tf.custom_gradient
    def convolve(x: tf.Tensor, kernel: tf.Tensor):
        def gradient(dy: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            mirrored = tf.transpose(tf.reverse(kernel, [0, 1]), [0, 1, 3, 2])
            dx = tf.nn.convolution(dy, mirrored, padding="SAME", dilations=dilation)
            return dx, _filter_gradient(x, dy, kernel.shape[0], dilation)

        return tf.nn.convolution(x, kernel, padding="SAME", dilations=dilation), gradient

    return convolve(x, kernel)


def _filter_gradient(x: tf.Tensor, dy: tf.Tensor, size: int, dilation: int) -> tf.Tensor:
    """[size, size, in, out]: for each tap, the pixels it saw times what they became."""
    height, width = spatial_size(x)
    reach = dilation * (size // 2)
    padded = tf.pad(x, [[0, 0], [reach, reach], [reach, reach], [0, 0]])
    channels, flat_dy = x.shape[-1], tf.reshape(dy, [-1, dy.shape[-1]])
    shifts = range(0, dilation * size, dilation)
    seen = [padded[:, row : row + height, column : column + width] for row in shifts for column in shifts]
    taps = [tf.matmul(tf.reshape(pixels, [-1, channels]), flat_dy, transpose_a=True) for pixels in seen]
    return tf.reshape(tf.stack(taps), [size, size, channels, dy.shape[-1]])


class DilatedConvolution(keras.layers.Layer):
    """A 3x3 convolution of large dilation, zero-padded to the input's size, with bias (DeepLab's fc6).

    Each of the nine taps is one matrix product over the pixels that it can see: at dilation 12 on 38x38 maps that
    is 62 % of the multiplications of a padded convolution, where TensorFlow's space-to-batch form needs 160 %.
    """

    def __init__(self, filters: int, dilation: int, kernel_initializer: str = "glorot_uniform", **kwargs):
        super().__init__(**kwargs)
        self.filters, self.dilation, self.kernel_initializer = filters, dilation, kernel_initializer

    def build(self, input_shape) -> None:
        """kernel [3, 3, in, out], by default Xavier (the release), and bias [out]."""
        shape = [3, 3, input_shape[-1], self.filters]
        self.kernel = self.add_weight("kernel", shape, initializer=self.kernel_initializer)
        self.bias = self.add_weight("bias", [self.filters], initializer="zeros")
        super().build(input_shape)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """x [b, h, w, in] -> [b, h, w, filters]."""
        shifts = [(row, column) for row in (-1, 0, 1) for column in (-1, 0, 1)]
        taps = tf.unstack(tf.reshape(self.kernel, [9, -1, self.filters]))
        return tf.nn.bias_add(tf.add_n([self._tap(x, tap, *shift) for tap, shift in zip(taps, shifts)]), self.bias)

    def _tap(self, x: tf.Tensor, tap: tf.Tensor, row: int, column: int) -> tf.Tensor:
        """One tap's share: x shifted by (row, column) dilations, times the tap's [in, out] matrix."""
        height, width = spatial_size(x)
        down, right = (tf.minimum(self.dilation, size) for size in (height, width))
        top, bottom = (down if row < 0 else 0), (down if row > 0 else 0)
        left, end = (right if column < 0 else 0), (right if column > 0 else 0)
        seen = x[:, bottom : height - top, end : width - left]
        if 0 in seen.shape[1:3]:  # a map no larger than the dilation; ONNX has no product of nothing
            return tf.zeros([tf.shape(x)[0], height, width, self.filters], x.dtype)
        return tf.pad(tf.tensordot(seen, tap, 1), [[0, 0], [top, bottom], [left, end], [0, 0]])


class Upsample(keras.layers.Layer):
    """Bilinear interpolation to another tensor's height and width (`image_ops.resize`)."""

    def __init__(self, *, half_pixel: bool = True, **kwargs):
        super().__init__(**kwargs)
        self.half_pixel = half_pixel

    def call(self, x: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
        """x [b, h, w, c] at the size of `like`."""
        return resize(x, spatial_size(like), half_pixel=self.half_pixel)


def interpolation_matrix(size: tf.Tensor, target: tf.Tensor, shift: int, half_pixel: bool) -> tf.Tensor:
    """Bilinear interpolation of one axis as a matrix, its output shifted.

    Args:
        size: length n of the axis.
        target: length N after interpolation.
        shift: row i of the matrix samples output position i + shift; rows beyond either end are zero, which is
            zero padding of the upsampled signal.
        half_pixel: pixel centres at halves (TF2, OpenCV), or TF1's convention (see `image_ops.resize`).

    Returns:
        [N, n] float32: two weights a row.
    """
    position = tf.range(target) + shift
    scale = tf.cast(size, tf.float32) / tf.cast(target, tf.float32)
    half = 0.5 if half_pixel else 0.0
    source = tf.clip_by_value((tf.cast(position, tf.float32) + half) * scale - half, 0.0, tf.cast(size - 1, tf.float32))
    weights = tf.maximum(0.0, 1.0 - tf.abs(source[:, tf.newaxis] - tf.range(tf.cast(size, tf.float32))))
    inside = (position >= 0) & (position < target)
    return tf.where(inside[:, tf.newaxis], weights, 0.0)


class UpsampledHead(keras.layers.Layer):
    """A k x k convolution (no bias) of features upsampled to one size and concatenated, without upsampling them.

    Interpolation and convolution are both linear, so their order can be changed: each block is projected to the
    k^2 x filters values that its pixels contribute, at its own resolution, and these few channels are interpolated,
    shifted and summed. The result is exact (zero padding included, SAME: (k-1)//2 above and left) and never holds
    the 896 channels at full size, 322 MB a 300x300 picture.

    Input: a list of [b, h_i, w_i, c_i]. Output: [b, h, w, filters], float32.
    """

    def __init__(self, filters: int, kernel_size: int, *, half_pixel: bool = True, **kwargs):
        super().__init__(**kwargs)
        self.filters, self.kernel_size, self.half_pixel = filters, kernel_size, half_pixel

    def build(self, input_shape) -> None:
        """kernel [k, k, sum of c_i, filters]: as if applied to the concatenated upsampled blocks."""
        self.channels = [shape[-1] for shape in input_shape]
        shape = [self.kernel_size, self.kernel_size, sum(self.channels), self.filters]
        self.kernel = self.add_weight("kernel", shape, initializer=normal())
        super().build(input_shape)

    def call(self, blocks: Sequence[tf.Tensor], like: tf.Tensor) -> tf.Tensor:
        """blocks at their resolutions -> [b, h, w, filters] float32 logits at the size of `like` [b, h, w, c]."""
        size = spatial_size(like)
        kernels = tf.split(self.kernel, self.channels, axis=2)
        return tf.add_n([self._upsample(x, kernel, size) for x, kernel in zip(blocks, kernels)])

    def _upsample(self, x: tf.Tensor, kernel: tf.Tensor, size: Sequence[int]) -> tf.Tensor:
        k = self.kernel_size
        # [k, k, c, filters] -> [c, u * v * filters]: what a pixel gives to each tap (u, v)
        taps = tf.reshape(tf.transpose(kernel, [2, 0, 1, 3]), [-1, k * k * self.filters])
        shares = tf.cast(tf.tensordot(x, taps, 1), tf.float32)
        b, (h, w) = tf.shape(x)[0], spatial_size(x)
        shares = tf.transpose(tf.reshape(shares, [b, h, w, k, k, self.filters]), [0, 5, 3, 1, 4, 2])
        wide = tf.matmul(tf.reshape(shares, [-1, k * w]), self._stacked(w, size[1]), transpose_b=True)
        tall = tf.reshape(wide, [b, self.filters, k * h, size[1]])  # rows: (u, h)
        return tf.transpose(tf.matmul(self._stacked(h, size[0]), tall), [0, 2, 3, 1])

    def _stacked(self, size: tf.Tensor, target: int) -> tf.Tensor:
        """[target, k * size]: the interpolation matrices of all k shifts side by side."""
        first = -((self.kernel_size - 1) // 2)
        shifts = range(first, first + self.kernel_size)
        return tf.concat([interpolation_matrix(size, target, shift, self.half_pixel) for shift in shifts], axis=1)
