"""The paper's figures, as PNG bytes. No display is needed."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gsr_tf.evaluation.attacks import split, weakest_first

AS_WRITTEN = {"text.parse_math": False}  # names of people's files and runs, which may have dollars in them
COLOURS = ("#1b6ca8", "#d1495b", "#200109", "#9a929c", "#733808", "#1f1163")  # told apart by the colour-blind, too
LINES = [{"color": colour, "linestyle": style} for style in ("-", "--", ":") for colour in COLOURS]

LONGEST_TITLE = 34  # letters above a panel; of a longer file name its end tells more


class Panel(NamedTuple):
    """One picture of a grid.

    Attributes:
        values: [h, w, 3] uint8 RGB, [h, w] bool, or [h, w] scores, 0 drawn dark and the highest bright.
        title: above it.
        highest: of scores; None: the panel's own highest.
    """

    values: np.ndarray
    title: str = ""
    highest: float | None = 1.0


def png(figure: Figure) -> bytes:
    """The figure's PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, facecolor="white")
    return buffer.getvalue()


@rc_context(AS_WRITTEN)
def grid(rows: Sequence[Sequence[Panel]], labels: Sequence[str] = ()) -> bytes:
    """Rows of panels, e.g. Figure 3: image, prediction, boundary, truth.

    Args:
        rows: one list of panels a row.
        labels: at the left of each row.
    """
    columns = max(len(row) for row in rows)
    figure = Figure(figsize=(2.5 * columns, 2.2 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), columns, squeeze=False)
    for line, row in zip(axes, rows):
        for axis in line:
            axis.set_axis_off()
        for axis, panel in zip(line, row):
            _draw(axis, panel)
    for axis, label in zip(axes[:, 0], labels):
        axis.text(-0.04, 0.5, label, rotation=90, va="center", ha="right", fontsize=8, transform=axis.transAxes)
    return png(figure)


def _draw(axis: Axes, panel: Panel) -> None:
    axis.set_axis_on()
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_color("#bbbbbb")  # or a white mask would not be told from the page
    if panel.values.ndim == 3:
        axis.imshow(panel.values)
    elif panel.values.dtype == bool:
        axis.imshow(panel.values, cmap="gray", vmin=0, vmax=1)
    else:
        axis.imshow(panel.values, cmap="magma", vmin=min(0.0, panel.values.min()), vmax=panel.highest)
    fits = len(panel.title) <= LONGEST_TITLE
    axis.set_title(panel.title if fits else f"…{panel.title[1 - LONGEST_TITLE :]}", fontsize=8)


def samples(pictures: Sequence[tuple[str, np.ndarray, np.ndarray]]) -> bytes:
    """Figure 1: manipulated pictures above their truth.

    Args:
        pictures: (name, picture [h, w, 3] uint8, mask [h, w] bool).
    """
    return grid(
        [
            [Panel(picture, name) for name, picture, _ in pictures],
            [Panel(mask) for _, _, mask in pictures],
        ]
    )


def seam(picture: np.ndarray, mask: np.ndarray) -> float:
    """How visible the border of a region is: the mean step across it (ours; the paper shows it fade, without a number).

    Over all pairs of neighbours, above one another or side by side, of which one lies inside. T tells how large it is
    where nothing was pasted, M (Eq. 1) where nothing was blended.

    Args:
        picture: [h, w, 3] uint8.
        mask: [h, w] bool, K.

    Returns:
        Grey levels, averaged over the channels; NaN where the region has no border inside the picture.
    """
    values = picture.astype(np.float32)
    across = np.concatenate([np.abs(np.diff(values, axis=axis)).mean(-1)[np.diff(mask, axis=axis)] for axis in (0, 1)])
    return float(across.mean()) if across.size else float("nan")


def progress(columns: Mapping[str, np.ndarray], seams: Mapping[str, Sequence[float]]) -> bytes:
    """Figure 4: G(M) as training goes on, beside T and M, each with the step across the region's border.

    Args:
        columns: title -> [n, h, w, 3] uint8.
        seams: title -> [n], see `seam`.
    """
    panels = [
        [Panel(picture, f"{title}; seam {step:.0f}") for picture, step in zip(pictures, seams[title])]
        for title, pictures in columns.items()
    ]
    return grid(list(zip(*panels)))


