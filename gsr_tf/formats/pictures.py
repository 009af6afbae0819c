"""The real pictures that an export is compared on, and those that a quantised one is scored on."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from gsr_tf.data import folders
from gsr_tf.data.pictures import PICTURE_SUFFIXES, read_picture
from gsr_tf.data.records import Records, RecordsError, open_records
from gsr_tf.evaluation import items, metrics
from gsr_tf.formats.agreement import ExportError, Maps
from gsr_tf.training.run_dir import read_facts

COMPARED, SCORED = 8, 100
RUN_RECORDS = ("--validation_records", "--source_records", "--target_records")


def paper_scores(maps: Maps, scored: Sequence[items.Item], name: str) -> dict[str, float]:
    """The paper's F1 and MCC of a detector's maps, with their thresholds (`metrics.summarise`)."""

    def pairs() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for item in tqdm(scored, desc=name, unit="picture"):
            picture, mask = item.read()
            yield np.asarray(maps(picture)["probability"])[..., 0], mask

    return metrics.summarise(pairs())


def folder_pictures(folder: str) -> tuple[list[np.ndarray], int]:
    """Some of the pictures of a folder.

    Returns:
        They, [h, w, 3] uint8, and how many were left out since they cannot be read; those are named.

    Raises:
        ExportError: there is none that can be read.
    """
    files = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in PICTURE_SUFFIXES)
    shown = [path for path in files if not folders.is_hidden(path.relative_to(folder))]
    reads = [functools.partial(read_picture, path) for path in items.evenly(shown, COMPARED)]
    found, left_out = items.readable(reads, f"--pictures={folder}")
    if not found:
        raise ExportError(f"--pictures={folder}: no pictures that can be read ({', '.join(PICTURE_SUFFIXES)})")
    return found, left_out


def run_pictures(run_dir: Path) -> tuple[list[np.ndarray], int]:
    """Some of the pictures that a run saw, as `folder_pictures` gives them; none where its records are gone."""
    left_out = 0
    for flag in RUN_RECORDS:
        records = _run_records(run_dir, flag)
        if records:
            chosen = items.evenly(range(len(records)), COMPARED)
            reads = [functools.partial(_read_record, records, record) for record in chosen]
            found, more = items.readable(reads, f"{flag}={records.path}")
            left_out += more
            if found:
                return found, left_out
    return [], left_out


def _read_record(records: Records, record: int) -> np.ndarray:
    return records.example(record).read_picture()


def scored_items(path: str | None, run_dir: Path | None) -> tuple[list[items.Item], int]:
    """Some of the manipulated pictures of records, or of the run's own for validation.

    Returns:
        They, and how many were left out since they cannot be read; those are named.

    Raises:
        RecordsError: they cannot be read, or hold none.
    """
    flag = "--validation_records"
    records = open_records(path) if path else _run_records(run_dir, flag) if run_dir else None
    if records is None:
        raise RecordsError(f"no {flag} of the run to be read; --records=FOLDER says what to measure the cost on")
    where = f"{records.flag}={records.path}"
    if not len(records.pairs):
        raise RecordsError(f"{where}: no pictures with a mask, so there is nothing to score")
    chosen = items.evenly(items.from_records(records)[: len(records.pairs)], SCORED)
    found, left_out = items.readable([functools.partial(_once_read, item) for item in chosen], where)
    if not found:
        raise RecordsError(f"{where}: of {len(chosen)} pictures with a mask none can be read; prepare the set again")
    return found, left_out


def _once_read(item: items.Item) -> items.Item:
    item.read()
    return item


def _run_records(run_dir: Path, flag: str) -> Records | None:
    """The records that a run had for `flag`; None where it had none or they are gone."""
    facts = read_facts(run_dir).get("records", {}).get(flag)
    try:
        return open_records(facts["path"], flag) if facts else None
    except RecordsError:
        return None
