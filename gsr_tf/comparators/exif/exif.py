"""EXIF-consistency as it is trained: the network, its optimizer and the one update of a step."""

from __future__ import annotations

import tensorflow as tf

from gsr_tf.comparators.exif.network import build_network
from gsr_tf.comparators.exif.pairs import Pairs
from gsr_tf.comparators.exif.settings import Network, Optimization
from gsr_tf.models.optimizers import Adam


class EXIF(tf.Module):
    """The network, its optimizer and the training step.

    Attributes:
        segmenter: the Keras model; no segmenter in itself, but what answers.
        segmenter_optimizer: Adam.
        step: int64 variable, training steps done.
        strategy: what the step is run by.
    """

    networks = ("segmenter",)
    frozen = ()
    criterion = "f1"

    def __init__(self, network: Network, optimization: Optimization, side: int):
        """Builds network and optimizer; inside a strategy's scope, on all its replicas."""
        super().__init__(name="exif")
        self.strategy = tf.distribute.get_strategy()
        self.segmenter = build_network(network, side)
        self.segmenter_optimizer = Adam(self.segmenter.trainable_variables, optimization.learning_rate)
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False, name="step")

    @tf.function(autograph=False)
    def train_step(self, batch: Pairs) -> dict[str, tf.Tensor]:
        """One update on one batch; returns {"loss/...": scalar}, replicas averaged."""
        scalars, known = self.strategy.run(self._update, (batch,))
        self.step.assign_add(1)
        known = tf.minimum(self.strategy.reduce("sum", known, axis=None), 1.0)
        self.segmenter.known.assign(tf.maximum(self.segmenter.known, known))
        return {name: self.strategy.reduce("mean", value, axis=None) for name, value in scalars.items()}

    def _update(self, batch: Pairs) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        variables = self.segmenter.trainable_variables
        with tf.GradientTape() as tape:
            logits = self.segmenter([*map(to_range, (batch.one, batch.other))], training=True)
            parts = losses(logits, batch)
            share = tf.add_n([*parts.values()]) / self.strategy.num_replicas_in_sync  # whose gradients are added
        self.segmenter_optimizer.apply_gradients(zip(tape.gradient(share, variables), variables, strict=True))
        return {**parts, "loss/segmenter": tf.add_n([*parts.values()])}, tf.reduce_sum(batch.known, axis=0)


def losses(logits: dict[str, tf.Tensor], batch: Pairs) -> dict[str, tf.Tensor]:
    """Cross entropies, log 2 = 0.69 for logits of 0: the mean over what is known of the attributes, and of "same"."""
    entropies = tf.nn.sigmoid_cross_entropy_with_logits(batch.common, logits["attributes"]) * batch.known
    same = tf.nn.sigmoid_cross_entropy_with_logits(batch.same, logits["same"])
    return {
        "loss/attributes": tf.math.divide_no_nan(tf.reduce_sum(entropies), tf.reduce_sum(batch.known)),
        "loss/same": tf.reduce_mean(same),
    }


def to_range(patches: tf.Tensor) -> tf.Tensor:
    """uint8 levels, as float32 in [-1, 1]."""
    return tf.cast(patches, tf.float32) / 127.5 - 1.0
