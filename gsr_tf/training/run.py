"""One run from its settings: records opened, networks built or restored, trained, saved."""

from __future__ import annotations

import functools
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

import tensorflow as tf

from gsr_tf import __version__
from gsr_tf.data.batch import Batch
from gsr_tf.data.one_writer import hold
from gsr_tf.data.pipeline import readable, source_pairs
from gsr_tf.data.records import Records
from gsr_tf.data.unfindable import why_unfindable
from gsr_tf.settings import ConfigError
from gsr_tf.training.checkpoints import Checkpoints, NonFiniteWeights
from gsr_tf.training.device import build_strategy, kept_ahead, set_up
from gsr_tf.training.loop import NonFiniteLoss, train
from gsr_tf.training.run_dir import check_records, described, other_code, read_facts, this_code, write_facts
from gsr_tf.training.run_settings import RunSettings, check_same
from gsr_tf.training.summaries import Summaries
from gsr_tf.training.trained import Trained
from gsr_tf.training.workers import Workers, check_alike, find_workers, losses_named, share, somewhere

VALIDATION = ("--validation_records", "--validation_targets")


def run(config: RunSettings, run_dir: Path, command: str) -> int:
    """Trains, or goes on training, one run; holds its folder for this process.

    Where the environment names several workers, this process is one of them, and the chief alone has a use for the
    folder.

    Args:
        config: its settings.
        run_dir: its folder.
        command: the module that starts it, for what the run says of itself.

    Returns:
        0 at its planned end, 128 + n when signal n ended it early.

    Raises:
        ConfigError, DeviceError, RecordsError, WeightsError, CheckpointError, NonFiniteLoss, FolderInUse, WorkerLost:
            as their messages say.
    """
    workers = find_workers()
    with losses_named(workers):
        set_up(config.device, config.preparation.seed)
        build_strategy(workers)  # before anything can be wrong: who meets nobody waits long, who loses one soon knows
        if not workers.is_chief:
            return _run(config, run_dir, command, workers)
        if why := why_unfindable(run_dir):
            raise ConfigError(f"--run_dir={run_dir}: {why}")
        check_same(run_dir, config)
        with hold(run_dir, "--run_dir"):
            return _run(config, run_dir, command, workers)


def _run(config: RunSettings, run_dir: Path, command: str, workers: Workers) -> int:
    strategy, steps = build_strategy(workers), config.optimization.steps
    records = config.records.open(with_original=config.with_original) if steps else {}
    if workers.is_chief:
        check_records(run_dir, records)
    if workers.several:
        check_alike(workers, strategy, _in_common(config, records, strategy))
    _check_replicas(config, workers, strategy)
    with strategy.scope():
        net = config.build()
    checkpoints = _begin(config, run_dir, records, net) if workers.is_chief else None
    if workers.several:
        share(workers, strategy, net)
    start, anywhere = int(net.step.numpy()), somewhere(workers)
    can_validate = workers.is_chief and VALIDATION[0] in records and start <= steps
    if not anywhere(can_validate and checkpoints.owes_validation()) and start >= steps:
        done = f"{run_dir}: at step {start}, --steps={steps} are done; with more --steps it goes on"
        print(done if start else _last_words(run_dir, start, steps, config.next_command(run_dir)))
        return 0
    batches, summaries, scores = _batches(config, records, start, strategy), None, None
    if workers.is_chief:
        print(f"{run_dir}: steps {start} to {steps}. Curves and panels: tensorboard --logdir={run_dir}", flush=True)
        scores = config.scores(net, records)
        summaries = _introduced(config, run_dir, command)
    try:
        number = train(net, batches, steps, config.schedule, checkpoints, summaries, scores, anywhere)
    except (NonFiniteLoss, NonFiniteWeights) as error:
        if not (checkpoints and checkpoints.newest.latest_checkpoint):
            raise
        raise type(error)(f"{error}, with {config.way_back(run_dir)}") from error
    end = int(net.step.numpy())
    words = _last_words(run_dir, end, steps, config.next_command(run_dir))
    print(words if workers.is_chief else f"{workers}: ended at step {end}")
    return 128 + number if number else 0


