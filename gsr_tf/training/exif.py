"""A run of EXIF-consistency: its settings, what it begins with, how it is validated, what a panel of it shows."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from gsr_tf.comparators.exif.attributes import PROCESSING, TAGS
from gsr_tf.comparators.exif.exif import EXIF, to_range
from gsr_tf.comparators.exif.module import ConsistencyModule
from gsr_tf.comparators.exif.network import build_network
from gsr_tf.comparators.exif.pairs import Pairs, pair_stream
from gsr_tf.comparators.exif.photographs import large_enough
from gsr_tf.comparators.exif.release import load_release_checkpoint
from gsr_tf.comparators.exif.settings import (
    RELEASED_TRUNK,
    Answer,
    Initialization,
    Network,
    Optimization,
    Patches,
)
from gsr_tf.comparators.exif.weights import initialize_trunk, stored_variables
from gsr_tf.data.pictures import PictureError
from gsr_tf.data.records import Records, RecordsError
from gsr_tf.errors import one_line
from gsr_tf.evaluation import items, metrics
from gsr_tf.models.keras import keras
from gsr_tf.models.weights import load_npz
from gsr_tf.settings import ConfigError, setting
from gsr_tf.training.device import Device
from gsr_tf.training.loop import Schedule
from gsr_tf.training.run_records import RunRecords
from gsr_tf.training.run_settings import ALL_RUNS, RunSettings
from gsr_tf.training.summaries import to_rgb
from gsr_tf.training.validation import Scores, Validation


@dataclasses.dataclass(frozen=True)
class EXIFRun(RunSettings):
    """The settings of one run of EXIF-consistency, room by room."""

    METHOD = "exif-sc"
    ROOMS = (
        ((Patches,), "Data", "How photographs of the records become pairs of patches."),
        ((Network,), "Network", "How large it is."),
        ((Initialization,), "Initial weights", "What a fresh run begins from."),
        ((Answer,), "Answer", "How the patches of a picture are compared, in validation and export."),
        ((Optimization,), "Optimisation", "For how long, and at which rate."),
        *ALL_RUNS,
    )
    method: str = setting("exif-sc", "What is trained.", choices=("exif-sc",))
    records: RunRecords = RunRecords()
    validation: Validation = Validation()
    preparation: Patches = Patches()
    network: Network = Network()
    initialization: Initialization = Initialization()
    answer: Answer = Answer()
    optimization: Optimization = Optimization()
    device: Device = Device()
    schedule: Schedule = Schedule()

    def __post_init__(self):
        """Checks what two rooms must agree on; each room has checked its own."""
        super().__post_init__()
        weights, trunk = self.initialization.resnet50_weights, self.network.trunk
        released = self.initialization.release_checkpoint
        if released and trunk != RELEASED_TRUNK:
            raise ConfigError(f"--release_checkpoint={released} needs --trunk={RELEASED_TRUNK}, not --trunk={trunk}")
        if weights != "random" and trunk != "resnet50" and not (released or self.initialization.initial_weights):
            raise ConfigError(
                f"--resnet50_weights={weights} fits --trunk=resnet50 alone; use --resnet50_weights=random"
            )
        if self.records.validation_targets:
            raise ConfigError(
                f"--validation_targets={self.records.validation_targets}: EXIF-consistency is validated on pictures as "
                "they are; expected none"
            )

    def build(self) -> EXIF:
        """Network and optimizer at initial random weights."""
        return EXIF(self.network, self.optimization, self.preparation.input_size)

    def initialize(self, net: EXIF) -> None:
        """Pretrained weights into a fresh net, as the settings say; raises WeightsError."""
        path = self.initialization.initial_weights
        if path:
            load_npz(self.stored(net.segmenter), path, f"--initial_weights={path}")
        elif self.initialization.release_checkpoint:
            load_release_checkpoint(net.segmenter, self.initialization.release_checkpoint)
        else:
            initialize_trunk(net.segmenter, self.initialization.resnet50_weights)

    def stream(
        self, records: Mapping[str, Records], start: int, share: tf.distribute.InputContext | None = None
    ) -> tf.data.Dataset:
        """Pairs of patches of T: of authentic photographs alone, as in the paper."""
        how = {"batch_size": self.optimization.batch_size, "start": start, "share": share}
        return pair_stream(records["--target_records"], self.preparation, **how)

    def scores(self, net: EXIF, records: Mapping[str, Records]) -> Scores | None:
        """Of the map of pictures of their own size, whichever way --comparison says."""
        if "--validation_records" not in records:
            return None
        found = held_out_items(records["--validation_records"], self.validation, self.preparation.minimum_side)
        module = self.detector(net.segmenter, self.preparation.input_size, 0.5)

        def pairs() -> Iterator[tuple[np.ndarray, np.ndarray]]:
            for picture, mask in _readable(found):
                yield module(tf.constant(picture))["probability"][..., 0].numpy(), mask

        return lambda: metrics.summarise(pairs())

    def panel(self, net: EXIF, batch: Pairs) -> dict[str, np.ndarray]:
        """{title: [b, side, side, 3] uint8}: pairs, whether they are of one photograph (white), and what is thought."""
        logits = net.segmenter([*map(to_range, (batch.one, batch.other))], training=False)
        shades = {"same": batch.same, "predicted": tf.sigmoid(logits["same"])}
        everywhere = tf.ones([1, *batch.one.shape[1:3], 1])
        even = {title: to_rgb(x[:, tf.newaxis, tf.newaxis] * everywhere) for title, x in shades.items()}
        return {"patch": batch.one.numpy(), "other": batch.other.numpy(), **even}

    def build_segmenter(self) -> keras.Model:
        """The network alone."""
        return build_network(self.network, self.preparation.input_size)

    stored = staticmethod(stored_variables)

    def detector(self, segmenter: keras.Model, size: int, centre: float) -> ConsistencyModule:
        """The network with everything around it, to be exported.

        Raises:
            ConfigError: it is to see patches of another size than it was trained on, or its map is to be moved.
        """
        if size != self.preparation.input_size:
            raise ConfigError(
                f"--size={size}: EXIF-consistency sees pictures at their own size, in patches of "
                f"{self.preparation.input_size} pixels (--input_size); expected no --size"
            )
        if centre != 0.5:
            raise ConfigError(f"--centre={centre}: the map of EXIF-consistency is no probability; expected no --centre")
        return ConsistencyModule(segmenter, size=size, answer=self.answer)

    def facts(self, segmenter: keras.Model) -> dict[str, Any]:
        """What an export says of the method beside the settings: also what it learnt from here, if anything."""
        said = {"method": self.METHOD, "minimum_side": self.preparation.minimum_side}
        if not self.optimization.steps:
            return said
        known = segmenter.known.numpy()[: len(TAGS)] > 0
        tags = [name for name, seen in zip(TAGS, known) if seen]
        processing = list(PROCESSING) if self.preparation.processing_share else []
        return {**said, "attributes": processing + tags, "learnt_from": ["--target_records"]}


def held_out_items(records: Records, settings: Validation, minimum_side: int) -> list[items.Item]:
    """What a run is validated on: pictures with masks, of their own size; what is too small is counted and named.

    Raises:
        RecordsError: all of them are too small.
    """
    with_masks = sorted(set(records.pairs[:, 0].tolist()))
    usable = set(large_enough(records, with_masks, minimum_side))
    found = [item for item, (record, _) in zip(items.from_records(records), records.pairs) if record in usable]
    if not found:
        raise RecordsError(
            f"{records.flag}={records.path}: no picture with a mask has {minimum_side} pixels on each side"
        )
    return found[: settings.validation_pictures]


def _readable(found: Sequence[items.Item]) -> Iterator[items.Sample]:
    """Those that can be decoded; the others are named."""
    for item in tqdm(found, "validation", unit="picture", leave=False):
        try:
            yield item.read()
        except PictureError as error:
            tqdm.write(one_line(f"skipped {error}"))
