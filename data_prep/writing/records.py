"""All shards -> a records folder: planned, written by many processes, indexed last."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from tqdm import tqdm

from data_prep.reading.entries import Listing, PreparationError, Skipped
from data_prep.writing.finished import finished_report
from data_prep.writing.output import writing
from data_prep.writing.report import SKIPPED_NAME, Report
from data_prep.writing.shards import WRITER_VERSION, Shard, digest, write_shard
from data_prep.writing.workers import in_processes
from gsr_tf.data.records import COLUMNS, INDEX_NAME, write_index
from gsr_tf.data.unfindable import why_no_utf8
from gsr_tf.data.writing import write_atomically

PICTURES_PER_SHARD = 256
LEAST_SHARDS = 8  # small sets too are worth several processes
KEPT = "finished shards are kept, the same command goes on from them"
SHARD_OR_NOTE = re.compile(r"\.?(\d{5,}-of-\d{5,}\.tfrecord)(\.json)?")
# What a preparation writes aside, until it is renamed: hidden files of other names are somebody's own.
ASIDE = re.compile(rf"\.({SHARD_OR_NOTE.pattern}|{re.escape(INDEX_NAME)}|{re.escape(SKIPPED_NAME)})\.[0-9a-f.]+\.tmp")

Runner = Callable[[list[Shard]], Iterable[dict]]


def run_locally(shards: list[Shard], processes: int) -> Iterator[dict]:
    """Writes shards on this machine; gives their notes; raises PreparationError as `in_processes`."""
    try:
        yield from in_processes(write_shard, shards, processes)
    except PreparationError as error:
        raise PreparationError(f"{error}; {KEPT}") from error


def plan(listing: Listing, output: Path, version: int = WRITER_VERSION) -> list[Shard]:
    """Deals the entries, in order, into shards; their number depends on the number of entries alone."""
    entries = listing.entries
    if not entries:
        return []
    number = min(len(entries), max(LEAST_SHARDS, -(-len(entries) // PICTURES_PER_SHARD)))
    bounds = [len(entries) * shard // number for shard in range(number + 1)]
    parts = [entries[start:end] for start, end in zip(bounds, bounds[1:])]
    return [
        Shard(str(output), shard, number, part, digest(part, listing.settings, version))
        for shard, part in enumerate(parts)
    ]


def _state(shards: list[Shard]) -> str:
    """Names all that is to be written."""
    return hashlib.sha256("".join(shard.digest for shard in shards).encode()).hexdigest()


def _prepare_folder(output: Path) -> None:
    if why := why_no_utf8(output):
        raise PreparationError(f"--output={output}: {why}")
    with writing(output):
        output.mkdir(parents=True, exist_ok=True)
        probe = output / f".{os.getpid()}.tmp"
        probe.touch()
        probe.unlink()


def _remove_leftovers(output: Path) -> None:
    """Removes what interrupted preparations left half written."""
    for file in output.iterdir():
        if ASIDE.fullmatch(file.name):
            file.unlink()


def _remove_stale(output: Path, shards: list[Shard]) -> None:
    """Removes the shards of an unfinished preparation of another number of them: no index names them."""
    planned = {shard.file for shard in shards}
    for file in output.iterdir():
        match = SHARD_OR_NOTE.fullmatch(file.name)
        if match and match[1] not in planned:
            file.unlink()


def _collect(shards: list[Shard], notes: Iterable[dict], progress: bool) -> list[dict]:
    """The notes, one a shard, in order, as they come in."""
    by_digest = {}
    with tqdm(total=sum(len(shard.entries) for shard in shards), unit="picture", disable=not progress) as bar:
        for note in notes:
            by_digest[note["digest"]] = note
            bar.update(len(note["lines"]) + len(note["skipped"]))
    return [by_digest[shard.digest] for shard in shards]


def _columns(notes: list[dict]) -> dict[str, list]:
    columns = {name: [] for name in COLUMNS}
    for shard, note in enumerate(notes):
        for line in note["lines"]:
            for name, value in (("shard", shard), *line.items()):
                columns[name].append(value)
    return columns


def write_records(listing: Listing, output: str | os.PathLike, *, run: Runner, progress: bool = True) -> Report:
    """Writes the records of a listing, or goes on where an interrupted call stopped.

    The bytes of every file depend on the listing alone, not on `run` nor on interruptions.

    Args:
        listing: what to convert.
        output: the records folder.
        run: calls `write_shard` on every shard, anywhere, in any order, and gives its notes.
        progress: shows a bar.

    Raises:
        PreparationError: `output` cannot be used, or nothing could be kept.
    """
    output = Path(output)
    _prepare_folder(output)
    shards = plan(listing, output)
    state = _state(shards)
    earlier = (_state(plan(listing, output, version)) for version in range(1, WRITER_VERSION))
    report = finished_report(listing, output, state, earlier)
    try:
        _remove_leftovers(output)
        if report is None:
            _remove_stale(output, shards)
            notes = _collect(shards, run(shards), progress)
            report = _write_index(listing, output, shards, notes, state)
    except OSError as error:
        raise PreparationError(f"--output={output}: {error}; {KEPT}") from error
    for shard in shards:
        with contextlib.suppress(FileNotFoundError):
            shard.note.unlink()
    return report


def _write_index(listing: Listing, output: Path, shards: list[Shard], notes: list[dict], state: str) -> Report:
    skipped = sorted([*listing.skipped, *(Skipped(*skip) for note in notes for skip in note["skipped"])])
    reasons = Counter(skip.reason for skip in skipped)
    remarks = sum((Counter(note["remarks"]) for note in notes), Counter())
    columns = _columns(notes)
    kept = len(columns["name"])
    text = json.dumps([skip._asdict() for skip in skipped], indent=1, ensure_ascii=False)
    # What is no UTF-8 in a name that a detail quotes is escaped as JSON escapes it.
    write_atomically(output / SKIPPED_NAME, text.encode(errors="backslashreplace"))
    if not kept:
        found = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items())) or "no file"
        raise PreparationError(f"nothing to keep: {found}; {output / SKIPPED_NAME} says which files")
    summary = {
        "found": kept + len(skipped),
        "kept": kept,
        "skipped": dict(sorted(reasons.items())),
        "remarks": dict(sorted(remarks.items())),
    }
    files = [
        {"file": shard.file, "records": len(note["lines"]), "bytes": note["bytes"], "sha256": note["sha256"]}
        for shard, note in zip(shards, notes)
    ]
    extra = {"digest": state, "settings": listing.settings, "report": summary}
    counts = write_index(output, shards=files, columns=columns, extra=extra)
    return Report(**summary, counts=counts)
