"""A photograph whose region K has other colours than it had: what a network that harmonises learns to undo."""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from gsr_tf.data.augment.log_uniform import log_uniform
from gsr_tf.settings import Checked, setting

RANDOM_NUMBERS = 4  # that `recoloured` takes


@dataclasses.dataclass(frozen=True)
class Recolouring(Checked):
    """Which photographs are recoloured, and how far; each field's help says what it is."""

    recolour: str = setting(
        "target",
        "Which photograph is recoloured within K. target: T, with the K of S. source: S with its own K; for records of "
        "authentic photographs with annotated objects (python -m data_prep.coco), as in the paper.",
        choices=("target", "source"),
    )
    brightness: tuple[float, ...] = setting(
        (0.6, 1.6),
        "All levels are multiplied by a random factor between these two.",
        two="0.6,1.6",
        ascending=True,
        least=0.01,
    )
    contrast: tuple[float, ...] = setting(
        (0.6, 1.6),
        "Each channel's differences from its own mean level are multiplied by one random factor between these two.",
        two="0.6,1.6",
        ascending=True,
        least=0.01,
    )
    saturation: tuple[float, ...] = setting(
        (0.5, 1.6),
        "Saturation is multiplied by a random factor between these two.",
        two="0.5,1.6",
        ascending=True,
        least=0.01,
    )
    hue: float = setting(
        20.0, "Hues are rotated by at most this many degrees in either direction.", least=0.0, most=180.0
    )


def recoloured(picture: tf.Tensor, settings: Recolouring, random: tf.Tensor) -> tf.Tensor:
    """The photograph in other colours.

    Args:
        picture: [h, w, 3] uint8 BGR.
        settings: how far.
        random: [RANDOM_NUMBERS] float32 in [0, 1): brightness, contrast, saturation, hue; of the first three all
            ratios are equally likely.

    Returns:
        [h, w, 3] uint8 BGR.
    """
    brightness, contrast, saturation = (
        log_uniform(bounds, random[n])
        for n, bounds in enumerate((settings.brightness, settings.contrast, settings.saturation))
    )
    rgb = tf.cast(tf.reverse(picture, [-1]), tf.float32) / 255.0
    rgb = tf.clip_by_value(tf.image.adjust_contrast(rgb * brightness, contrast), 0.0, 1.0)
    # Not adjust_saturation and adjust_hue, which now and then make a red pixel grey.
    h, s, v = tf.unstack(tf.image.rgb_to_hsv(rgb), axis=-1)
    h = tf.math.floormod(h + settings.hue / 360.0 * (2.0 * random[3] - 1.0), 1.0)
    rgb = tf.image.hsv_to_rgb(tf.stack([h, tf.minimum(s * saturation, 1.0), v], -1))
    return tf.saturate_cast(tf.round(255.0 * tf.reverse(rgb, [-1])), tf.uint8)
