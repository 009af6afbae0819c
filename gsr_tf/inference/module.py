"""A uint8 picture in, a probability map of the same size out: what is exported, evaluated and shipped."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from gsr_tf.data.decoding.lacking import can_have
from gsr_tf.data.image_ops import resize, to_network_range
from gsr_tf.errors import UserError
from gsr_tf.models.convolution import without_gradients
from gsr_tf.models.keras import keras
from gsr_tf.models.normalization import given_moments, recorded_moments
from gsr_tf.models.segmenter import log_odds

PICTURE = tf.TensorSpec([None, None, 3], tf.uint8, "image")
PICTURES = tf.TensorSpec([None, None, None, 3], tf.uint8, "images")
STRIDE = 8  # of the segmenter's features, pixels


class DetectorModule(tf.Module):
    """The segmenter with everything around it: resizing, colour range, the picture's own moments, resizing back.

    As in the release a picture is squashed to the size trained on, whatever its shape ("squash"); a network trained
    with the aspect ratio kept ("crop") sees the whole picture, its short side at that size and its long side within 4
    pixels of the same ratio.

    `native`, `natives`, `moments` and `window` see pixels as they are, for `tiling` and `together`.

    Where `centre` is not .5, all probabilities of manipulation are moved by one constant in logits, such that what the
    network calls `centre` becomes .5: the change of prior between its training pictures and those that it is used on
    (Saerens et al., Adjusting the outputs of a classifier to new a priori probabilities, Neural Computation 2002).
    """

    portable = True  # whether other runtimes have its operations

    def __init__(self, segmenter: keras.Model, *, size: int = 300, resize_mode: str = "squash", centre: float = 0.5):
        """segmenter: [b, h, w, 3] float32 -> {"segmentation": logits [b, h, w, 2]}, and perhaps "boundary", as well."""
        super().__init__(name="detector")
        self.parameters = segmenter.variables
        # Not as an attribute that TensorFlow follows: Keras's own functions would double the time to save and load.
        self._network = lambda: segmenter
        self.size, self.resize_mode, self.centre = size, resize_mode, centre

    @property
    def segmenter(self) -> keras.Model:
        """The network itself."""
        return self._network()

    @tf.function(autograph=False, input_signature=[PICTURE])
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
        return {name: resize(x, size) for name, x in self._maps(resized).items()}

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([2], tf.int32, "size")])
    def network_size(self, size: tf.Tensor) -> tf.Tensor:
        """[2] int32, height and width at which `__call__` sees a picture of this size."""
        return self._network_size(size)

    @tf.function(autograph=False, input_signature=[PICTURE])
    def native(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        """As `__call__`, the picture seen at its own size."""
        return self._maps(image)

    @tf.function(autograph=False, input_signature=[PICTURES])
    def natives(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """As `native`, of n pictures of one size in one pass: [n, h, w, 3] -> [n, h, w, 1].

        Each is normalised by its own moments, in another order of additions: the maps are `native`'s within 1e-4.
        """
        return self._maps_of(images)

    @tf.function(autograph=False, input_signature=[PICTURE])
    def moments(self, image: tf.Tensor) -> tf.Tensor:
        """[m] float32: what `native` normalises this picture by, layer after layer; m is 0 for other networks."""
        with recorded_moments() as moments:
            self._maps(image)
        return tf.concat(moments, axis=0) if moments else tf.zeros([0])

    @tf.function(autograph=False, input_signature=[PICTURE, tf.TensorSpec([None], tf.float32, "moments")])
    def window(self, image: tf.Tensor, moments: tf.Tensor) -> dict[str, tf.Tensor]:
        """As `native`, normalised by these moments: the same function of a pixel's surroundings in every window."""
        with given_moments(moments):
            return self._maps(image)

    def _maps(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {name: x[0] for name, x in self._maps_of(image[tf.newaxis]).items()}

    def _maps_of(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        with without_gradients():
            logits = self.segmenter(to_network_range(images), training=False)
        _check_logits(logits)
        # Of two classes the softmax is a sigmoid of the difference, at a fifth of the cost.
        maps = {"probability": log_odds(logits["segmentation"]) - math.log(self.centre / (1.0 - self.centre))}
        if "boundary" in logits:
            maps["boundary"] = log_odds(logits["boundary"])
        return {name: tf.sigmoid(x) for name, x in maps.items()}

    def _network_size(self, size: tf.Tensor) -> tf.Tensor:
        if self.resize_mode == "squash":
            return tf.constant([self.size, self.size])
        # The long side is rounded to so many strides more than the short one: where a side's length is another by the
        # stride, the network's features lie elsewhere than they did in training's squares, and its maps are displaced.
        short = tf.reduce_min(size)
        strides = ((size - short) * self.size + STRIDE // 2 * short) // (STRIDE * short)
        return self.size + STRIDE * strides


def _check_logits(logits: Any) -> None:
    """Raises UserError for what is not {"segmentation": [b, h, w, 2]}, and perhaps "boundary", the same shape."""
    if not isinstance(logits, Mapping) or "segmentation" not in logits:
        given = f"a dict of {', '.join(logits)}" if isinstance(logits, Mapping) else f"a {type(logits).__name__}"
        raise UserError(f'the network gives {given}; expected a dict with "segmentation", logits [b, h, w, 2]')
    shapes = {name: logits[name].shape for name in ("segmentation", "boundary") if name in logits}
    for name, shape in shapes.items():
        if shape.rank != 4 or shape[-1] != 2:
            raise UserError(f"the network's {name} is {shape}; expected logits of two classes, [b, h, w, 2]")


def seen_at(image: np.ndarray, size: tf.Tensor) -> tf.Tensor:
    """[h, w, 3] uint8 RGB as `DetectorModule.__call__` sees it at a size: [*size, 3] uint8, rounded to whole levels."""
    return tf.cast(tf.round(resize(as_tensor(image), size)), tf.uint8)


def as_tensor(picture: np.ndarray) -> tf.Tensor:
    """A picture of any size as a tensor; raises MemoryError where there is no room for it."""
    if not can_have(2 * picture.nbytes):  # `tf.constant` copies twice, and ends the process without a second copy
        raise MemoryError(f"{picture.nbytes:,} bytes as a tensor")
    return tf.constant(picture)
