"""A run of DIH: its settings, what it begins with, how it is validated, what a panel of it shows."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from gsr_tf.comparators.dih.dih import DIH
from gsr_tf.comparators.dih.settings import Initialization, Network, Optimization
from gsr_tf.data.augment.recolouring import Recolouring
from gsr_tf.data.batch import Batch
from gsr_tf.data.preparation import Preparation
from gsr_tf.data.records import Records
from gsr_tf.models.harmonization import harmonized
from gsr_tf.models.keras import keras
from gsr_tf.models.weights import load_npz, named_variables
from gsr_tf.settings import ConfigError, setting
from gsr_tf.training.device import Device
from gsr_tf.training.loop import Schedule
from gsr_tf.training.run_records import RunRecords
from gsr_tf.training.run_settings import ALL_RUNS, DATA, RETOUCHING, RunSettings
from gsr_tf.training.summaries import to_rgb
from gsr_tf.training.validation import Scores, Validation


@dataclasses.dataclass(frozen=True)
class DIHRun(RunSettings):
    """The settings of one run of DIH, room by room."""

    METHOD = "dih"
    DETECTS = False
    export_flags = "--format=weights --output=FILE.npz"
    ROOMS = (
        DATA,
        ((Recolouring,), "Recolouring", "Which region gets which other colours; the network learns to undo that."),
        RETOUCHING,
        ((Network,), "Network", "How large it is, and of which parts."),
        ((Initialization,), "Initial weights", "What a fresh run begins from."),
        ((Optimization,), "Optimisation", "For how long, and at which rate."),
        *ALL_RUNS,
    )
    method: str = setting("dih", "What is trained.", choices=("dih",))
    records: RunRecords = RunRecords()
    validation: Validation = Validation()
    preparation: Preparation = Preparation()
    recolouring: Recolouring = Recolouring()
    network: Network = Network()
    initialization: Initialization = Initialization()
    optimization: Optimization = Optimization()
    device: Device = Device()
    schedule: Schedule = Schedule()

    def __post_init__(self):
        """Checks what two rooms must agree on; each room has checked its own."""
        super().__post_init__()
        if self.preparation.target_size:
            raise ConfigError(
                f"--target_size={self.preparation.target_size} takes T's sharpness away, which DIH is to give back: "
                "expected 0"
            )

    def build(self) -> DIH:
        """Network and optimizer at initial random weights."""
        return DIH(self.network, self.optimization)

    def initialize(self, net: DIH) -> None:
        """Weights of another run into a fresh net, as the settings say; raises WeightsError."""
        path = self.initialization.initial_weights
        if path:
            load_npz(named_variables(net.harmonizer), path, f"--initial_weights={path}")

    def scores(self, net: DIH, records: Mapping[str, Records]) -> Scores | None:
        """How far held-out pictures that were recoloured are from what they were, harmonised and as they are."""
        pictures = self.held_out(records)
        if pictures is None:
            return None
        errors = tf.function(lambda batch: foreground_errors(net.harmonizer, batch), autograph=False)

        def scores() -> dict[str, float]:
            found = np.mean([errors(batch) for batch in pictures.batches("validation")], axis=0)
            return summary(*map(float, found))

        return scores

    def panel(self, net: DIH, batch: Batch) -> dict[str, np.ndarray]:
        """{title: [b, h, w, 3] uint8}: the recoloured photograph, what becomes of it, and what it was."""
        h = harmonized(net.harmonizer, batch.m, batch.k)
        return {title: to_rgb(x) for title, x in {"M": batch.m, "K": batch.k, "H(M)": h, "T": batch.t}.items()}

    def facts(self, network: keras.Model) -> dict[str, Any]:
        """What an export says of the method beside the settings."""
        return {"method": self.METHOD}


def foreground_errors(network: keras.Model, batch: Batch) -> tuple[tf.Tensor, tf.Tensor]:
    """fMSE of H(M, K) and of M: the mean square of their differences from T within K, in levels of 255.

    Args:
        network: the harmoniser.
        batch: of one picture, M with T's own region in other colours.

    Returns:
        Two scalars; 0 where K is empty.
    """

    def error(picture: tf.Tensor) -> tf.Tensor:
        inside = tf.reduce_sum(batch.k * tf.square(picture - batch.t))
        return tf.math.divide_no_nan(inside, picture.shape[-1] * tf.reduce_sum(batch.k))

    return error(harmonized(network, batch.m, batch.k)), error(batch.m)


def summary(fmse: float, of_input: float) -> dict[str, float]:
    """Both, and the share of the input's that is gone: 1 when nothing is left, 0 when nothing is won."""
    improvement = 1.0 - fmse / of_input if of_input else 0.0
    return {"improvement": improvement, "fmse": fmse, "fmse_of_input": of_input}
