r"""Trains GSR-Net.

    python -m gsr_tf.train --flagfile=flags/gsr_net.cfg --run_dir=runs/gsr_net \
        --source_records=records/casia2 --target_records=records/coco

A flagfile holds the settings of a run (flags/*.cfg: the paper, the authors' release, each ablation); flags after it
override it. Everything goes into --run_dir: checkpoints, the best one by validation, TensorBoard curves and panels
(tensorboard --logdir=RUN_DIR), panels/*.png, and the settings. The same command goes on where a run was interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from absl import flags

from gsr_tf import command
from gsr_tf import config as config_lib
from gsr_tf.config import Config
from gsr_tf.data.pipeline import readable, source_pairs, training_stream
from gsr_tf.training.checkpoints import Checkpoints
from gsr_tf.training.device import build_strategy, set_up
from gsr_tf.training.initialization import initialize
from gsr_tf.training.loop import train
from gsr_tf.training.run_dir import check_records, write_facts
from gsr_tf.training.summaries import Summaries
from gsr_tf.training.validation import validation


def _define(values: flags.FlagValues) -> None:
    flags.DEFINE_string("run_dir", None, "Folder of this run; made if missing.", required=True, flag_values=values)
    config_lib.define_flags(values)


def _action(args: flags.FlagValues) -> int:
    return run(config_lib.from_flags(args), Path(args.run_dir))


def main(argv: Optional[Sequence[str]] = None) -> int:
    """The command line."""
    return command.main(_action, __doc__, _define, argv)


def run(config: Config, run_dir: Path) -> int:
    """Trains, or goes on training, one run.

    Returns:
        0 at its planned end, 128 + n when signal n ended it early.

    Raises:
        ConfigError, RecordsError, WeightsError, CheckpointError, NonFiniteLoss: as their messages say.
    """
    set_up(config.device, config.preparation.seed)
    records = config.records.open(with_original=config.with_original)
    config_lib.check_same(run_dir, config)
    check_records(run_dir, records)
    strategy = build_strategy()
    with strategy.scope():
        net = config.build()
        checkpoints = Checkpoints(net, run_dir, keep=config.schedule.keep)
        if not checkpoints.restore():
            initialize(net, config.initialization)
    config.write(run_dir)  # not before: a wrong --vgg16_weights must not mark the folder
    write_facts(run_dir, records)
    start, steps = int(net.step.numpy()), config.optimization.steps
    if start >= steps:
        print(f"{run_dir}: at step {start}, --steps={steps} are done; with more --steps it goes on")
        return 0
    sources, targets = records["--source_records"], records["--target_records"]
    pairs = source_pairs(sources, config.with_original)
    print(f"{len(pairs)} (S, K) of {sources.path}, {len(targets)} T of {targets.path}")
    batches = training_stream(
        sources,
        targets,
        config.preparation,
        batch_size=config.optimization.batch_size,
        start=start,
        with_original=config.with_original,
        half_pixel=config.networks.half_pixel,
    )
    print(f"{run_dir}: steps {start} to {steps}. Curves and panels: tensorboard --logdir={run_dir}", flush=True)
    if strategy.num_replicas_in_sync > 1:
        batches = strategy.experimental_distribute_dataset(batches)
    validate = validation(
        net.segmenter, records, config.preparation, config.validation, half_pixel=config.networks.half_pixel
    )
    batches = readable(batches, [sources, targets])
    number = train(net, batches, steps, config.schedule, checkpoints, Summaries(run_dir), validate)
    print(_last_words(run_dir, int(net.step.numpy()), steps))
    return 128 + number if number else 0


def _last_words(run_dir: Path, step: int, steps: int) -> str:
    if step == 0:
        return "stopped before the first step; the same command starts again"
    if step < steps:
        return f"stopped and saved at step {step} of {steps}; the same command goes on from there"
    return f"done: {run_dir} at step {step}. Next: python -m gsr_tf.export --run_dir={run_dir} --output=MODEL"


if __name__ == "__main__":
    sys.exit(main())
