"""Records -> an endless stream of training batches, with M composed on the fly (Eq. 1).

Element i of the stream is a function of the seed and i alone: which S, K and T it pairs, its flips and its crops. The
position in the data is therefore a number; a resumed run starts its stream there and sees what it would have seen. No
shuffle buffer is needed: every epoch visits all (S, K), in an order drawn over the whole set.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from gsr_tf.data import placing, shapes, toning
from gsr_tf.data.batch import Batch
from gsr_tf.data.composition import copy_paste
from gsr_tf.data.image_ops import resize, subtract_mean
from gsr_tf.data.loading import Loader
from gsr_tf.data.log_uniform import log_uniform
from gsr_tf.data.records import Records, RecordsError
from gsr_tf.data.retouching import RANDOM_NUMBERS, Retouching, reduce, retouch

Layers = tuple[tf.Tensor, ...]  # pictures of one raster: S, K and maybe S's original

# Which random number is drawn: the last word of its seed.
SOURCE_ORDER, TARGET_ORDER, SOURCE_FLIP, TARGET_FLIP, SOURCE_WINDOW, TARGET_WINDOW, WINDOW_SIDE, RETOUCHING = range(8)

COPY_MOVE = 3  # of RETOUCHING's numbers, the one that decides whether it is a copy-move; `retouch` takes the others


@dataclasses.dataclass(frozen=True)
class Preparation:
    """How a picture becomes what the networks see.

    Attributes:
        size: side of the square, pixels.
        resize_mode: "squash" (the release; aspect ratio given up) or "crop" (short side to `short_side`, then a random
            window that holds a manipulated pixel).
        short_side: in "crop" mode, pixels; 0: `size`.
        window_scale: the window's side in multiples of `size`, drawn between these two; M is composed in the window,
            and all is reduced to `size`.
        whole_regions: such that the window holds the whole region, where that fits in.
        target_size: T is stored squashed to this side, and resized in the graph, as in the release; 0: not.
        mask_threshold: a resized mask is 1 above this, in [0, 1].
        flip: mirror S with K, and T, at random and independently.
        gamma: each channel of S and T, the same for both, goes through x^g, g drawn between 1 / gamma and gamma.
        shape_share: of the examples K is a superellipse anywhere in S instead of an object.
        paste_scale: S and K are scaled by a factor drawn between these two before Eq. 1.
        paste_rotation: and turned by at most so many degrees.
        half_pixel: resize convention of T's detour; everything else is resized by OpenCV.
        with_original: also S's own authentic picture.
        seed: of all random numbers.
        cache_gib: memory for decoded pictures, of S and of T each.
        copy_move_share: of the examples T is S's own picture, under a window and a flip of its own.
        retouching: what is done to M after Eq. 1.
    """

    size: int = 300
    resize_mode: str = "squash"
    short_side: int = 0
    window_scale: tuple[float, float] = (1.0, 1.0)
    whole_regions: bool = False
    target_size: int = 0
    mask_threshold: float = 50 / 255
    flip: bool = True
    gamma: float = 1.0
    shape_share: float = 0.0
    paste_scale: tuple[float, float] = (1.0, 1.0)
    paste_rotation: float = 0.0
    half_pixel: bool = True
    with_original: bool = False
    seed: int = 0
    cache_gib: float = 0.0
    copy_move_share: float = 0.0
    retouching: Retouching = Retouching()

    @property
    def loaded_size(self) -> int:
        """Side, or short side, at which pictures are loaded."""
        return (self.short_side if self.resize_mode == "crop" else 0) or self.size

    @property
    def retouched(self) -> bool:
        """Whether M is anything else than Eq. 1 at the network's resolution."""
        return self.retouching != Retouching() or self.window_scale != (1.0, 1.0)

    @property
    def white(self) -> int:
        """Mask pixels above this, of 255, are manipulated."""
        return int(255 * self.mask_threshold + 1e-6)


