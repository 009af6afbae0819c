"""What befalls a composite before anyone sees it: soft seams, reduction, JPEG.

The paper and the release train on M as it is pasted, at the network's resolution: seams one pixel wide, no
compression of its own. Pictures in the wild were pasted at their own resolution, softened, reduced and saved. All of
this is off unless asked for.
"""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from gsr_tf.data.composition import copy_paste
from gsr_tf.settings import Checked, setting

RANDOM_NUMBERS = 3  # that `retouch` takes


@dataclasses.dataclass(frozen=True)
class Retouching(Checked):
    """What is done to M."""

    feather: float = setting(
        0.0, "K is blurred by up to so many pixels (standard deviation) before Eq. 1 (ours; paper: hard).", least=0.0
    )
    jpeg_quality: tuple[int, ...] = setting(
        (0, 0),
        "M, and T with it, is saved as JPEG of a quality drawn between these (ours). 0,0: not (paper).",
        two="60,100",
        ascending=True,
        least=0,
        most=100,
    )
    authentic_share: float = setting(
        0.0, "Share of examples with nothing pasted: M is T and K empty (ours; paper: none).", least=0.0, most=1.0
    )


def retouch(
    s: tf.Tensor, k: tf.Tensor, t: tf.Tensor, size: int, settings: Retouching, random: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """M composed where S, K and T are, and everything reduced to the network's size.

    Args:
        s: [n, n, 3] uint8 BGR, S, n >= size.
        k: [n, n, 1] bool, K.
        t: [n, n, 3] uint8 BGR, T.
        size: side of the results, pixels.
        settings: what is done to M.
        random: [RANDOM_NUMBERS] float32 in [0, 1), which decides how much of it.

    Returns:
        S [size, size, 3] uint8, K [size, size, 1] bool, T [size, size, 3] uint8 and M [size, size, 3] uint8. K has
        the pixels of which the region is the larger part; where it is too thin to fill one, those of which it is more
        than half of what it is of any.
    """
    hard = tf.cast(k & (random[0] >= settings.authentic_share), tf.float32)
    soft = _blur(hard, settings.feather * random[1]) if settings.feather else hard
    m = copy_paste(tf.cast(s, tf.float32), soft, tf.cast(t, tf.float32))  # Eq. 1
    s, t, m = (_to_uint8(reduce(x, size)) for x in (s, t, m))
    low, high = settings.jpeg_quality
    if high:
        quality = low + tf.cast(random[2] * (high - low + 1), tf.int32)
        # T too: Eq. 8 puts its pixels into M', where pixels without M's compression would pass for authentic ones.
        t, m = _recompress(t, quality), _recompress(m, quality)
    shown = reduce(hard, size)
    return s, shown > tf.minimum(0.5, 0.5 * tf.reduce_max(shown)), t, m


def reduce(x: tf.Tensor, size: int) -> tf.Tensor:
    """[n, n, c] -> [size, size, c] float32, antialiased."""
    return tf.ensure_shape(tf.image.resize(x, [size, size], antialias=True), [size, size, x.shape[-1]])


def _to_uint8(x: tf.Tensor) -> tf.Tensor:
    return tf.saturate_cast(tf.round(x), tf.uint8)


def _blur(k: tf.Tensor, sigma: tf.Tensor) -> tf.Tensor:
    """[n, n, 1] float32 through a Gaussian of this standard deviation, pixels; outside, K goes on as at the border."""
    reach = tf.cast(tf.math.ceil(3.0 * sigma), tf.int32)
    steps = tf.cast(tf.range(-reach, reach + 1), tf.float32)
    weights = tf.nn.softmax(-0.5 * (steps / tf.maximum(sigma, 1e-3)) ** 2)
    rows = tf.gather(k, tf.clip_by_value(_neighbours(tf.shape(k)[0], reach), 0, tf.shape(k)[0] - 1), axis=0)
    k = tf.einsum("hnwc,n->hwc", rows, weights)
    columns = tf.gather(k, tf.clip_by_value(_neighbours(tf.shape(k)[1], reach), 0, tf.shape(k)[1] - 1), axis=1)
    return tf.einsum("hwnc,n->hwc", columns, weights)


def _neighbours(length: tf.Tensor, reach: tf.Tensor) -> tf.Tensor:
    """[length, 2 reach + 1]: the positions within reach of each position."""
    return tf.range(length)[:, tf.newaxis] + tf.range(-reach, reach + 1)


def _recompress(bgr: tf.Tensor, quality: tf.Tensor) -> tf.Tensor:
    """[size, size, 3] uint8 through a JPEG file of this quality."""
    return tf.reverse(tf.image.adjust_jpeg_quality(tf.reverse(bgr, [-1]), quality), [-1])
