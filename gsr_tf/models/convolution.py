"""Convolutions that Keras lacks: a filter gradient that is quick on every CPU, and a wide dilation."""

from __future__ import annotations

import contextlib
import contextvars
import functools

import cv2
import tensorflow as tf

from gsr_tf.models.keras import keras
from gsr_tf.models.within import within

AVX_512F = 13  # OpenCV's number of it, which its Python module has no name for


def normal() -> keras.initializers.Initializer:
    """The release's initialisation of the heads, generator and discriminator (pix2pix's); one a layer."""
    return keras.initializers.RandomNormal(0.0, 0.02)


def spatial_size(x: tf.Tensor) -> tuple:
    """(h, w) of x [b, h, w, c]: integers where they are known when the graph is built, else scalar tensors."""
    dynamic = tf.shape(x)
    return x.shape[1] or dynamic[1], x.shape[2] or dynamic[2]


_gradients: contextvars.ContextVar[bool] = contextvars.ContextVar("_gradients", default=True)


def without_gradients() -> contextlib.AbstractContextManager[None]:
    """Within it a network is traced for answers, or built: dilated convolutions are one operation each.

    Which TensorFlow has no gradient of on most CPUs; what is saved of a network holds no gradient of our own either.
    """
    return within(_gradients, False)


_compiled: contextvars.ContextVar[bool] = contextvars.ContextVar("_compiled", default=False)


def compiled(yes: bool) -> contextlib.AbstractContextManager[None]:
    """Within it, if `yes`, what is traced will be compiled with XLA as a whole."""
    return within(_compiled, yes)


class Convolution(keras.layers.Conv2D):
    """keras.layers.Conv2D of stride 1 and an odd kernel, zero-padded, whose gradient is quick on every CPU.

    The same function and the same gradient. On CPUs without AVX-512, TensorFlow's filter gradient runs at a quarter
    of a matrix product's rate; there it is computed as one product a tap, which is two to three times as fast.
    """

    def __init__(self, filters: int, kernel_size: int, **kwargs):
        super().__init__(filters, kernel_size, padding="same", **kwargs)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """[b, h, w, in] -> [b, h, w, filters]."""
        x = self.convolution_op(inputs, self.kernel)
        return self.activation(add_bias(x, self.bias) if self.use_bias else x)

    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """inputs [b, h, w, in] and kernel [k, k, in, out] -> [b, h, w, out]."""
        if not _gradients.get():
            return _in_one_operation(inputs, kernel, self.dilation_rate[0])
        if _dilates_in_one_operation():
            return tf.nn.conv2d(inputs, kernel, 1, "SAME", dilations=self.dilation_rate)
        if _native_filter_gradient() or inputs.shape[-1] < 16:
            return super().convolution_op(inputs, kernel)
        return _convolve(inputs, tf.convert_to_tensor(kernel), self.dilation_rate[0])


class ConvolutionToNormalize(Convolution):
    """One whose output is normalised next: in training without its bias, which the moments take away again.

    The two layers are the same function, whose gradient for the bias is 0. The paper is silent and the release adds
    it; to add it and to sum its gradient is a twelfth of all that a step on a GPU reads and writes.
    """

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """[b, h, w, in] -> [b, h, w, filters]."""
        return self.activation(self.convolution_op(inputs, self.kernel)) if training else super().call(inputs)


def on_gpu() -> bool:
    """Whether this process computes on one."""
    return bool(tf.config.get_visible_devices("GPU"))


def _dilates_in_one_operation() -> bool:
    """On a GPU, but not with XLA, which finds no quick kernel for it there (docs/performance.md)."""
    return on_gpu() and not _compiled.get()


@functools.cache
def _native_filter_gradient() -> bool:
    """Whether TensorFlow's own filter gradient is the quick one here: on GPUs, and CPUs with AVX-512."""
    return on_gpu() or cv2.checkHardwareSupport(AVX_512F)


def add_bias(x: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    """x [b, h, w, c] + bias [c], whose gradient is a matrix product.

    On a GPU TensorFlow adds it up by atomic additions, which take as long as a convolution of as many channels.
    """
    return _add_bias(x, tf.cast(bias, x.dtype)) if _gradients.get() else tf.nn.bias_add(x, bias)


@tf.custom_gradient
def _add_bias(x: tf.Tensor, bias: tf.Tensor):
    def gradient(dy: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        flat = tf.reshape(dy, [-1, dy.shape[-1]])
        return dy, tf.matmul(tf.ones([1, tf.shape(flat)[0]], dy.dtype), flat)[0]

    return tf.nn.bias_add(x, bias), gradient


def _in_one_operation(x: tf.Tensor, kernel: tf.Tensor, dilation: int) -> tf.Tensor:
    """Convolution, zero-padded; the padding apart where it is dilated, since ONNX Runtime wants it so."""
    if dilation == 1:
        return tf.nn.conv2d(x, kernel, 1, "SAME")
    reach = dilation * (kernel.shape[0] // 2)
    padded = tf.pad(x, [[0, 0], [reach, reach], [reach, reach], [0, 0]])
    return tf.nn.conv2d(padded, kernel, 1, "VALID", dilations=dilation)


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

    Where it learns on a CPU, each of the nine taps is one matrix product over the pixels that it can see: at dilation
    12 on 38x38 maps that is 62 % of the multiplications of a padded convolution, where TensorFlow's space-to-batch
    form needs 160 %.
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
        if not _gradients.get():
            return add_bias(_in_one_operation(x, self.kernel, self.dilation), self.bias)
        if _dilates_in_one_operation():
            return add_bias(tf.nn.conv2d(x, self.kernel, 1, "SAME", dilations=self.dilation), self.bias)
        shifts = [(row, column) for row in (-1, 0, 1) for column in (-1, 0, 1)]
        taps = tf.unstack(tf.reshape(self.kernel, [9, -1, self.filters]))
        return add_bias(tf.add_n([self._tap(x, tap, *shift) for tap, shift in zip(taps, shifts)]), self.bias)

    def _tap(self, x: tf.Tensor, tap: tf.Tensor, row: int, column: int) -> tf.Tensor:
        """One tap's share: x shifted by (row, column) dilations, times the tap's [in, out] matrix."""
        height, width = spatial_size(x)
        down, right = (_smaller(self.dilation, size) for size in (height, width))
        top, bottom = (down if row < 0 else 0), (down if row > 0 else 0)
        left, end = (right if column < 0 else 0), (right if column > 0 else 0)
        seen = x[:, bottom : height - top, end : width - left]
        return tf.pad(tf.tensordot(seen, tap, 1), [[0, 0], [top, bottom], [left, end], [0, 0]])


def _smaller(a: int, b: tf.Tensor | int) -> tf.Tensor | int:
    """The minimum; an integer where both are, which a graph need not compute."""
    return min(a, b) if isinstance(b, int) else tf.minimum(a, b)
