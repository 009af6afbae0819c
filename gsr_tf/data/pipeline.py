"""Records -> an endless stream of training batches, with M composed on the fly (Eq. 1).

Element i of the stream is a function of the seed and i alone: which S, K and T it pairs, its flips and its crops. The
position in the data is therefore a number; a resumed run starts its stream there and sees what it would have seen. No
shuffle buffer is needed: every epoch visits all (S, K), in an order drawn over the whole set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from gsr_tf.data.augment.recolouring import Recolouring
from gsr_tf.data.augmentation import Layers, augment, finish, is_copy_move, recoloured
from gsr_tf.data.batch import Batch
from gsr_tf.data.composition import copy_paste
from gsr_tf.data.image_ops import resize, subtract_mean
from gsr_tf.data.loading import Loader
from gsr_tf.data.preparation import Preparation
from gsr_tf.data.randomness import OTHER_TARGET, SOURCE_ORDER, TARGET_ORDER, uniform, visit
from gsr_tf.data.records import Records, RecordsError
from gsr_tf.data.stream import in_batches, mapped
from gsr_tf.errors import first_line

NONE = np.int64(-1)  # no record


def training_stream(
    sources: Records,
    targets: Records | None,
    preparation: Preparation,
    *,
    batch_size: int,
    start: int = 0,
    with_original: bool = False,
    half_pixel: bool = True,
    recolouring: Recolouring | None = None,
    share: tf.distribute.InputContext | None = None,
) -> tf.data.Dataset:
    """Batches without end, from batch number `start`.

    Args:
        sources: records of S with masks K.
        targets: records of T. Whatever records they are, S meets its own file in copy-moves alone. None where only S
            and K are looked at: T is some picture of `sources`.
        preparation: how pictures are prepared.
        batch_size: (S, K, T) a batch; a multiple of the replicas.
        start: the first batch's number: the training steps already done.
        with_original: also S's own authentic picture, for the release's refinement.
        half_pixel: resize convention of T's detour (`--target_size`); everything else is resized by OpenCV.
        recolouring: M is a photograph, T, with its region K in other colours; None: M is S pasted on T.
        share: which worker this is, and how many replicas there are; None: one for all.

    Returns:
        Dataset of `Batch`, static shapes. With a `share`, of each batch the part that this worker learns from, one
        batch for each of its replicas; other pictures are not read.

    Raises:
        RecordsError: no usable (S, K), or no T; copy-moves from other records than T's.
    """
    example = _examples(sources, targets, preparation, with_original, recolouring)
    stream = in_batches(lambda i: example(i)[1:], batch_size, start, share)
    return _composed(stream, preparation, half_pixel)


def held_out_stream(
    sources: Records,
    targets: Records | None,
    preparation: Preparation,
    count: int,
    *,
    half_pixel: bool,
    recolouring: Recolouring | None,
) -> tf.data.Dataset:
    """The first `count` (S, K) of a training stream in batches of one, but nothing in place of what cannot be decoded.

    That is named and left out. The arguments are those of `training_stream`, and it raises what that raises.
    """
    example = _examples(sources, targets, preparation, False, recolouring)
    found = mapped(tf.data.Dataset.range(count), example, num_parallel_calls=tf.data.AUTOTUNE)
    found = found.filter(tf.autograph.experimental.do_not_convert(lambda own, *_: own))
    found = mapped(found, lambda own, *layers: layers).batch(1, drop_remainder=True)
    return _composed(found, preparation, half_pixel)


def _examples(
    sources: Records,
    targets: Records | None,
    preparation: Preparation,
    with_original: bool,
    recolouring: Recolouring | None,
) -> Callable:
    """An element's number -> whether (S, K) and T are its own, not the next readable; S's layers, T, M's layers."""
    pairs = source_pairs(sources, with_original)
    looked_at = targets is not None
    if looked_at:
        _check_targets(sources, targets, preparation)
    else:
        targets = sources
    load_source, load_target = _loading(sources, pairs, targets, preparation, with_original)

    def example(i: tf.Tensor) -> tuple[tf.Tensor, Layers, tf.Tensor, Layers]:
        pair = visit(i, len(pairs), preparation.seed, SOURCE_ORDER)
        found, *source = load_source(pair)
        own = tf.gather(pairs[:, 0], found)
        target, moved = _target(i, own, sources, targets, preparation)
        t, own_t = load_target(target, tf.where(moved, NONE, own) if looked_at else NONE)
        source, t = augment(tuple(source), t, i, preparation)
        if recolouring:
            source, t = recoloured(source, t, i, preparation.seed, recolouring)
        own_all = (found == pair) & (own_t if looked_at else True)
        return own_all, *(finish(source, t, i, preparation) if preparation.retouched else (source, t, ()))

    return example


def _check_targets(sources: Records, targets: Records, preparation: Preparation) -> None:
    """Raises RecordsError for a single T, and for copy-moves from other records than T's."""
    if len(targets) < 2:
        raise RecordsError(f"{targets.flag}={targets.path}: {len(targets)} pictures; at least 2 are needed")
    if preparation.copy_move_share and sources.fingerprint != targets.fingerprint:
        raise RecordsError(
            f"{targets.flag}={targets.path}: --copy_move_share={preparation.copy_move_share} pastes within one "
            f"picture; expected the records of {sources.flag}={sources.path}"
        )


