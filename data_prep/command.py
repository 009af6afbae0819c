"""What every script shares: flags, messages, exit codes.

Exit codes: 0 records were written (the summary says what was skipped), 1 none could be, 2 wrong flags,
130 interrupted.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from absl import flags

from data_prep.entries import Listing, PreparationError
from data_prep.writing import SKIPPED_NAME, Report, run_locally, write_records
from gsr_tf.data.pictures import PictureError
from gsr_tf.data.records import RecordsError


def parse(argv: Sequence[str], doc: str, define: Callable[[flags.FlagValues], None]) -> flags.FlagValues | None:
    """The flags of one script; None when `--help` was asked for and printed.

    Args:
        argv: the command line, the program's name first.
        doc: the script's documentation.
        define: defines its flags.

    Raises:
        flags.Error: a flag that is unknown, missing or of a wrong value.
    """
    values = flags.FlagValues()
    define(values)
    if {"--help", "-h", "-help"} & set(argv):
        print(f"{doc.strip()}\n\nFlags:\n{values.get_help('  ')}")
        return None
    extra = values(argv)[1:]
    if extra:
        raise flags.Error(f"unexpected argument {extra[0]!r}; flags are written --name=value")
    return values


def main(
    action: Callable[[flags.FlagValues], int],
    doc: str,
    define: Callable[[flags.FlagValues], None],
    argv: Sequence[str] | None = None,
) -> int:
    """Runs a script: parses its flags, calls `action` with them, turns errors into messages and exit codes."""
    try:
        args = parse(sys.argv if argv is None else argv, doc, define)
        return 0 if args is None else action(args)
    except flags.Error as error:
        print(f"error: {error}; --help explains all flags", file=sys.stderr)
        return 2
    except (PreparationError, RecordsError, PictureError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; finished shards are kept, the same command goes on from them", file=sys.stderr)
        return 130


def define_output(values: flags.FlagValues) -> None:
    """The flags of every script that writes records."""
    flags.DEFINE_string("output", None, "Records folder to write.", required=True, flag_values=values)
    flags.DEFINE_integer(
        "processes", os.cpu_count(), "Worker processes; the records do not depend on it.", 1, flag_values=values
    )


def define_threshold(values: flags.FlagValues, default: int) -> None:
    """The threshold of mask files."""
    flags.DEFINE_integer(
        "mask_threshold",
        default,
        "Manipulated is what is brighter than this in a mask file (0 for masks of 0 and 1).",
        0,
        254,
        flag_values=values,
    )


def convert(listing: Listing, args: flags.FlagValues) -> int:
    """Writes the records of a listing as the flags say, prints the summary, gives the exit code."""
    run = functools.partial(run_locally, processes=args.processes)
    report = write_records(listing, args.output, run=run)
    print(summary(report, Path(args.output)))
    return 0


def summary(report: Report, output: Path) -> str:
    """The lines that end every preparation."""
    counts = report.counts
    lines = [
        f"found {report.found} = kept {report.kept} + skipped {report.found - report.kept}",
        *(f"  skipped {count}: {reason}" for reason, count in report.skipped.items()),
        *(f"  left out {count}: {reason}" for reason, count in report.remarks.items()),
        f"records in {output}: {counts['records']} pictures, {counts['masks']} masks, "
        f"{counts['authentic']} authentic, {counts['originals']} with their original",
    ]
    if report.skipped:
        lines.append(f"{output / SKIPPED_NAME} names what was skipped")
    return "\n".join(lines)
