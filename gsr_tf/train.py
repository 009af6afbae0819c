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

import sys
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from gsr_tf import command, flagfiles
from gsr_tf import config as config_lib
from gsr_tf.flag_help import wrapped
from gsr_tf.training.run import run

COMPARATORS = "comparators/"  # flagfiles of gsr_tf.train_comparator


def _define(values: flags.FlagValues) -> None:
    flags.DEFINE_string("run_dir", None, "Folder of this run; made if missing.", required=True, flag_values=values)
    config_lib.define_flags(values)


def _action(args: flags.FlagValues) -> int:
    return run(config_lib.from_flags(args), Path(args.run_dir), "gsr_tf.train")


def with_flagfiles(doc: str, *, comparators: bool = False) -> str:
    """What --help begins with: a module's words, then the flagfiles that come along, GSR-Net's or the comparators'."""
    files = {name: file for name, file in flagfiles.shipped().items() if name.startswith(COMPARATORS) == comparators}
    lines = [wrapped(f"{name}: {flagfiles.title(file)}", "      ", "  ") for name, file in files.items()]
    return "\n".join([doc, "Flagfiles that come along, for --flagfile=NAME:", *lines])


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    return command.main(_action, with_flagfiles(__doc__), _define, argv, config_lib.groups())


if __name__ == "__main__":
    sys.exit(main())