def _begin(config: RunSettings, run_dir: Path, records: Mapping[str, Records], net: Trained) -> Checkpoints:
    """The run's state into the net: its newest checkpoint's, or initial weights; the folder is this run's then."""
    validated_on = [records[flag].fingerprint for flag in VALIDATION if flag in records]
    checkpoints = Checkpoints(net, run_dir, keep=config.schedule.keep, validated_on=validated_on)
    fresh, done, steps = not checkpoints.restore(), int(net.step.numpy()), config.optimization.steps
    if fresh:
        config.initialize(net)
    if fresh or done <= steps:  # what was trained for more steps stays what it is
        config.write(run_dir)  # not before: a wrong --vgg16_weights must not mark the folder
        begins = fresh or done < steps
        before = other_code(run_dir)
        if before and begins and not fresh:
            print(f"{run_dir}: trained with {before} so far, now with {this_code()}; CHANGELOG.md says what differs")
        write_facts(run_dir, records, done, begins)
    if fresh and not steps:
        checkpoints.save()
    return checkpoints


def _batches(
    config: RunSettings, records: Mapping[str, Records], start: int, strategy: tf.distribute.Strategy
) -> Iterator[Batch]:
    """The run's, from a step on, dealt out to its replicas."""
    sources, targets = records["--source_records"], records["--target_records"]
    pairs = source_pairs(sources, config.with_original)
    print(f"{len(pairs)} (S, K) of {sources.path}, {len(targets)} T of {targets.path}", flush=True)
    stream = functools.partial(config.stream, records, start)
    return readable(kept_ahead(strategy.distribute_datasets_from_function(stream)), [sources, targets])


def _introduced(config: RunSettings, run_dir: Path, command: str) -> Summaries:
    """The run's summaries, which begin with what it is."""
    summaries = Summaries(run_dir, config.panel)
    line = shlex.join(["python", "-m", command, f"--run_dir={run_dir}", *config.as_flags()])
    summaries.introduction(described(line, read_facts(run_dir)), config.flat())
    return summaries


def _check_replicas(config: RunSettings, workers: Workers, strategy: tf.distribute.Strategy) -> None:
    """Raises ConfigError for settings that are not for so many replicas.

    XLA has no collective operations of a CPU, nor the variables of several devices; on GPUs nobody has tried.
    """
    replicas, count = strategy.num_replicas_in_sync, len(workers.addresses)
    said = f"{replicas} replicas ({count} workers with {replicas // count} devices each)"
    if config.optimization.batch_size % replicas:
        raise ConfigError(
            f"--batch_size={config.optimization.batch_size}: {said} share a batch in equal parts; expected a multiple "
            f"of {replicas}"
        )
    if replicas > 1 and config.flat().get("jit_compile"):
        raise ConfigError(
            f"--jit_compile: there are {said}, and a compiled step is for one; leave it out, or train on one machine "
            "with one device (CUDA_VISIBLE_DEVICES=0)"
        )


def _in_common(config: RunSettings, records: Mapping[str, Records], strategy: tf.distribute.Strategy) -> list[object]:
    """What must be the same for every worker of a run; where its records lie, for example, need not be."""
    free = config.may_change() - {"steps"}
    settings = {name: value for name, value in config.flat().items() if name not in free}
    fingerprints = {flag: opened.fingerprint for flag, opened in records.items()}
    return [__version__, settings, fingerprints, strategy.num_replicas_in_sync]


def _last_words(run_dir: Path, step: int, steps: int, next_command: str) -> str:
    if step == 0 < steps:
        return "stopped before the first step; the same command starts again"
    if step < steps:
        return f"stopped and saved at step {step} of {steps}; the same command goes on from there"
    return f"done: {run_dir} at step {step}. Next: {next_command}"
