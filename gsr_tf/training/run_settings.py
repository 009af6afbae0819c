"""What the settings of any run can do: as flags, as JSON in the run's folder, and as what is trained.

A run's settings are a frozen dataclass of rooms. GSR-Net's is `gsr_tf.config.Config`; another method has its own, which
shares the rooms that are named here.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
import tensorflow as tf

from gsr_tf import settings
from gsr_tf.data.augment.recolouring import Recolouring
from gsr_tf.data.augment.retouching import Retouching
from gsr_tf.data.batch import Batch
from gsr_tf.data.pipeline import training_stream
from gsr_tf.data.preparation import Preparation
from gsr_tf.data.records import Records
from gsr_tf.data.writing import write_atomically
from gsr_tf.models.keras import keras
from gsr_tf.models.weights import named_variables
from gsr_tf.settings import Checked, ConfigError
from gsr_tf.training.device import Device
from gsr_tf.training.loop import Schedule
from gsr_tf.training.run_records import RunRecords
from gsr_tf.training.trained import Trained
from gsr_tf.training.validation import HeldOut, Scores, Validation, held_out

CONFIG_NAME = "config.json"
Run = TypeVar("Run", bound="RunSettings")
# Rooms, title and a line on what they decide, as `RunSettings.ROOMS` has them.
DATA = ((Preparation,), "Data", "How pictures of the records become examples: sizes, windows, what is pasted where.")
RETOUCHING = ((Retouching,), "Retouching", "What is done against the traces of pasting; in the paper nothing.")
ALL_RUNS = (
    ((Schedule,), "Schedule", "What happens beside the steps, and how often."),
    ((RunRecords, Validation), "Validation", "What the run is scored on as it goes; the best checkpoint is kept."),
    ((Device,), "Device", "What computes, and how exactly."),
)


class RunSettings(Checked):
    """The settings of one run, room by room; these are the rooms of every run.

    Attributes:
        optimization: its own, of which a run asks `steps` and `batch_size`.
        with_original: whether S's own authentic picture is needed.
        half_pixel: resize convention of its networks (`image_ops.resize`).
        recolouring: what M is in its data; None: S pasted on T.
        export_flags: of the command that makes something of it.
    """

    DETECTS: ClassVar[bool] = True  # whether there is a segmenter, of which an export makes a detector
    METHOD: ClassVar[str] = ""  # the value of --method in config.json; GSR-Net's has none
    # Settings of earlier versions, and the only value with which this version does what they did.
    REMOVED: ClassVar[Mapping[str, Any]] = {}
    # What --help says before the settings of each room, in the order in which one thinks of them.
    ROOMS: ClassVar[tuple[tuple[tuple[type, ...], str, str], ...]]
    records: RunRecords
    validation: Validation
    preparation: Preparation
    device: Device
    schedule: Schedule
    optimization: Any
    with_original = False
    half_pixel = True
    recolouring: Recolouring | None = None
    export_flags = "--output=MODEL"

    def refuse_useless(self) -> None:
        """Raises ConfigError for settings that change nothing; asked of what begins, for earlier versions took them."""

    def next_command(self, run_dir: Path) -> str:
        """What makes something of the finished run in a folder."""
        return f"python -m gsr_tf.export --run_dir={run_dir} {self.export_flags}"

    def way_back(self, run_dir: Path) -> str:
        """With what another run begins where a checkpoint of the run in a folder is."""
        return "--initial_weights of an earlier checkpoint (python -m gsr_tf.export --format=weights)"

    def build(self) -> Trained:
        """What is trained, at its initial random weights; inside a strategy's scope, on its replicas."""
        raise NotImplementedError

    def initialize(self, net: Trained) -> None:
        """Weights from elsewhere into a fresh net; raises WeightsError, CheckpointError."""
        raise NotImplementedError

    def stream(
        self, records: Mapping[str, Records], start: int, share: tf.distribute.InputContext | None = None
    ) -> tf.data.Dataset:
        """Batches without end, from step `start`: of `Batch`, or of what else the step takes; raises RecordsError.

        Args:
            records: by their flags.
            start: the training steps already done.
            share: which worker this is; see `training_stream`.
        """
        return training_stream(
            records["--source_records"],
            records["--target_records"],
            self.preparation,
            batch_size=self.optimization.batch_size,
            start=start,
            with_original=self.with_original,
            half_pixel=self.half_pixel,
            recolouring=self.recolouring,
            share=share,
        )

    def held_out(self, records: Mapping[str, Records]) -> HeldOut | None:
        """What `scores` are measured on: pictures as those of `stream`; None without such records."""
        how = {"half_pixel": self.half_pixel, "recolouring": self.recolouring}
        return held_out(records, self.preparation, self.validation, **how)

    def scores(self, net: Trained, records: Mapping[str, Records]) -> Scores | None:
        """A function that scores the net on held-out pictures; None without such records."""
        raise NotImplementedError

    def panel(self, net: Trained, batch: Batch) -> dict[str, np.ndarray]:
        """{title: [b, h, w, 3] uint8}: what the net makes of a batch, to be looked at."""
        raise NotImplementedError

    def build_segmenter(self) -> keras.Model:
        """The network that answers, alone: what an export restores."""
        raise NotImplementedError

    def detector(self, segmenter: keras.Model, size: int, centre: float) -> tf.Module:
        """The segmenter with everything around it, to be exported; arguments as `DetectorModule`'s."""
        raise NotImplementedError

    def stored(self, network: keras.Model) -> dict[str, tf.Variable]:
        """What an .npz of the network's weights holds, by canonical name."""
        return named_variables(network)

    def facts(self, segmenter: keras.Model) -> dict[str, Any]:
        """What an export says of the network beside the settings."""
        raise NotImplementedError

    @classmethod
    def names(cls) -> list[str]:
        """Of all settings, in order."""
        return [field.name for field in settings.leaves(cls)]

    @classmethod
    def may_change(cls) -> set[str]:
        """The names of those that may be others when a run goes on."""
        return {field.name for field in settings.leaves(cls) if field.metadata.get("may_change")}

    @classmethod
    def from_dict(cls: type[Run], values: Mapping[str, Any]) -> Run:
        """Settings from plain values by name; raises ConfigError for unknown names."""
        method = values.get("method", cls.METHOD)
        if method != cls.METHOD:
            raise ConfigError(f"settings of --method={method}, expected those of {cls.METHOD or 'GSR-Net'}")
        unknown = sorted(set(values) - set(cls.names()) - set(cls.REMOVED))
        if unknown:
            raise ConfigError(f"unknown settings: {', '.join(unknown)}; written by another version?")
        for name, neutral in cls.REMOVED.items():
            if values.get(name, neutral) != neutral:
                raise ConfigError(f"--{name}={values[name]}: this version has no such setting; an earlier one had")
        return settings.from_flat(cls, values)

    def flat(self) -> dict[str, Any]:
        """{name: value} of all settings."""
        return settings.flat(self)

    def as_flags(self) -> list[str]:
        """The flags that make the same settings: those that are no defaults."""
        defaults = type(self)().flat()
        return [
            f"--{name}={','.join(map(str, value)) if isinstance(value, tuple) else value}"
            for name, value in self.flat().items()
            if value != defaults[name]
        ]

    def changed(self: Run, **changes: Any) -> Run:
        """The same with other values of some settings, by name; raises ConfigError."""
        return self.from_dict({**self.flat(), **changes})

    def write(self, run_dir: Path) -> None:
        """Writes the settings into a run's folder, which is this run's from then on."""
        write_atomically(run_dir / CONFIG_NAME, (json.dumps(self.flat(), indent=2) + "\n").encode())


