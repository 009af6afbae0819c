"""A uint8 picture in, a probability map of the same size out: what is exported, evaluated and shipped."""

from __future__ import annotations

import tensorflow as tf
from tensorflow import keras

from gsr_tf.data.image_ops import resize, to_network_range


class DetectorModule(tf.Module):
    """The segmenter with everything around it: resizing, colour range, the picture's own moments, resizing back.

    As in the release a picture is squashed to the size trained on, whatever its shape ("squash"); a network trained
    with the aspect ratio kept ("crop") sees the whole picture, its short side at that size.
    """

    def __init__(self, segmenter: keras.Model, *, size: int = 300, resize_mode: str = "squash"):
        super().__init__(name="detector")
        self.segmenter, self.size, self.resize_mode = segmenter, size, resize_mode

    @tf.function(input_signature=[tf.TensorSpec([None, None, 3], tf.uint8, "image")])
    def __call__(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        """Probability of manipulation of each pixel.

        Args:
            image: [h, w, 3] uint8, RGB, any size.

        Returns:
            {"probability": [h, w, 1] float32 in [0, 1]}, and with a boundary branch "boundary", the same shape: the
            probability that the pixel lies on the edge of a manipulated region.
        """
        size = tf.shape(image)[:2]
        resized = tf.round(resize(image, self._network_size(size)))  # whole levels, as training sees and the release
        logits = self.segmenter(to_network_range(resized)[tf.newaxis], training=False)
        maps = {"probability": logits["segmentation"]}
        if "boundary" in logits:
            maps["boundary"] = logits["boundary"]
        return {name: resize(tf.nn.softmax(x)[0, ..., 1:], size) for name, x in maps.items()}

    def _network_size(self, size: tf.Tensor) -> tf.Tensor:
        if self.resize_mode == "squash":
            return tf.constant([self.size, self.size])
        short = tf.cast(tf.reduce_min(size), tf.float32)
        return tf.cast(tf.math.ceil(tf.cast(size, tf.float32) * (self.size / short)), tf.int32)
