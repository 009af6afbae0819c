r"""Makes the paper's tables, with our numbers beside its own.

    python -m gsr_tf.tables --table=2 --output=results --runs=runs \
        --records=CASIA=records/casia1,COVER=records/cover \
        --source_records=records/casia2 --target_records=records/coco

Rows that need training are trained from their flagfiles (flags/table2/*.cfg, flags/table3/*.cfg, and
flags/comparators/*.cfg for other methods), exported and evaluated. The row DL + DIH needs two runs: DIH, which
harmonises, is trained first, with what it has of --training. A run that is there already goes on where it stopped. An
exported one is used if it was trained with the settings that are asked for, those of its flagfile and of --training; if
not, its cells say what differs. A note below the table says when rows were trained on different records.
Without --source_records and --target_records nothing is trained: rows without an exported run say so. Cells that are
done are not done again, so the same command goes on after an interruption. Rows that --rows leaves out show what was
found of them before in --output, if all that it depends on is still the same.

The exit code is 1 when a training failed, and 3 when a cell that was asked for was not run or lacks pictures.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from absl import flags

from gsr_tf import command
from gsr_tf import config as config_lib
from gsr_tf.command import SOME_SKIPPED
from gsr_tf.comparators import exported, methods
from gsr_tf.comparators.method import Method
from gsr_tf.data.records import RecordsError, open_records
from gsr_tf.errors import UserError
from gsr_tf.evaluation import attacks, items, layout, outputs, protocols, study
from gsr_tf.evaluation.layout import NOT_RUN, Cell
from gsr_tf.evaluation.published import DATA_SETS, TABLES, Row
from gsr_tf.evaluation.study import DataSet
from gsr_tf.formats.facts import read_beside, without_places
from gsr_tf.formats.provenance import PRETRAINED, data_notes, fingerprints, trained_how
from gsr_tf.inference.device import choose
from gsr_tf.inference.postprocessing import POSTPROCESSING
from gsr_tf.inference.saved_model import read_metadata

# All are evaluated, so that a table under another protocol costs nothing.
CELL_PROTOCOLS = ("paper", "release", "image-optimum", "fixed-0.5", "pooled")
# A run may go on for longer, or with the same weights in another place; a number depends on both.
MATTERS = {"steps", "comparison", "patches_across", *PRETRAINED}
IGNORED = {name for kind in config_lib.KINDS.values() for name in kind.may_change()} - MATTERS
# What an export that this command makes says of itself beside its settings.
PLAIN = {"centre": 0.5, "scales": [1.0], "averaged_with": []}
NOT_ASKED = "not among --rows or --records"
HARMONIZER = "dih"  # the file of its weights, in its run's folder


class TrainingError(UserError):
    """A row's training or export did not end well."""


def _define(values: flags.FlagValues) -> None:
    def text(name: str, default: str | None, help_: str, **settings: object) -> None:
        flags.DEFINE_string(name, default, help_, flag_values=values, **settings)

    flags.DEFINE_enum("table", None, ["1", "2", "3"], "Which table.", required=True, flag_values=values)
    flags.DEFINE_list(
        "records", [], f"Data sets to score on, NAME=FOLDER each; the paper's: {', '.join(DATA_SETS)}.",
        flag_values=values,
    )  # fmt: skip
    flags.DEFINE_list("rows", [], "Only these rows; all by default.", flag_values=values)
    flags.DEFINE_enum("protocol", "paper", CELL_PROTOCOLS, "What the cells show.", flag_values=values)
    text("output", None, "Folder for tableN.md, .csv, .json, .html and every evaluation.", required=True)
    text("runs", "runs", "Folder of training runs; a row's is named as its flagfile.")
    text("source_records", None, "Records of S to train on; without them nothing is trained.")
    text("target_records", None, "Records of T to train on.")
    flags.DEFINE_list(
        "training", [], "More flags for training, e.g. steps=1000,width=0.25, for every row whose method has them, or "
        "for one, as comparators/exif-sc:batch_size=8: recorded in every cell.", flag_values=values,
    )  # fmt: skip
    flags.DEFINE_enum(
        "postprocessing", "none", list(POSTPROCESSING), "Of the trained rows' maps (Section 4.1).", flag_values=values
    )


def data_sets(named: Sequence[str]) -> list[DataSet]:
    """The data sets of --records, each NAME=FOLDER; raises RecordsError."""
    found = {}
    for one in named:
        name, equals, folder = one.partition("=")
        if not equals or name in found:
            raise RecordsError(f"--records: {one!r}; write NAME=FOLDER, each name once, e.g. CASIA=records/casia1")
        opened = open_records(folder, f"--records: {name}")
        found[name] = DataSet(name, opened.fingerprint, items.from_records(opened))
    return list(found.values())


