r"""Trains GSR-Net.

    python -m gsr_tf.train --flagfile=flags/gsr_net.cfg --run_dir=runs/gsr_net \
        --source_records=records/casia2 --target_records=records/coco

A flagfile holds the settings of a run (flags/*.cfg: the paper, the authors' release, each ablation); flags after it
override it. Everything goes into --run_dir: checkpoints, the best one by validation, TensorBoard curves and panels
(tensorboard --logdir=RUN_DIR), panels/*.png, and the settings. The same command goes on where a run was interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Optional

import numpy as np
import tensorflow as tf
from absl import flags
from tqdm import tqdm

from gsr_tf import build, command
from gsr_tf import config as config_lib
from gsr_tf.config import Config, ConfigError
from gsr_tf.data.pipeline import readable, source_pairs, training_stream
from gsr_tf.data.records import Records, open_records
from gsr_tf.evaluation import metrics
from gsr_tf.models.gsr_net import GSRNet
from gsr_tf.models.segmenter import manipulation_probability
from gsr_tf.run_dir import check_run, write_run
from gsr_tf.training.checkpoints import Checkpoints
from gsr_tf.training.loop import Schedule, train
from gsr_tf.training.summaries import Summaries

VALIDATION_SEED = 20_000_000  # far from the runs' own: every run is validated on the same pictures and composites


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
    build.set_up(config)
    records = _open_all(config)
    check_run(run_dir, config, records)
    strategy = build.build_strategy()
    with strategy.scope():
        net = build.build_gsr_net(config)
        checkpoints = Checkpoints(net, run_dir, keep=config.keep)
        if not checkpoints.restore():
            build.initialize(net, config)
    write_run(run_dir, config, records)  # not before: a wrong --vgg16_weights must not mark the folder
    start = int(net.step.numpy())
    if start >= config.steps:
        print(f"{run_dir}: at step {start}, --steps={config.steps} are done; with more --steps it goes on")
        return 0
    batches = _batches(config, records, start)
    print(f"{run_dir}: steps {start} to {config.steps}. Curves and panels: tensorboard --logdir={run_dir}", flush=True)
    if strategy.num_replicas_in_sync > 1:
        batches = strategy.experimental_distribute_dataset(batches)
    number = train(
        net,
        readable(batches, [records["--source_records"], records["--target_records"]]),
        Schedule(config.steps, config.log_every, config.panels_every, config.validate_every, config.save_every),
        checkpoints,
        Summaries(run_dir),
        _validation(net, config, records),
    )
    print(_last_words(run_dir, int(net.step.numpy()), config.steps))
    return 128 + number if number else 0


def _open_all(config: Config) -> dict[str, Records]:
    """The records that the settings name, by flag; those of S and for validation have usable masks."""
    names = ("source_records", "target_records", "validation_records", "validation_targets")
    given = {f"--{name}": getattr(config, name) for name in names if getattr(config, name)}
    for flag in ("--source_records", "--target_records"):
        if flag not in given:
            raise ConfigError(
                f"{flag} is needed: a folder that a data_prep command wrote (python -m data_prep.coco ...)"
            )
    opened = {flag: open_records(path, flag) for flag, path in given.items()}
    source_pairs(opened["--source_records"], build.preparation(config).with_original)
    if "--validation_records" in opened:
        source_pairs(opened["--validation_records"], with_original=False)
    return opened


def _batches(config: Config, records: dict[str, Records], start: int) -> tf.data.Dataset:
    sources, targets = records["--source_records"], records["--target_records"]
    preparation = build.preparation(config)
    pairs = source_pairs(sources, preparation.with_original)
    print(f"{len(pairs)} (S, K) of {sources.path}, {len(targets)} T of {targets.path}")
    return training_stream(sources, targets, preparation, batch_size=config.batch_size, start=start)


def _validation(net: GSRNet, config: Config, records: dict[str, Records]) -> Optional[Callable[[], dict[str, float]]]:
    """Scores the present network on held-out pictures, or composites of them, at the network's resolution."""
    sources = records.get("--validation_records")
    if sources is None:
        return None
    targets = records.get("--validation_targets")
    preparation = build.preparation(config, **build.UNMOVED, with_original=False, seed=VALIDATION_SEED)
    stream = training_stream(sources, targets or sources, preparation, batch_size=1)
    count = min(config.validation_pictures, len(sources.pairs))
    stream = stream.take(count)
    probability = tf.function(lambda image: manipulation_probability(net.segmenter, image))

    def pairs() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for batch in tqdm(stream, "validation", count, unit="picture", leave=False):
            image = batch.m if targets else batch.s
            yield probability(image)[0, ..., 0].numpy(), batch.k[0, ..., 0].numpy() > 0

    return lambda: {f"validation/{name}": value for name, value in metrics.summarise(pairs()).items()}


def _last_words(run_dir: Path, step: int, steps: int) -> str:
    if step == 0:
        return "stopped before the first step; the same command starts again"
    if step < steps:
        return f"stopped and saved at step {step} of {steps}; the same command goes on from there"
    return f"done: {run_dir} at step {step}. Next: python -m gsr_tf.export --run_dir={run_dir} --output=MODEL"


if __name__ == "__main__":
    sys.exit(main())
