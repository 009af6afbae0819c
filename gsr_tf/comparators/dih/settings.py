"""The settings of DIH that are its own."""

from __future__ import annotations

import dataclasses

from gsr_tf.comparators.dih.network import CHANNELS, END
from gsr_tf.settings import Checked, setting


@dataclasses.dataclass(frozen=True)
class Network(Checked):
    """How the network is built; each field's help says what it is."""

    width: float = setting(1.0, "Multiplies the channels of the network; 1 is the paper's.", least=0.001, most=4.0)
    network_size: int = setting(
        256,
        "Side of what the network sees, pixels: 512 in the paper, 256 in a later port; half of it is one level less. "
        "Pictures of another --input_size are resized on the way in.",
        choices=(64, 128, 256, 512),
    )
    scene_decoder: bool = setting(
        False,
        "A second decoder, whose features the first one sees too: the paper's for parsing scenes. Records say nothing "
        "of scenes, so it learns from the harmonised picture alone (ours).",
    )

    @property
    def channels(self) -> tuple[int, ...]:
        """Of each level, from the largest to the one of 4x4 pixels."""
        levels = (self.network_size // END).bit_length() - 1
        return tuple(max(1, round(channels * self.width)) for channels in CHANNELS[:levels])


@dataclasses.dataclass(frozen=True)
class Initialization(Checked):
    """Weights from elsewhere."""

    initial_weights: str = setting(
        "", "What to start from: an .npz of a run's weights (python -m gsr_tf.export --format=weights)."
    )


@dataclasses.dataclass(frozen=True)
class Optimization(Checked):
    """Steps, batch and rate; each field's help says what it is."""

    steps: int = setting(
        200_000, "Training steps (the file of the authors' weights has this number).", least=1, may_change=True
    )
    batch_size: int = setting(32, "Pictures a step, over all GPUs of all machines (the port's).", least=1)
    learning_rate: float = setting(1e-4, "Adam's; fixed (the port's).", least=0.0)
