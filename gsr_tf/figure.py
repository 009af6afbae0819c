r"""Draws the paper's figures as PNG files.

    python -m gsr_tf.figure --figure=1 --records=records/casia1 --output=figure1.png
    python -m gsr_tf.figure --figure=3 --records=records/casia1 --saved_model=models/gsr_net --output=figure3.png
    python -m gsr_tf.figure --figure=4 --run_dir=runs/gsr_net --output=figure4.png
    python -m gsr_tf.figure --figure=5 --evaluations=GSR-Net=results/gsr_net,NOI=results/noi --output=figure5.png
    python -m gsr_tf.figure --figure=curves --runs='CP + S=runs/cp_s,CP + G + S=runs/cp_gs' --output=curves.png

1: manipulated pictures and their truth. 3: picture, prediction, boundary, truth. 4: G(M) as training goes on, from a
run's checkpoints, beside T and M, each with the mean step across the region's border in grey levels. 5: F1 under
attacks, from evaluations that were made with --attacks. curves: losses and validation of runs, one over the other.

A picture of --records that cannot be read is named and left out; the exit code is then 3, and 1 where none can be.
"""

from __future__ import annotations

import csv
import functools
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from absl import flags

from gsr_tf import command
from gsr_tf import config as config_lib
from gsr_tf.data.image_ops import from_network_range
from gsr_tf.data.pipeline import training_stream
from gsr_tf.data.records import open_records
from gsr_tf.data.writing import check_place, write_atomically
from gsr_tf.errors import UserError
from gsr_tf.evaluation import figures, items
from gsr_tf.evaluation.figures import Panel, seam
from gsr_tf.evaluation.study import ROBUSTNESS
from gsr_tf.inference.detector import Detector
from gsr_tf.inference.device import choose
from gsr_tf.training.restored import restore_generators
from gsr_tf.training.summaries import read_scalars


def _define(values: flags.FlagValues) -> None:
    def text(name: str, help_: str, **settings: object) -> None:
        flags.DEFINE_string(name, None, help_, flag_values=values, **settings)

    flags.DEFINE_enum("figure", None, list(DRAW), "Which figure.", required=True, flag_values=values)
    text("output", "PNG file to write.", required=True)
    text("records", "Figures 1 and 3: records to take pictures from.")
    text("saved_model", "Figure 3: an exported detector, from a source you trust: a model is code.")
    text("run_dir", "Figure 4: a training run, on the machine where its records are.")
    flags.DEFINE_list("evaluations", [], "Figure 5: LABEL=FOLDER of evaluations with --attacks.", flag_values=values)
    flags.DEFINE_list("runs", [], "Figure curves: LABEL=FOLDER of training runs.", flag_values=values)
    flags.DEFINE_list(
        "tags", ["loss/", "validation/"], "Figure curves: how the names of what is drawn begin.", flag_values=values
    )
    flags.DEFINE_integer("pictures", 4, "How many pictures to show.", lower_bound=1, flag_values=values)


def _given(args: flags.FlagValues, name: str) -> str:
    value = getattr(args, name)
    if not value:
        raise UserError(f"--figure={args.figure} needs --{name}")
    return value


class Drawn(NamedTuple):
    """A figure.

    Attributes:
        png: the file's bytes.
        left_out: how many pictures that belong in it cannot be read.
    """

    png: bytes
    left_out: int = 0


def _samples(args: flags.FlagValues) -> tuple[list[tuple[str, np.ndarray, np.ndarray]], int]:
    """(name, picture, mask) of manipulated pictures spread evenly over the records; and how many cannot be read."""
    opened = open_records(_given(args, "records"))
    where = f"--records={opened.path}"
    if not len(opened.pairs):
        raise UserError(f"{where}: no picture with a mask among its {len(opened)} records")
    chosen = items.evenly(items.from_records(opened)[: len(opened.pairs)], args.pictures)
    found, left_out = items.readable([functools.partial(_sample, item) for item in chosen], where)
    if not found:
        raise UserError(f"{where}: of {len(chosen)} pictures to show none can be read; prepare the set again")
    return found, left_out


def _sample(item: items.Item) -> tuple[str, np.ndarray, np.ndarray]:
    return (Path(item.name).name, *item.read())


def figure_1(args: flags.FlagValues) -> Drawn:
    """Manipulated pictures above their truth."""
    samples, left_out = _samples(args)
    return Drawn(figures.samples(samples), left_out)


