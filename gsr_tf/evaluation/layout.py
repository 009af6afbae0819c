"""The paper's tables with our numbers beside its own, as Markdown, CSV, JSON and HTML."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from gsr_tf.data.writing import write_atomically
from gsr_tf.evaluation import html, outputs
from gsr_tf.evaluation.published import TABLES, Row, Table

NOT_RUN = "not run"
LEGEND = 'In each cell: ours [95 % bootstrap interval] / the paper\'s, "-" where it has none.'
KNOWN = (
    *("row", "data set", "metric", "value", "low", "high", "paper"),
    *("threshold", "pictures", "pairs", "protocol", "resolution", "how"),
)


class Cell(NamedTuple):
    """What stands in one place of a table.

    Attributes:
        line: the score, as in a summary's "scores"; None where nothing was run.
        how: how it was made, or why it was not.
        skipped: how many pictures it lacks.
        failed: whether a training that it needs failed.
    """

    line: dict | None
    how: str
    skipped: int = 0
    failed: bool = False


class Filled(NamedTuple):
    """A table of the paper with our numbers.

    Attributes:
        number: the table's, 1, 2 or 3.
        data_sets: columns, in order.
        cells: (row, data set, metric) -> Cell, of every row of the table.
        protocol: by which all cells with a score were scored.
        notes: sentences on the table as a whole, to stand below it.
    """

    number: int
    data_sets: Sequence[str]
    cells: Mapping[tuple[str, str, str], Cell]
    protocol: str
    notes: Sequence[str] = ()

    @property
    def paper(self) -> Table:
        """The table as published."""
        return TABLES[self.number]


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


def wide(table: Filled) -> tuple[list[str], list[list[str]]]:
    """Header and rows, a column a data set and metric; in each cell ours, then the paper's."""
    columns = list(itertools.product(table.data_sets, table.paper.metrics))
    rows = [
        [row.name]
        + [f"{_shown(table.cells[row.name, name, metric])} / {_paper(row, metric, name)}" for name, metric in columns]
        for row in table.paper.rows
    ]
    return ["", *(f"{name} {metric.upper()}" for name, metric in columns)], rows


def long(table: Filled) -> list[dict]:
    """One dict a cell, with everything that is known of it, by `KNOWN`; None for what is not."""
    lines = []
    for row, data_set, metric in itertools.product(table.paper.rows, table.data_sets, table.paper.metrics):
        cell = table.cells[row.name, data_set, metric]
        place = {"row": row.name, "data set": data_set, "metric": metric, "paper": row.published(metric, data_set)}
        known = {**(cell.line or {}), **place, "how": cell.how}
        lines.append({name: known.get(name) for name in KNOWN})
    return lines


def _made(table: Filled) -> list[tuple[str, str, str]]:
    """(row, data sets, how): data sets whose cells were made alike share a line."""
    metric = table.paper.metrics[-1]
    lines = []
    for row in table.paper.rows:
        alike: dict[str, list[str]] = {}
        for name in table.data_sets:
            alike.setdefault(table.cells[row.name, name, metric].how, []).append(name)
        lines += [(row.name, ", ".join(names), how) for how, names in alike.items()]
    return lines


def markdown(table: Filled) -> str:
    """The table, notes on it, then how each cell was made."""
    header, rows = wide(table)
    lines = [f"# {_title(table)}", "", _row(header), "|" + "---|" * len(header), *map(_row, rows)]
    for paragraph in (_legend(table), *table.notes, "## How each cell was made"):
        lines += ["", paragraph]
    lines += ["", *(f"- {row} ({names}): {how}" for row, names, how in _made(table))]
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _legend(table: Filled) -> str:
    return f"{LEGEND} {table.paper.caveat}".rstrip()


def _title(table: Filled) -> str:
    return f"{table.paper.title}; ours under protocol {table.protocol}"


def _csv(table: Filled) -> str:
    nothing = float("nan")  # which `as_csv` leaves empty
    lines = long(table)
    return outputs.as_csv({name: [nothing if line[name] is None else line[name] for line in lines] for name in KNOWN})


def _json(table: Filled) -> str:
    found = {"title": table.paper.title, "protocol": table.protocol, "notes": list(table.notes), "cells": long(table)}
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def _html(table: Filled) -> bytes:
    sections = [
        html.table(*wide(table)),
        html.note(_legend(table)),
        *map(html.note, table.notes),
        html.heading("How each cell was made"),
        html.table(("row", "data sets", "how"), _made(table)),
    ]
    return html.page(_title(table), sections)


def write(path: str | os.PathLike, table: Filled) -> None:
    """Writes `tableN.md`, `.csv`, `.json` and `.html` into the folder `path`, made if need be."""
    contents = {
        "md": markdown(table).encode(),
        "csv": _csv(table).encode(),
        "json": _json(table).encode(),
        "html": _html(table),
    }
    for suffix, data in contents.items():
        write_atomically(Path(path) / f"table{table.number}.{suffix}", data)
