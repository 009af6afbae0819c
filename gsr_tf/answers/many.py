"""Millions of pictures answered by the workers of an Apache Beam pipeline, a shard at a time.

A worker keeps the model in a process of its own (`child`), and answers a shard as `predict` answers a folder: pictures
are read and written while the network looks at others, and on a GPU those of like sizes go through it together. Each
answer is put down in its shard at once, so that a shard that is begun again, by another call or because a worker was
lost, goes on where it was.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import pickle
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gsr_tf.answers import files, shards
from gsr_tf.answers.answering import Answering, Segment
from gsr_tf.answers.child import Child, Ended, child_of
from gsr_tf.answers.inputs import Source
from gsr_tf.answers.results import Results, json_line
from gsr_tf.answers.shards import Shard
from gsr_tf.data import on_beam
from gsr_tf.data.decoding.opening import open_file
from gsr_tf.data.pictures import PictureError
from gsr_tf.data.writing import write_atomically
from gsr_tf.inference.device import gpus

ENDED = "the process that looked at it ended, twice; it may be damaged, or need more memory than there is"


@dataclasses.dataclass(frozen=True)
class Asked:
    """How pictures are to be answered; it can be pickled.

    Attributes:
        load: gives what answers a picture, and the settings that its answer depends on.
        npz, max_pixels: as those of `Answering`.
    """

    load: Callable[[], tuple[Segment, dict]]
    npz: bool
    max_pixels: int


def answer(
    sources: Sequence[Source], output: Path, asked: Asked, count: int | None, runner: str, options: Sequence[str]
) -> Counter:
    """Answers pictures into a folder, by a Beam pipeline.

    Memory here grows with the number of pictures by their names and paths, that of a worker does not.

    Args:
        sources: the pictures.
        output: the folder.
        asked: how.
        count: of shards, as `shards.lay_out`.
        runner: as `on_beam.run`.
        options: as `on_beam.run`.

    Returns:
        "pictures", "skipped", "earlier" (answered by an earlier call), and why others were answered again.

    Raises:
        BeamError: Beam is not installed, or the pipeline failed; what was answered is kept.
        InputError: as `shards.lay_out`.
    """
    laid_out = shards.lay_out(sources, output.absolute(), count)
    make = pickle.dumps(functools.partial(_loaded, asked))
    try:
        with on_beam.progress(output / shards.WORK, {shard.note.name: size for shard, size in laid_out.items()}):
            on_beam.run(functools.partial(answer_shard, make=make), list(laid_out), runner, options)
    finally:
        child_of(make).close()  # where workers are threads of this process
    with on_beam.left_by(runner):
        total = sum((Counter(json.loads(shard.note.read_bytes())) for shard in laid_out), Counter())
    shards.remove_work(output)
    return total


def answer_shard(shard: Shard, make: bytes) -> None:
    """Answers the pictures of a shard that have no answer that holds; leaves its files and its note.

    A picture that ends the process that looks at it twice is a dead letter.

    Args:
        shard: with its list.
        make: `_loaded` of an `Asked`, pickled.

    Raises:
        Ended: the process ends without any picture.
        Exception: `load`'s and `Answering.answer`'s.
    """
    if shard.note.exists():  # a runner may start a shard twice
        return
    sources, child = shard.sources(), child_of(make)
    try:
        errors, counts = child(shard, sources)
    except Ended:
        errors, counts = _one_by_one(child, shard, sources), Counter()
    names = {source.name for source in sources}
    results = Results(shard.output, shard.answers)
    for record in errors:
        results.records.pop(record["name"], None)
    results.put_in_order(names)
    _write_dead_letters(shard, errors)
    shard.write_note({"pictures": len(sources), "skipped": len(errors), **counts})


def _one_by_one(child: Child, shard: Shard, sources: Sequence[Source]) -> list[dict]:
    """As a child's errors, after it has ended over some picture: the one over which it ends again is known."""
    child(shard, [])  # if it ends over this, no picture is the reason
    errors = []
    for source in sources:
        try:
            errors += child(shard, [source])[0]
        except Ended:
            errors.append({"name": source.name, "path": str(source.path), "error": ENDED})
            files.remove(shard.output, source.name)  # of an earlier state of the picture
    return errors


def _write_dead_letters(shard: Shard, errors: Sequence[Mapping]) -> None:
    if not errors:
        shard.dead_letters.unlink(missing_ok=True)
        return
    lines = [{"path": record["path"], "name": record["name"], "reason": record["error"]} for record in errors]
    write_atomically(shard.dead_letters, b"".join(map(json_line, sorted(lines, key=lambda line: line["name"]))))


def _loaded(asked: Asked) -> Callable[[Shard, Sequence[Source]], tuple[list[dict], Counter]]:
    """In the child: what answers a shard's pictures; gives records of those not answered, and counts."""
    segment, settings = asked.load()

    def answer_pictures(shard: Shard, sources: Sequence[Source]) -> tuple[list[dict], Counter]:
        results = Results(shard.output, shard.answers)
        how = {"npz": asked.npz, "previews": False, "max_pixels": asked.max_pixels}
        answering = Answering(segment, settings, shard.output, **how)
        why = {source: answering.why_not_done(source, results) for source in sources}
        todo = [source for source, reason in why.items() if reason]
        errors, told = [], time.monotonic()
        for number, record in enumerate(answering.answer_all(alike(todo) if gpus() else todo), start=1):
            if "error" in record:
                errors.append(record)
            else:
                results.add(record)
            if time.monotonic() - told > on_beam.LOOK_SECONDS:
                write_atomically(shard.begun, str(len(sources) - len(todo) + number).encode())
                told = time.monotonic()
        counts = Counter(reason or "earlier" for reason in why.values())
        del counts["new"]
        return errors, counts

    return answer_pictures


def alike(sources: Sequence[Source]) -> list[Source]:
    """The pictures in an order in which those that a network can see together follow each other.

    Whole pictures are seen at one size for one shape, others at their own.
    """
    with ThreadPoolExecutor() as pool:
        sizes = pool.map(_size, sources)
    return [source for _, source in sorted(zip(sizes, sources), key=lambda pair: pair[0])]


def _size(source: Source) -> tuple[float, int]:
    try:
        width, height = open_file(source.read(), source.file, 1 << 62)[0].size
    except (PictureError, MemoryError):
        return 0, 0  # the answer itself says so
    return width / height, height
