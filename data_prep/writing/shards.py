"""Many entries -> one shard, with a note beside it: what an interrupted preparation goes on from.

A shard is the unit of work: whichever process or machine writes it, and however often, its bytes are the same.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import uuid
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import tensorflow as tf

from data_prep.reading.entries import Entry, Refused, Skipped
from data_prep.reading.files import file_sha256
from data_prep.writing.examples import MASK_UNREAD, PICTURE_UNREAD, is_unread, make_example
from gsr_tf.data.decoding.lacking import naming
from gsr_tf.data.records import FRAME_AFTER, FRAME_BEFORE
from gsr_tf.data.writing import write_atomically

# Raised when what is written for the same entries changes, which of them are refused, or what `compose` makes of the
# same records: older half-finished work is then done again.
WRITER_VERSION = 2


class Shard(NamedTuple):
    """One shard to be written.

    Attributes:
        folder: of the records.
        number: 0 ... of - 1.
        of: how many shards there are.
        entries: the pictures in it.
        digest: of the entries and settings; a shard with another one is not the same work.
    """

    folder: str
    number: int
    of: int
    entries: list[Entry]
    digest: str

    @property
    def file(self) -> str:
        """Its file name."""
        return f"{self.number:05d}-of-{self.of:05d}.tfrecord"

    @property
    def note(self) -> Path:
        """Its note: present when, and only when, the shard is whole."""
        return Path(self.folder, f".{self.file}.json")


def digest(entries: Iterable[Entry], settings: dict, version: int = WRITER_VERSION) -> str:
    """Names what is to be written: the settings, and of every entry its name, its masks' bytes, its pictures' sizes."""
    # Masks get corrected, often to the same size. No times: the digest is in the index, whose fingerprint must not
    # depend on when the files were unpacked or copied. No pictures' bytes: this process alone would read all of them
    # before the others begin, 18 GB of COCO.
    state = hashlib.sha256(json.dumps([version, settings], sort_keys=True).encode())
    for entry in entries:
        sizes = [os.stat(file).st_size if os.path.exists(file) else -1 for file in (entry.image, entry.original)]
        masks = None if entry.masks is None else [_content(file) for file in entry.masks.files]
        state.update(json.dumps([entry.name, sizes, masks]).encode())
    return state.hexdigest()


def _content(file: str) -> str:
    """The SHA-256 of a mask's file; "" where it cannot be read, which the entry is refused for later."""
    try:
        return file_sha256(file) if os.path.isfile(file) else ""  # a pipe or a device may have no end
    except OSError:
        return ""


def readable_since(entries: Iterable[Entry], skipped: Iterable[Skipped]) -> str | None:
    """The name of the first entry that was skipped because it could not be read, and can be read now; None for none.

    The digest does not tell: a file's rights, or a disk that failed once, do not change its size.
    """
    unread = {skip.name for skip in skipped if skip.reason in (PICTURE_UNREAD, MASK_UNREAD)}
    return next((entry.name for entry in entries if entry.name in unread and not is_unread(entry)), None)


def finished_note(shard: Shard) -> dict | None:
    """The note of a shard that was already written whole, for the same entries; None when it must be written."""
    try:
        note = json.loads(shard.note.read_bytes())
        whole = note["digest"] == shard.digest and note["sha256"] == file_sha256(Path(shard.folder, shard.file))
        skipped = [Skipped(*skip) for skip in note["skipped"]]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return note if whole and readable_since(shard.entries, skipped) is None else None


def _write_examples(shard: Shard, path: Path) -> dict:
    lines, skipped, remarks = [], [], Counter()
    position = 0
    with tf.io.TFRecordWriter(str(path)) as writer:
        for entry in shard.entries:
            try:
                with naming(entry.image):
                    example = make_example(entry)
            except Refused as refusal:
                skipped.append(Skipped(entry.name, refusal.reason, refusal.detail))
                continue
            writer.write(example.payload)
            length = len(example.payload)
            lines.append({"offset": position + FRAME_BEFORE, "length": length, **example.columns})
            position += FRAME_BEFORE + length + FRAME_AFTER
            remarks += example.remarks
    return {"lines": lines, "skipped": skipped, "remarks": remarks}


def write_shard(shard: Shard) -> dict:
    """Writes a shard, unless it is already there, whole.

    Returns:
        Its note: "digest", "sha256", "bytes", "lines" (the index's columns, a dict a record), "skipped"
        (name, reason, detail), "remarks" (counts by reason).

    Raises:
        OSError: the output cannot be written.
    """
    note = finished_note(shard)
    if note is not None:
        return note
    path = Path(shard.folder, shard.file)
    # Another machine may be writing the same shard: each has a name of its own until the renaming.
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        written = _write_examples(shard, aside)
        note = {"digest": shard.digest, "sha256": file_sha256(aside), "bytes": aside.stat().st_size, **written}
        aside.replace(path)
    except tf.errors.OpError as error:
        raise OSError(f"{path}: {error.message}") from None
    finally:
        with contextlib.suppress(OSError):
            aside.unlink()
    write_atomically(shard.note, json.dumps(note).encode())
    return note
