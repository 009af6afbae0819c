"""The real pictures that an export is compared on, and those that a quantised one is scored on."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from gsr_tf.data import folders
from gsr_tf.data.pictures import PICTURE_SUFFIXES, PictureError, read_picture
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


def folder_pictures(folder: str) -> list[np.ndarray]:
    """Some of the pictures of a folder, [h, w, 3] uint8; one that cannot be read is named and left out.

    Raises:
        ExportError: there is none that can be read.
    """
    files = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in PICTURE_SUFFIXES)
    shown = [path for path in files if not folders.is_hidden(path.relative_to(folder))]
    found = []
    for path in items.evenly(shown, COMPARED):
        try:
            found.append(read_picture(path))
        except PictureError as error:
            print(f"--pictures={folder}: left out {error}", file=sys.stderr)
    if not found:
        raise ExportError(f"--pictures={folder}: no pictures that can be read ({', '.join(PICTURE_SUFFIXES)})")
    return found


def run_pictures(run_dir: Path) -> list[np.ndarray]:
    """Some of the pictures that a run saw, [h, w, 3] uint8; none where its records are gone."""
    for flag in RUN_RECORDS:
        records = _run_records(run_dir, flag)
        if records:
            examples = (records.example(record) for record in items.evenly(range(len(records)), COMPARED))
            return [example.read_picture() for example in examples]
    return []


def scored_items(path: str | None, run_dir: Path | None) -> list[items.Item]:
    """Some of the manipulated pictures of records, or of the run's own for validation.

    Raises:
        RecordsError: they cannot be read, or hold none.
    """
    flag = "--validation_records"
    records = open_records(path) if path else _run_records(run_dir, flag) if run_dir else None
    if records is None:
        raise RecordsError(f"no {flag} of the run to be read; --records=FOLDER says what to measure the cost on")
    if not len(records.pairs):
        raise RecordsError(f"--records={records.path}: no pictures with a mask, so there is nothing to score")
    return items.evenly(items.from_records(records)[: len(records.pairs)], SCORED)


def _run_records(run_dir: Path, flag: str) -> Records | None:
    """The records that a run had for `flag`; None where it had none or they are gone."""
    facts = read_facts(run_dir).get("records", {}).get(flag)
    try:
        return open_records(facts["path"], flag) if facts else None
    except RecordsError:
        return None
