"""What every script shares: flags, --output held for one script at a time, and what it does when it is interrupted.

Exit codes: 0 records were written (the summary says what was skipped), 1 none could be, or one of several sets could
not, 2 wrong flags, 3 done, and something was found or left out that needs a decision (only of scripts whose help says
so), 130 interrupted, 141 nobody reads what is printed.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

from absl import flags

from data_prep.reading.entries import Listing
from gsr_tf import command
from gsr_tf.data.one_writer import hold_from_beside


def main(
    action: Callable[[flags.FlagValues], int],
    doc: str,
    define: Callable[[flags.FlagValues], None],
    argv: Sequence[str] | None = None,
    word: command.Word | None = None,
    interrupted: str = "interrupted; finished shards are kept, the same command goes on from them",
) -> int:
    """Runs a script, its --output held to the end; arguments and exit codes as those of `gsr_tf.command.main`."""

    def alone(args: flags.FlagValues) -> int:
        with hold_from_beside(Path(args.output), "--output"):
            return action(args)

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what a cluster sends is what Ctrl-C sends
    return command.main(alone, doc, define, argv, word=word, interrupted=interrupted)


def define_output(values: flags.FlagValues, output: str = "Records folder to write.") -> None:
    """The flags of every script that writes records; `output` says what --output is."""
    flags.DEFINE_string("output", None, output, required=True, flag_values=values)
    flags.DEFINE_integer(
        "processes", os.cpu_count(), "Worker processes; the records do not depend on it.", 1, flag_values=values
    )
    flags.DEFINE_string(
        "runner", "local", "local, or the Apache Beam runner of a cluster, e.g. FlinkRunner.", flag_values=values
    )
    flags.DEFINE_list(
        "beam_options", [], "The Beam runner's own flags, e.g. --region=...,--project=...", flag_values=values
    )


def define_threshold(values: flags.FlagValues) -> None:
    """The threshold of mask files."""
    what = "Manipulated is what is brighter than this in a mask file."
    flags.DEFINE_integer("mask_threshold", 127, what, 0, 254, flag_values=values)


def convert(listing: Listing, args: flags.FlagValues, output: Path | None = None) -> int:
    """Writes the records of a listing as the flags say, prints the summary, gives the exit code.

    Args:
        listing: what to convert.
        args: the flags of `define_output`.
        output: the records folder, where it is not `--output` itself.
    """
    from data_prep.writing import cluster, records

    output = output or Path(args.output)
    if args.runner == "local":
        run = functools.partial(records.run_locally, processes=args.processes)
    else:
        run = functools.partial(cluster.run_on_beam, runner=args.runner, options=args.beam_options)
    # A folder below --output may be another script's --output.
    with contextlib.nullcontext() if output == Path(args.output) else hold_from_beside(output, "--output"):
        print(records.write_records(listing, output, run=run).summary(output))
    return 0
