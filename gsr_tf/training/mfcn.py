"""A run of MFCN: its settings, what it begins with, how it is validated, what a panel of it shows."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from gsr_tf.comparators.mfcn.edges import edge_enhanced
from gsr_tf.comparators.mfcn.mfcn import MFCN
from gsr_tf.comparators.mfcn.module import EdgeEnhancedModule
from gsr_tf.comparators.mfcn.network import NO_EDGE_THRESHOLD, STRIDE, build_network
from gsr_tf.comparators.mfcn.settings import Initialization, Network, Optimization, Step
from gsr_tf.comparators.mfcn.weights import stored_variables
from gsr_tf.data.batch import Batch
from gsr_tf.data.preparation import Preparation
from gsr_tf.data.records import Records
from gsr_tf.evaluation import metrics
from gsr_tf.inference.module import DetectorModule
from gsr_tf.models.keras import keras
from gsr_tf.models.segmenter import manipulation_probability
from gsr_tf.models.vgg16 import initialize_vgg16
from gsr_tf.models.weights import load_npz
from gsr_tf.settings import ConfigError, setting
from gsr_tf.training.device import Device
from gsr_tf.training.loop import Schedule
from gsr_tf.training.run_records import RunRecords
from gsr_tf.training.run_settings import ALL_RUNS, DATA, RETOUCHING, RunSettings
from gsr_tf.training.summaries import to_rgb
from gsr_tf.training.validation import HeldOut, Scores, Validation, validation

EDGE_THRESHOLDS = tuple(tenth / 10 for tenth in range(1, 10))  # of which a validation chooses one


@dataclasses.dataclass(frozen=True)
class MFCNRun(RunSettings):
    """The settings of one run of MFCN, room by room."""

    METHOD = "mfcn"
    ROOMS = (
        DATA,
        RETOUCHING,
        ((Network,), "Network", "How large it is."),
        ((Initialization,), "Initial weights", "What a fresh run begins from."),
        ((Step,), "Training step", "What the network learns on, and what is minimised."),
        ((Optimization,), "Optimisation", "For how long, and at which rate."),
        *ALL_RUNS,
    )
    method: str = setting("mfcn", "What is trained.", choices=("mfcn",))
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
        weights = self.initialization.vgg16_weights
        if weights != "random" and self.network.width != 1.0 and not self.initialization.initial_weights:
            raise ConfigError(f"--vgg16_weights={weights} fits --width=1 alone; use --vgg16_weights=random")

    def refuse_useless(self) -> None:
        """Raises ConfigError for settings of composites where there are none."""
        self.preparation.check_composites("pasted" in self.step.train_on, bool(self.records.validation_targets))

    @property
    def has_edges(self) -> bool:
        """Whether edges are learnt: MFCN, not SFCN."""
        return self.step.edge_weight > 0

    def build(self) -> MFCN:
        """Network and optimizer at initial random weights."""
        return MFCN(self.network, self.optimization, self.step)

    def initialize(self, net: MFCN) -> None:
        """Pretrained weights into a fresh net, as the settings say; raises WeightsError."""
        path = self.initialization.initial_weights
        if path:
            load_npz(self.stored(net.segmenter), path, f"--initial_weights={path}")
        else:
            initialize_vgg16(net.segmenter, self.initialization.vgg16_weights)

    def scores(self, net: MFCN, records: Mapping[str, Records]) -> Scores | None:
        """Of the edge-enhanced map, by the edge threshold that is chosen first; of SFCN, of the surface."""
        pictures = self.held_out(records)
        if pictures is None:
            return None
        network = net.segmenter
        if not self.has_edges:
            return validation(lambda image: manipulation_probability(network, image), pictures)
        choose = edge_threshold_chooser(network, pictures)
        score = validation(
            lambda image: edge_enhanced(*probabilities(network, image), network.edge_threshold), pictures
        )

        def scores() -> dict[str, float]:
            network.edge_threshold.assign(choose())
            return {**score(), "edge_threshold": float(network.edge_threshold.numpy())}

        return scores

    def panel(self, net: MFCN, batch: Batch) -> dict[str, np.ndarray]:
        """{title: [b, h, w, 3] uint8}: what is learnt from and what the network makes of it."""
        image, k = net.examples(batch)
        surface, edge = probabilities(net.segmenter, image)
        pictures = {"picture": image, "K": k, "surface": surface}
        if self.has_edges:
            enhanced = edge_enhanced(surface, edge, net.segmenter.edge_threshold)
            pictures = {**pictures, "edge": edge, "edge-enhanced": enhanced}
        return {title: to_rgb(x) for title, x in pictures.items()}

    def build_segmenter(self) -> keras.Model:
        """The network alone."""
        return build_network(self.network)

    stored = staticmethod(stored_variables)

    def detector(self, segmenter: keras.Model, size: int, centre: float) -> DetectorModule:
        """The network with everything around it, to be exported."""
        kind = EdgeEnhancedModule if self.has_edges else DetectorModule
        return kind(segmenter, size=size, resize_mode=self.preparation.resize_mode, centre=centre)

    def facts(self, segmenter: keras.Model) -> dict[str, Any]:
        """What an export says of the method beside the settings: its edge threshold, and what chose it."""
        edge = float(segmenter.edge_threshold.numpy())
        validated = self.records.validation_records or edge != NO_EDGE_THRESHOLD  # now, or earlier in the run
        chosen = "validation" if validated else "nothing: the default, for want of a validation"
        edges = {"edge_threshold": edge, "edge_threshold_chosen_by": chosen} if self.has_edges else {}
        return {"method": self.METHOD if self.has_edges else "sfcn", **edges, "minimum_side": STRIDE}


def probabilities(network: keras.Model, image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The probabilities of surface and edge, [b, h, w, 1] each, of pictures in network range."""
    logits = network(image, training=False)
    return tuple(tf.nn.softmax(logits[name])[..., 1:] for name in ("segmentation", "boundary"))


def edge_threshold_chooser(network: keras.Model, pictures: HeldOut) -> Callable[[], float]:
    """A function that says which of `EDGE_THRESHOLDS` gives the highest mean F1, at the best threshold of the map."""
    thresholds = tf.constant(EDGE_THRESHOLDS)[:, tf.newaxis, tf.newaxis, tf.newaxis]
    maps = tf.function(lambda image: edge_enhanced(*probabilities(network, image), thresholds), autograph=False)

    def choose() -> float:
        total = np.zeros([len(EDGE_THRESHOLDS), len(metrics.PROBABILITY_GRID)])
        for image, mask in pictures.pairs("edge threshold"):
            total += [metrics.f1(metrics.count(found, mask)) for found in maps(image)[..., 0].numpy()]
        return EDGE_THRESHOLDS[total.max(axis=1).argmax()]

    return choose
