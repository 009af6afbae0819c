"""Checks data sets, before preparation (folders, list files) or after it (records).

    python -m data_prep.check PATH [PATH ...] [--output=check]

PATH is a records folder; a folder of a published set, of Tp/ and Gt/, of images/ and masks/, of pictures beside their
masks, or of authentic pictures; or a list file (JsonDataset, test_datasets.json, MVSS-Net's). Every picture and mask is
read.

Written to --output:

    report.json               everything below, for programs
    shares.png                histogram of the share of manipulated pixels
    contact_sheet_<set>.png   pictures with their masks outlined: look at it before you train

Said of each set: how many pictures are usable and why the others are not (unpaired, unreadable, of another size,
masks that are all zero or all one); masks that look inverted; pictures whose last rows are lost; pictures that look the
same, within a set and between sets: what is tested on must not be trained on. Between sets, each picture is told with
the one of the other set that looks most like it.

Exit code: 0 nothing to mend; 3 something was found that needs a decision (pictures that cannot be used, masks that
look inverted, lost rows, the same picture in two sets); 1 nothing could be checked; 2 wrong flags. Pictures that look
the same within one set are told, but do not count: variants of one photograph are common.
"""

from __future__ import annotations

import functools
import itertools
import json
import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from absl import flags
from tqdm import tqdm

from data_prep import command
from data_prep.inspecting import duplicates
from data_prep.inspecting.drawing import contact_sheet, draw_histogram
from data_prep.inspecting.inspection import Facts, inspect
from data_prep.inspecting.samples import Sample
from data_prep.layouts import list_samples
from data_prep.reading.entries import PreparationError, Skipped
from data_prep.writing.output import writing
from data_prep.writing.workers import in_processes
from gsr_tf.command import Word
from gsr_tf.data.pictures import encode_png
from gsr_tf.data.writing import write_atomically
from gsr_tf.errors import one_line

FOUND_SOMETHING = 3


def inspect_all(samples: Sequence[Sample], processes: int) -> list[Facts]:
    """The facts of every sample, in order, read by worker processes."""
    return list(tqdm(in_processes(inspect, samples, processes, at_once=8), total=len(samples), unit="picture"))


def _quantiles(values: Sequence[float]) -> dict[str, float]:
    if not len(values):
        return {}
    return {"least": float(min(values)), "median": float(np.median(values)), "most": float(max(values))}


def describe(facts: Sequence[Facts], skipped: Sequence[Skipped]) -> dict:
    """The report of one set.

    Args:
        facts: of its samples.
        skipped: its files that are no sample.
    """
    usable = [fact for fact in facts if not fact.reason]
    unusable = [*skipped, *(Skipped(fact.name, fact.reason, fact.detail) for fact in facts if fact.reason)]
    manipulated = [fact for fact in usable if fact.shares]
    authentic = [fact for fact in usable if not fact.shares]
    shares = [share for fact in manipulated for share in fact.shares]
    groups = [
        [part[number].name for number in group]
        for part in (manipulated, authentic)  # a manipulated picture resembles its own original: no duplicate
        for group in duplicates.within([fact.hash for fact in part])
    ]
    return {
        "found": len(facts) + len(skipped),
        "usable": len(usable),
        "manipulated": len(manipulated),
        "authentic": len(authentic),
        "masks": len(shares),
        "unusable": dict(sorted(Counter(skip.reason for skip in unusable).items())),
        "unusable_files": [skip._asdict() for skip in unusable],
        "width": _quantiles([fact.size[0] for fact in usable]),
        "height": _quantiles([fact.size[1] for fact in usable]),
        "share": _quantiles(shares),
        "ends_in_grey": [fact.name for fact in usable if fact.lost],
        "looks_inverted": [fact.name for fact in manipulated if fact.inverted],
        "look_the_same": groups,
    }


def compare(sets: dict[str, list[Facts]]) -> list[dict]:
    """The pictures that two different sets share, each with its nearest one, for every pair of sets that share any."""
    shared = []
    for (first, left), (second, right) in itertools.combinations(sets.items(), 2):
        twins = duplicates.between([fact.hash for fact in left], [fact.hash for fact in right])
        pairs = [[left[twin.first].name, right[twin.second].name, twin.distance] for twin in twins]
        if pairs:
            shared.append({"sets": [first, second], "pairs": pairs})
    return shared