def _target(
    i: tf.Tensor, own: tf.Tensor, sources: Records, targets: Records, preparation: Preparation
) -> tuple[tf.Tensor, tf.Tensor]:
    """The number of element i's T, and whether that is S's own record, `own`, for a copy-move."""
    target = visit(i, len(targets), preparation.seed, TARGET_ORDER)
    if sources.fingerprint == targets.fingerprint:
        away = 1 + tf.cast(uniform(i, OTHER_TARGET, preparation.seed, 1)[0] * (len(targets) - 1), tf.int64)
        target = tf.where(target == own, (target + away) % len(targets), target)
    moved = is_copy_move(i, preparation) if preparation.copy_move_share else tf.constant(False)
    return tf.where(moved, own, target), moved


def _loading(
    sources: Records, pairs: np.ndarray, targets: Records, preparation: Preparation, with_original: bool
) -> tuple[Callable, Callable]:
    """What loads S and what loads T, as functions of a graph.

    Returns:
        Pair number -> the number of the pair that was readable, S, K (, original); (target number, number of the source
        record that it must not be, or `NONE`; loaded before) -> T, and whether it is in the place of none that could
        not be decoded. Pictures are uint8.
    """
    source_loader, target_loader = _loaders(sources, targets, preparation)
    channels = [3, 1, 3] if with_original else [3, 1]
    side = preparation.input_size if preparation.resize_mode == "squash" else None
    target_side = preparation.target_size or side

    def source(number: int) -> tuple:
        found, layers = source_loader.source(pairs, number, with_original)
        return np.int64(found), *layers

    def picture(target: int, but: int) -> tuple[np.ndarray, bool]:
        return target_loader.picture(target, None if but == NONE else source_loader.digest(but))

    def load_source(pair: tf.Tensor) -> Layers:
        found, *layers = tf.numpy_function(source, [pair], [tf.int64] + [tf.uint8] * len(channels), stateful=False)
        return (
            tf.ensure_shape(found, []),
            *(tf.ensure_shape(layer, [side, side, c]) for layer, c in zip(layers, channels)),
        )

    def load_target(target: tf.Tensor, but: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        t, whole = tf.numpy_function(picture, [target, but], [tf.uint8, tf.bool], stateful=False)
        return tf.ensure_shape(t, [target_side, target_side, 3]), tf.ensure_shape(whole, [])

    return load_source, load_target


def _loaders(sources: Records, targets: Records, preparation: Preparation) -> tuple[Loader, Loader]:
    """Those of S and of T: one, which decodes each picture once, where they have the same records and size."""
    size, mode, cache_gib = preparation.loaded_size, preparation.resize_mode, preparation.cache_gib
    source = Loader(sources, size=size, resize_mode=mode, cache_gib=cache_gib)
    if preparation.target_size:
        return source, Loader(targets, size=preparation.target_size, resize_mode="squash", cache_gib=cache_gib)
    if sources.fingerprint == targets.fingerprint:
        return source, source
    return source, Loader(targets, size=size, resize_mode=mode, cache_gib=cache_gib)


def _composed(elements: tf.data.Dataset, preparation: Preparation, half_pixel: bool) -> tf.data.Dataset:
    """The last step of a stream: batches of elements become `Batch`."""
    composed = mapped(elements, lambda source, t, m: compose(source, t, preparation, m, half_pixel=half_pixel))
    return composed.prefetch(tf.data.AUTOTUNE)


def readable(batches: Iterable[Batch], records: Sequence[Records]) -> Iterator[Batch]:
    """The batches of a stream from `records`; raises RecordsError when its pictures are damaged, or gone."""
    try:
        yield from batches
    except tf.errors.InvalidArgumentError as error:
        _, ours, said = first_line(error).partition(f"{RecordsError.__name__}: ")
        if ours:
            raise RecordsError(f"{said}; `python -m data_prep.check` tells more") from error
        flags = " or ".join(dict.fromkeys(f"{opened.flag}={opened.path}" for opened in records))
        raise RecordsError(
            f"{flags}: {first_line(error)}; `python -m data_prep.check` tells more. Copy or prepare the "
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


def compose(
    source: Layers, t: tf.Tensor, preparation: Preparation, m: Layers = (), *, half_pixel: bool = True
) -> Batch:
    """Pictures to network range, K to 0 and 1, and M composed from them (Eq. 1) where `finish` has not done so.

    Args:
        source: S [b, size, size, 3], K [b, size, size, 1], and maybe S's original, uint8 BGR.
        t: T [b, side, side, 3] uint8 BGR, `target_size` or `input_size` wide.
        preparation: how pictures are prepared.
        m: of M [b, size, size, 3] uint8 BGR, or nothing.
        half_pixel: resize convention of T's detour.
    """
    t = subtract_mean(t)
    if preparation.target_size:
        t = resize(t, [preparation.input_size] * 2, half_pixel=half_pixel)
    s, k, *original = source
    s, k = subtract_mean(s), tf.cast(k > preparation.white, tf.float32)
    a = subtract_mean(original[0]) if original else None
    return Batch(s, k, t, subtract_mean(m[0]) if m else copy_paste(s, k, t), a)
