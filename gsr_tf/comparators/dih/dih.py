"""DIH as it is trained: the network, its optimizer and the one update of a step."""

from __future__ import annotations

import tensorflow as tf

from gsr_tf.comparators.dih.network import build_network
from gsr_tf.comparators.dih.settings import Network, Optimization
from gsr_tf.comparators.one_network import OneNetwork
from gsr_tf.data.batch import Batch
from gsr_tf.models.harmonization import at_its_size
from gsr_tf.models.optimizers import Adam


class DIH(OneNetwork):
    """The network, its optimizer (Adam) and the training step.

    Attributes:
        harmonizer: the Keras model.
        harmonizer_optimizer: its optimizer.
    """

    networks = ("harmonizer",)
    criterion = "improvement"

    def __init__(self, network: Network, optimization: Optimization):
        """Builds network and optimizer; inside a strategy's scope, on all its replicas."""
        built = build_network(network.channels, scene_decoder=network.scene_decoder)
        super().__init__(built, Adam(built.trainable_variables, optimization.learning_rate))

    def losses(self, batch: Batch) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Of M, with its region recoloured, the photograph T is to be made; the mean square, in levels of 255."""
        m, k, t = at_its_size(self.harmonizer, batch.m, batch.k, batch.t)
        return tf.reduce_mean(tf.square(self.harmonizer([m, k], training=True) - t)), {}
