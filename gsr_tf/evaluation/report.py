"""An evaluation as one HTML page."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np

from gsr_tf.answers.cells import text_of
from gsr_tf.comparators.method import Method
from gsr_tf.data.writing import write_atomically
from gsr_tf.evaluation import attacks, figures, gallery, html, outputs, study
from gsr_tf.evaluation.evaluator import CURVES
from gsr_tf.evaluation.runner import Scorer
from gsr_tf.evaluation.study import DataSet
from gsr_tf.inference.postprocessing import POSTPROCESSING

REPORT = "report.html"


def write(
    path: str | os.PathLike, data_set: DataSet, method: Method, postprocessing: str, summaries: dict[str, dict]
) -> None:
    """Writes `report.html` beside what `study.run` left in `path`.

    Args:
        path: the study's folder.
        data_set: what was evaluated on: the gallery's pictures are read again.
        method: the Method; the gallery's pictures are scored again.
        postprocessing: its name.
        summaries: what `study.run` returned.
    """
    path, clean = Path(path), summaries["none"]
    scorer = Scorer(method, attacks.NONE, POSTPROCESSING[postprocessing])
    sections = [
        _setting(clean),
        *_scores(clean),
        *_curves(path),
        *_robustness(path, summaries),
        *_gallery(path, data_set, scorer),
        *_skipped(summaries),
        html.heading("Versions"),
        html.table(("package", "version"), clean["versions"].items()),
    ]
    write_atomically(path / REPORT, html.page(f"{clean['method']} on {clean['data_set']}", sections))


def _setting(summary: dict) -> str:
    pictures = summary["pictures"]
    return html.note(
        f"{pictures['manipulated']} manipulated and {pictures['authentic']} authentic pictures, {pictures['skipped']} "
        f"skipped. Data {summary['data_fingerprint']}, method {summary['method_fingerprint'] or 'without weights'}, "
        f"post-processing {summary['postprocessing']}. Intervals: 95 %, bootstrap over pictures."
    )


def _scores(summary: dict) -> list[str]:
    rows = []
    for line in summary["scores"]:
        values = [outputs.shown(line[name]) for name in ("value", "low", "high")]
        threshold = "" if line["threshold"] is None else f"{line['threshold']:.4g}"
        rows.append(
            (line["protocol"], line["metric"], values[0], f"{values[1]} to {values[2]}", threshold)
            + (outputs.over(line), line["resolution"])
        )
    header = ("protocol", "metric", "value", "interval", "threshold", "over", "resolution")
    without = outputs.without_score(summary)
    missing = [html.note(f"Without a score, for want of probabilities or of such pictures: {', '.join(without)}.")]
    definitions = [(name, one["definition"], one["source"]) for name, one in summary["protocols"].items()]
    return [
        html.heading("Scores"),
        html.table(header, rows),
        *(missing if without else []),
        html.heading("What the protocols are"),
        html.table(("protocol", "definition", "source"), definitions),
    ]


def _curves(path: Path) -> list[str]:
    stored = np.load(path / outputs.REPLICATES)
    curves = {name: stored[f"curve/{name}"] for name in CURVES}
    if not np.isfinite(curves["f1"]).all():
        return []
    plot = figures.threshold_curves(stored["thresholds"], curves)
    return [html.heading("Against the threshold"), html.figure(plot, "F1 and MCC averaged over manipulated pictures.")]


def _robustness(path: Path, summaries: dict[str, dict]) -> list[str]:
    if len(summaries) == 1:
        return []
    names = list(summaries)
    columns = study.robustness(path, names)
    if not np.isfinite(columns["f1 re-optimised"]).any():  # authentic pictures only
        return []
    plot = figures.robustness(
        {how: dict(zip(names, columns[f"f1 {how}"])) for how in ("re-optimised", "frozen")}, metric="F1 (paper)"
    )
    numbers = [[f"{value:.4f}" for value in columns[name]] for name in list(columns)[1:-1]]
    passed_over = {frozenset(one["name"] for one in summary["skipped"]) for summary in summaries.values()}
    others = "Not every attack was scored on the same pictures (see Skipped pictures): rows differ by that, too."
    return [
        html.heading("Under attacks (Figure 5)"),
        html.figure(plot, "Threshold re-optimised for each attack, and frozen at the best one without attack."),
        html.table(list(columns), zip(columns["attack"], *numbers, columns["pictures"])),
        *([html.note(others)] if len(passed_over) > 1 else []),
        html.note(f"The scores of all protocols under an attack are in attacks/NAME/{outputs.SUMMARY}."),
    ]


def _gallery(path: Path, data_set: DataSet, scorer: Scorer) -> list[str]:
    with (path / outputs.PER_IMAGE).open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    values = np.array([float(row["f1 at data set best"] or "nan") for row in rows])
    if not np.isfinite(values).any():
        return []
    stored = np.load(path / outputs.REPLICATES)
    threshold = float(stored["thresholds"][stored["curve/f1"].argmax()])
    drawn = gallery.draw(data_set.items, scorer, [text_of(row["name"]) for row in rows], values, threshold)
    histogram = figures.histogram(values[np.isfinite(values)], f"F1 at threshold {threshold:.4g}")
    return [
        html.heading("Pictures"),
        html.figure(histogram, "F1 of each manipulated picture at the threshold that is best for the data set."),
        html.figure(drawn, "The best, the median and the worst: picture, map, mask at that threshold, truth."),
    ]


def _skipped(summaries: dict[str, dict]) -> list[str]:
    found: dict[tuple[str, str], list[str]] = {}
    for attack, summary in summaries.items():
        for one in summary["skipped"]:
            found.setdefault((one["name"], one["reason"]), []).append(attack)
    rows = [(name, reason, ", ".join(under)) for (name, reason), under in found.items()]
    return [html.heading("Skipped pictures"), html.table(("name", "reason", "under"), rows)] if rows else []
