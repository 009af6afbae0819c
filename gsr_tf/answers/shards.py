"""Pictures in shards: each shard a list that one worker answers, and the files that it leaves.

answers-00003-of-00040.jsonl        a line a picture that was answered, as those of results.jsonl
dead-letters-00003-of-00040.jsonl   a line a picture that was not, with its path and the reason; missing without any

Which shard a picture is in follows from its file's name and the number of shards, which a folder keeps. So a later
call, with more pictures or fewer, finds an earlier answer where it looks for it.
"""

from __future__ import annotations

import json
import re
import shutil
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from gsr_tf.answers.inputs import InputError, Source
from gsr_tf.answers.results import SHARDS, json_line
from gsr_tf.data.on_beam import BEGUN
from gsr_tf.data.writing import write_atomically

WORK = ".shards"  # while workers are at it: lists of pictures, and notes of what is finished
PICTURES = 100  # a shard


class Shard(NamedTuple):
    """One of the shards of a folder."""

    output: Path
    number: int
    count: int

    @property
    def name(self) -> str:
        """Of its files, beside what they are."""
        return f"{self.number:05d}-of-{self.count:05d}"

    @property
    def answers(self) -> str:
        """The file's name."""
        return f"answers-{self.name}.jsonl"

    @property
    def dead_letters(self) -> Path:
        """The file."""
        return self.output / f"dead-letters-{self.name}.jsonl"

    @property
    def note(self) -> Path:
        """The file that says that all of its pictures were asked, and what came of it."""
        return self.output / WORK / f"{self.name}.done"

    @property
    def begun(self) -> Path:
        """The file that says, before there is a note, how many of its pictures were asked."""
        return self.output / WORK / f"{self.name}{BEGUN}"

    @property
    def _list(self) -> Path:
        return self.output / WORK / f"{self.name}.list"

    def write_sources(self, sources: Sequence[Source]) -> None:
        """Writes the list of pictures; their paths are made absolute, since workers have other working folders."""
        lines = (dict(source._asdict(), path=str(source.path.absolute())) for source in sources)
        write_atomically(self._list, b"".join(map(json_line, lines)))

    def sources(self) -> list[Source]:
        """The pictures on the list."""
        rows = map(json.loads, self._list.read_bytes().splitlines())
        return [Source(**{**row, "path": Path(row["path"])}) for row in rows]

    def write_note(self, note: Mapping) -> None:
        """Writes the note."""
        write_atomically(self.note, json.dumps(note).encode())
        self.begun.unlink(missing_ok=True)


def lay_out(sources: Sequence[Source], output: Path, asked: int | None = None) -> dict[Shard, int]:
    """Writes the lists of all shards; returns how many pictures each has.

    Args:
        sources: the pictures.
        output: the folder; notes of earlier work in it are removed, answers are not.
        asked: number of shards; None: as many as the folder has, or one for every 100 pictures.

    Raises:
        InputError: the folder has another number of shards; a picture comes on standard input.
    """
    if any(source.path is None for source in sources):
        raise InputError("--input=-: workers cannot read standard input; give files, or predict the picture")
    count = _count(output, asked) or max(1, -(-len(sources) // PICTURES))
    of_shard: list[list[Source]] = [[] for _ in range(count)]
    for source in sources:
        of_shard[zlib.crc32(source.file.encode("utf-8", "surrogateescape")) % count].append(source)
    shutil.rmtree(output / WORK, ignore_errors=True)
    shards = [Shard(output, number, count) for number in range(count)]
    for shard in shards:
        shard.write_sources(of_shard[shard.number])
    return {shard: len(of_shard[shard.number]) for shard in shards}


def _count(output: Path, asked: int | None) -> int | None:
    """The number of shards that a folder has, else the one asked for."""
    there = {int(re.search(r"(\d+)\.jsonl$", path.name)[1]) for path in output.glob(SHARDS)}
    if there and there != {asked or min(there)}:
        found = " and ".join(map(str, sorted(there)))
        raise InputError(
            f"--output={output}: its number of shards is {found}; leave --shards out to go on with them, or give "
            "another folder"
        )
    return min(there, default=asked)


def remove_work(output: Path) -> None:
    """Removes lists and notes."""
    shutil.rmtree(output / WORK)
