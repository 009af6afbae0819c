"""RGB-N as it is trained: the network, its optimizer and the one update of a step."""

from __future__ import annotations

import tensorflow as tf

from gsr_tf.comparators.examples import examples
from gsr_tf.comparators.one_network import OneNetwork, averaged_at_once, descent
from gsr_tf.comparators.rgbn import boxes, targets
from gsr_tf.comparators.rgbn.losses import box_loss, class_loss
from gsr_tf.comparators.rgbn.network import TwoStreamNetwork
from gsr_tf.comparators.rgbn.proposals import TRAINING
from gsr_tf.comparators.rgbn.settings import Network, Optimization, Step
from gsr_tf.data.batch import Batch
from gsr_tf.models.keras import keras
from gsr_tf.models.losses import weight_decay
from gsr_tf.models.normalization import separate_moments

ANCHOR_SIGMA, REGION_SIGMA = 3.0, 1.0  # where the boxes' loss bends
DROP = 0.1  # of the rate


class RGBN(OneNetwork):
    """The network, its optimizer and the training step.

    Attributes:
        segmenter: the Keras model.
        segmenter_optimizer: gradient descent with momentum, its rate dropped once.
        settings: what a step does.
    """

    def __init__(self, network: Network, optimization: Optimization, settings: Step):
        """Builds network and optimizer; inside a strategy's scope, on all its replicas."""
        with averaged_at_once():
            built = TwoStreamNetwork(network)
        rate = keras.optimizers.schedules.PiecewiseConstantDecay(
            [optimization.drop_after - 1],  # the last step, counted from 0, at the first rate
            [optimization.learning_rate, DROP * optimization.learning_rate],
        )
        super().__init__(built, descent(built, rate, optimization.momentum))
        self.settings = settings

    def losses(self, batch: Batch) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Means over the pictures, each normalised by its own moments where the backbone has any, and weight decay."""
        image, k = self.examples(batch)
        with separate_moments(image.shape[0]):
            found = self.segmenter.look(image, training=True)
        numbers = _numbers(batch.k.shape[0], len(self.settings.train_on))
        each = [self._picture(found, i, k[i], tf.stack([self.step, number])) for i, number in enumerate(numbers)]
        parts = {name: tf.add_n([one[name] for one in each]) / len(each) for name in each[0]}
        parts["loss/weight_decay"] = weight_decay(self.segmenter.trainable_variables, self.settings.weight_decay)
        return tf.add_n(list(parts.values())), parts

    def examples(self, batch: Batch) -> tuple[tf.Tensor, tf.Tensor]:
        """What is learnt from: pictures [n, h, w, 3], and K of each [n, h, w, 1]."""
        return examples(batch, self.settings.train_on)

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


def _numbers(share: int, kinds: int) -> list[tf.Tensor]:
    """What a replica's pictures are numbered in the step, scalars int64, as if one replica had all of them.

    Args:
        share: elements of the replica, of each of which there is a picture of every kind, kind after kind.
        kinds: how many.
    """
    context = tf.distribute.get_replica_context()
    first = tf.cast(context.replica_id_in_sync_group, tf.int64) * share
    every = share * context.num_replicas_in_sync
    return [kind * every + first + element for kind in range(kinds) for element in range(share)]
