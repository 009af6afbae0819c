"""What is known of the pictures answered into one folder: results.jsonl, results.csv and what need not be done again.

results.jsonl grows by one line a picture, the moment its files are there. At the end it is put in order, one line a
picture, those of earlier calls among them. results.csv has the pictures of the latest call's input, in columns.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path, PurePath
from typing import Any

from gsr_tf.answers import files
from gsr_tf.answers.cells import cell
from gsr_tf.data.writing import write_atomically

JOURNAL, TABLE = "results.jsonl", "results.csv"
SHARDS = "answers-*-of-*.jsonl"  # the journals of answers by many workers
COLUMNS = (
    *("file", "score", "flagged", "regions", "boxes", "width", "height", "orientation", "format", "detector"),
    *("threshold", "read_seconds", "segment_seconds", "write_seconds", "warnings", "error", "path"),
)
NUMBER = (int, float)
ALWAYS = {"name": str, "file": str, "path": str, "settings": dict, "stamp": dict}
ANSWERED = {  # as well, of a picture without an error
    **{"score": NUMBER, "flagged": NUMBER, "boxes": list, "width": int, "height": int},
    **{"warnings": list, "seconds": dict},
}
SETTINGS = {"detector": str, "threshold": NUMBER, "fingerprint": str, "resolution": str, "scales": list}


class Results:
    """The records of one output folder, by name of the answer.

    A record is a dict that JSON can hold; `answering.answer` says what is in it.

    Args:
        folder: of the answers.
        journal: the file's name there.
    """

    def __init__(self, folder: Path, journal: str = JOURNAL):
        self.folder = folder
        self._journal = folder / journal
        _take_off_torn_line(self._journal)
        self.records = {name: one for name, one in read(self._journal).items() if _is_whole(one)}

    def why_not_done(self, name: str, settings: Mapping, stamp: Mapping, places: Iterable[Path]) -> str:
        """Why a picture is to be answered; "" when there is an answer that holds.

        Args:
            name: of the answer.
            settings: what the answer depends on besides the picture.
            stamp: what tells one state of the picture's file from another.
            places: the files that an answer has.
        """
        record = self.records.get(name)
        if record is None or "error" in record:
            return "new"
        if record["settings"] != settings:
            return "answered with other settings"
        if record["stamp"] != stamp:
            return "changed since it was answered"
        return "" if all(path.is_file() for path in places) else "some of its files missing"

    def begin(self) -> None:
        """Makes the journal: from now on the folder holds answers, though a killed call may have put none down."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._journal.touch()

    def add(self, record: dict) -> None:
        """Puts down one record for good: its line is on disk, whole, when this returns."""
        self.records[record["name"]] = record
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with self._journal.open("ab") as file:
                file.write(json_line(record))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self._journal)) from error

    def finish(self, names: Collection[str]) -> list[dict]:
        """Writes journal and table in the order of names, and returns the records of the table.

        Args:
            names: as those of `put_in_order`.
        """
        meant = self.put_in_order(names)
        write_atomically(self.folder / TABLE, _table(meant))
        return meant

    def put_in_order(self, names: Collection[str]) -> list[dict]:
        """Writes the journal in the order of names, and returns the records of this call's input.

        Args:
            names: of the answers to this call's input. What a picture of it was called in an earlier call, before it
                got a twin of its name say, is no longer a record, and has no files any more, once it is answered.
        """
        here = {record["path"] for name, record in self.records.items() if name in names and "error" not in record}
        renamed = [name for name, record in self.records.items() if name not in names and record["path"] in here]
        for name in renamed:
            del self.records[name]
        self.records = dict(sorted(self.records.items()))
        meant = [record for name, record in self.records.items() if name in names]
        write_atomically(self._journal, b"".join(map(json_line, self.records.values())))
        for name in renamed:
            if _is_within(self.folder, name):
                files.remove(self.folder, name)
        return meant


def journals(folder: Path) -> list[Path]:
    """The files with the records of a folder, by one command or by many workers."""
    return [path for path in (folder / JOURNAL, *sorted(folder.glob(SHARDS))) if path.is_file()]


def holds_answers(folder: Path) -> bool:
    """Whether answers were written into a folder."""
    return bool(journals(folder))


def json_line(record: Mapping) -> bytes:
    """One line of a JSON Lines file."""
    return json.dumps(record).encode() + b"\n"


def read(journal: Path) -> dict[str, dict]:
    """The last record of each name; none where there is no such file."""
    records = {}
    for line in journal.read_bytes().splitlines() if journal.is_file() else ():
        with contextlib.suppress(ValueError, RecursionError):  # not a line of ours
            record = json.loads(line)
            if _has(record, ALWAYS) and _names_files(record["name"]):
                json.dumps(record, ensure_ascii=False).encode("utf-8", "surrogateescape")  # as the table will be
                records[record["name"]] = record
    return records


def _has(record: Any, fields: Mapping) -> bool:
    return isinstance(record, dict) and all(isinstance(record.get(name), kind) for name, kind in fields.items())


def _names_files(name: str) -> bool:
    """Whether files of that name are within the folder of answers, as ours are: those of a record may be removed."""
    path = PurePath(name)
    return not path.is_absolute() and os.pardir not in path.parts and "\0" not in name


def _is_within(folder: Path, name: str) -> bool:
    """Whether the files of that name are within the folder, also where links in it lead elsewhere."""
    return Path(os.path.realpath((folder / name).parent)).is_relative_to(os.path.realpath(folder))


def _is_whole(record: Mapping) -> bool:
    """Whether a record has all that table and page show of it; somebody else may have written into the folder."""
    if not _are_settings(record["settings"]):
        return False
    if "error" in record:
        return isinstance(record["error"], str)
    return (
        _has(record, ANSWERED)
        and 0 <= record["score"] <= 1
        and 0 <= record["flagged"] <= 1
        and all(isinstance(box, list) for box in record["boxes"])
        and all(isinstance(warning, str) for warning in record["warnings"])
    )


def _are_settings(settings: Mapping) -> bool:
    whole = {"fingerprint": "", "resolution": "", "scales": [], **settings}  # of a method without weights
    return _has(whole, SETTINGS) and all(isinstance(scale, NUMBER) for scale in whole["scales"])


def _take_off_torn_line(journal: Path) -> None:
    """Takes off a last line that has no end: the machine went down while it was written."""
    data = journal.read_bytes() if journal.is_file() else b""
    whole = data[: data.rfind(b"\n") + 1]
    if whole != data:
        write_atomically(journal, whole)


def _table(records: list[dict]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for record in records:
        columns = {**record, "detector": record["settings"]["detector"], "threshold": record["settings"]["threshold"]}
        if "error" not in record:
            columns["regions"] = len(record["boxes"])
            columns["boxes"] = "; ".join(" ".join(map(str, box)) for box in record["boxes"])
            columns["warnings"] = "; ".join(record["warnings"])
            columns |= {f"{stage}_seconds": seconds for stage, seconds in record["seconds"].items()}
        writer.writerow({name: cell(value) if isinstance(value, str) else value for name, value in columns.items()})
    return text.getvalue().encode("utf-8", "surrogateescape")  # a file's name may be any bytes
