"""The training runs that the rows of a table need: their exports, found as they were asked for, or made."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from gsr_tf import config as config_lib
from gsr_tf.command import SOME_SKIPPED
from gsr_tf.comparators import exported
from gsr_tf.comparators.method import Method
from gsr_tf.errors import UserError
from gsr_tf.evaluation.published import TABLES, Row
from gsr_tf.formats.facts import read_beside, without_places
from gsr_tf.formats.provenance import PRETRAINED, trained_how
from gsr_tf.inference.metadata import of_another_way, read_metadata
from gsr_tf.signals import told

# A run may go on for longer, or with the same weights in another place; a number depends on both.
MATTERS = {"steps", "comparison", "patches_across", *PRETRAINED}
IGNORED = {name for kind in config_lib.KINDS.values() for name in kind.may_change()} - MATTERS
# What an export that this command makes says of itself beside its settings.
PLAIN = {"centre": 0.5, "scales": [1.0], "averaged_with": []}
HARMONIZER = "dih"  # the file of its weights, in its run's folder


class Runs(NamedTuple):
    """Where the runs of a table are, and what those are trained with that are not there.

    Attributes:
        folder: of the runs; a row's is named as its flagfile.
        training: more flags, as of --training.
        source_records: of S; None: nothing is trained.
        target_records: of T; None: nothing is trained.
    """

    folder: str
    training: Sequence[str]
    source_records: str | None
    target_records: str | None


class TrainingError(UserError):
    """There is no model of a row, or another one than was asked for."""


class TrainingFailed(TrainingError):
    """A row's training or export did not end well."""


def asked_for(flagfile: str, training: Sequence[str]) -> dict[str, Any]:
    """The settings of a flagfile and of more flags, by name.

    Raises:
        flags.Error: a flag that training does not have.
        ConfigError: settings that make no sense.
    """
    return config_lib.from_arguments([f"--flagfile={flagfile}", *(f"--{flag}" for flag in training)]).flat()


def training_of(flagfile: str, training: Sequence[str]) -> list[str]:
    """What of --training is for one run: flags for all that its method has, then those for it alone.

    Args:
        flagfile: of the run, below `flags`.
        training: NAME=VALUE each for all, or FLAGFILE:NAME=VALUE.
    """
    names, own = set(asked_for(flagfile, ())), Path(flagfile).with_suffix("").as_posix()
    split = [_split(flag) for flag in training]
    common = [flag for whose, flag in split if not whose and _names(flag) & names]
    return common + [flag for whose, flag in split if whose == own]


def stray(training: Sequence[str]) -> str | None:
    """The first flag of --training that is for no row of any table; None where there is none."""
    flagfiles = {flagfile for table in TABLES.values() for row in table.rows for flagfile in row.flagfiles}
    for given in training:
        whose, flag = _split(given)
        found = [x for x in flagfiles if whose in ("", Path(x).with_suffix("").as_posix())]
        if not any(_names(flag) & set(asked_for(x, ())) for x in found):
            return given
    return None


def _split(flag: str) -> tuple[str, str]:
    """A flag of --training: whose it is, empty for everybody's, and the flag."""
    whose, colon, rest = flag.partition(":")
    return (whose, rest) if colon and "=" not in whose else ("", flag)


def _names(flag: str) -> set[str]:
    """What the setting of a flag can be called: --nowhole_regions sets windows."""
    name = flag.partition("=")[0]
    return {name, name.removeprefix("no")}


def differences(metadata: Mapping[str, Any], asked: Mapping[str, Any]) -> list[str]:
    """What makes an export another one than was asked for; empty for nothing.

    Args:
        metadata: what the export says of itself.
        asked: settings by name; their data and cadence may be others.
    """
    if "config" not in metadata:
        return ["it does not say with which settings it was trained"]
    try:
        found = config_lib.any_from_dict(metadata["config"]).flat()
    except config_lib.ConfigError as error:
        return [str(error)]
    asked = {**without_places(dict(asked)), **PLAIN}  # of folders an export keeps only the names
    there = {**found, **{name: metadata.get(name, plain) for name, plain in PLAIN.items()}}
    there["steps"] = metadata.get("steps", found["steps"])  # done, not planned; an earlier version's says the plan
    return [
        f"{name}: {there[name]} there, {value} asked"
        for name, value in asked.items()
        if value != there[name] and name not in IGNORED
    ]


