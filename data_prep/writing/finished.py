"""A records folder that was finished before: the very records that are asked for, or others."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from data_prep.reading.entries import Listing, PreparationError, Skipped
from data_prep.reading.files import NO_PICTURE, file_sha256
from data_prep.writing.report import SKIPPED_NAME, Report, report_of
from data_prep.writing.shards import readable_since
from gsr_tf.data.records import INDEX_NAME, SCHEMA_VERSION


def finished_report(listing: Listing, output: Path, digest: str, earlier: Iterable[str]) -> Report | None:
    """The report of a folder that already holds the records of a listing; None where nothing was finished.

    Args:
        listing: what is asked for.
        output: the folder.
        digest: of the listing, as the index would have it.
        earlier: those that earlier versions would have given it; looked at where the index has another one.

    Raises:
        PreparationError: the folder holds other records, or is damaged.
    """
    if not (output / INDEX_NAME).exists():
        return None
    index = _read_json(output, INDEX_NAME, dict)
    _check_digest(output, index, digest, earlier)
    with _damage(output, INDEX_NAME):
        shards = {output / shard["file"]: shard["sha256"] for shard in index["shards"]}
        report = report_of(index)
    for path, sha256 in shards.items():
        if not path.exists() or file_sha256(path) != sha256:
            raise PreparationError(f"--output={output}: shard {path.name} is missing or damaged; delete the folder")
    _check_skipped(listing, output)
    return report


def _check_digest(output: Path, index: dict, digest: str, earlier: Iterable[str]) -> None:
    schema, there = index.get("schema"), index.get("digest")
    if schema == SCHEMA_VERSION and there == digest:
        return
    if schema == SCHEMA_VERSION and there in earlier:
        raise PreparationError(
            f"--output={output}: holds records of these files and settings that an earlier version finished, which "
            "read some files otherwise; use them as they are, or delete the folder to make them anew"
        )
    raise PreparationError(
        f"--output={output}: holds records of other files or settings; give another folder, or delete this one"
    )


def _check_skipped(listing: Listing, output: Path) -> None:
    """Raises PreparationError where what was skipped then would not be skipped now, or the reverse."""
    said = _read_json(output, SKIPPED_NAME, list)
    with _damage(output, SKIPPED_NAME):
        skipped = [_skipped(skip) for skip in said]
    changed = _changed_skip(listing, skipped)
    if changed:
        raise PreparationError(
            f"--output={output}: {SKIPPED_NAME} is of other files (see {changed.name}: {changed.reason}); "
            "give another folder, or delete this one"
        )
    name = readable_since(listing.entries, skipped)
    if name:
        raise PreparationError(
            f"--output={output}: {name} could not be read then, and can be now; give another folder, or delete this one"
        )


def _skipped(said: dict) -> Skipped:
    skip = Skipped(**said)
    if not all(isinstance(text, str) for text in skip):
        raise TypeError(f"{list(skip)} where texts are expected")
    return skip


def _changed_skip(listing: Listing, before: Iterable[Skipped]) -> Skipped | None:
    """A picture or mask that is refused now and was not before, or the reverse; None where there is none."""
    now, then = (
        Counter(skip._replace(detail="") for skip in skips if skip.reason not in NO_PICTURE)
        for skips in (listing.skipped, before)
    )
    names = {entry.name for entry in listing.entries}  # these were refused when they were read
    gone = [skip for skip in then - now if skip.name not in names]
    return next(iter([*(now - then), *gone]), None)


@contextlib.contextmanager
def _damage(output: Path, name: str) -> Iterator[None]:
    """Within it a file of a finished folder is read: what its form makes go wrong is a PreparationError."""
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise PreparationError(f"--output={output}: {name} is damaged ({error}); delete the folder") from error


def _read_json(output: Path, name: str, kind: type) -> Any:
    """The content, which is of this kind, of a file of a finished folder."""
    try:
        text = (output / name).read_bytes()
    except FileNotFoundError as error:
        raise PreparationError(f"--output={output}: {name} is missing; delete the folder") from error
    with _damage(output, name):
        content = json.loads(text)
        if not isinstance(content, kind):
            raise ValueError(f"a {type(content).__name__} where a {kind.__name__} is expected")
    return content
