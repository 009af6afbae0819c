"""The settings of EXIF-consistency that are its own."""

from __future__ import annotations

import dataclasses

from gsr_tf.settings import Checked, check_one_of, setting

MARGIN = 1  # pixels by which a picture must be larger than a patch
RELEASED_TRUNK = "resnet50-slim"  # the authors'


@dataclasses.dataclass(frozen=True)
class Patches(Checked):
    """How photographs become pairs of patches; each field's help says what it is."""

    input_size: int = setting(128, "Side of a patch, pixels (paper).", least=16)
    processing_share: float = setting(
        0.5,
        "Share of pairs in which a patch is resized; as many, independently, are blurred, and compressed again as "
        "JPEG. Half of these have it in common. 0: nothing of the kind.",
        least=0.0,
        most=1.0,
    )
    cache_gib: float = setting(
        2.0, "Memory for decoded photographs, GiB: what fits is decoded once.", least=0.0, most=2**20, may_change=True
    )
    seed: int = setting(0, "Random seed of the pairs and of initial weights.", least=0, most=2**32 - 1)

    @property
    def minimum_side(self) -> int:
        """Smallest height and width of a picture, pixels."""
        return self.input_size + MARGIN


@dataclasses.dataclass(frozen=True)
class Network(Checked):
    """How the network is built; each field's help says what it is."""

    trunk: str = setting(
        "resnet50",
        "resnet50 (paper: ResNet-50 v2), as Keras pads it; resnet50-slim, as the authors do, for --release_checkpoint; "
        "or tiny: three convolutions, for trials.",
        choices=("resnet50", RELEASED_TRUNK, "tiny"),
    )
    feature_channels: int = setting(4096, "Numbers that a patch becomes (paper).", least=1)
    fc_channels: tuple[int, ...] = setting(
        (4096, 2048, 1024),
        "Channels of the layers from two patches' numbers to the attributes (paper).",
        some=True,
        least=1,
    )
    same_channels: int = setting(512, "Channels of the layer from the attributes to 'one photograph' (paper).", least=1)


@dataclasses.dataclass(frozen=True)
class Initialization(Checked):
    """Weights from elsewhere; each field's help says which."""

    resnet50_weights: str = setting(
        "imagenet",
        "Initial trunk: 'imagenet' (ResNet50V2, downloaded by Keras), its .h5 without the top, or 'random'. Only with "
        "--trunk=resnet50.",
        may_change=True,
    )
    initial_weights: str = setting(
        "", "What to start from instead: an .npz of a run's weights (python -m gsr_tf.export --format=weights)."
    )
    release_checkpoint: str = setting(
        "",
        "What to start from instead: the prefix of the authors' checkpoint. Only with --trunk=resnet50-slim; with "
        "--steps=0 export makes a model of it as it is.",
    )

    def __post_init__(self):
        super().__post_init__()
        check_one_of(self, "initial_weights", "release_checkpoint")


@dataclasses.dataclass(frozen=True)
class Answer(Checked):
    """How patches of a picture are compared; it is for validation and export, and training does not depend on it."""

    comparison: str = setting(
        "dense",
        "dense (paper): all patches with all, then mean shift. sparse: nine patches with all, then what most of them "
        "agree on; about as fast as the trunk.",
        choices=("dense", "sparse"),
        may_change=True,
    )
    patches_across: int = setting(
        30,
        "With dense, the stride is the room of a patch along the longer side, divided by this (the release's number; "
        "paper: 25).",
        least=1,
        may_change=True,
    )


@dataclasses.dataclass(frozen=True)
class Optimization(Checked):
    """Steps, batch and rate; each field's help says what it is."""

    steps: int = setting(
        1_000_000, "Training steps (paper); 0: the run holds what it begins with.", least=0, may_change=True
    )
    batch_size: int = setting(128, "Pairs of patches a step, over all GPUs of all machines (paper).", least=1)
    learning_rate: float = setting(1e-4, "Adam's; fixed (paper).", least=0.0)
