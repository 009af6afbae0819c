"""Evaluates an exported detector, or a method by name, on a data set.

python -m gsr_tf.evaluate --saved_model=runs/gsr_net/export --records=records/casia1 --output=results/casia1
python -m gsr_tf.evaluate --method=noi --pairs=casia1.csv --output=results/noi
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from absl import app, flags

from gsr_tf.comparators import methods
from gsr_tf.comparators.method import Method
from gsr_tf.data.records import RecordsError, open_records
from gsr_tf.evaluation import attacks, items, outputs, protocols, study
from gsr_tf.evaluation.postprocessing import POSTPROCESSING
from gsr_tf.evaluation.study import DataSet

FLAGS = flags.FLAGS
flags.DEFINE_string("saved_model", None, "Folder of an exported detector.")
flags.DEFINE_string("method", None, f"Instead of --saved_model, a method by name: {', '.join(methods.METHODS)}.")
flags.DEFINE_string("records", None, "Folder of records, from a data_prep command.")
flags.DEFINE_string("pairs", None, "Instead of --records, a CSV file, `picture,mask` a line; no mask: authentic.")
flags.DEFINE_string("output", None, "Folder for summary.json, per_image.csv and replicates.npz.", required=True)
flags.DEFINE_list("protocols", list(protocols.PROTOCOLS), "Protocols to score by.")
flags.DEFINE_list("attacks", [], "Attacks to evaluate under as well: kind-strength, figure-5, grid.")
flags.DEFINE_enum("postprocessing", "none", list(POSTPROCESSING), "What is done to each score map.")


def chosen_method(saved_model: str | None, method: str | None) -> Method:
    """The method that the flags name; raises ValueError unless they name one that there is."""
    if (saved_model is None) == (method is None):
        raise methods.MethodError("give one of --saved_model=DIR and --method=NAME")
    if method is not None:
        return methods.choose(method)
    from gsr_tf.comparators import saved_model as exported  # the other methods start faster without TensorFlow

    return exported.load(saved_model)


def chosen_data_set(records: str | None, pairs: str | None) -> DataSet:
    """The data set that the flags name; raises ValueError unless they name one that can be read."""
    if (records is None) == (pairs is None):
        raise RecordsError("give one of --records=DIR and --pairs=FILE")
    if pairs is not None:
        return DataSet(Path(pairs).stem, items.fingerprint(pairs), items.from_list(pairs))
    opened = open_records(records)
    return DataSet(opened.path.resolve().name, opened.fingerprint, items.from_records(opened))


def report(summaries: dict[str, dict]) -> str:
    """What is printed: every score of the pictures as they are, the paper's under each attack, what was skipped."""
    lines = []
    for name, summary in summaries.items():
        data_set = summary["data_set"] if name == "none" else f"{summary['data_set']} {name}"
        for line in summary["scores"]:
            if name == "none" or line["protocol"] == "paper":
                lines.append(outputs.describe_score(line, data_set))
        if summary["skipped"]:
            first = summary["skipped"][0]
            count = len(summary["skipped"])
            lines.append(f"{count} skipped, the first {first['name']}: {first['reason']}; all are in {outputs.SUMMARY}")
    return "\n".join(lines)


def main(argv: Sequence[str]) -> None:
    """Runs the flags' evaluation and prints its scores."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {argv[1:]}; all settings are flags")
    try:
        summaries = study.run(
            FLAGS.output,
            chosen_data_set(FLAGS.records, FLAGS.pairs),
            chosen_method(FLAGS.saved_model, FLAGS.method),
            protocols.choose(FLAGS.protocols),
            attacks.parse_all(FLAGS.attacks),
            FLAGS.postprocessing,
        )
    except ValueError as error:  # every error of ours is one, and says what to change
        sys.exit(f"error: {error}")
    print(report(summaries))


if __name__ == "__main__":
    app.run(main)
