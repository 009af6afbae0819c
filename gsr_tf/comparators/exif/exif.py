"""EXIF-consistency as it is trained: the network, its optimizer and the one update of a step."""

from __future__ import annotations

import tensorflow as tf

from gsr_tf.comparators.exif.network import build_network
from gsr_tf.comparators.exif.pairs import Pairs
from gsr_tf.comparators.exif.settings import Network, Optimization
from gsr_tf.comparators.one_network import OneNetwork, averaged_at_once
from gsr_tf.models.optimizers import Adam


class EXIF(OneNetwork):
    """The network, its optimizer (Adam) and the training step.

    Attributes:
        segmenter: the Keras model; no segmenter in itself, but what answers.
        segmenter_optimizer: its optimizer.
    """

    def __init__(self, network: Network, optimization: Optimization, side: int):
        """Builds network and optimizer; inside a strategy's scope, on all its replicas."""
        with averaged_at_once():
            built = build_network(network, side)
        super().__init__(built, Adam(built.trainable_variables, optimization.learning_rate))

    def losses(self, batch: Pairs) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Of both answers."""
        logits = self.segmenter([*map(to_range, (batch.one, batch.other))], training=True)
        parts = losses(logits, batch)
        return tf.add_n([*parts.values()]), parts

    def note(self, batch: Pairs) -> None:
        """Which attributes are known now."""
        known = self.strategy.run(lambda share: tf.reduce_sum(share.known, axis=0), (batch,))
        known = tf.minimum(self.strategy.reduce("sum", known, axis=None), 1.0)
        self.segmenter.known.assign(tf.maximum(self.segmenter.known, known))


def losses(logits: dict[str, tf.Tensor], batch: Pairs) -> dict[str, tf.Tensor]:
    """Cross entropies, log 2 = 0.69 for logits of 0: the mean over what is known of the attributes, and of "same".

    Of several replicas each has its share of the batch, and the mean of their losses is that of the batch.
    """
    entropies = tf.nn.sigmoid_cross_entropy_with_logits(batch.common, logits["attributes"]) * batch.known
    same = tf.nn.sigmoid_cross_entropy_with_logits(batch.same, logits["same"])
    known = tf.distribute.get_replica_context().all_reduce("mean", tf.reduce_sum(batch.known))
    return {
        "loss/attributes": tf.math.divide_no_nan(tf.reduce_sum(entropies), known),
        "loss/same": tf.reduce_mean(same),
    }


def to_range(patches: tf.Tensor) -> tf.Tensor:
    """uint8 levels, as float32 in [-1, 1]."""
    return tf.cast(patches, tf.float32) / 127.5 - 1.0
