"""One run from its settings: records opened, networks built or restored, trained, saved."""

from __future__ import annotations

import shlex
from pathlib import Path

from gsr_tf.data.one_writer import hold
from gsr_tf.data.pipeline import readable, source_pairs
from gsr_tf.training.checkpoints import Checkpoints
from gsr_tf.training.device import build_strategy, set_up
from gsr_tf.training.loop import train
from gsr_tf.training.run_dir import check_records, described, write_facts
from gsr_tf.training.run_settings import RunSettings, check_same
from gsr_tf.training.summaries import Summaries


def run(config: RunSettings, run_dir: Path, command: str) -> int:
    """Trains, or goes on training, one run; holds its folder for this process.

    Args:
        config: its settings.
        run_dir: its folder.
        command: the module that starts it, for what the run says of itself.

    Returns:
        0 at its planned end, 128 + n when signal n ended it early.

    Raises:
        ConfigError, RecordsError, WeightsError, CheckpointError, NonFiniteLoss, FolderInUse: as their messages say.
    """
    check_same(run_dir, config)
    with hold(run_dir, "--run_dir"):
        return _run(config, run_dir, command)


def _run(config: RunSettings, run_dir: Path, command: str) -> int:
    set_up(config.device, config.preparation.seed)
    steps = config.optimization.steps
    records = config.records.open(with_original=config.with_original) if steps else {}
    check_records(run_dir, records)
    strategy = build_strategy()
    with strategy.scope():
        net = config.build()
        checkpoints = Checkpoints(net, run_dir, keep=config.schedule.keep)
        fresh = not checkpoints.restore()
        if fresh:
            config.initialize(net)
    start = int(net.step.numpy())
    if steps or not start:  # --steps=0 leaves a run that has been trained as it is
        config.write(run_dir)  # not before: a wrong --vgg16_weights must not mark the folder
        facts = write_facts(run_dir, records)
    if fresh and not steps:
        checkpoints.save()
        print(_last_words(run_dir, 0, steps, config.export_flags))
        return 0
    if start >= steps:
        print(f"{run_dir}: at step {start}, --steps={steps} are done; with more --steps it goes on")
        return 0
    sources, targets = records["--source_records"], records["--target_records"]
    pairs = source_pairs(sources, config.with_original)
    print(f"{len(pairs)} (S, K) of {sources.path}, {len(targets)} T of {targets.path}")
    batches = config.stream(records, start)
    print(f"{run_dir}: steps {start} to {steps}. Curves and panels: tensorboard --logdir={run_dir}", flush=True)
    if strategy.num_replicas_in_sync > 1:
        batches = strategy.experimental_distribute_dataset(batches)
    scores = config.scores(net, records)
    batches = readable(batches, [sources, targets])
    summaries = Summaries(run_dir, config.panel)
    line = shlex.join(["python", "-m", command, f"--run_dir={run_dir}", *config.as_flags()])
    summaries.introduction(described(line, facts), config.flat())
    number = train(net, batches, steps, config.schedule, checkpoints, summaries, scores)
    print(_last_words(run_dir, int(net.step.numpy()), steps, config.export_flags))
    return 128 + number if number else 0


def _last_words(run_dir: Path, step: int, steps: int, export_flags: str) -> str:
    if step == 0 < steps:
        return "stopped before the first step; the same command starts again"
    if step < steps:
        return f"stopped and saved at step {step} of {steps}; the same command goes on from there"
    return f"done: {run_dir} at step {step}. Next: python -m gsr_tf.export --run_dir={run_dir} {export_flags}"
