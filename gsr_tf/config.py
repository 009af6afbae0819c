"""Every setting of a run: the union of what the rooms declare.

The flags of `python -m gsr_tf.train` are the fields of `Config`'s dataclasses, flat, those of
`python -m gsr_tf.train_comparator` those of the method's own; a run writes them beside its checkpoints, and later
commands read them from there. Defaults are the paper's, and the release's where the paper is
silent; where ours are neither, the setting's help says so. flags/release.cfg is the release throughout.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from absl import flags

from gsr_tf import settings
from gsr_tf.command import refuse_nothing
from gsr_tf.comparators.dih.weights import load_harmonizer
from gsr_tf.data.preparation import Preparation
from gsr_tf.data.records import Records
from gsr_tf.flag_help import Group
from gsr_tf.flagfiles import expanded
from gsr_tf.inference.module import DetectorModule
from gsr_tf.models.gsr_net import GSRNet
from gsr_tf.models.keras import keras
from gsr_tf.models.losses import Losses
from gsr_tf.models.networks import Networks
from gsr_tf.models.optimizers import Optimization
from gsr_tf.models.segmenter import build_segmenter, manipulation_probability
from gsr_tf.models.step import Step
from gsr_tf.settings import ConfigError
from gsr_tf.training.device import Device
from gsr_tf.training.dih import DIHRun
from gsr_tf.training.exif import EXIFRun
from gsr_tf.training.initialization import Initialization, initialize, load_teachers
from gsr_tf.training.loop import Schedule
from gsr_tf.training.mfcn import MFCNRun
from gsr_tf.training.rgbn import RGBNRun
from gsr_tf.training.run_records import RunRecords
from gsr_tf.training.run_settings import ALL_RUNS, DATA, RETOUCHING, RunSettings, stored
from gsr_tf.training.summaries import panel_pictures
from gsr_tf.training.validation import Scores, Validation, validation

NEEDED = ("source_records", "target_records")


@dataclasses.dataclass(frozen=True)
class Config(RunSettings):
    """The settings of one run of GSR-Net, room by room."""

    REMOVED = {"blend": 0.0, "vgg16_fc": False}
    ROOMS = (
        DATA,
        RETOUCHING,
        ((Networks,), "Networks", "How large they are, and of which parts."),
        ((Initialization,), "Initial weights", "What a fresh run begins from."),
        ((Step,), "Training step", "What the networks learn on, and in which order they are updated."),
        ((Losses,), "Losses", "What is minimised, and how its terms weigh."),
        ((Optimization,), "Optimisation", "For how long, and at which rates."),
        *ALL_RUNS,
    )
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
        self.preparation.check_source("source" in self.step.segment_on)
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
        if bool(self.initialization.harmonizer) != self.step.harmonizes:
            raise ConfigError(
                f"--harmonizer={self.initialization.harmonizer} and --segment_on={','.join(self.step.segment_on)}: "
                "give both (weights of DIH, and 'harmonized' among the pictures) or neither"
            )
        if bool(self.initialization.teachers) != bool(self.step.teachers_share and self.step.segment_on):
            raise ConfigError(
                f"--teachers={','.join(self.initialization.teachers)} and --teachers_share={self.step.teachers_share}, "
                f"--segment_on={','.join(self.step.segment_on)}: teachers need a share above 0 and a segmenter that "
                "learns, and the share needs teachers"
            )
        if self.step.refined and not self.networks.boundary_branch:
            raise ConfigError(
                "--refine_steps needs the boundary it predicts: set --boundary_branch or --refine_steps=0"
            )
        if self.step.jit_compile and self.device.deterministic:
            raise ConfigError(
                "--jit_compile and --deterministic: XLA has no deterministic gradient of max pooling; give one of them"
            )
        weights = self.initialization.vgg16_weights
        given = self.initialization.initial_weights or self.initialization.release_checkpoint
        if weights != "random" and self.networks.width != 1.0 and not given:
            raise ConfigError(f"--vgg16_weights={weights} fits --width=1 alone; use --vgg16_weights=random")

    def refuse_useless(self) -> None:
        """Raises ConfigError for settings of composites, or of a segmenter, where there are none."""
        self.preparation.check_composites(self.step.segment_on != ("source",), bool(self.records.validation_targets))
        if self.initialization.initial_weights and not self.step.segment_on:
            raise ConfigError(
                f"--initial_weights={self.initialization.initial_weights} is of no use with --segment_on empty: no "
                "segmenter learns"
            )

    @property
    def with_original(self) -> bool:
        """Whether S's own authentic picture is needed: to refine S, as the release does."""
        return "source" in self.step.refined

    @property
    def half_pixel(self) -> bool:
        """Resize convention of the networks."""
        return self.networks.half_pixel

    def build(self) -> GSRNet:
        """The three networks of a run at their initial random weights; inside a strategy's scope, on its replicas.

        Raises:
            WeightsError: no such harmoniser or teacher.
        """
        path = self.initialization.harmonizer
        harmonizer = load_harmonizer(path) if path else None
        teachers = load_teachers(self.initialization, self.networks)
        return GSRNet(self.networks, self.losses, self.optimization, self.step, harmonizer, teachers)

    def initialize(self, net: GSRNet) -> None:
        """Pretrained weights into a fresh net, as the settings say."""
        initialize(net, self.initialization)

    def scores(self, net: GSRNet, records: Mapping[str, Records]) -> Scores | None:
        """Of the segmenter, where there are pictures to score it on."""
        pictures = self.held_out(records)
        return pictures and validation(lambda image: manipulation_probability(net.segmenter, image), pictures)

    panel = staticmethod(panel_pictures)

    def next_command(self, run_dir: Path) -> str:
        """An export; or where a generator alone was trained, a run that begins with it."""
        if self.step.segment_on:
            return super().next_command(run_dir)
        return f"python -m gsr_tf.train --initial_generator={run_dir} ..."

    def way_back(self, run_dir: Path) -> str:
        """Weights of the segmenter; or where a generator alone was trained, that."""
        return super().way_back(run_dir) if self.step.segment_on else f"--initial_generator={run_dir}"

    def build_segmenter(self) -> keras.Model:
        """The segmenter alone; raises ConfigError where none was trained."""
        if not self.step.segment_on:
            raise ConfigError(
                "this run has trained no segmenter, since its --segment_on is empty: what it would mark is random. Its "
                "generator is for --initial_generator of another run"
            )
        return build_segmenter(self.networks)

    def detector(self, segmenter: keras.Model, size: int, centre: float) -> DetectorModule:
        """The segmenter with everything around it, to be exported."""
        return DetectorModule(segmenter, size=size, resize_mode=self.preparation.resize_mode, centre=centre)

    def facts(self, segmenter: keras.Model) -> dict[str, Any]:
        """The arguments of `build_segmenter`."""
        return {"segmenter": dataclasses.asdict(self.networks)}


