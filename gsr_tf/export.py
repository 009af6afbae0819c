r"""Exports a run's segmenter as a SavedModel: a picture of any size in, a probability map of its size out.

    python -m gsr_tf.export --run_dir=runs/gsr_net --output=models/gsr_net

Everything is inside: resizing, colour range, normalisation by the picture's own moments. The settings come from the
run. The model is reloaded and compared with the network before it gets its name.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from absl import flags

from gsr_tf import build, command
from gsr_tf import config as config_lib
from gsr_tf.inference import saved_model
from gsr_tf.inference.module import DetectorModule
from gsr_tf.models.segmenter import build_segmenter
from gsr_tf.run_dir import read_facts
from gsr_tf.training.checkpoints import restore_segmenter


def _define(values: flags.FlagValues) -> None:
    flags.DEFINE_string("run_dir", None, "Folder of a training run.", required=True, flag_values=values)
    flags.DEFINE_string("output", None, "SavedModel folder to make.", required=True, flag_values=values)
    flags.DEFINE_enum(
        "checkpoint", "best", ["best", "newest"], "Best by validation (the newest without one), or the newest.",
        flag_values=values,
    )  # fmt: skip


def _action(args: flags.FlagValues) -> None:
    path, worst = export(Path(args.run_dir), Path(args.output), args.checkpoint)
    print(f"{args.output}: exported from {path}; reloaded, it agrees with the network to {worst:.1g}")
    print(f"Next: python -m gsr_tf.predict --saved_model={args.output} --input=PICTURE_OR_FOLDER --output=FOLDER")


def export(run_dir: Path, output: Path, which: str = "best") -> tuple[str, float]:
    """Exports a run; returns the checkpoint's path and the largest difference seen when comparing.

    Raises:
        ConfigError, CheckpointError, ExportError: as their messages say.
    """
    config = dataclasses.replace(config_lib.load(run_dir), precision="float32")
    build.set_up(config)
    segmenter = build_segmenter(**build.segmenter_settings(config))
    path = restore_segmenter(segmenter, run_dir, which)
    detector = DetectorModule(segmenter, size=config.input_size, resize_mode=config.resize_mode)
    metadata = {"checkpoint": path, "config": dataclasses.asdict(config), **read_facts(run_dir)}
    return path, saved_model.save(detector, output, metadata)


def main(argv: Optional[Sequence[str]] = None) -> int:
    """The command line."""
    return command.main(_action, __doc__, _define, argv)


if __name__ == "__main__":
    sys.exit(main())
