r"""Trains another method than GSR-Net, to compare with.

MFCN (Salloum, Ren and Kuo, JVCIR 2018) and RGB-N (Zhou et al., CVPR 2018) can be trained.

    python -m gsr_tf.train_comparator --method=mfcn --flagfile=comparators/mfcn \
        --run_dir=runs/comparators/mfcn --source_records=records/casia2 --target_records=records/coco
    python -m gsr_tf.train_comparator --method=rgbn --help

Records, preparation, checkpoints, validation and the run's folder are as those of python -m gsr_tf.train, and the same
command goes on where a run was interrupted. python -m gsr_tf.export makes a detector of the run, for --saved_model of
predict, evaluate and serve. With --validation_records each validation of MFCN also chooses the threshold of the edges,
which is kept with the weights; without them it is .5. --help shows the settings of the method that --method or a
--flagfile names, MFCN's where none is named.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from gsr_tf import command
from gsr_tf import config as config_lib
from gsr_tf.settings import ConfigError
from gsr_tf.train import with_flagfiles
from gsr_tf.training.mfcn import MFCNRun
from gsr_tf.training.run import run
from gsr_tf.training.run_settings import RunSettings


def _kind(argv: Sequence[str]) -> type[RunSettings]:
    """The settings of the method that is named, MFCN's where none is; raises flags.Error, ConfigError."""
    kind = config_lib.kind_named(argv)
    return kind if kind.METHOD else MFCNRun


def _define(argv: Sequence[str], values: flags.FlagValues) -> None:
    flags.DEFINE_string("run_dir", None, "Folder of this run; made if missing.", required=True, flag_values=values)
    config_lib.define_flags(values, _kind(argv))


def _action(args: flags.FlagValues) -> int:
    return run(
        config_lib.from_flags(args, config_lib.KINDS[args.method]), Path(args.run_dir), "gsr_tf.train_comparator"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    argv = sys.argv if argv is None else argv
    try:
        groups = config_lib.groups("run_dir", kind=_kind(argv))
    except (flags.Error, ConfigError):
        groups = ()  # the command says what is wrong when it defines its flags
    define = functools.partial(_define, argv)
    return command.main(_action, with_flagfiles(__doc__, comparators=True), define, argv, groups)


if __name__ == "__main__":
    sys.exit(main())