KINDS: dict[str, type[RunSettings]] = {kind.METHOD: kind for kind in (Config, MFCNRun, RGBNRun, EXIFRun, DIHRun)}


def define_flags(values: flags.FlagValues, kind: type[RunSettings] = Config) -> None:
    """One absl flag a setting."""
    settings.define_flags(kind, values)


def groups(kind: type[RunSettings] = Config) -> list[Group]:
    """The flags of a command that trains, as --help shows them: --run_dir, and the settings."""
    of_the_method = ((kind,), "Method", "What is trained.")
    return [
        Group("Needed", "Where the run is kept, and what it learns from.", ("run_dir", *NEEDED)),
        *(
            Group(title, about, names)
            for rooms, title, about in (of_the_method, *kind.ROOMS)
            if (names := [name for room in rooms for name in _own(room)])
        ),
    ]


def _own(room: type) -> list[str]:
    """The settings of a room, less those of the rooms within, and those that every run needs."""
    fields = dataclasses.fields(room)
    return [field.name for field in fields if not dataclasses.is_dataclass(field.default) and field.name not in NEEDED]


def from_flags(values: flags.FlagValues, kind: type[RunSettings] = Config) -> RunSettings:
    """The settings of a parsed command line; raises ConfigError."""
    return kind.from_dict({name: getattr(values, name) for name in kind.names()})


def from_dict(values: Mapping[str, Any]) -> Config:
    """A Config from plain values by name; raises ConfigError for unknown names."""
    return Config.from_dict(values)


def from_arguments(arguments: Sequence[str]) -> RunSettings:
    """The settings that a command line means, --flagfile and all, of the method that its --method names.

    Raises:
        flags.Error: a flag that training does not have.
        ConfigError: settings that make no sense, or no such method.
    """
    given = expanded(arguments)
    kind, values = kind_of(given), flags.FlagValues()
    define_flags(values, kind)
    values(["gsr_tf", *given])
    return from_flags(values, kind)


def kind_of(arguments: Sequence[str], default: str = Config.METHOD) -> type[RunSettings]:
    """The settings of the method that --method names among arguments whose flagfiles are expanded, the last one."""
    values = flags.FlagValues()
    flags.DEFINE_string("method", default, "", flag_values=values)
    values.set_gnu_getopt()  # it may stand behind words that are values of the flags that are not known here
    values(["gsr_tf", *arguments], known_only=True)
    refuse_nothing(values)
    return _kind(values.method)


def from_flagfile(path: str | os.PathLike, **changes: Any) -> RunSettings:
    """The settings that a flagfile starts, with changes; for code that has no command line of its own."""
    return from_arguments([f"--flagfile={path}"]).changed(**changes)


def load(run_dir: str | os.PathLike) -> Config:
    """The Config that a run of GSR-Net wrote down; raises ConfigError when there is none."""
    return stored(run_dir, "--run_dir", from_dict)


def load_any(run_dir: str | os.PathLike) -> RunSettings:
    """The settings that a run of any method wrote down; raises ConfigError when there are none."""
    return stored(run_dir, "--run_dir", any_from_dict)


def any_from_dict(values: Mapping[str, Any]) -> RunSettings:
    """Settings of any method from plain values by name; raises ConfigError for unknown names."""
    return _kind(values.get("method", "")).from_dict(values)


def _kind(method: str) -> type[RunSettings]:
    if method not in KINDS:
        raise ConfigError(f"--method={method}: expected one of {', '.join(filter(None, KINDS))}")
    return KINDS[method]