def _command(module: str, *arguments: str) -> None:
    """Runs one of our commands in a process of its own, so that each has its seeds and its memory to itself."""
    line = [sys.executable, "-m", module, *arguments]
    code = subprocess.run(line, check=False).returncode
    if code:
        raise TrainingError(f"{' '.join(line[1:])} ended with exit code {code}; its last words say why")


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


def check_training(training: Sequence[str]) -> None:
    """Raises flags.Error for a flag of --training that is for no row of any table."""
    flagfiles = {flagfile for table in TABLES.values() for row in table.rows for flagfile in row.flagfiles}
    for given in training:
        whose, flag = _split(given)
        found = [x for x in flagfiles if whose in ("", Path(x).with_suffix("").as_posix())]
        if not any(_names(flag) & set(asked_for(x, ())) for x in found):
            raise flags.Error(
                f"--training: {given!r} is no flag of any run that it could be for; write NAME=VALUE for all rows "
                "whose method has it, or FLAGFILE:NAME=VALUE, as comparators/exif-sc:batch_size=8"
            )


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


def _export(row: Row, args: flags.FlagValues) -> Path:
    return _run(row.flagfile, args) / "export"


def _run(flagfile: str, args: flags.FlagValues) -> Path:
    return Path(args.runs).resolve() / Path(flagfile).with_suffix("")


def trained(row: Row, args: flags.FlagValues) -> Method:
    """The detector of a row that needs training, trained and exported if need be; raises TrainingError."""
    more = [f"harmonizer={_harmonizer(row, args)}"] if row.harmonizer else []
    return exported.load(_made(row.flagfile, more, _export(row, args), args))


def _harmonizer(row: Row, args: flags.FlagValues) -> Path:
    """The weights of the harmoniser of a row, as `trained`."""
    return _made(row.harmonizer, (), _weights(row, args), args, "--format=weights")


def _weights(row: Row, args: flags.FlagValues) -> Path:
    return _run(row.harmonizer, args) / f"{HARMONIZER}.npz"


def _made(flagfile: str, more: Sequence[str], export: Path, args: flags.FlagValues, *how: str) -> Path:
    """The export of a flagfile's run, trained and exported if need be.

    Args:
        flagfile: below `flags`.
        more: flags of the run beside those of --training.
        export: where it is, or is to be, in the run's folder.
        args: of this command.
        how: more flags of the export.

    Raises:
        TrainingError: it is not there and cannot be made, or is another one than was asked for.
    """
    training = [*training_of(flagfile, args.training), *more]
    asked, run = asked_for(flagfile, training), export.parent
    if not export.exists():
        if not (args.source_records and args.target_records):
            raise TrainingError(f"no {export}; give --source_records and --target_records to train it")
        records = [f"--{name}={Path(getattr(args, name)).resolve()}" for name in ("source_records", "target_records")]
        command_line = "gsr_tf.train_comparator" if "method" in asked else "gsr_tf.train"
        _command(command_line, f"--flagfile={flagfile}", f"--run_dir={run}", *records, *(f"--{x}" for x in training))
        _command("gsr_tf.export", f"--run_dir={run}", f"--output={export}", *how)
    different = differences(_said(export), asked)
    if different:
        raise TrainingError(
            f"{export} is another model than was asked for ({'; '.join(different)}); ask for its settings with "
            "--training, or give another --runs to train anew"
        )
    return export


def _said(export: Path) -> dict[str, Any]:
    """What an export says of itself: a SavedModel, or a file of weights."""
    return read_metadata(export) if export.is_dir() else read_beside(export)


def _asked(row: Row, args: flags.FlagValues) -> bool:
    return not args.rows or row.name in args.rows


def _is_made(row: Row, args: flags.FlagValues) -> bool:
    """Whether all that a row that needs training consists of is there."""
    return _export(row, args).exists() and (not row.harmonizer or _weights(row, args).exists())


def _method(row: Row, args: flags.FlagValues) -> Method | str:
    """The method of a row, trained only if the row was asked for; or why there is none."""
    if row.method:
        return methods.choose(row.method)
    if not (_asked(row, args) or _is_made(row, args)):
        return NOT_ASKED
    try:
        return trained(row, args)
    except TrainingError as error:
        return str(error)


