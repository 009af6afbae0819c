"""What befalls a training example at random, in order: tone, shape, placing, window, flip; then M is retouched."""

from __future__ import annotations

import tensorflow as tf

from gsr_tf.data.augment import placing, recolouring, shapes, toning
from gsr_tf.data.augment.recolouring import Recolouring
from gsr_tf.data.augment.retouching import RANDOM_NUMBERS, reduce, retouch
from gsr_tf.data.preparation import Preparation
from gsr_tf.data.randomness import (
    COPY_MOVE,
    PLACING,
    RECOLOURING,
    RETOUCHING,
    SHAPE,
    SOURCE_FLIP,
    SOURCE_WINDOW,
    TARGET_FLIP,
    TARGET_WINDOW,
    TONE,
    uniform,
)
from gsr_tf.data.windows import cut, window_corner, window_side

Layers = tuple[tf.Tensor, ...]  # pictures of one raster: S, K and maybe S's original


def augment(source: Layers, t: tf.Tensor, i: tf.Tensor, preparation: Preparation) -> tuple[Layers, tf.Tensor]:
    """An element's random tone, shape, placing, windows and flips.

    Args:
        source: S [h, w, 3], K [h, w, 1] with 255 for manipulated, and maybe S's original [h, w, 3], uint8.
        t: T [h, w, 3] uint8.
        i: scalar int64, the element's number, which with the seed decides everything.
        preparation: how pictures are prepared.

    Returns:
        The same, squares of one side (T's is `target_size` where it takes that detour): `input_size`, or what the
        window's scale makes of it.
    """
    source, t = _toned(source, t, i, preparation)
    source = _placed(_shaped(source, i, preparation), i, preparation)
    in_place = tf.constant(True)  # T's window is where S's is
    if preparation.resize_mode == "crop":
        side = window_side(i, preparation)
        corner = window_corner(source[0], source[1] > preparation.white, i, SOURCE_WINDOW, side, preparation)
        source = cut(source, corner, side)
        if not preparation.target_size:
            other = window_corner(t, None, i, TARGET_WINDOW, side, preparation)
            (t,), in_place = cut((t,), other, side), tf.reduce_all(corner == other)
    if not preparation.flip:
        return source, t
    mirror, mirror_t = _is_mirrored(i, SOURCE_FLIP, preparation), _is_mirrored(i, TARGET_FLIP, preparation)
    if preparation.copy_move_share:  # a region that is pasted where it was is no manipulation
        mirror_t = tf.where(is_copy_move(i, preparation) & in_place, ~mirror, mirror_t)
    return _mirrored(source, mirror), *_mirrored((t,), mirror_t)


def is_copy_move(i: tf.Tensor, preparation: Preparation) -> tf.Tensor:
    """Whether element i is pasted on S's own picture, a scalar bool."""
    return uniform(i, COPY_MOVE, preparation.seed, 1)[0] < preparation.copy_move_share


def recoloured(
    source: Layers, t: tf.Tensor, i: tf.Tensor, seed: int, settings: Recolouring
) -> tuple[Layers, tf.Tensor]:
    """An augmented element that pastes a photograph's own region, in other colours, where it was (Eq. 1).

    Args:
        source: as `augment` gives it.
        t: of the same size.
        i: the element's number.
        seed: of the run.
        settings: which photograph is recoloured, and how far.

    Returns:
        The recoloured photograph in S's place, with K, and the photograph as it was in T's.
    """
    s, k, *_ = source
    photograph = s if settings.recolour == "source" else t
    random = uniform(i, RECOLOURING, seed, recolouring.RANDOM_NUMBERS)
    return (recolouring.recoloured(photograph, settings, random), k), photograph


def finish(source: Layers, t: tf.Tensor, i: tf.Tensor, preparation: Preparation) -> tuple[Layers, tf.Tensor, Layers]:
    """An augmented element with its M, retouched, all of them at the network's size; arguments as `augment`."""
    random = uniform(i, RETOUCHING, preparation.seed, RANDOM_NUMBERS)
    s, k, *original = source
    s, k, t, m = retouch(s, k > preparation.white, t, preparation.input_size, preparation.retouching, random)
    original = [tf.saturate_cast(tf.round(reduce(a, preparation.input_size)), tf.uint8) for a in original]
    return (s, tf.where(k, tf.constant(255, tf.uint8), 0), *original), t, (m,)


def _is_mirrored(i: tf.Tensor, purpose: int, preparation: Preparation) -> tf.Tensor:
    """With probability one half (Section 4.1: only flips)."""
    return uniform(i, purpose, preparation.seed, 1)[0] < 0.5


def _mirrored(layers: Layers, mirror: tf.Tensor) -> Layers:
    """All of them mirrored, or none."""
    return tf.cond(mirror, lambda: tuple(tf.reverse(layer, [1]) for layer in layers), lambda: layers)


def _toned(source: Layers, t: tf.Tensor, i: tf.Tensor, preparation: Preparation) -> tuple[Layers, tf.Tensor]:
    """S and T through the same curves, so that M (Eq. 1) is toned as a whole: no colour gives the region away."""
    if preparation.gamma == 1.0:
        return source, t
    random = uniform(i, TONE, preparation.seed, toning.RANDOM_NUMBERS)
    curves = toning.gamma_curves(preparation.gamma, random)
    s, k, *original = source
    s, t, *original = (toning.toned(picture, curves) for picture in (s, t, *original))
    return (s, k, *original), t


def _shaped(source: Layers, i: tf.Tensor, preparation: Preparation) -> Layers:
    if not preparation.shape_share:
        return source
    random = uniform(i, SHAPE, preparation.seed, 1 + shapes.RANDOM_NUMBERS)
    s, k, *original = source
    shape = shapes.superellipse(tf.shape(s)[:2], random[1:])
    return s, tf.where(random[0] < preparation.shape_share, shape, k), *original


def _placed(source: Layers, i: tf.Tensor, preparation: Preparation) -> Layers:
    if not preparation.placed:
        return source
    random = uniform(i, PLACING, preparation.seed, 1 + placing.RANDOM_NUMBERS)

    def placed() -> Layers:
        found = placing.placed(source, preparation.paste_scale, preparation.paste_rotation, random[1:])
        left = tf.reduce_any(found[1] > preparation.white)  # else all of the region is outside the picture
        return tf.cond(left, lambda: found, lambda: tuple(source))

    return tf.cond(random[0] < preparation.placed_share, placed, lambda: tuple(source))
