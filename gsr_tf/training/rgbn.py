"""A run of RGB-N: its settings, what it begins with, how it is validated, what a panel of it shows."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from gsr_tf.comparators.rgbn import anchors
from gsr_tf.comparators.rgbn.module import BoxModule, score_map
from gsr_tf.comparators.rgbn.network import TwoStreamNetwork
from gsr_tf.comparators.rgbn.release import load_release_checkpoint
from gsr_tf.comparators.rgbn.rgbn import RGBN
from gsr_tf.comparators.rgbn.settings import Initialization, Network, Optimization, Step
from gsr_tf.comparators.rgbn.weights import initialize_resnet, stored_variables
from gsr_tf.data.batch import Batch
from gsr_tf.data.preparation import Preparation
from gsr_tf.data.records import Records
from gsr_tf.inference.module import DetectorModule
from gsr_tf.models.keras import keras
from gsr_tf.models.weights import load_npz
from gsr_tf.settings import ConfigError, setting
from gsr_tf.training.device import Device
from gsr_tf.training.loop import Schedule
from gsr_tf.training.run_records import RunRecords
from gsr_tf.training.run_settings import ALL_RUNS, DATA, RETOUCHING, RunSettings
from gsr_tf.training.summaries import to_rgb
from gsr_tf.training.validation import Scores, Validation, validation


@dataclasses.dataclass(frozen=True)
class RGBNRun(RunSettings):
    """The settings of one run of RGB-N, room by room."""

    METHOD = "rgbn"
    ROOMS = (
        DATA,
        RETOUCHING,
        ((Network,), "Network", "What it looks at, and how large it is."),
        ((Initialization,), "Initial weights", "What a fresh run begins from."),
        ((Step,), "Training step", "What the network learns on, and what is minimised."),
        ((Optimization,), "Optimisation", "For how long, and at which rates."),
        *ALL_RUNS,
    )
    method: str = setting("rgbn", "What is trained.", choices=("rgbn",))
    records: RunRecords = RunRecords()
    validation: Validation = Validation()
    preparation: Preparation = Preparation()
    network: Network = Network()
    initialization: Initialization = Initialization()
    step: Step = Step()
    optimization: Optimization = Optimization()
    device: Device = Device()
    schedule: Schedule = Schedule()

    def __post_init__(self):
        """Checks what two rooms must agree on; each room has checked its own."""
        super().__post_init__()
        self.preparation.check_source("source" in self.step.train_on)
        weights, backbone = self.initialization.resnet_weights, self.network.backbone
        released = self.initialization.release_checkpoint
        if released and (backbone == "tiny" or self.network.streams != "both"):
            raise ConfigError(
                f"--release_checkpoint={released} does not go with --backbone={backbone} "
                f"--streams={self.network.streams}: it holds two ResNets; expected --backbone=resnet101 --streams=both"
            )
        if (weights == "random") != (backbone == "tiny") and not (released or self.initialization.initial_weights):
            raise ConfigError(
                f"--resnet_weights={weights} does not go with --backbone={backbone}: a ResNet's normalisation is "
                "frozen, so it needs weights; of 'tiny' there are none, so it takes --resnet_weights=random"
            )
        scales, size = self.network.anchor_scales, self.preparation.input_size
        smallest = self._smallest_anchor()
        if smallest > size - anchors.STRIDE:
            raise ConfigError(
                f"--anchor_scales={','.join(f'{scale:g}' for scale in scales)}: the smallest anchor, {smallest:g} "
                f"pixels, would hardly lie within a picture of --input_size={size}; choose smaller ones"
            )

    def refuse_useless(self) -> None:
        """Raises ConfigError for settings of composites where there are none."""
        self.preparation.check_composites("pasted" in self.step.train_on, bool(self.records.validation_targets))

    def _smallest_anchor(self) -> float:
        """The longest side of the smallest anchor of all."""
        found = anchors.at_origin(self.network.anchor_scales)
        return float((found[:, 2:] - found[:, :2]).max(axis=1).min())

    def build(self) -> RGBN:
        """Network and optimizer at initial random weights."""
        return RGBN(self.network, self.optimization, self.step)

    def initialize(self, net: RGBN) -> None:
        """Pretrained weights into a fresh net, as the settings say; raises WeightsError."""
        path = self.initialization.initial_weights
        if path:
            load_npz(self.stored(net.segmenter), path, f"--initial_weights={path}")
        elif self.initialization.release_checkpoint:
            load_release_checkpoint(net.segmenter, self.network.backbone, self.initialization.release_checkpoint)
        else:
            initialize_resnet(net.segmenter, self.network.backbone, self.initialization.resnet_weights)

    def scores(self, net: RGBN, records: Mapping[str, Records]) -> Scores | None:
        """Of the boxes' map."""
        pictures = self.held_out(records)
        return pictures and validation(lambda image: found_map(net.segmenter, image), pictures)

    def panel(self, net: RGBN, batch: Batch) -> dict[str, np.ndarray]:
        """{title: [b, h, w, 3] uint8}: what is learnt from and what the network makes of it."""
        image, k = net.examples(batch)
        maps = tf.concat([found_map(net.segmenter, image[i : i + 1]) for i in range(len(image))], 0)
        return {title: to_rgb(x) for title, x in {"picture": image, "K": k, "boxes": maps}.items()}

    def build_segmenter(self) -> keras.Model:
        """The network alone."""
        return TwoStreamNetwork(self.network)

    stored = staticmethod(stored_variables)

    def detector(self, segmenter: keras.Model, size: int, centre: float) -> DetectorModule:
        """The network with everything around it, to be exported."""
        return BoxModule(segmenter, size=size, resize_mode=self.preparation.resize_mode, centre=centre)

    def facts(self, segmenter: keras.Model) -> dict[str, Any]:
        """What an export says of the method beside the settings."""
        return {"method": self.METHOD, "minimum_side": anchors.STRIDE}


def found_map(network: keras.Model, image: tf.Tensor) -> tf.Tensor:
    """[1, h, w, 3] in network range -> the map of what is found in it, [1, h, w, 1] in [0, 1]."""
    return score_map(network(image, training=False), tf.shape(image)[1:3])
