"""The training step of a method that has one network: one update on one batch, by the gradient of one loss."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from gsr_tf.models.keras import keras


def averaged_at_once() -> contextlib.AbstractContextManager:
    """Within it a batch normalisation's moving averages are the mean of the replicas' from each step on.

    Keras averages them when they are read, by all workers together; a checkpoint is written by the chief alone.
    """

    def create(following: Callable[..., tf.Variable], **how: Any) -> tf.Variable:
        if how.get("synchronization") == tf.VariableSynchronization.ON_READ:
            how["synchronization"] = tf.VariableSynchronization.ON_WRITE
        return following(**how)

    return tf.variable_creator_scope(create)


class OneNetwork(tf.Module):
    """A network, its optimizer and the step that moves it: what a run trains (`gsr_tf.training.trained`).

    Attributes:
        networks: the network's name here; beside it there is `NAME_optimizer`.
        frozen: none.
        criterion: what validations are compared by.
        step: int64 variable, training steps done.
        strategy: what the step is run by.
    """

    networks: tuple[str] = ("segmenter",)
    frozen = ()
    criterion = "f1"

    def __init__(self, network: keras.Model, optimizer: keras.optimizers.legacy.Optimizer):
        """Inside a strategy's scope, on all its replicas; the optimizer's slots are there."""
        super().__init__(name=network.name)
        (name,) = self.networks
        setattr(self, name, network)
        setattr(self, f"{name}_optimizer", optimizer)
        self.strategy = tf.distribute.get_strategy()
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False, name="step")

    @tf.function(autograph=False)
    def train_step(self, batch: Any) -> dict[str, tf.Tensor]:
        """One update on one batch; returns {"loss/...": scalar}, replicas averaged."""
        scalars = self.strategy.run(self._update, (batch,))
        self.note(batch)
        self.step.assign_add(1)
        return {name: self.strategy.reduce("mean", value, axis=None) for name, value in scalars.items()}

    def losses(self, batch: Any) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """What is minimised on a replica's batch, a scalar, and its parts, {"loss/...": scalar}."""
        raise NotImplementedError

    def note(self, batch: Any) -> None:
        """What else a step does, outside of the replicas; nothing."""

    def _update(self, batch: Any) -> dict[str, tf.Tensor]:
        (name,) = self.networks
        variables = getattr(self, name).trainable_variables
        with tf.GradientTape() as tape:
            total, parts = self.losses(batch)
            share = total / self.strategy.num_replicas_in_sync  # the optimizer adds the replicas' gradients
        gradients = tape.gradient(share, variables)
        getattr(self, f"{name}_optimizer").apply_gradients(zip(gradients, variables, strict=True))
        return {**parts, f"loss/{name}": total}


def descent(network: keras.Model, rate: Any, momentum: float) -> keras.optimizers.legacy.Optimizer:
    """Gradient descent with momentum.

    Args:
        network: whose weights it moves.
        rate: a number, or a schedule of Keras's.
        momentum: of the gradients.
    """
    # In its older form: the slots are made at once, so that the step is traced once.
    optimizer = keras.optimizers.legacy.SGD(rate, momentum)
    optimizer._create_all_weights(network.trainable_variables)
    return optimizer
