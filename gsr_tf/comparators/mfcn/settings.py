"""The settings of MFCN that are its own."""

from __future__ import annotations

import dataclasses

from gsr_tf.comparators.examples import PICTURES
from gsr_tf.settings import Checked, setting


@dataclasses.dataclass(frozen=True)
class Network(Checked):
    """How the network is built; each field's help says what it is."""

    width: float = setting(
        1.0, "Multiplies the channels of the VGG-16 blocks; 1 is the paper's.", least=0.001, most=4.0
    )
    fc_channels: int = setting(4096, "Channels of fc6 and fc7: VGG-16's.", least=1)
    dropout: float = setting(0.5, "Dropout after fc6 and fc7.", least=0.0, most=0.95)


@dataclasses.dataclass(frozen=True)
class Initialization(Checked):
    """Weights from elsewhere; each field's help says which."""

    vgg16_weights: str = setting(
        "imagenet",
        "Initial VGG-16 convolutions: 'imagenet' (downloaded by Keras), a Keras .h5, an .npz, or 'random'. Only at "
        "--width=1. fc6 and fc7 start at random.",
        may_change=True,
    )
    initial_weights: str = setting(
        "", "What to start from instead: an .npz of a run's weights (python -m gsr_tf.export --format=weights)."
    )


@dataclasses.dataclass(frozen=True)
class Step(Checked):
    """What a training step does; each field's help says what it is."""

    train_on: tuple[str, ...] = setting(
        ("source",),
        "Pictures to learn from: S (paper), M (S's region pasted on T; ours), or both.",
        some=True,
        choices=PICTURES,
    )
    edge_weight: float = setting(
        1.0, "Weight of the edges' cross entropy beside the surfaces'; 0: SFCN, which has no edges.", least=0.0
    )
    boundary_size: int = setting(
        5,
        "Side of the square that dilates and erodes K to give the edge (GSR-Net's; the paper's is not known).",
        least=3,  # a square of 2 draws upper and left edges outside the region: at the border, outside the picture
    )
    weight_decay: float = setting(
        5e-4, "L2 rate: this times half the sum of squares of all kernels joins the loss.", least=0.0
    )


@dataclasses.dataclass(frozen=True)
class Optimization(Checked):
    """Steps, batch and rate; each field's help says what it is."""

    steps: int = setting(
        50_000, "Training steps (GSR-Net's number; the paper's is not known).", least=1, may_change=True
    )
    batch_size: int = setting(1, "Pictures a step, over all GPUs of all machines.", least=1)
    learning_rate: float = setting(1e-4, "Learning rate of stochastic gradient descent; fixed.", least=0.0)
    momentum: float = setting(0.9, "Momentum of stochastic gradient descent.", least=0.0, most=0.999)
