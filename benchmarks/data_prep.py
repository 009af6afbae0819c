"""Speed and memory of preparing COCO, beside the bare work that nobody can spare.

    python -m benchmarks.data_prep --annotations=.../instances_train.json --images=.../images/train

Prints one JSON line:

    examples_per_second     pictures with their masks, by data_prep.coco with --processes workers
    cpu_use                 CPU seconds a second and worker, 1.0 is all
    bare_seconds            reading, decoding (Pillow, RGB) and writing as many bytes, as many workers; best of rounds
    seconds                 ours; best of rounds, which take turns with the bare ones
    ratio                   seconds / bare_seconds
    ratio_with_masks        the same, where the bare work also makes each usable object's mask (pycocotools) and PNG
    peak_memory_bytes       of the main process and its workers together, with the set repeated to --repeat_to
                            entries; memory that they share is counted once (proportional set size)
    full_coco_seconds       what 118,287 pictures with 860,001 objects would take: reading the annotations, and the
                            pictures at that rate
"""

from __future__ import annotations

import functools
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from absl import flags

from benchmarks.processes import peak_memory
from data_prep.coco import list_coco
from data_prep.reading.entries import Entry, Listing
from data_prep.reading.json_arrays import read_elements
from data_prep.reading.outlines import AreaLimits, decode_object
from data_prep.writing.records import plan, run_locally, write_records
from gsr_tf import command
from gsr_tf.data.pictures import decode_picture, encode_png, read_bytes
from gsr_tf.data.records import open_records

FULL_PICTURES, FULL_OBJECTS = 118_287, 860_001  # train2017
LIMITS = AreaLimits()


def _define(values: flags.FlagValues) -> None:
    own = {"flag_values": values}
    flags.DEFINE_string("annotations", None, "Instance annotations, JSON.", required=True, **own)
    flags.DEFINE_string("images", None, "Folder of the pictures.", required=True, **own)
    flags.DEFINE_integer("processes", 2, "Worker processes.", 1, **own)
    flags.DEFINE_integer("rounds", 3, "Rounds of ours and the bare work in turn; the best counts.", 1, **own)
    flags.DEFINE_integer("repeat_to", 20_000, "Entries of the memory measurement; 0 leaves it out.", 0, **own)


def _action(args: flags.FlagValues) -> None:
    start = time.perf_counter()
    listing = list_coco(Path(args.annotations), Path(args.images), LIMITS, keep_without_objects=True)
    listing_seconds = time.perf_counter() - start
    ours = functools.partial(run_ours, args.processes)
    with tempfile.TemporaryDirectory() as folder:
        ours(listing, folder)  # warms the file cache, and says how many bytes the bare work must write
        columns = open_records(f"{folder}/records").columns
    kept = dict(zip(columns["name"], columns["length"]))
    listing = listing._replace(entries=[entry for entry in listing.entries if entry.name in kept])
    lengths = [kept[entry.name] for entry in listing.entries]
    result = measure(listing, lengths, args.processes, args.rounds)
    objects = sum(len(entry.masks.places) for entry in listing.entries)
    result["full_coco_seconds"] = (
        FULL_OBJECTS * listing_seconds / objects + FULL_PICTURES / result["examples_per_second"]
    )
    if args.repeat_to:
        with tempfile.TemporaryDirectory() as folder:
            repeated = repeat(listing, args.repeat_to)
            result["repeated_to"] = args.repeat_to
            result["peak_memory_bytes"] = peak_memory(functools.partial(ours, repeated, folder))
    print(json.dumps(result))


class Part(NamedTuple):
    """A worker's share of the bare work: entries, how many bytes each one's record has, and whether masks are made."""

    entries: list[Entry]
    lengths: list[int]
    with_masks: bool


def bare_work(part: Part, folder: str) -> None:
    """Reads and decodes every picture of a part, and writes as many bytes as its records hold, in one go."""
    with open(f"{folder}/{part.entries[0].name}.out", "wb") as output:
        for entry, length in zip(part.entries, part.lengths):
            data = read_bytes(entry.image)
            decode_picture(data, entry.name)
            if part.with_masks:
                _make_masks(entry)
            output.write(data)
            output.write(bytes(length - len(data)))


def _make_masks(entry: Entry) -> None:
    for annotation in read_elements(entry.masks.path, entry.masks.places):
        mask = decode_object(annotation, entry.masks.shape, LIMITS)
        if not isinstance(mask, str):
            encode_png(mask * 255)


def run_bare(processes: int, listing: Listing, lengths: list[int], with_masks: bool, folder: str) -> None:
    """The bare work over all entries, by as many workers as ours, in as many parts."""
    count = len(plan(listing, Path(folder)))
    parts = [Part(listing.entries[number::count], lengths[number::count], with_masks) for number in range(count)]
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        pool.map(functools.partial(bare_work, folder=folder), parts, chunksize=1)


def run_ours(processes: int, listing: Listing, folder: str) -> None:
    """The real thing."""
    run = functools.partial(run_locally, processes=processes)
    write_records(listing, f"{folder}/records", run=run, progress=False)


def timed(work: Callable[[str], None]) -> tuple[float, float]:
    """Wall-clock and CPU seconds of work in a fresh folder, children's included."""
    with tempfile.TemporaryDirectory() as folder:
        before = _cpu_seconds()
        start = time.perf_counter()
        work(folder)
        return time.perf_counter() - start, _cpu_seconds() - before


def _cpu_seconds() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def repeat(listing: Listing, count: int) -> Listing:
    """The listing's entries over and over, each time under new names."""
    entries = [
        listing.entries[number % len(listing.entries)]._replace(name=f"{number:06d}.jpg") for number in range(count)
    ]
    return listing._replace(entries=entries)


def measure(listing: Listing, lengths: list[int], processes: int, rounds: int) -> dict:
    """Ours and the bare work in turn; the best round of each."""
    works = {
        "seconds": functools.partial(run_ours, processes, listing),
        "bare_seconds": functools.partial(run_bare, processes, listing, lengths, False),
        "bare_with_masks_seconds": functools.partial(run_bare, processes, listing, lengths, True),
    }
    taken = [{name: timed(work) for name, work in works.items()} for _ in range(rounds)]
    best = {name: min(one[name] for one in taken) for name in works}
    wall, cpu = best["seconds"]
    return {
        "examples_per_second": len(listing.entries) / wall,
        "cpu_use": cpu / wall / processes,
        **{name: value[0] for name, value in best.items()},
        "ratio": wall / best["bare_seconds"][0],
        "ratio_with_masks": wall / best["bare_with_masks_seconds"][0],
    }


main = functools.partial(command.main, _action, __doc__, _define)

if __name__ == "__main__":
    sys.exit(main())
