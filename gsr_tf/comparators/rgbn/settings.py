"""The settings of RGB-N that are its own."""

from __future__ import annotations

import dataclasses

from gsr_tf.comparators.examples import PICTURES
from gsr_tf.settings import Checked, check_one_of, setting


@dataclasses.dataclass(frozen=True)
class Network(Checked):
    """How the network is built; each field's help says what it is."""

    backbone: str = setting(
        "resnet101",
        "What turns a picture into features: a ResNet, or a few convolutions to try out.",
        choices=("resnet101", "resnet50", "tiny"),
    )
    streams: str = setting(
        "both",
        "What is looked at: colours and noise (RGB-N), or one of them (the paper's RGB Net and Noise Net).",
        choices=("both", "rgb", "noise"),
    )
    anchor_scales: tuple[float, ...] = setting(
        (8.0, 16.0, 32.0, 64.0), "Sides of the square anchors, of 16 pixels each.", some=True, least=0.25, most=256.0
    )
    pooling_channels: int = setting(
        16_384, "Channels of the compact bilinear pooling of both streams; even.", least=2, most=1 << 20
    )
    proposals: int = setting(100, "Regions that are judged at test.", least=1, most=10_000)


@dataclasses.dataclass(frozen=True)
class Initialization(Checked):
    """Weights from elsewhere; each field's help says which."""

    resnet_weights: str = setting(
        "imagenet",
        "Initial ResNets of both streams: 'imagenet' (downloaded by Keras), a Keras .h5 without top, or 'random', for "
        "--backbone=tiny alone. The noise stream's first convolution starts at random.",
        may_change=True,
    )
    initial_weights: str = setting(
        "", "What to start from instead: an .npz of a run's weights (python -m gsr_tf.export --format=weights)."
    )
    release_checkpoint: str = setting(
        "",
        "What to start from instead: the prefix of a checkpoint of the authors' code. With --steps=0 "
        "export makes a model of it as it is.",
    )

    def __post_init__(self):
        super().__post_init__()
        check_one_of(self, "initial_weights", "release_checkpoint")


@dataclasses.dataclass(frozen=True)
class Step(Checked):
    """What a training step does; each field's help says what it is."""

    train_on: tuple[str, ...] = setting(
        ("source",),
        "Pictures to learn from: S, M (S's region pasted on T; ours), or both.",
        some=True,
        choices=PICTURES,
    )
    weight_decay: float = setting(
        1e-4, "L2 rate: this times half the sum of squares of all kernels that learn joins the loss.", least=0.0
    )


@dataclasses.dataclass(frozen=True)
class Optimization(Checked):
    """Steps, batch and rate; each field's help says what it is."""

    steps: int = setting(
        110_000, "Training steps (the paper's); 0: the run holds what it begins with.", least=0, may_change=True
    )
    batch_size: int = setting(1, "Pictures a step, over all GPUs of all machines.", least=1)
    learning_rate: float = setting(1e-3, "Learning rate of stochastic gradient descent, at first.", least=0.0)
    drop_after: int = setting(40_000, "Steps after which the rate is a tenth.", least=1)
    momentum: float = setting(0.9, "Momentum of stochastic gradient descent.", least=0.0, most=0.999)