def _command(module: str, *arguments: str) -> None:
    """Runs one of our commands in a process of its own, so that each has its seeds and its memory to itself."""
    line = [sys.executable, "-m", module, *arguments]
    with _signals_passed_on() as processes:
        processes.append(subprocess.Popen(line))
        code = processes[0].wait()
    if code not in (0, SOME_SKIPPED):  # what was skipped it has named itself
        raise TrainingFailed(f"{' '.join(line[1:])} ended with exit code {code}; its last words say why")


@contextlib.contextmanager
def _signals_passed_on() -> Iterator[list[subprocess.Popen]]:
    """Within it what ends this process does so after others, which save first what they have learnt; yields their list.

    A terminal's Ctrl-C is received by all of them; all else, or what comes a second time, is passed on.
    """
    processes: list[subprocess.Popen] = []
    received: list[int] = []

    def note(number: int, _frame: Any) -> None:
        received.append(number)
        if number != signal.SIGINT or len(received) > 1:
            for process in processes:
                process.send_signal(number)

    if threading.current_thread() is not threading.main_thread():  # which alone is told of signals
        yield processes
        return
    with told(note):
        yield processes
    for number in received:
        if number != signal.SIGINT:
            sys.exit(128 + number)
    if received:
        raise KeyboardInterrupt


def export_of(row: Row, runs: Runs) -> Path:
    """Where the export of a row that needs training is, or is to be."""
    return _run(row.flagfile, runs) / "export"


def _run(flagfile: str, runs: Runs) -> Path:
    return Path(runs.folder).resolve() / Path(flagfile).with_suffix("")


def trained(row: Row, runs: Runs) -> Method:
    """The detector of a row that needs training, trained and exported if need be, not loaded; raises TrainingError."""
    more = [f"harmonizer={_harmonizer(row, runs)}"] if row.harmonizer else []
    return exported.at_need(_made(row.flagfile, more, export_of(row, runs), runs))


def _harmonizer(row: Row, runs: Runs) -> Path:
    """The weights of the harmoniser of a row, as `trained`."""
    return _made(row.harmonizer, (), _weights(row, runs), runs, "--format=weights")


def _weights(row: Row, runs: Runs) -> Path:
    return _run(row.harmonizer, runs) / f"{HARMONIZER}.npz"


def _made(flagfile: str, more: Sequence[str], export: Path, runs: Runs, *how: str) -> Path:
    """The export of a flagfile's run, trained and exported if need be.

    Args:
        flagfile: below `flags`.
        more: flags of the run beside those of --training.
        export: where it is, or is to be, in the run's folder.
        runs: all of them.
        how: more flags of the export.

    Raises:
        TrainingError: it is not there and cannot be made, or is another one than was asked for.
    """
    training = [*training_of(flagfile, runs.training), *more]
    asked, run = asked_for(flagfile, training), export.parent
    if not export.exists():
        if not (runs.source_records and runs.target_records):
            raise TrainingError(f"no {export}; give --source_records and --target_records to train it")
        records = [f"--{name}={Path(getattr(runs, name)).resolve()}" for name in ("source_records", "target_records")]
        command_line = "gsr_tf.train_comparator" if "method" in asked else "gsr_tf.train"
        _command(command_line, f"--flagfile={flagfile}", f"--run_dir={run}", *records, *(f"--{x}" for x in training))
        _command("gsr_tf.export", f"--run_dir={run}", f"--output={export}", *how)
    said = _said(export)
    if export.is_dir() and (fault := of_another_way(said)):
        raise TrainingError(f"{export}: {fault}; delete it to have its run exported anew")
    different = differences(said, asked)
    if different:
        raise TrainingError(
            f"{export} is another model than was asked for ({'; '.join(different)}); ask for its settings with "
            "--training, or give another --runs to train anew"
        )
    return export


def _said(export: Path) -> dict[str, Any]:
    """What an export says of itself: a SavedModel, or a file of weights."""
    return read_metadata(export) if export.is_dir() else read_beside(export)


def is_made(row: Row, runs: Runs) -> bool:
    """Whether all that a row that needs training consists of is there."""
    return export_of(row, runs).exists() and (not row.harmonizer or _weights(row, runs).exists())


def _harmonized_how(row: Row, runs: Runs) -> str:
    """How the harmoniser of a row came about; nothing of a row without one."""
    if not row.harmonizer:
        return ""
    return f"harmonised by flags/{row.harmonizer} {trained_how(_said(_weights(row, runs)))}, "


def origin(row: Row, runs: Runs) -> str:
    """How the model of a row that needs training, and is made, came about."""
    flagfile = " ".join([f"flags/{row.flagfile}", *training_of(row.flagfile, runs.training)])
    return f"{flagfile}, {_harmonized_how(row, runs)}{trained_how(read_metadata(export_of(row, runs)))}"