@rc_context(AS_WRITTEN)
def robustness(curves: Mapping[str, Mapping[str, Mapping[str, float]]], metric: str = "F1") -> bytes:
    """Figure 5: a score under attacks, one panel a kind of attack, weakest first, no attack at the left.

    Args:
        curves: label -> attack ("none", "jpeg-70", ...) -> score; a label a line, e.g. a method.
        metric: what the score is.
    """
    kinds: dict[str, list[str]] = {}
    for scores in curves.values():
        for name in scores:
            kind = split(name)[0]
            if name != "none" and name not in kinds.setdefault(kind, []):
                kinds[kind].append(name)
    figure = Figure(figsize=(3.2 * max(1, len(kinds)), 3), layout="constrained")
    axes = figure.subplots(1, max(1, len(kinds)), squeeze=False, sharey=True)[0]
    for axis, (kind, names) in zip(axes, kinds.items()):
        names = weakest_first(names)
        ticks = ["none", *names]
        for scores, how in zip(curves.values(), itertools.cycle(LINES)):
            line = [scores.get(name, np.nan) for name in ticks]
            axis.plot(range(len(ticks)), line, marker="o", markersize=4, **how)
        axis.set_xticks(range(len(ticks)), ["none", *(split(name)[1] for name in names)])
        axis.set_xlabel(kind)
        axis.grid(alpha=0.3)
        axis.set_ylim(0, 1.1 * np.nanmax([score for scores in curves.values() for score in scores.values()]))
    axes[0].set_ylabel(metric)
    _legend(figure, curves)
    return png(figure)


@rc_context(AS_WRITTEN)
def training_curves(runs: Mapping[str, Mapping[str, Mapping[int, float]]], columns: int = 4) -> bytes:
    """How runs went: one panel a tag, a line a run.

    Args:
        runs: label -> tag ("loss/edge", ...) -> step -> value.
        columns: of panels.
    """
    tags = sorted({tag for curves in runs.values() for tag in curves})
    rows = -(-len(tags) // columns)
    figure = Figure(figsize=(2.9 * columns, 2.1 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, tag in zip(axes, tags):
        for curves, how in zip(runs.values(), itertools.cycle(LINES)):
            points = curves.get(tag, {})
            axis.plot(points.keys(), points.values(), marker=".", markersize=3, **how)
        axis.set_title(tag, fontsize=8)
        axis.tick_params(labelsize=7)
        axis.grid(alpha=0.3)
    for axis in axes[len(tags) :]:
        axis.set_axis_off()
    _legend(figure, runs)
    return png(figure)


def _legend(figure: Figure, labels: Iterable[str]) -> None:
    """Of the lines in each panel, below all panels, where it covers none; the figure grows by it."""
    labels = list(labels)
    columns = max(1, int(figure.get_figwidth() / (0.7 + 0.06 * max(map(len, labels)))))  # inches: a line, a letter
    figure.set_figheight(figure.get_figheight() + 0.2 + 0.15 * -(-len(labels) // columns))
    # Given with the lines, since matplotlib leaves out those whose own label begins with an underscore.
    lines = figure.axes[0].get_lines()
    figure.legend(lines, labels, loc="outside lower center", ncols=columns, fontsize=7, handlelength=4)


def threshold_curves(thresholds: np.ndarray, curves: Mapping[str, np.ndarray]) -> bytes:
    """F1 and MCC, averaged over pictures, against the threshold; each one's optimum marked.

    Args:
        thresholds: [t] ascending; one that is minus infinity is drawn at the left end.
        curves: name -> [t].
    """
    figure = Figure(figsize=(5, 2.8), layout="constrained")
    axis = figure.subplots()
    for (name, curve), colour in zip(curves.items(), COLOURS):
        best = int(np.argmax(curve))
        # Against the number of the threshold: quantiles of a map may span 280 orders of magnitude.
        axis.plot(curve, color=colour, label=f"{name.upper()}, best {curve[best]:.3f}")
        axis.plot(best, curve[best], "o", color=colour, markersize=5)
    ticks = np.linspace(0, len(thresholds) - 1, 5).astype(int)
    axis.set_xticks(ticks, [f"{thresholds[tick]:.3g}" for tick in ticks])
    axis.set_xlabel("threshold")
    axis.set_ylabel("average over pictures")
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8)
    return png(figure)


def histogram(values: np.ndarray, label: str) -> bytes:
    """How many pictures have which score, [pictures] in [0, 1]."""
    figure = Figure(figsize=(5, 2.2), layout="constrained")
    axis = figure.subplots()
    axis.hist(values, bins=np.linspace(0, 1, 21), color=COLOURS[0], edgecolor="white")
    axis.set_xlabel(label)
    axis.set_ylabel("pictures")
    return png(figure)