def needs_a_decision(report: dict) -> bool:
    """Whether anything was found that the user should mend or decide."""
    return bool(report["between"]) or any(
        part["unusable"] or part["looks_inverted"] or part["ends_in_grey"] for part in report["sets"].values()
    )


def _lines_of(name: str, part: dict) -> list[str]:
    """What is said of one set."""
    lines = [
        f"{name}: found {part['found']} = usable {part['usable']} + unusable {part['found'] - part['usable']}",
        f"  {part['manipulated']} with masks ({part['masks']}), {part['authentic']} without",
    ]
    for side in ("width", "height"):
        if part[side]:
            lines.append("  {}: {least:.0f} to {most:.0f}, median {median:.0f}".format(side, **part[side]))
    if part["share"]:
        lines.append(
            "  a mask covers {least:.2%} to {most:.1%} of its picture, median {median:.1%}".format(**part["share"])
        )
    lines += [f"  unusable {count}: {reason}" for reason, count in part["unusable"].items()]
    if part["ends_in_grey"]:
        count, first = len(part["ends_in_grey"]), part["ends_in_grey"][0]
        lines.append(f"  {count} end in rows of plain grey, as where a file's data were lost, such as {first}")
    if part["looks_inverted"]:
        lines.append(f"  masks of {len(part['looks_inverted'])} look inverted, such as {part['looks_inverted'][0]}")
    if part["look_the_same"]:
        pictures = sum(map(len, part["look_the_same"]))
        lines.append(f"  {pictures} pictures in {len(part['look_the_same'])} groups look the same")
    return lines


def _lines(report: dict) -> list[str]:
    lines = [line for name, part in report["sets"].items() for line in _lines_of(name, part)]
    for shared in report["between"]:
        (one, other), (ours, theirs, _) = shared["sets"], zip(*shared["pairs"])
        counts = f"{len(set(ours))} in {one}, {len(set(theirs))} in {other}"
        lines.append(f"{one} and {other} share pictures: {counts}, such as {ours[0]} = {theirs[0]}")
    return lines


def check(paths: Sequence[Path], output: Path, processes: int) -> dict:
    """Checks every set at `paths`, writes the report's files to `output`, and returns it."""
    sets = {}
    for path in paths:
        for name, found in list_samples(path).items():
            sets[name if name not in sets else str(path)] = found
    if not any(samples for samples, _ in sets.values()):
        raise PreparationError(f"no picture in {', '.join(map(str, paths))}")
    facts = {name: inspect_all(samples, processes) for name, (samples, _) in sets.items()}
    report = {
        "sets": {name: describe(facts[name], skipped) for name, (_, skipped) in sets.items()},
        "between": compare(facts),
    }
    sheets = {name: contact_sheet(samples) for name, (samples, _) in sets.items() if samples}
    shares = {name: [share for fact in part for share in fact.shares] for name, part in facts.items()}
    with writing(output):
        for name, sheet in sheets.items():
            write_atomically(output / f"contact_sheet_{name.replace('/', '_')}.png", encode_png(sheet))
        draw_histogram(shares, str(output / "shares.png"))
        text = json.dumps(report, indent=1, ensure_ascii=False)
        write_atomically(output / "report.json", text.encode(errors="backslashreplace"))
    return report


def _define(values: flags.FlagValues) -> None:
    flags.DEFINE_list("paths", [], "What is checked; each PATH is one.", flag_values=values)
    flags.DEFINE_string("output", "check", "Folder of the report.", flag_values=values)
    flags.DEFINE_integer("processes", os.cpu_count(), "Worker processes.", 1, flag_values=values)


def _run(args: flags.FlagValues) -> int:
    if not args.paths:
        raise flags.Error("no PATH was given: python -m data_prep.check PATH [PATH ...]")
    report = check([Path(path) for path in args.paths], Path(args.output), args.processes)
    print("\n".join(map(one_line, _lines(report))))
    print(f"report, histogram and contact sheets are in {args.output}")
    return FOUND_SOMETHING if needs_a_decision(report) else 0


INTERRUPTED = "interrupted; the same command looks at everything anew"
main = functools.partial(command.main, _run, __doc__, _define, word=Word("paths"), interrupted=INTERRUPTED)

if __name__ == "__main__":
    sys.exit(main())
