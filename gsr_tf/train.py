r"""Trains GSR-Net.

    python -m gsr_tf.train --flagfile=gsr_net --run_dir=runs/gsr_net \
        --source_records=records/casia2 --target_records=records/coco

A flagfile holds the settings of a run; flags after it override it. Everything
goes into --run_dir: checkpoints, the best one by validation, TensorBoard curves
and panels (tensorboard --logdir=RUN_DIR), panels/*.png, and the settings. The
same command goes on where a run was interrupted. In brackets stands where a
setting comes from: the paper (Zhou et al., AAAI 2020, with its section), the
release (the authors' code), or ours (neither).
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from gsr_tf import command, flagfiles
from gsr_tf import config as config_lib
from gsr_tf.config import Config
from gsr_tf.flag_help import wrapped
from gsr_tf.training.run import run
from gsr_tf.training.run_settings import RunSettings

COMPARATORS = "comparators/"  # flagfiles of gsr_tf.train_comparator


def _define(values: flags.FlagValues, kind: type[RunSettings] = Config) -> None:
    flags.DEFINE_string("run_dir", None, "Folder of this run; made if missing.", required=True, flag_values=values)
    config_lib.define_flags(values, kind)


def train_method(kind: type[RunSettings], module: str, doc: str, argv: Sequence[str] | None) -> int:
    """The command line of one method.

    Args:
        kind: its settings.
        module: the one that is called, for what the run says of itself.
        doc: what --help begins with; the flagfiles that come along follow, GSR-Net's or the comparators'.
        argv: as `command.main`'s.
    """

    def action(args: flags.FlagValues) -> int:
        return run(config_lib.from_flags(args, kind), Path(args.run_dir), module)

    lines = [doc, "Flagfiles that come along, for --flagfile=NAME:"]
    for name, file in flagfiles.shipped().items():
        if name.startswith(COMPARATORS) == (kind is not Config):
            lines.append(wrapped(f"{name}: {flagfiles.title(file)}", "      ", "  "))
    define = functools.partial(_define, kind=kind)
    return command.main(action, "\n".join(lines), define, argv, config_lib.groups(kind), removed=kind.REMOVED)


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    return train_method(Config, "gsr_tf.train", __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
