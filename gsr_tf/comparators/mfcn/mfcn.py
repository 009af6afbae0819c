"""MFCN as it is trained: the network, its optimizer and the one update of a step."""

from __future__ import annotations

import tensorflow as tf

from gsr_tf.comparators.mfcn.losses import balanced_cross_entropy
from gsr_tf.comparators.mfcn.network import build_network
from gsr_tf.comparators.mfcn.settings import Network, Optimization, Step
from gsr_tf.data.batch import Batch
from gsr_tf.data.image_ops import boundary
from gsr_tf.models import losses
from gsr_tf.models.keras import keras
from gsr_tf.models.normalization import separate_moments


class MFCN(tf.Module):
    """The network, its optimizer and the training step.

    Attributes:
        segmenter: the Keras model.
        segmenter_optimizer: gradient descent with momentum.
        step: int64 variable, training steps done.
        settings: what a step does.
        strategy: what the step is run by.
    """

    networks = ("segmenter",)
    frozen = ()
    criterion = "f1"

    def __init__(self, network: Network, optimization: Optimization, settings: Step):
        """Builds network and optimizer; inside a strategy's scope, on all its replicas."""
        super().__init__(name="mfcn")
        self.settings = settings
        self.strategy = tf.distribute.get_strategy()
        self.segmenter = build_network(network)
        # In its older form: the slots are made at once, so that the step is traced once.
        self.segmenter_optimizer = keras.optimizers.legacy.SGD(optimization.learning_rate, optimization.momentum)
        self.segmenter_optimizer._create_all_weights(self.segmenter.trainable_variables)
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False, name="step")

    @tf.function(autograph=False)
    def train_step(self, batch: Batch) -> dict[str, tf.Tensor]:
        """One update on one batch; returns {"loss/...": scalar}, replicas averaged."""
        scalars = self.strategy.run(self._update, (batch,))
        self.step.assign_add(1)
        return {name: self.strategy.reduce("mean", value, axis=None) for name, value in scalars.items()}

    def _update(self, batch: Batch) -> dict[str, tf.Tensor]:
        """Each picture is normalised by its own moments, as it will be at test; with one a step, the paper's way."""
        image, k = self.examples(batch)
        variables = self.segmenter.trainable_variables
        with tf.GradientTape() as tape:
            with separate_moments(image.shape[0]):
                logits = self.segmenter(image, training=True)
            parts = self._losses(logits, k)
            total = parts["loss/surface"] + self.settings.edge_weight * parts["loss/edge"] + parts["loss/weight_decay"]
            share = total / self.strategy.num_replicas_in_sync  # the optimizer adds the replicas' gradients
        self.segmenter_optimizer.apply_gradients(zip(tape.gradient(share, variables), variables, strict=True))
        return {**parts, "loss/segmenter": total}

    def examples(self, batch: Batch) -> tuple[tf.Tensor, tf.Tensor]:
        """What is learnt from: pictures [n, h, w, 3], and K of each [n, h, w, 1]."""
        pictures = {"source": batch.s, "pasted": batch.m}
        chosen = [pictures[name] for name in self.settings.train_on]
        return tf.concat(chosen, 0), tf.concat([batch.k] * len(chosen), 0)

    def _losses(self, logits: dict[str, tf.Tensor], k: tf.Tensor) -> dict[str, tf.Tensor]:
        kernels = [v for v in self.segmenter.trainable_variables if v.name.endswith("kernel:0")]
        edge = boundary(k, self.settings.boundary_size)
        return {
            "loss/surface": balanced_cross_entropy(logits["segmentation"], k),
            "loss/edge": balanced_cross_entropy(logits["boundary"], edge),
            "loss/weight_decay": losses.weight_decay(kernels, self.settings.weight_decay),
        }
