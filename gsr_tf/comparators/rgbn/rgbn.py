"""RGB-N as it is trained: the network, its optimizer and the one update of a step."""

from __future__ import annotations

import tensorflow as tf

from gsr_tf.comparators.rgbn import boxes, targets
from gsr_tf.comparators.rgbn.losses import box_loss, class_loss
from gsr_tf.comparators.rgbn.network import TwoStreamNetwork
from gsr_tf.comparators.rgbn.proposals import TRAINING
from gsr_tf.comparators.rgbn.settings import Network, Optimization, Step
from gsr_tf.data.batch import Batch
from gsr_tf.models import losses
from gsr_tf.models.keras import keras
from gsr_tf.models.normalization import separate_moments

ANCHOR_SIGMA, REGION_SIGMA = 3.0, 1.0  # where the boxes' loss bends
DROP = 0.1  # of the rate


class RGBN(tf.Module):
    """The network, its optimizer and the training step.

    Attributes:
        segmenter: the Keras model.
        segmenter_optimizer: gradient descent with momentum, its rate dropped once.
        step: int64 variable, training steps done.
        settings: what a step does.
        strategy: what the step is run by.
    """

    networks = ("segmenter",)
    frozen = ()
    criterion = "f1"

    def __init__(self, network: Network, optimization: Optimization, settings: Step):
        """Builds network and optimizer; inside a strategy's scope, on all its replicas."""
        super().__init__(name="rgbn")
        self.settings = settings
        self.strategy = tf.distribute.get_strategy()
        self.segmenter = TwoStreamNetwork(network)
        rate = keras.optimizers.schedules.PiecewiseConstantDecay(
            [optimization.drop_after - 1],  # the last step, counted from 0, at the first rate
            [optimization.learning_rate, DROP * optimization.learning_rate],
        )
        # In its older form: the slots are made at once, so that the step is traced once.
        self.segmenter_optimizer = keras.optimizers.legacy.SGD(rate, optimization.momentum)
        self.segmenter_optimizer._create_all_weights(self.segmenter.trainable_variables)
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False, name="step")

    @tf.function(autograph=False)
    def train_step(self, batch: Batch) -> dict[str, tf.Tensor]:
        """One update on one batch; returns {"loss/...": scalar}, replicas averaged."""
        scalars = self.strategy.run(self._update, (batch,))
        self.step.assign_add(1)
        return {name: self.strategy.reduce("mean", value, axis=None) for name, value in scalars.items()}

    def _update(self, batch: Batch) -> dict[str, tf.Tensor]:
        image, k = self.examples(batch)
        variables = self.segmenter.trainable_variables
        with tf.GradientTape() as tape:
            parts = {**self._losses(image, k), "loss/weight_decay": self._weight_decay()}
            total = tf.add_n(list(parts.values()))
            share = total / self.strategy.num_replicas_in_sync  # the optimizer adds the replicas' gradients
        self.segmenter_optimizer.apply_gradients(zip(tape.gradient(share, variables), variables, strict=True))
        return {**parts, "loss/segmenter": total}

    def examples(self, batch: Batch) -> tuple[tf.Tensor, tf.Tensor]:
        """What is learnt from: pictures [n, h, w, 3], and K of each [n, h, w, 1]."""
        pictures = {"source": batch.s, "pasted": batch.m}
        chosen = [pictures[name] for name in self.settings.train_on]
        return tf.concat(chosen, 0), tf.concat([batch.k] * len(chosen), 0)

    def _losses(self, image: tf.Tensor, k: tf.Tensor) -> dict[str, tf.Tensor]:
        """Means over the pictures, each normalised by its own moments where the backbone has any."""
        with separate_moments(image.shape[0]):
            found = self.segmenter.look(image, training=True)
        replica = tf.cast(tf.distribute.get_replica_context().replica_id_in_sync_group, tf.int64)
        first = replica * image.shape[0]
        parts = [self._picture(found, i, k[i], tf.stack([self.step, first + i])) for i in range(image.shape[0])]
        return {name: tf.add_n([one[name] for one in parts]) / len(parts) for name in parts[0]}

    def _picture(self, found: dict[str, tf.Tensor], number: int, k: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        """The losses of one picture of what was found; the seed: of what is drawn for it."""
        network, truths, size = self.segmenter, boxes.truths(k), tf.shape(k)[:2]
        anchors = targets.of_anchors(network.anchors(found), truths, size, seed)
        before, after = TRAINING
        proposals = tf.stop_gradient(network.proposals(found, number, size, before=before, after=after))
        boxes_, regions = targets.of_regions(proposals, truths, seed)
        judged = network.judge(network.crops(found, number, boxes_), training=True)
        objectness, deltas = found["objectness"][number], found["deltas"][number]
        return {
            "loss/anchor_class": class_loss(objectness, anchors.positive, anchors.chosen),
            "loss/anchor_box": box_loss(deltas, anchors.deltas, anchors.positive, anchors.chosen, ANCHOR_SIGMA),
            "loss/region_class": class_loss(judged["logits"], regions.positive, regions.chosen),
            "loss/region_box": box_loss(
                judged["deltas"], regions.deltas, regions.positive, regions.chosen, REGION_SIGMA
            ),
        }

    def _weight_decay(self) -> tf.Tensor:
        kernels = [v for v in self.segmenter.trainable_variables if v.name.endswith("kernel:0")]
        return losses.weight_decay(kernels, self.settings.weight_decay)