def stored(run_dir: str | os.PathLike, flag: str, read: Callable[[Mapping[str, Any]], Run]) -> Run:
    """The settings that a run wrote down.

    Args:
        run_dir: its folder.
        flag: what gave the folder, for errors.
        read: makes settings of values by name.

    Raises:
        ConfigError: there are none, or they are damaged.
    """
    path = Path(run_dir) / CONFIG_NAME
    try:
        return read(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise ConfigError(f"{flag}={run_dir}: no {CONFIG_NAME} there, so it is not a training run's folder") from None
    except (ValueError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path}: damaged or of another version ({error})") from error


def check_same(run_dir: Path, config: RunSettings) -> None:
    """Checks that a folder is new, or of a run of these settings.

    Raises:
        ConfigError: the folder holds a run of other settings, or is damaged; or it is new, and some change nothing.
    """
    if run_dir.exists() and not run_dir.is_dir():
        raise ConfigError(f"--run_dir={run_dir}: a file; expected a folder, or a new name")
    if not (run_dir / CONFIG_NAME).exists():
        config.refuse_useless()
        return
    earlier, now = stored(run_dir, "--run_dir", config.from_dict).flat(), config.flat()
    free = config.may_change()
    if now.get("learning_rate_schedule") == "cosine" and now["steps"]:
        free -= {"steps"}  # the way of the rate depends on them
    changed = [name for name in now if now[name] != earlier[name] and name not in free]
    if changed:
        differ = [f"--{name}: {earlier[name]} there, {now[name]} now" for name in changed]
        raise ConfigError(
            f"--run_dir={run_dir} holds a run of other settings: {'; '.join(differ)}; use its settings to go on with "
            "it, or another --run_dir to start a new run"
        )
