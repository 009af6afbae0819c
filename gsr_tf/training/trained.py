"""What the loop, its checkpoints and its summaries ask of a thing that is trained."""

from __future__ import annotations

from typing import Protocol

import tensorflow as tf

from gsr_tf.data.batch import Batch


class Trained(Protocol):
    """Networks with their optimizers, and the step that moves them.

    Attributes:
        networks: names of the networks: each is an attribute of this name, a Keras model, and beside it there is its
            optimizer, `NAME_optimizer`.
        frozen: names of further networks, which no step moves and a checkpoint holds all the same.
        criterion: the score of a validation by which the best checkpoint is chosen, the higher the better.
        step: int64 variable, training steps done.
        strategy: what the step is run by.
    """

    networks: tuple[str, ...]
    frozen: tuple[str, ...]
    criterion: str
    step: tf.Variable
    strategy: tf.distribute.Strategy

    def train_step(self, batch: Batch) -> dict[str, tf.Tensor]:
        """One step on one batch; returns {"loss/...": scalar}."""
        ...