def row_cells(row: Row, table: int, sets: Sequence[DataSet], args: flags.FlagValues) -> dict:
    """(row, data set, metric) -> Cell of every cell of a row; of one that was not asked for, of those made before."""
    if not _asked(row, args):
        sets = [one for one in sets if outputs.read_summary(_folder(row, one, args))]
        if not sets:
            return {}
    method, metrics = _method(row, args), TABLES[table].metrics
    if isinstance(method, str):
        return {(row.name, one.name, metric): Cell(None, f"{NOT_RUN}: {method}") for one in sets for metric in metrics}
    cells = {}
    for one in sets:
        if summary := _summary(row, one, method, args):
            lines = {line["metric"]: line for line in summary["scores"] if line["protocol"] == args.protocol}
            how = _how(row, summary, args) if lines else f"{NOT_RUN}: {_without_score(args.protocol, method)}"
            for metric in metrics:
                cells[row.name, one.name, metric] = Cell(lines.get(metric), how, summary["pictures"]["skipped"])
    return cells


def _without_score(protocol: str, method: Method) -> str:
    """Why a protocol has no score of a method on a data set."""
    if protocols.PROTOCOLS[protocol].needs_probabilities and not method.probabilities:
        return f"{protocol} needs a map of probabilities"
    return f"without a score, for want of pictures that {protocol} scores"


def _summary(row: Row, data_set: DataSet, method: Method, args: flags.FlagValues) -> dict | None:
    """What was found of a row on a data set: evaluated now if the row was asked for, and else before, if it was."""
    folder, chosen = _folder(row, data_set, args), protocols.choose(CELL_PROTOCOLS)
    postprocessing = args.postprocessing if row.flagfile else "none"
    if _asked(row, args):
        return study.run(folder, data_set, method, chosen, (), postprocessing)["none"]
    return study.finished(folder, study.setting_of(data_set, method, attacks.NONE, postprocessing, chosen))


def _folder(row: Row, data_set: DataSet, args: flags.FlagValues) -> Path:
    return Path(args.output) / "evaluations" / data_set.name / _slug(row.name)


def _slug(name: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in name.lower())


def _harmonized_how(row: Row, args: flags.FlagValues) -> str:
    """The same of the harmoniser; nothing of a row without one."""
    if not row.harmonizer:
        return ""
    return f"harmonised by flags/{row.harmonizer} {trained_how(_said(_weights(row, args)))}, "


def _origin(row: Row, summary: dict, args: flags.FlagValues) -> str:
    """How the model of a row that needs training came about."""
    flagfile = " ".join([f"flags/{row.flagfile}", *training_of(row.flagfile, args.training)])
    how = f"{_harmonized_how(row, args)}{trained_how(read_metadata(_export(row, args)))}"
    return f"{flagfile}, {how}, {summary['method_fingerprint']}"


def _how(row: Row, summary: dict, args: flags.FlagValues) -> str:
    origin = row.method or _origin(row, summary, args)
    protocol, pictures = protocols.PROTOCOLS[args.protocol], summary["pictures"]
    return (
        f"{origin}; protocol {protocol.name}, {protocol.resolution}, post-processing {summary['postprocessing']}, "
        f"{pictures['manipulated']} pictures, {pictures['skipped']} skipped, data {summary['data_fingerprint']}"
    )


def _action(args: flags.FlagValues) -> int:
    choose("auto")
    table = int(args.table)
    check_training(args.training)
    names = [row.name for row in TABLES[table].rows]
    unknown = [name for name in args.rows if name not in names]
    if unknown:
        raise UserError(f"--rows: no row {', '.join(unknown)} in table {table}; it has {', '.join(names)}")
    sets = data_sets(args.records)
    shown = list(dict.fromkeys([*DATA_SETS, *(one.name for one in sets)]))
    cells = {
        (row, name, metric): Cell(None, f"{NOT_RUN}: {NOT_ASKED}")
        for row in names
        for name in shown
        for metric in TABLES[table].metrics
    }
    data, notes = {}, []
    for row in TABLES[table].rows:
        found = row_cells(row, table, sets, args)
        cells.update(found)
        if row.flagfile and any(cell.line for cell in found.values()):
            data[row.name] = fingerprints(read_metadata(_export(row, args)))
        notes = data_notes(data)
        layout.write(args.output, table, shown, cells, args.protocol, notes)
    print(f"{layout.markdown(table, shown, cells, args.protocol, notes)}\nin {args.output}, with every evaluation")
    scored_on = {one.name for one in sets}
    asked = [cell for (row, name, _), cell in cells.items() if row in (args.rows or names) and name in scored_on]
    if any("exit code" in cell.how for cell in asked):
        return 1
    return SOME_SKIPPED if any(cell.line is None or cell.skipped for cell in asked) else 0


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    return command.main(_action, __doc__, _define, argv)


if __name__ == "__main__":
    sys.exit(main())
