"""What every script shares: flags, messages, exit codes.

Exit codes: 0 records were written (the summary says what was skipped), 1 none could be, 2 wrong flags,
130 interrupted, 141 nobody reads what is printed.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from absl import flags

from data_prep.reading.entries import Listing
from gsr_tf import standard_output
from gsr_tf.errors import UserError
from gsr_tf.flag_help import describe


def parse(
    argv: Sequence[str], doc: str, define: Callable[[flags.FlagValues], None]
) -> tuple[flags.FlagValues, list[str]] | None:
    """The flags and other words of a command line; None when `--help` was asked for and printed.

    Args:
        argv: the command line, the program's name first.
        doc: the script's documentation.
        define: defines its flags.

    Raises:
        flags.Error: a flag that is unknown, missing or of a wrong value.
    """
    values = flags.FlagValues()
    define(values)
    if {"--help", "-h", "-help", "--helpfull"} & set(argv):
        print(f"{doc.strip()}\n\nFlags:\n{describe(values)}")
        return None
    values.set_gnu_getopt()
    paths = values(argv)[1:]
    return values, paths


def main(
    action: Callable[..., int],
    doc: str,
    define: Callable[[flags.FlagValues], None],
    argv: Sequence[str] | None = None,
    *,
    takes_paths: bool = False,
) -> int:
    """Runs a script: parses its flags, calls `action` with them, turns errors into messages and exit codes.

    Args:
        action: what the script does: its flags -> exit code; with `takes_paths`, its flags and paths.
        doc: its documentation.
        define: defines its flags.
        argv: the command line; the process's own by default.
        takes_paths: whether words that are no flags are allowed.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what a cluster sends is what Ctrl-C sends
    try:
        parsed = parse(sys.argv if argv is None else argv, doc, define)
        if parsed is None:
            return standard_output.CLOSED if standard_output.is_closed() else 0
        args, paths = parsed
        if paths and not takes_paths:
            raise flags.Error(f"unexpected argument {paths[0]!r}; flags are written --name=value")
        return action(args, paths) if takes_paths else action(args)
    except flags.Error as error:
        print(f"error: {error}; --help explains all flags", file=sys.stderr)
        return 2
    except BrokenPipeError:
        if not standard_output.is_closed():
            raise
        return standard_output.CLOSED
    except (UserError, OSError, MemoryError) as error:  # a full disk, a folder that must not be written
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
    flags.DEFINE_string(
        "runner", "local", "local, or the Apache Beam runner of a cluster, e.g. FlinkRunner.", flag_values=values
    )
    flags.DEFINE_list(
        "beam_options", [], "The Beam runner's own flags, e.g. --region=...,--project=...", flag_values=values
    )


def define_threshold(values: flags.FlagValues) -> None:
    """The threshold of mask files."""
    flags.DEFINE_integer(
        "mask_threshold",
        127,
        "Manipulated is what is brighter than this in a mask file.",
        0,
        254,
        flag_values=values,
    )


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
    print(records.write_records(listing, output, run=run).summary(output))
    return 0
