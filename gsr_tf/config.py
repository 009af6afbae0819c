"""Every setting of a run: the union of what the rooms declare.

The flags of `python -m gsr_tf.train` are the fields of `Config`'s dataclasses, flat; a run writes them beside its
checkpoints, and later commands read them from there. Defaults are the paper's, and the release's where the paper is
silent; where ours are neither, the setting's help says so. flags/release.cfg is the release throughout.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from absl import flags

from gsr_tf import settings
from gsr_tf.data.pictures import write_atomically
from gsr_tf.data.preparation import Preparation
from gsr_tf.flagfiles import expanded
from gsr_tf.models.gsr_net import GSRNet, Step
from gsr_tf.models.losses import Losses
from gsr_tf.models.networks import Networks
from gsr_tf.models.optimizers import Optimization
from gsr_tf.settings import ConfigError
from gsr_tf.training.device import Device
from gsr_tf.training.initialization import Initialization
from gsr_tf.training.loop import Schedule
from gsr_tf.training.run_records import RunRecords
from gsr_tf.training.validation import Validation

CONFIG_NAME = "config.json"
# Settings of earlier versions, and the only value with which this version does what they did.
REMOVED = {"blend": 0.0, "vgg16_fc": False}


@dataclasses.dataclass(frozen=True)
class Config:
    """The settings of one run, room by room."""

    records: RunRecords = RunRecords()
    validation: Validation = Validation()
    preparation: Preparation = Preparation()
    networks: Networks = Networks()
    initialization: Initialization = Initialization()
    step: Step = Step()
    losses: Losses = Losses()
    optimization: Optimization = Optimization()
    device: Device = Device()
    schedule: Schedule = Schedule()

    def __post_init__(self):
        """Checks what two rooms must agree on; each room has checked its own."""
        if not self.step.segment_on and self.records.validation_records:
            raise ConfigError(
                f"--validation_records={self.records.validation_records}: with --segment_on empty no segmenter learns "
                "that could be scored"
            )
        if self.initialization.initial_generator and not self.step.generates:
            raise ConfigError(
                f"--initial_generator={self.initialization.initial_generator} is of no use without 'generated' in "
                "--segment_on"
            )
        if self.step.refined and not self.networks.boundary_branch:
            raise ConfigError(
                "--refine_steps needs the boundary it predicts: set --boundary_branch or --refine_steps=0"
            )
        weights = self.initialization.vgg16_weights
        if weights != "random" and self.networks.width != 1.0 and not self.initialization.release_checkpoint:
            raise ConfigError(f"--vgg16_weights={weights} fits --width=1 alone; use --vgg16_weights=random")

    @property
    def with_original(self) -> bool:
        """Whether S's own authentic picture is needed: to refine S, as the release does."""
        return "source" in self.step.refined

    def flat(self) -> dict[str, Any]:
        """{name: value} of all settings."""
        return settings.flat(self)

    def changed(self, **changes: Any) -> Config:
        """The same with other values of some settings, by name; raises ConfigError."""
        return from_dict({**self.flat(), **changes})

    def build(self) -> GSRNet:
        """The networks of a run at their initial random weights; inside a strategy's scope, on its replicas."""
        return GSRNet(self.networks, self.losses, self.optimization, self.step)

    def write(self, run_dir: Path) -> None:
        """Writes the settings into a run's folder, which is this run's from then on."""
        write_atomically(run_dir / CONFIG_NAME, (json.dumps(self.flat(), indent=2) + "\n").encode())


NAMES = [field.name for field in settings.leaves(Config)]
MAY_CHANGE = {field.name for field in settings.leaves(Config) if field.metadata.get("may_change")}


def define_flags(values: flags.FlagValues) -> None:
    """One absl flag a setting."""
    settings.define_flags(Config, values)


def from_flags(values: flags.FlagValues) -> Config:
    """The Config of a parsed command line; raises ConfigError."""
    return from_dict({name: getattr(values, name) for name in NAMES})


def from_dict(values: Mapping[str, Any]) -> Config:
    """A Config from plain values by name; raises ConfigError for unknown names."""
    unknown = sorted(set(values) - set(NAMES) - set(REMOVED))
    if unknown:
        raise ConfigError(f"unknown settings: {', '.join(unknown)}; written by another version?")
    for name, neutral in REMOVED.items():
        if values.get(name, neutral) != neutral:
            raise ConfigError(f"--{name}={values[name]}: this version has no such setting; an earlier one had")
    return settings.from_flat(Config, values)


def from_flagfile(path: str | os.PathLike, **changes: Any) -> Config:
    """The Config that a flagfile starts, with changes; for code that has no command line of its own."""
    values = flags.FlagValues()
    define_flags(values)
    values(["gsr_tf", *expanded([f"--flagfile={path}"])])
    return from_flags(values).changed(**changes)


def load(run_dir: str | os.PathLike, flag: str = "--run_dir") -> Config:
    """The Config that a run wrote down; raises ConfigError when there is none."""
    path = Path(run_dir) / CONFIG_NAME
    try:
        return from_dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise ConfigError(f"{flag}={run_dir}: no {CONFIG_NAME} there, so it is not a training run's folder") from None
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{path}: damaged or of another version ({error})") from error


def check_same(run_dir: Path, config: Config) -> None:
    """Checks that a folder is new, or of a run of these settings.

    Raises:
        ConfigError: the folder holds a run of other settings, or is damaged.
    """
    if run_dir.exists() and not run_dir.is_dir():
        raise ConfigError(f"--run_dir={run_dir}: a file; expected a folder, or a new name")
    if not (run_dir / CONFIG_NAME).exists():
        return
    earlier, now = load(run_dir).flat(), config.flat()
    changed = [name for name in NAMES if now[name] != earlier[name] and name not in MAY_CHANGE]
    if changed:
        lines = [f"  --{name}: {earlier[name]} there, {now[name]} now" for name in changed]
        raise ConfigError(
            f"--run_dir={run_dir} holds a run of other settings:\n" + "\n".join(lines) + "\n"
            "Use its settings to go on with it, or another --run_dir to start a new run"
        )
