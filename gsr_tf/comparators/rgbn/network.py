"""RGB-N's network: a picture in, boxes and their scores out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import tensorflow as tf

from gsr_tf.comparators.rgbn import anchors as anchors_lib
from gsr_tf.comparators.rgbn import backbone
from gsr_tf.comparators.rgbn import boxes as boxes_lib
from gsr_tf.comparators.rgbn.crops import cut
from gsr_tf.comparators.rgbn.pooling import compact_bilinear, signed_root
from gsr_tf.comparators.rgbn.proposals import TESTED, propose
from gsr_tf.comparators.rgbn.settings import Network
from gsr_tf.comparators.rgbn.srm import noise
from gsr_tf.comparators.rgbn.targets import BOX_SCALES
from gsr_tf.models.keras import keras
from gsr_tf.models.segmenter import log_odds

SIDE = 7  # of what is cut from the features for a region
RPN_CHANNELS = 512
OVERLAP, MOST = 0.2, 100  # of the boxes that are answered


class TwoStreamNetwork(keras.Model):
    """The picture's network and the regions' network, and how regions come from one to the other.

    Attributes:
        look: [b, h, w, 3] network range -> the features of each stream, [b, h / 16, w / 16, c], by its name, and
            "objectness" [b, n, 2] and "deltas" [b, n, 4], float32, of the n anchors.
        judge: {stream: [r, 7, 7, c]} -> "logits" [r, 2], of authentic and manipulated, and "deltas" [r, 4], float32.
    """

    # No layer branches on a tensor: AutoGraph's look at their sources would take long.
    @tf.autograph.experimental.do_not_convert
    def __init__(self, settings: Network):
        """The network at random weights."""
        super().__init__(name="rgbn")
        streams = ("rgb", "noise") if settings.streams == "both" else (settings.streams,)
        found = backbone.choose(settings.backbone)
        self.scales, self.regions = settings.anchor_scales, settings.proposals
        self.look = _look(found, streams, len(anchors_lib.RATIOS) * len(settings.anchor_scales))
        self.judge = _judge(found, streams, settings.pooling_channels)

    @tf.autograph.experimental.do_not_convert
    def call(self, image: tf.Tensor, training: bool = False) -> dict[str, tf.Tensor]:
        """What is found in one picture.

        Args:
            image: [1, h, w, 3] float32, network range.
            training: of no effect on the answer.

        Returns:
            "boxes": [n, 4] float32 in pixels, n at most 100, none overlapping another by more than .2; "logits": [n],
            the logarithm of the odds that a box holds a manipulated region, highest first.
        """
        found, size = self.look(image, training=training), tf.shape(image)[1:3]
        proposals = self.proposals(found, 0, size, before=TESTED, after=self.regions)
        crops = self.crops(found, 0, boxes_lib.filled(proposals, self.regions))
        count = tf.shape(proposals)[0]
        judged = {name: x[:count] for name, x in self.judge(crops, training=training).items()}
        boxes = boxes_lib.clip(boxes_lib.decode(proposals, judged["deltas"] * BOX_SCALES), size)
        logits = log_odds(judged["logits"])[:, 0]
        kept = tf.image.non_max_suppression(boxes, logits, MOST, OVERLAP)
        return {"boxes": tf.gather(boxes, kept), "logits": tf.gather(logits, kept)}

    def anchors(self, found: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """[n, 4], of what `look` found."""
        shape = tf.shape(_first(found))
        return anchors_lib.everywhere(shape[1], shape[2], self.scales)

    def proposals(
        self, found: Mapping[str, tf.Tensor], number: int, size: tf.Tensor, *, before: int, after: int
    ) -> tf.Tensor:
        """`propose` for one picture of a batch."""
        scores = log_odds(found["objectness"][number])[:, 0]
        return propose(self.anchors(found), scores, found["deltas"][number], size, before=before, after=after)

    def crops(self, found: Mapping[str, tf.Tensor], number: int, boxes: tf.Tensor) -> dict[str, tf.Tensor]:
        """{stream: [r, 7, 7, c]}: what lies in boxes, [r, 4], of the features of one picture of a batch."""
        places = boxes / anchors_lib.STRIDE
        return {name: cut(tf.cast(found[name][number], tf.float32), places, SIDE) for name in self.judge.input_names}


def _first(found: Mapping[str, tf.Tensor]) -> tf.Tensor:
    """The features of the stream that proposals come from."""
    return found["rgb" if "rgb" in found else "noise"]


def _look(found: backbone.Backbone, streams: Sequence[str], anchors: int) -> keras.Model:
    image = keras.Input([None, None, 3], name="image")
    seen = {"rgb": image, "noise": noise(image)}
    features = {name: found.trunk(seen[name], f"{name}_") for name in streams}
    x = _convolution(RPN_CHANNELS, 3, 0.01, "rpn_conv", activation="relu")(_first(features))
    objectness = _convolution(2 * anchors, 1, 0.01, "rpn_objectness", dtype="float32")(x)
    deltas = _convolution(4 * anchors, 1, 0.01, "rpn_deltas", dtype="float32")(x)
    proposed = {"objectness": _by_anchor(objectness, 2), "deltas": _by_anchor(deltas, 4)}
    return keras.Model(image, {**features, **proposed}, name="look")


def _by_anchor(x: tf.Tensor, values: int) -> tf.Tensor:
    return tf.reshape(x, [tf.shape(x)[0], -1, values])


def _judge(found: backbone.Backbone, streams: Sequence[str], channels: int) -> keras.Model:
    """The class of a region by both streams together, its box by the colours alone, where there are colours."""
    crops = {name: keras.Input([SIDE, SIDE, found.channels], name=name) for name in streams}
    features = {name: tf.cast(found.tail(x, f"{name}_"), tf.float32) for name, x in crops.items()}
    pooled = tf.reduce_mean(_first(features), [1, 2])
    # In float32, as a Fourier transform needs it.
    pooling = keras.layers.Lambda(
        lambda both: signed_root(compact_bilinear(*both, channels)), name="pooling", dtype="float32"
    )
    logits = _dense(2, 0.01, "class")(pooling(list(features.values())) if len(streams) > 1 else pooled)
    return keras.Model(crops, {"logits": logits, "deltas": _dense(4, 0.001, "box")(pooled)}, name="judge")


def _convolution(channels: int, side: int, deviation: float, name: str, **more: str) -> keras.layers.Layer:
    start = keras.initializers.RandomNormal(0.0, deviation)
    return keras.layers.Conv2D(channels, side, padding="same", kernel_initializer=start, name=name, **more)


def _dense(channels: int, deviation: float, name: str) -> keras.layers.Layer:
    start = keras.initializers.RandomNormal(0.0, deviation)
    return keras.layers.Dense(channels, kernel_initializer=start, name=name, dtype="float32")