def figure_3(args: flags.FlagValues) -> Drawn:
    """A row a picture: picture, prediction, boundary where the detector has that branch, truth."""
    detector = Detector.load(_given(args, "saved_model"))
    rows = []
    samples, left_out = _samples(args)
    for name, picture, mask in samples:
        predicted = detector.maps(picture)
        titles = {"probability": "prediction", "boundary": "boundary"}
        shown = [Panel(predicted[key], title) for key, title in titles.items() if key in predicted]
        rows.append([Panel(picture, name), *shown, Panel(mask, "truth")])
    return Drawn(figures.grid(rows), left_out)


def figure_4(args: flags.FlagValues) -> Drawn:
    """T, M, and G(M) of the same M from each checkpoint that the run kept; prints each one's mean seam."""
    run = Path(_given(args, "run_dir"))
    config = config_lib.load(run)
    if not config.step.generates:
        raise UserError(
            f"--run_dir={run}: a run with --segment_on={','.join(config.step.segment_on)}, which trains no generator "
            "to draw; expected one with 'generated' in it, or with none"
        )
    sources, targets = (
        open_records(getattr(config.records, name), f"--run_dir={run}: --{name}")
        for name in ("source_records", "target_records")
    )
    stream = training_stream(
        sources, targets, config.preparation.unmoved(), batch_size=args.pictures, half_pixel=config.networks.half_pixel
    )
    batch = next(iter(stream))
    net = config.build()
    columns = {"T": from_network_range(batch.t).numpy(), "M": from_network_range(batch.m).numpy()}
    for step in restore_generators(net, run):
        columns[f"G(M), step {step:,}"] = from_network_range(net.generate(batch).g_m).numpy()
    masks = batch.k[..., 0].numpy() > 0
    seams = {title: [*map(seam, pictures, masks)] for title, pictures in columns.items()}
    for title, steps in seams.items():
        print(f"{title}: seam {np.nanmean(steps):.1f}")
    return Drawn(figures.progress(columns, seams))


def figure_5(args: flags.FlagValues) -> Drawn:
    """F1 under attacks, re-optimised for each, a line an evaluation."""
    curves = {}
    for label, folder in _labelled(args, "evaluations").items():
        path = folder / ROBUSTNESS
        if not path.is_file():
            raise UserError(f"--evaluations={folder}: no {path}; evaluate with --attacks=figure-5 first")
        with path.open(encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        scores = {row["attack"]: float(row["f1 re-optimised"] or "nan") for row in rows}
        if not np.isfinite(list(scores.values())).any():
            raise UserError(f"--evaluations={folder}: no F1 in {path}; evaluate pictures with masks")
        if len({row.get("pictures") for row in rows}) > 1:  # an earlier version's have no such column
            print(f"note: {path}: its attacks were scored on different numbers of pictures", file=sys.stderr)
        curves[label] = scores
    return Drawn(figures.robustness(curves))


def training_curves(args: flags.FlagValues) -> Drawn:
    """Losses and validation scores of runs, a line a run."""
    runs = {}
    for label, folder in _labelled(args, "runs").items():
        curves = {tag: curve for tag, curve in read_scalars(folder).items() if tag.startswith(tuple(args.tags))}
        if not curves:
            asked = ",".join(args.tags)
            raise UserError(f"--runs={folder}: no curves of --tags={asked} there; expected a training run's folder")
        runs[label] = curves
    return Drawn(figures.training_curves(runs))


def _labelled(args: flags.FlagValues, name: str) -> dict[str, Path]:
    """{label: folder} of a list of LABEL=FOLDER; a folder alone is its own label."""
    folders = {}
    for one in _given(args, name):
        label, _, folder = one.rpartition("=")
        if (label or folder) in folders:
            raise UserError(f"--{name}: {one!r}; write LABEL=FOLDER, each label once")
        folders[label or folder] = Path(folder)
    return folders


DRAW = {"1": figure_1, "3": figure_3, "4": figure_4, "5": figure_5, "curves": training_curves}


def _action(args: flags.FlagValues) -> int:
    choose("auto")
    output = Path(os.path.realpath(args.output))  # a link stays one, as in other commands those to folders do
    check_place(output, "--output")
    if output.exists() and not output.is_file():
        raise UserError(f"--output={args.output}: a folder or a device; expected the name of a PNG file")
    drawn = DRAW[args.figure](args)
    write_atomically(output, drawn.png)
    print(args.output)
    return command.code_but_for(drawn.left_out)


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    return command.main(_action, __doc__, _define, argv)


if __name__ == "__main__":
    sys.exit(main())
