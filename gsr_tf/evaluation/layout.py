"""The paper's tables with our numbers beside its own, as Markdown, CSV, JSON and HTML."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from gsr_tf.data.writing import write_atomically
from gsr_tf.evaluation import html, outputs
from gsr_tf.evaluation.published import CAVEAT, TABLES, Row

NOT_RUN = "not run"
LEGEND = 'In each cell: ours [95 % bootstrap interval] / the paper\'s, "-" where it has none.'


class Cell(NamedTuple):
    """What stands in one place of a table.

    Attributes:
        line: the score, as in a summary's "scores"; None where nothing was run.
        how: how it was made, or why it was not.
        skipped: how many pictures it lacks.
    """

    line: dict | None
    how: str
    skipped: int = 0


# (row, data set, metric) -> Cell
Cells = Mapping[tuple[str, str, str], Cell]


def _shown(cell: Cell) -> str:
    if cell.line is None:
        return NOT_RUN
    if cell.line["value"] is None:
        return "undefined"
    value, low, high = (_three(cell.line[name]) for name in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def _paper(row: Row, metric: str, data_set: str) -> str:
    value = row.published(metric, data_set)
    return "-" if value is None else _three(value)


def _three(value: float) -> str:
    """As the paper prints: three decimals, no zero before the point."""
    return f"{value:.3f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:.3f}"


def wide(table: int, data_sets: Sequence[str], cells: Cells) -> tuple[list[str], list[list[str]]]:
    """Header and rows, a column a data set and metric; in each cell ours, then the paper's."""
    columns = [(name, metric) for name in data_sets for metric in TABLES[table].metrics]
    rows = [
        [row.name]
        + [f"{_shown(cells[row.name, name, metric])} / {_paper(row, metric, name)}" for name, metric in columns]
        for row in TABLES[table].rows
    ]
    return ["", *(f"{name} {metric.upper()}" for name, metric in columns)], rows


def long(table: int, data_sets: Sequence[str], cells: Cells) -> dict[str, list]:
    """One line a cell, as columns, with everything that is known of it."""
    columns: dict[str, list] = {name: [] for name in ("row", "data set", "metric", "value", "low", "high", "paper")}
    columns.update({name: [] for name in ("threshold", "pictures", "pairs", "protocol", "resolution", "how")})
    nothing = float("nan")
    for row in TABLES[table].rows:
        for data_set in data_sets:
            for metric in TABLES[table].metrics:
                cell = cells[row.name, data_set, metric]
                line = cell.line or {}
                known = {"row": row.name, "data set": data_set, "metric": metric, "how": cell.how}
                known["paper"] = row.published(metric, data_set)
                for name, values in columns.items():
                    value = known.get(name, line.get(name))
                    values.append(nothing if value is None else value)
    return columns


def _made(table: int, data_sets: Sequence[str], cells: Cells) -> list[tuple[str, str, str]]:
    """(row, data sets, how): data sets whose cells were made alike share a line."""
    metric = TABLES[table].metrics[-1]
    lines = []
    for row in TABLES[table].rows:
        alike: dict[str, list[str]] = {}
        for name in data_sets:
            alike.setdefault(cells[row.name, name, metric].how, []).append(name)
        lines += [(row.name, ", ".join(names), how) for how, names in alike.items()]
    return lines


def markdown(table: int, data_sets: Sequence[str], cells: Cells, protocol: str, notes: Sequence[str]) -> str:
    """The table, notes on it, then how each cell was made."""
    header, rows = wide(table, data_sets, cells)
    lines = [f"# {_title(table, protocol)}", "", _row(header), "|" + "---|" * len(header), *map(_row, rows)]
    lines += [
        "",
        f"{LEGEND} {CAVEAT}",
        *(line for note in notes for line in ("", note)),
        "",
        "## How each cell was made",
        "",
    ]
    lines += [f"- {row} ({names}): {how}" for row, names, how in _made(table, data_sets, cells)]
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _title(table: int, protocol: str) -> str:
    return f"{TABLES[table].title}; ours under protocol {protocol}"


def _json(table: int, data_sets: Sequence[str], cells: Cells, protocol: str, notes: Sequence[str]) -> str:
    columns = long(table, data_sets, cells)
    rows = ((None if value != value else value for value in row) for row in zip(*columns.values()))  # JSON has no NaN
    lines = [dict(zip(columns, row)) for row in rows]
    found = {"title": TABLES[table].title, "protocol": protocol, "notes": list(notes), "cells": lines}
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def write(
    path: str | os.PathLike,
    table: int,
    data_sets: Sequence[str],
    cells: Cells,
    protocol: str,
    notes: Sequence[str] = (),
) -> list[Path]:
    """Writes `tableN.md`, `.csv`, `.json` and `.html` into the folder `path`; returns their paths.

    Args:
        path: the folder; made if need be.
        table: 1, 2 or 3.
        data_sets: columns, in order.
        cells: one for every row of the table, data set and metric.
        protocol: by which all cells with a score were scored.
        notes: sentences on the table as a whole, to stand below it.
    """
    header, rows = wide(table, data_sets, cells)
    page = [
        html.table(header, rows),
        html.note(f"{LEGEND} {CAVEAT}"),
        *map(html.note, notes),
        html.heading("How each cell was made"),
        html.table(("row", "data sets", "how"), _made(table, data_sets, cells)),
    ]
    contents = {
        "md": markdown(table, data_sets, cells, protocol, notes).encode(),
        "csv": outputs.as_csv(long(table, data_sets, cells)).encode(),
        "json": _json(table, data_sets, cells, protocol, notes).encode(),
        "html": html.page(_title(table, protocol), page),
    }
    written = []
    for suffix, data in contents.items():
        written.append(Path(path) / f"table{table}.{suffix}")
        write_atomically(written[-1], data)
    return written
