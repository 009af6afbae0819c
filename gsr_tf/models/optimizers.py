"""Adam for each network, and how long it goes on (Section 4.1)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import tensorflow as tf

from gsr_tf.models.keras import keras
from gsr_tf.settings import Checked, setting


@dataclasses.dataclass(frozen=True)
class Optimization(Checked):
    """Steps, batch and rates; each field's help says what it is."""

    steps: int = setting(
        50_000, "Training steps (Section 4.1); 0: the run holds what it begins with.", least=0, may_change=True
    )
    batch_size: int = setting(4, "Pictures a step, over all GPUs of all machines (Section 4.1).", least=1)
    learning_rate: float = setting(1e-4, "Learning rate of Adam for generator and segmenter (Section 4.1).", least=0.0)
    learning_rate_schedule: str = setting(
        "fixed", "fixed (Section 4.1), or cosine: all rates fall to 0 at --steps (ours).", choices=("fixed", "cosine")
    )
    discriminator_learning_rate: float = setting(
        1e-4, "Adam's, of the discriminator (paper: one rate for all sub-networks); the release's is 5e-5.", least=0.0
    )
    discriminator_beta_1: float = setting(
        0.9,
        "beta_1 of Adam for the discriminator: 0.9, Adam's default, since the paper names one Adam for all "
        "sub-networks; the release's is 0.5.",
        least=0.0,
        most=0.999,
    )

    def adam(self, variables: Sequence[tf.Variable]) -> Adam:
        """Generator's or segmenter's."""
        return Adam(variables, self.learning_rate, decay_steps=self._decay_steps)

    def discriminator_adam(self, variables: Sequence[tf.Variable]) -> Adam:
        """The discriminator's."""
        rate, beta_1 = self.discriminator_learning_rate, self.discriminator_beta_1
        return Adam(variables, rate, beta_1, decay_steps=self._decay_steps)

    @property
    def _decay_steps(self) -> int:
        return self.steps if self.learning_rate_schedule == "cosine" else 0


class Adam(keras.optimizers.legacy.Adam):
    """Adam in its fused form (one pass over memory; the newer Keras class takes ten on a CPU).

    Slots are made at once, so that the training step is traced once. Epsilon is TF1's, as in the release.
    """

    def __init__(
        self, variables: Sequence[tf.Variable], learning_rate: float, beta_1: float = 0.9, *, decay_steps: int = 0
    ):
        """decay_steps: the rate falls to 0 along a cosine in so many updates; 0: it is fixed (Section 4.1)."""
        rate = keras.optimizers.schedules.CosineDecay(learning_rate, decay_steps) if decay_steps else learning_rate
        super().__init__(rate, beta_1=beta_1, epsilon=1e-8)
        self._create_all_weights(variables)
