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

import itertools
import sys
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from gsr_tf import command, table_runs
from gsr_tf.command import SOME_SKIPPED
from gsr_tf.comparators import methods
from gsr_tf.comparators.method import Method
from gsr_tf.data import one_writer
from gsr_tf.data.records import RecordsError, open_records
from gsr_tf.errors import UserError
from gsr_tf.evaluation import attacks, items, layout, outputs, protocols, study
from gsr_tf.evaluation.layout import NOT_RUN, Cell, Filled
from gsr_tf.evaluation.published import DATA_SETS, TABLES, Row
from gsr_tf.evaluation.study import DataSet
from gsr_tf.formats.provenance import data_notes, fingerprints
from gsr_tf.inference.device import choose
from gsr_tf.inference.metadata import read_metadata
from gsr_tf.inference.postprocessing import POSTPROCESSING
from gsr_tf.table_runs import Runs, TrainingError, TrainingFailed

# All are evaluated, so that a table under another protocol costs nothing.
CELL_PROTOCOLS = ("paper", "release", "image-optimum", "fixed-0.5", "pooled")
NOT_ASKED = "not among --rows or --records"


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
        if name in ("", ".", "..") or not {"/", "\\"}.isdisjoint(name):
            raise RecordsError(
                f"--records: {one!r}; NAME is also that of a folder in --output: expected one without / and \\, and "
                "neither . nor .."
            )
        opened = open_records(folder, f"--records: {name}")
        found[name] = DataSet(name, opened.fingerprint, items.from_records(opened))
    return list(found.values())


def check_training(training: Sequence[str]) -> None:
    """Raises flags.Error for a flag of --training that is for no row of any table."""
    given = table_runs.stray(training)
    if given is not None:
        raise flags.Error(
            f"--training: {given!r} is no flag of any run that it could be for; write NAME=VALUE for all rows "
            "whose method has it, or FLAGFILE:NAME=VALUE, as comparators/exif-sc:batch_size=8"
        )


def _runs(args: flags.FlagValues) -> Runs:
    return Runs(args.runs, args.training, args.source_records, args.target_records)


def _asked(row: str, args: flags.FlagValues) -> bool:
    return not args.rows or row in args.rows


def _method(row: Row, args: flags.FlagValues) -> Method | Cell:
    """The method of a row, trained only if the row was asked for; or the cell that says why there is none."""
    if row.method:
        return methods.choose(row.method)
    if not (_asked(row.name, args) or table_runs.is_made(row, _runs(args))):
        return Cell(None, f"{NOT_RUN}: {NOT_ASKED}")
    try:
        return table_runs.trained(row, _runs(args))
    except TrainingError as error:
        return Cell(None, f"{NOT_RUN}: {error}", failed=isinstance(error, TrainingFailed))


def row_cells(row: Row, table: int, sets: Sequence[DataSet], args: flags.FlagValues) -> dict:
    """(row, data set, metric) -> Cell of every cell of a row; of one that was not asked for, of those made before."""
    if not _asked(row.name, args):
        sets = [one for one in sets if outputs.read_summary(_folder(row, one, args))]
        if not sets:
            return {}
    method, metrics = _method(row, args), TABLES[table].metrics
    if isinstance(method, Cell):
        return {(row.name, one.name, metric): method for one in sets for metric in metrics}
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
    if _asked(row.name, args):
        return study.run(folder, data_set, method, chosen, (), postprocessing)["none"]
    return study.finished(folder, study.setting_of(data_set, method, attacks.NONE, postprocessing, chosen))


def _folder(row: Row, data_set: DataSet, args: flags.FlagValues) -> Path:
    return Path(args.output) / "evaluations" / data_set.name / _slug(row.name)


def _slug(name: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in name.lower())


def _how(row: Row, summary: dict, args: flags.FlagValues) -> str:
    origin = row.method or f"{table_runs.origin(row, _runs(args))}, {summary['method_fingerprint']}"
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
    with one_writer.hold(Path(args.output), "--output"):
        filled = _fill(table, sets, args)
    print(f"{layout.markdown(filled)}\nin {args.output}, with every evaluation")
    return _code(filled, sets, args)


def _fill(table: int, sets: Sequence[DataSet], args: flags.FlagValues) -> Filled:
    """Fills a table row by row; after each it is written."""
    shown = list(dict.fromkeys([*DATA_SETS, *(one.name for one in sets)]))
    places = itertools.product((row.name for row in TABLES[table].rows), shown, TABLES[table].metrics)
    cells, data = dict.fromkeys(places, Cell(None, f"{NOT_RUN}: {NOT_ASKED}")), {}
    for row in TABLES[table].rows:
        found = row_cells(row, table, sets, args)
        cells.update(found)
        if row.flagfile and any(cell.line for cell in found.values()):
            data[row.name] = fingerprints(read_metadata(table_runs.export_of(row, _runs(args))))
        filled = Filled(table, shown, cells, args.protocol, data_notes(data))
        layout.write(args.output, filled)
    return filled


def _code(filled: Filled, sets: Sequence[DataSet], args: flags.FlagValues) -> int:
    """The exit code, by the cells that were asked for."""
    scored_on = {one.name for one in sets}
    cells = [cell for (row, name, _), cell in filled.cells.items() if _asked(row, args) and name in scored_on]
    if any(cell.failed for cell in cells):
        return 1
    return SOME_SKIPPED if any(cell.line is None or cell.skipped for cell in cells) else 0


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    return command.main(_action, __doc__, _define, argv)


if __name__ == "__main__":
    sys.exit(main())
