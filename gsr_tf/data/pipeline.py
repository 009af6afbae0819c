"""Records -> an endless stream of training batches, with M composed on the fly (Eq. 1).

Element i of the stream is a function of the seed and i alone: which S, K and T it pairs, its flips and its crops. The
position in the data is therefore a number; a resumed run starts its stream there and sees what it would have seen. No
shuffle buffer is needed: every epoch visits all (S, K), in an order drawn over the whole set.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from gsr_tf.data.batch import Batch
from gsr_tf.data.composition import copy_paste
from gsr_tf.data.image_ops import resize, to_network_range
from gsr_tf.data.records import Records, RecordsError, parse_example

# Which random number is drawn: the last word of its seed.
SOURCE_ORDER, TARGET_ORDER, SOURCE_FLIP, TARGET_FLIP, SOURCE_WINDOW, TARGET_WINDOW = range(6)


@dataclasses.dataclass(frozen=True)
class Preparation:
    """How a picture becomes what the networks see.

    Attributes:
        size: side of the square, pixels.
        resize_mode: "squash" (the release; aspect ratio given up) or "crop" (short side to `size`, then a random window
            that holds a manipulated pixel).
        target_size: T is first squashed to this side, as the release stores it; 0: not.
        mask_threshold: a resized mask is 1 above this, in [0, 1].
        flip: mirror S with K, and T, at random and independently.
        half_pixel: resize convention of T's detour; everything else is resized with half-pixel centres, as OpenCV in
            the release's preparation.
        with_original: also S's own authentic picture.
        seed: of all random numbers.
    """

    size: int = 300
    resize_mode: str = "squash"
    target_size: int = 0
    mask_threshold: float = 50 / 255
    flip: bool = True
    half_pixel: bool = True
    with_original: bool = False
    seed: int = 0


def training_stream(
    sources: Records, targets: Records, preparation: Preparation, *, batch_size: int, start: int = 0
) -> tf.data.Dataset:
    """Batches without end, from batch number `start`.

    Args:
        sources: records of S with masks K.
        targets: records of T. Where they are the same records, S never meets itself.
        preparation: how pictures are prepared.
        batch_size: (S, K, T) a batch.
        start: the first batch's number: the training steps already done.

    Returns:
        Dataset of `Batch`, static shapes.

    Raises:
        RecordsError: no usable (S, K), or no T.
    """
    pairs = source_pairs(sources, preparation.with_original)
    if len(targets) < 2:
        raise RecordsError(f"{targets.flag}={targets.path}: {len(targets)} pictures; at least 2 are needed")
    same = sources.fingerprint == targets.fingerprint

    def read(i: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        pair = tf.gather(pairs, _visit(i, len(pairs), preparation.seed, SOURCE_ORDER))
        target = _visit(i, len(targets), preparation.seed, TARGET_ORDER)
        if same:
            target = tf.where(target == pair[0], (target + 1) % len(targets), target)
        both = tf.numpy_function(lambda s, t: (sources.read(s), targets.read(t)), [pair[0], target], [tf.string] * 2)
        return tf.ensure_shape(both[0], []), pair[1], tf.ensure_shape(both[1], [])

    def example(i: tf.Tensor) -> Batch:
        source, mask_number, target = read(i)
        return compose(source, mask_number, target, i, preparation)

    first = start * batch_size
    stream = tf.data.Dataset.range(first, np.iinfo(np.int64).max, dtype=tf.int64)
    stream = stream.map(example, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return stream.batch(batch_size, drop_remainder=True).prefetch(tf.data.AUTOTUNE)


def readable(batches: Iterable[Batch], records: Sequence[Records]) -> Iterator[Batch]:
    """The batches of a stream from `records`; raises RecordsError when a picture in them turns out to be damaged."""
    try:
        yield from batches
    except (tf.errors.InvalidArgumentError, tf.errors.DataLossError) as error:
        flags = " or ".join(dict.fromkeys(f"{opened.flag}={opened.path}" for opened in records))
        raise RecordsError(
            f"{flags}: a picture there is damaged ({error.message.splitlines()[0]}); `python -m data_prep.check` finds "
            "it. Copy or prepare the set again, then run the same command"
        ) from error


def source_pairs(sources: Records, with_original: bool) -> np.ndarray:
    """[pairs, 2] int64 (record, mask number) to train on; raises RecordsError when there are none."""
    pairs = sources.pairs
    if with_original:
        pairs = pairs[np.asarray(sources.columns["original"])[pairs[:, 0]] > 0]
    if not len(pairs):
        what = "pictures with a mask and their own authentic original" if with_original else "pictures with a mask"
        raise RecordsError(f"{sources.flag}={sources.path}: no {what} among its {len(sources)} records")
    return pairs


def _visit(i: tf.Tensor, count: int, seed: int, purpose: int) -> tf.Tensor:
    """The i-th visit to one of `count` things: each epoch sees all of them, in an order of its own."""
    epoch, position = i // count, i % count
    last = tf.constant(count - 1, tf.int64)
    return tf.random.experimental.index_shuffle(position, _seed(seed, purpose, epoch), max_index=last)


def compose(
    source: tf.Tensor, mask_number: tf.Tensor, target: tf.Tensor, i: tf.Tensor, preparation: Preparation
) -> Batch:
    """One example from two serialized records.

    Args:
        source: scalar string, the record of S.
        mask_number: scalar int64, which of its masks is K.
        target: scalar string, the record of T.
        i: scalar int64, the element's number, which with the seed decides flips and windows.
        preparation: how pictures are prepared.

    Returns:
        Batch of [size, size, channels] tensors, network range.
    """
    features = parse_example(source)
    layers = [decode(features["image/encoded"]), decode(features["mask/encoded"][mask_number], channels=1)]
    if preparation.with_original:
        layers.append(decode(features["original/encoded"]))
    layers = _augment(_to_square(layers, i, SOURCE_WINDOW, preparation), i, SOURCE_FLIP, preparation)
    t = decode(parse_example(target)["image/encoded"])
    if preparation.target_size:
        t = resize(t, [preparation.target_size] * 2, half_pixel=True)
        t = resize(t, [preparation.size] * 2, half_pixel=preparation.half_pixel)
    (t,) = _augment(_to_square([t], i, TARGET_WINDOW, preparation), i, TARGET_FLIP, preparation)

    s, t = to_network_range(layers[0]), to_network_range(t)
    k = tf.cast(layers[1] > 255 * preparation.mask_threshold, tf.float32)
    a = to_network_range(layers[2]) if preparation.with_original else None
    return Batch(s, k, t, copy_paste(s, k, t), a)  # Eq. 1


def decode(encoded: tf.Tensor, channels: int = 3) -> tf.Tensor:
    """JPEG or PNG bytes -> [h, w, channels] uint8 (TensorFlow's JPEG reader takes both)."""
    return tf.io.decode_jpeg(encoded, channels=channels, dct_method="INTEGER_ACCURATE")


def _to_square(layers: list[tf.Tensor], i: tf.Tensor, purpose: int, preparation: Preparation) -> list[tf.Tensor]:
    """Pictures of one raster [h, w, c], the second its mask if there are several, to [size, size, c] float32."""
    size = preparation.size
    if preparation.resize_mode == "squash":
        return [resize(layer, [size, size]) for layer in layers]
    short = tf.reduce_min(tf.shape(layers[0])[:2])
    scaled = tf.cast(tf.math.ceil(tf.shape(layers[0])[:2] * size / short), tf.int32)
    layers = [resize(layer, scaled) for layer in layers]
    mask = layers[1] > 255 * preparation.mask_threshold if len(layers) > 1 else None
    top, left = tf.unstack(_window(scaled, size, mask, _random(i, purpose, preparation.seed, 3)))
    return [tf.ensure_shape(layer[top : top + size, left : left + size], [size, size, None]) for layer in layers]


def _window(scaled: tf.Tensor, size: int, mask: tf.Tensor | None, random: tf.Tensor) -> tf.Tensor:
    """Upper left corner of a square window: anywhere, or such that it holds a randomly chosen pixel of the mask."""
    low, high = tf.zeros([2], tf.int32), scaled - size
    if mask is not None:
        pixels = tf.cast(tf.where(mask[..., 0]), tf.int32)
        count = tf.shape(pixels)[0]
        if count > 0:
            pixel = pixels[tf.minimum(tf.cast(random[2] * tf.cast(count, tf.float32), tf.int32), count - 1)]
            low, high = tf.maximum(low, pixel - size + 1), tf.minimum(high, pixel)
    return low + tf.cast(random[:2] * tf.cast(high - low + 1, tf.float32), tf.int32)


def _augment(layers: list[tf.Tensor], i: tf.Tensor, purpose: int, preparation: Preparation) -> list[tf.Tensor]:
    """All of them mirrored, or none: with probability one half (Section 4.1: only flips)."""
    if not preparation.flip:
        return layers
    mirror = _random(i, purpose, preparation.seed, 1)[0] < 0.5
    return [tf.cond(mirror, lambda x=layer: tf.reverse(x, [1]), lambda x=layer: x) for layer in layers]


def _random(i: tf.Tensor, purpose: int, seed: int, count: int) -> tf.Tensor:
    """[count] float32 in [0, 1): the element's own random numbers for one purpose."""
    return tf.random.stateless_uniform([count], seed=_seed(seed, purpose, i))


def _seed(seed: int, purpose: int, number: tf.Tensor) -> tf.Tensor:
    """[2] int64: the seed of one random number, by its purpose and the element or epoch that it is drawn for."""
    return tf.stack([tf.constant(8 * seed + purpose, tf.int64), number])
