"""DIH as it is trained: the network, its optimizer and the one update of a step."""

from __future__ import annotations

import tensorflow as tf

from gsr_tf.comparators.dih.network import build_network
from gsr_tf.comparators.dih.settings import Network, Optimization
from gsr_tf.data.batch import Batch
from gsr_tf.models.harmonization import at_its_size
from gsr_tf.models.optimizers import Adam


class DIH(tf.Module):
    """The network, its optimizer and the training step.

    Attributes:
        harmonizer: the Keras model.
        harmonizer_optimizer: Adam.
        step: int64 variable, training steps done.
        strategy: what the step is run by.
    """

    networks = ("harmonizer",)
    frozen = ()
    criterion = "improvement"

    def __init__(self, network: Network, optimization: Optimization):
        """Builds network and optimizer; inside a strategy's scope, on all its replicas."""
        super().__init__(name="dih")
        self.strategy = tf.distribute.get_strategy()
        self.harmonizer = build_network(network.channels, scene_decoder=network.scene_decoder)
        self.harmonizer_optimizer = Adam(self.harmonizer.trainable_variables, optimization.learning_rate)
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False, name="step")

    @tf.function(autograph=False)
    def train_step(self, batch: Batch) -> dict[str, tf.Tensor]:
        """One update on one batch; returns {"loss/harmonizer": scalar}, replicas averaged."""
        loss = self.strategy.run(self._update, (batch,))
        self.step.assign_add(1)
        return {"loss/harmonizer": self.strategy.reduce("mean", loss, axis=None)}

    def _update(self, batch: Batch) -> tf.Tensor:
        """Of M, with its region recoloured, the photograph T is to be made; the mean square, in levels of 255."""
        m, k, t = at_its_size(self.harmonizer, batch.m, batch.k, batch.t)
        variables = self.harmonizer.trainable_variables
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(self.harmonizer([m, k], training=True) - t))
            share = loss / self.strategy.num_replicas_in_sync  # the optimizer adds the replicas' gradients
        self.harmonizer_optimizer.apply_gradients(zip(tape.gradient(share, variables), variables, strict=True))
        return loss
