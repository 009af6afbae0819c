r"""Trains another method than GSR-Net, to compare with: MFCN (Salloum, Ren and Kuo, JVCIR 2018).

    python -m gsr_tf.train_comparator --method=mfcn --flagfile=comparators/mfcn \
        --run_dir=runs/comparators/mfcn --source_records=records/casia2 --target_records=records/coco

Records, preparation, checkpoints, validation and the run's folder are as those of python -m gsr_tf.train, and the same
command goes on where a run was interrupted. python -m gsr_tf.export makes a detector of the run, for --saved_model of
predict, evaluate and serve. With --validation_records each validation also chooses the threshold of the edges, which is
kept with the weights; without them it is .5.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from gsr_tf import command
from gsr_tf import config as config_lib
from gsr_tf.train import with_flagfiles
from gsr_tf.training.mfcn import MFCNRun
from gsr_tf.training.run import run


def _define(values: flags.FlagValues) -> None:
    flags.DEFINE_string("run_dir", None, "Folder of this run; made if missing.", required=True, flag_values=values)
    config_lib.define_flags(values, MFCNRun)


def _action(args: flags.FlagValues) -> int:
    return run(config_lib.from_flags(args, MFCNRun), Path(args.run_dir), "gsr_tf.train_comparator")


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    groups = config_lib.groups("run_dir", kind=MFCNRun)
    return command.main(_action, with_flagfiles(__doc__, comparators=True), _define, argv, groups)


if __name__ == "__main__":
    sys.exit(main())
