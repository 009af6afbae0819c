"""What a benchmark says in the end: a table for people, then a line of JSON, by which others know it again."""

from __future__ import annotations

import json


def show(table: str, report: dict) -> None:
    """Prints both."""
    print(table)
    print(json.dumps(report))


def last(printed: str) -> dict | None:
    """The report in what a benchmark printed: the last line that is a JSON object."""
    for line in reversed(printed.splitlines()):
        if line.startswith("{"):
            return json.loads(line)
    return None
