r"""Trains another method than GSR-Net, to compare with.

--method=mfcn     MFCN (Salloum, Ren and Kuo, JVCIR 2018), the default: a mask by a region's surface and its edges
--method=rgbn     RGB-N (Zhou et al., CVPR 2018): boxes by colours and by noise
--method=exif-sc  EXIF-consistency (Huh et al., ECCV 2018): whether patches can be of one photograph
--method=dih      DIH (Tsai et al., CVPR 2017): no detector; it harmonises pasted regions, in the generator's place in
                  Table 2

    python -m gsr_tf.train_comparator --method=mfcn --flagfile=comparators/mfcn \
        --run_dir=runs/comparators/mfcn --source_records=records/casia2 --target_records=records/coco
    python -m gsr_tf.train_comparator --method=dih --help

Records, preparation, checkpoints, validation and the run's folder are as those of python -m gsr_tf.train, and the same
command goes on where a run was interrupted. Of a run of any but DIH python -m gsr_tf.export makes a detector, for
--saved_model of predict, evaluate and serve; of a run of DIH it writes the weights, for --harmonizer of gsr_tf.train.
With --validation_records each validation of MFCN also chooses the threshold of the edges, which is kept with the
weights; without them it is .5. --help shows the settings of the method that --method or a flagfile names;
in brackets stands where one comes from: the method's paper, its authors' code (release), or ours (neither). But under
Data and Retouching, which mfcn, rgbn and dih share with GSR-Net, "paper" and "release" are GSR-Net's.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from absl import flags

from gsr_tf import config as config_lib
from gsr_tf.flagfiles import expanded
from gsr_tf.settings import ConfigError
from gsr_tf.train import train_method
from gsr_tf.training.mfcn import MFCNRun


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    argv = sys.argv if argv is None else argv
    try:
        kind = config_lib.kind_of(expanded(argv), MFCNRun.METHOD)
    except (flags.Error, ConfigError) as error:
        print(f"error: {error}; --help explains all flags", file=sys.stderr)
        return 2
    return train_method(kind, "gsr_tf.train_comparator", __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
