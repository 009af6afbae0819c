"""RGB-N as a detector: a picture in, the map of its boxes out."""

from __future__ import annotations

import math

import tensorflow as tf

from gsr_tf.comparators.rgbn.raster import paint
from gsr_tf.data.image_ops import resize, to_network_range
from gsr_tf.inference.module import PICTURE, DetectorModule

LONGEST = 1000 / 600  # the long side of what is seen, of the short one's size (the paper's numbers)


class BoxModule(DetectorModule):
    """`DetectorModule` of a network that finds boxes; "probability" is their map at the picture's own size.

    It sees whole pictures only: a box is a whole region's. With the aspect ratio kept ("crop"), a long picture's short
    side is smaller than the size trained on.
    """

    native = natives = moments = window = None
    portable = False  # its operations on boxes are TensorFlow's own

    @tf.function(autograph=False, input_signature=[PICTURE])
    def __call__(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        """[h, w, 3] uint8 RGB, any size -> {"probability": [h, w, 1] float32 in [0, 1]}."""
        size = tf.shape(image)[:2]
        seen = tf.round(resize(image, self._network_size(size)))  # whole levels, as training sees
        found = self.segmenter(to_network_range(seen)[tf.newaxis], training=False)
        scale = tf.tile(tf.cast(size, tf.float32) / tf.cast(tf.shape(seen)[:2], tf.float32), [2])
        scores = tf.sigmoid(found["logits"] - math.log(self.centre / (1.0 - self.centre)))
        return {"probability": paint(found["boxes"] * scale, scores, size)[..., tf.newaxis]}

    def _network_size(self, size: tf.Tensor) -> tf.Tensor:
        if self.resize_mode == "squash":
            return super()._network_size(size)
        sides = tf.cast(size, tf.float32)
        scale = tf.minimum(self.size / tf.reduce_min(sides), LONGEST * self.size / tf.reduce_max(sides))
        return tf.maximum(1, tf.cast(tf.round(sides * scale), tf.int32))


def score_map(found: dict[str, tf.Tensor], size: tf.Tensor) -> tf.Tensor:
    """[1, h, w, 1] float32 in [0, 1]: what a network found in a picture of `size`, as a map."""
    return paint(found["boxes"], tf.sigmoid(found["logits"]), size)[tf.newaxis, ..., tf.newaxis]