def training_stream(
    sources: Records, targets: Records, preparation: Preparation, *, batch_size: int, start: int = 0
) -> tf.data.Dataset:
    """Batches without end, from batch number `start`.

    Args:
        sources: records of S with masks K.
        targets: records of T. Where they are the same records, S meets itself in copy-moves alone.
        preparation: how pictures are prepared.
        batch_size: (S, K, T) a batch.
        start: the first batch's number: the training steps already done.

    Returns:
        Dataset of `Batch`, static shapes.

    Raises:
        RecordsError: no usable (S, K), or no T; copy-moves from other records than T's.
    """
    pairs = source_pairs(sources, preparation.with_original)
    same = sources.fingerprint == targets.fingerprint
    if preparation.copy_move_share and not same:
        raise RecordsError(
            f"{targets.flag}={targets.path}: --copy_move_share={preparation.copy_move_share} pastes within one "
            f"picture; expected the records of {sources.flag}={sources.path}"
        )
    if len(targets) < 2:
        raise RecordsError(f"{targets.flag}={targets.path}: {len(targets)} pictures; at least 2 are needed")
    load = _loading(sources, pairs, targets, preparation)

    def example(i: tf.Tensor) -> tuple[Layers, tf.Tensor, Layers]:
        pair = _visit(i, len(pairs), preparation.seed, SOURCE_ORDER)
        target = _visit(i, len(targets), preparation.seed, TARGET_ORDER)
        if same:
            own = tf.gather(pairs[:, 0], pair)
            target = tf.where(target == own, (target + 1) % len(targets), target)
            if preparation.copy_move_share:
                target = tf.where(_is_copy_move(i, preparation), own, target)
        source, t = load(pair, target)
        source, t = augment(source, t, i, preparation)
        return finish(source, t, i, preparation) if preparation.retouched else (source, t, ())

    def batch(source: Layers, t: tf.Tensor, m: Layers) -> Batch:
        return compose(source, t, preparation, m)

    stream = tf.data.Dataset.range(start * batch_size, np.iinfo(np.int64).max, dtype=tf.int64)
    stream = stream.map(example, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return stream.batch(batch_size, drop_remainder=True).map(batch).prefetch(tf.data.AUTOTUNE)


def _is_copy_move(i: tf.Tensor, preparation: Preparation) -> tf.Tensor:
    return _random(i, RETOUCHING, preparation.seed, COPY_MOVE + 1)[COPY_MOVE] < preparation.copy_move_share


def _loading(sources: Records, pairs: np.ndarray, targets: Records, preparation: Preparation) -> Callable:
    """(pair number, target number) -> ([S, K (, original)], T), uint8, as a function of a graph."""
    settings = {
        "size": preparation.loaded_size,
        "resize_mode": preparation.resize_mode,
        "cache_gib": preparation.cache_gib,
    }
    source_loader = target_loader = Loader(sources, **settings)
    if preparation.target_size:
        target_loader = Loader(targets, **{**settings, "size": preparation.target_size, "resize_mode": "squash"})
    elif sources.fingerprint != targets.fingerprint:
        target_loader = Loader(targets, **settings)
    channels = [3, 1, 3] if preparation.with_original else [3, 1]
    side = preparation.size if preparation.resize_mode == "squash" else None

    def load(pair: tf.Tensor, target: tf.Tensor) -> tuple[Layers, tf.Tensor]:
        source = tf.numpy_function(
            lambda number: source_loader.source(pairs, number, preparation.with_original),
            [pair], [tf.uint8] * len(channels), stateful=False,
        )  # fmt: skip
        t = tf.numpy_function(target_loader.picture, [target], tf.uint8, stateful=False)
        target_side = preparation.target_size or side
        source = tuple(tf.ensure_shape(layer, [side, side, c]) for layer, c in zip(source, channels))
        return source, tf.ensure_shape(t, [target_side, target_side, 3])

    return load


def readable(batches: Iterable[Batch], records: Sequence[Records]) -> Iterator[Batch]:
    """The batches of a stream from `records`; raises RecordsError when its pictures turn out to be damaged."""
    try:
        yield from batches
    except tf.errors.InvalidArgumentError as error:
        flags = " or ".join(dict.fromkeys(f"{opened.flag}={opened.path}" for opened in records))
        raise RecordsError(
            f"{flags}: {error.message.splitlines()[0]}; `python -m data_prep.check` tells more. Copy or prepare the "
            "set again, then run the same command"
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


def augment(source: Layers, t: tf.Tensor, i: tf.Tensor, preparation: Preparation) -> tuple[Layers, tf.Tensor]:
    """An element's random tone, shape, placing, windows and flips.

    Args:
        source: S [h, w, 3], K [h, w, 1] with 255 for manipulated, and maybe S's original [h, w, 3], uint8.
        t: T [h, w, 3] uint8.
        i: scalar int64, the element's number, which with the seed decides everything.
        preparation: how pictures are prepared.

    Returns:
        The same, squares of one side (T's is `target_size` where it takes that detour): `size`, or what the window's
        scale makes of it.
    """
    source, t = _toned(source, t, i, preparation)
    source = _placed(_shaped(source, i, preparation), i, preparation)
    if preparation.resize_mode == "crop":
        side = _side(i, preparation)
        mask = source[1] > preparation.white
        source = _cut(source, _window(source[0], mask, i, SOURCE_WINDOW, side, preparation), side)
        if not preparation.target_size:
            (t,) = _cut((t,), _window(t, None, i, TARGET_WINDOW, side, preparation), side)
    (t,) = _flip((t,), i, TARGET_FLIP, preparation)
    return _flip(source, i, SOURCE_FLIP, preparation), t


def finish(
    source: Layers, t: tf.Tensor, i: tf.Tensor, preparation: Preparation
) -> tuple[Layers, tf.Tensor, tuple[tf.Tensor]]:
    """An augmented element with its M, retouched, all of them at the network's size; arguments as `augment`."""
    random = _random(i, RETOUCHING, preparation.seed, RANDOM_NUMBERS + 1)
    random = tf.concat([random[:COPY_MOVE], random[COPY_MOVE + 1 :]], 0)
    s, k, *original = source
    s, k, t, m = retouch(s, k > preparation.white, t, preparation.size, preparation.retouching, random)
    original = [tf.saturate_cast(tf.round(reduce(a, preparation.size)), tf.uint8) for a in original]
    return (s, tf.where(k, tf.constant(255, tf.uint8), 0), *original), t, (m,)


def compose(source: Layers, t: tf.Tensor, preparation: Preparation, m: Layers = ()) -> Batch:
    """Pictures to network range, K to 0 and 1, and M composed from them (Eq. 1) where `finish` has not done so.

    Args:
        source: S [b, size, size, 3], K [b, size, size, 1], and maybe S's original, uint8 BGR.
        t: T [b, side, side, 3] uint8 BGR, `target_size` or `size` wide.
        preparation: how pictures are prepared.
        m: of M [b, size, size, 3] uint8 BGR, or nothing.
    """
    t = subtract_mean(t)
    if preparation.target_size:
        t = resize(t, [preparation.size] * 2, half_pixel=preparation.half_pixel)
    s, k = subtract_mean(source[0]), tf.cast(source[1] > preparation.white, tf.float32)
    a = subtract_mean(source[2]) if preparation.with_original else None
    return Batch(s, k, t, subtract_mean(m[0]) if m else copy_paste(s, k, t), a)


def _side(i: tf.Tensor, preparation: Preparation) -> int | tf.Tensor:
    """The window's side, pixels: all ratios between the two scales are equally likely."""
    low, high = preparation.window_scale
    if low == high:
        return round(low * preparation.size)
    scale = log_uniform((low, high), _random(i, WINDOW_SIDE, preparation.seed, 1)[0])
    return tf.cast(tf.round(scale * preparation.size), tf.int32)


def _cut(layers: Layers, corner: tf.Tensor, side: int | tf.Tensor) -> Layers:
    """The square window of this side and upper left corner, of each."""
    top, left = tf.unstack(corner)
    known = side if isinstance(side, int) else None
    cut = [layer[top : top + side, left : left + side] for layer in layers]
    return tuple(tf.ensure_shape(layer, [known, known, None]) for layer in cut)


def _window(
    picture: tf.Tensor,
    mask: tf.Tensor | None,
    i: tf.Tensor,
    purpose: int,
    side: int | tf.Tensor,
    preparation: Preparation,
) -> tf.Tensor:
    """Upper left corner of a square window: anywhere, or such that it holds a randomly chosen pixel of the mask.

    With `whole_regions` it holds all rows of the mask, and all columns, where so many fit in.
    """
    random = _random(i, purpose, preparation.seed, 3)
    low, high = tf.zeros([2], tf.int32), tf.shape(picture)[:2] - side
    if mask is not None:
        pixels = tf.cast(tf.where(mask[..., 0]), tf.int32)
        count = tf.shape(pixels)[0]
        if count > 0:
            pixel = pixels[tf.minimum(tf.cast(random[2] * tf.cast(count, tf.float32), tf.int32), count - 1)]
            first = last = pixel
            if preparation.whole_regions:
                ends = tf.reduce_min(pixels, 0), tf.reduce_max(pixels, 0)
                first, last = (tf.where(ends[1] - ends[0] < side, end, pixel) for end in ends)
            low, high = tf.maximum(low, last - side + 1), tf.minimum(high, first)
    return low + tf.cast(random[:2] * tf.cast(high - low + 1, tf.float32), tf.int32)


def _flip(layers: Layers, i: tf.Tensor, purpose: int, preparation: Preparation) -> Layers:
    """All of them mirrored, or none: with probability one half (Section 4.1: only flips)."""
    if not preparation.flip:
        return layers
    mirror = _random(i, purpose, preparation.seed, 1)[0] < 0.5
    return tf.cond(mirror, lambda: tuple(tf.reverse(layer, [1]) for layer in layers), lambda: layers)


def _toned(source: Layers, t: tf.Tensor, i: tf.Tensor, preparation: Preparation) -> tuple[Layers, tf.Tensor]:
    """S and T through the same curves, so that M (Eq. 1) is toned as a whole: no colour gives the region away."""
    if preparation.gamma == 1.0:
        return source, t
    random = _random(i, TARGET_FLIP, preparation.seed, 1 + toning.RANDOM_NUMBERS)[1:]  # the first one flips
    curves = toning.gamma_curves(preparation.gamma, random)
    s, k, *original = source
    s, t, *original = (toning.toned(picture, curves) for picture in (s, t, *original))
    return (s, k, *original), t


def _shaped(source: Layers, i: tf.Tensor, preparation: Preparation) -> Layers:
    if not preparation.shape_share:
        return source
    random = _random(i, WINDOW_SIDE, preparation.seed, 2 + shapes.RANDOM_NUMBERS)[1:]  # the first one is `_side`'s
    s, k, *original = source
    shape = shapes.superellipse(tf.shape(s)[:2], random[1:])
    return s, tf.where(random[0] < preparation.shape_share, shape, k), *original


def _placed(source: Layers, i: tf.Tensor, preparation: Preparation) -> Layers:
    scale, rotation = preparation.paste_scale, preparation.paste_rotation
    if scale == (1.0, 1.0) and not rotation:
        return source
    random = _random(i, SOURCE_FLIP, preparation.seed, 1 + placing.RANDOM_NUMBERS)[1:]  # the first one flips
    return placing.placed(source, scale, rotation, random)


def _random(i: tf.Tensor, purpose: int, seed: int, count: int) -> tf.Tensor:
    """[count] float32 in [0, 1): the element's own random numbers for one purpose."""
    return tf.random.stateless_uniform([count], seed=_seed(seed, purpose, i))


def _seed(seed: int, purpose: int, number: tf.Tensor) -> tf.Tensor:
    """[2] int64: the seed of one random number, by its purpose and the element or epoch that it is drawn for."""
    return tf.stack([tf.constant(8 * seed + purpose, tf.int64), number])
