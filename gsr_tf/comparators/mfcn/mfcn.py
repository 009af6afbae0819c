"""MFCN as it is trained: the network, its optimizer and the one update of a step."""

from __future__ import annotations

import tensorflow as tf

from gsr_tf.comparators.examples import examples
from gsr_tf.comparators.mfcn.edges import edge_label
from gsr_tf.comparators.mfcn.losses import balanced_cross_entropy
from gsr_tf.comparators.mfcn.network import build_network
from gsr_tf.comparators.mfcn.settings import Network, Optimization, Step
from gsr_tf.comparators.one_network import OneNetwork, descent
from gsr_tf.data.batch import Batch
from gsr_tf.models.losses import weight_decay
from gsr_tf.models.normalization import separate_moments


class MFCN(OneNetwork):
    """The network, its optimizer (gradient descent with momentum) and the training step.

    Attributes:
        segmenter: the Keras model.
        segmenter_optimizer: its optimizer.
        settings: what a step does.
    """

    def __init__(self, network: Network, optimization: Optimization, settings: Step):
        """Builds network and optimizer; inside a strategy's scope, on all its replicas."""
        built = build_network(network)
        super().__init__(built, descent(built, optimization.learning_rate, optimization.momentum))
        self.settings = settings

    def losses(self, batch: Batch) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Each picture is normalised by its own moments, as it will be at test; with one a step, the paper's way."""
        image, k = self.examples(batch)
        with separate_moments(image.shape[0]):
            logits = self.segmenter(image, training=True)
        parts = {
            "loss/surface": balanced_cross_entropy(logits["segmentation"], k),
            "loss/edge": balanced_cross_entropy(logits["boundary"], edge_label(k, self.settings.boundary_size)),
            "loss/weight_decay": weight_decay(self.segmenter.trainable_variables, self.settings.weight_decay),
        }
        total = parts["loss/surface"] + self.settings.edge_weight * parts["loss/edge"] + parts["loss/weight_decay"]
        return total, parts

    def examples(self, batch: Batch) -> tuple[tf.Tensor, tf.Tensor]:
        """What is learnt from: pictures [n, h, w, 3], and K of each [n, h, w, 1]."""
        return examples(batch, self.settings.train_on)
