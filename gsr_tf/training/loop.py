"""The outer loop: everything with side effects around the training step."""

from __future__ import annotations

import dataclasses
import math
import signal
from collections.abc import Callable, Iterable
from typing import NamedTuple

import tensorflow as tf
from tqdm import tqdm

from gsr_tf.data.batch import Batch
from gsr_tf.errors import UserError
from gsr_tf.settings import Checked, setting
from gsr_tf.training.checkpoints import Checkpoints
from gsr_tf.training.clock import Clock
from gsr_tf.training.stopping import ended_by_signals, signals_received
from gsr_tf.training.summaries import Summaries
from gsr_tf.training.trained import Trained


class NonFiniteLoss(UserError):
    """A loss that is NaN or infinite; names step and loss."""


class Due(NamedTuple):
    """What happens after a step; each field's help in `Schedule` says what."""

    logs: bool
    draws: bool
    validates: bool
    saves: bool

    @property
    def pauses(self) -> bool:
        """Whether training stands still meanwhile."""
        return self.draws or self.validates or self.saves


@dataclasses.dataclass(frozen=True)
class Schedule(Checked):
    """When things happen beside the steps; each field's help says what."""

    log_every: int = setting(50, "Steps between TensorBoard scalars.", least=1, may_change=True)
    panels_every: int = setting(
        1000, "Steps between TensorBoard panels of pictures; 0: none.", least=0, may_change=True
    )
    validate_every: int = setting(1000, "Steps between validations.", least=1, may_change=True)
    save_every: int = setting(1000, "Steps between checkpoints.", least=1, may_change=True)
    keep: int = setting(
        5, "Newest checkpoints to keep; the best by validation is kept beside them.", least=1, may_change=True
    )

    def due(self, step: int, steps: int) -> Due:
        """What is due after the step, of a run of so many: the first is logged, the last validated and saved."""

        def due(every: int) -> bool:
            return every > 0 and step % every == 0

        last = step == steps
        return Due(
            logs=due(self.log_every) or step == 1,
            draws=due(self.panels_every),
            validates=due(self.validate_every) or last,
            saves=due(self.save_every) or last,
        )


def train(
    net: Trained,
    batches: Iterable[Batch],
    steps: int,
    schedule: Schedule,
    checkpoints: Checkpoints | None,
    summaries: Summaries | None,
    validate: Callable[[], dict[str, float]] | None = None,
    somewhere: Callable[[bool], bool] = bool,
) -> int:
    """Trains from the net's present step to `steps`.

    Ctrl-C, SIGTERM and a terminal that is gone (SIGHUP) let the step finish, then save; of several workers all stop
    after the same step. A validation is not waited for: it is made when the run goes on, before the next step.

    Args:
        net: its `step` is where to go on.
        batches: from that step on.
        steps: where to end.
        schedule: when to log, draw, validate and save.
        checkpoints: where states go; None, as `summaries`, on workers that write nothing.
        summaries: where curves and panels go.
        validate: returns scores, of which the net's criterion decides which checkpoint is the best.
        somewhere: whether something is so on any of the workers; all ask at the same step, and at the end, when all is
            written.

    Returns:
        The number of the signal that ended the run early, or its last validation, SIGTERM's where another worker
        received it; 0 at its planned end.

    Raises:
        NonFiniteLoss: at the step after the one whose loss it was, or before anything is saved.
        CheckpointError: a state could not be written.
        NonFiniteWeights: a state is of no use.
    """
    step, clock, losses, stopped = int(net.step.numpy()), Clock(), _LatestLosses(), False
    bar = tqdm(initial=step, total=steps, unit="step", dynamic_ncols=True, disable=summaries is None)
    with signals_received() as received, bar:
        beside = _Beside(net, checkpoints, summaries, validate, clock, received)
        beside.make_up(step)
        for batch in clock.timed(batches):
            stopped = step < steps and somewhere(bool(received))
            if step >= steps or stopped:
                break
            step += 1
            losses.follow(step, net.train_step(batch))
            due = schedule.due(step, steps)
            if due.logs:
                values = losses.check()
                bar.set_postfix(_of_networks(net, values))
                beside.log(step, values)
            if due.pauses:
                losses.check()  # also waits for the step, whose time is its own
                beside.pause(due, step, batch)
            bar.update()
        if stopped and losses.step:
            losses.check()
            beside.save()
        early = somewhere(stopped or beside.left_out)  # nobody leaves, and dies of a signal, before all is written
    if step >= steps and beside.left_out:
        print(f"step {step}: its validation was left out; the same command makes it")
    return (received or [signal.SIGTERM])[0] if early else 0


@dataclasses.dataclass
class _Beside:
    """What is done beside the steps; of what `train` was given None for, nothing.

    Attributes:
        net, checkpoints, summaries, validate: as `train`'s.
        clock: stands still during all but `log`.
        received: the signals so far.
        left_out: whether a signal kept the last validation from its end.
    """

    net: Trained
    checkpoints: Checkpoints | None
    summaries: Summaries | None
    validate: Callable[[], dict[str, float]] | None
    clock: Clock
    received: list[int]
    left_out: bool = False

    def make_up(self, step: int) -> None:
        """The validation that a signal had ended, and a checkpoint with what it has chosen."""
        if not (self.validate and self.checkpoints.owes_validation()):
            return
        tqdm.write(f"step {step}: validating, which a signal had ended")
        with self.clock.stopped():
            self._validate(step)
            if not self.left_out:
                self.save()

    def log(self, step: int, losses: dict[str, float]) -> None:
        """A point of each curve."""
        if self.summaries:
            self.summaries.scalars(step, {**losses, **_learning_rates(self.net), **self.clock.read()})

    def pause(self, due: Due, step: int, batch: Batch) -> None:
        """What is due while training stands still."""
        with self.clock.stopped():
            if due.draws and self.summaries:
                self.summaries.panel(step, self.net, batch)
            if due.validates and self.validate:
                self._validate(step)
            if due.saves:
                self.save()

    def save(self) -> None:
        """A checkpoint of the present state."""
        if self.checkpoints:
            self.checkpoints.save()

    def _validate(self, step: int) -> None:
        """Scores of the present state; where a signal keeps it from them, that is written down."""
        scores = None
        if not self.received:
            self.checkpoints.check_finite()
            with ended_by_signals():
                scores = self.validate()
        self.left_out = scores is None
        if scores is not None:
            self.summaries.scalars(step, {f"validation/{name}": value for name, value in scores.items()})
            best = self.checkpoints.save_if_best(scores[self.net.criterion])
            shown = "  ".join(f"{name} {value:.3f}" for name, value in scores.items())
            tqdm.write(f"step {step}: {shown}{'  (best so far, kept)' if best else ''}")
        self.checkpoints.owe_validation(self.left_out)


class _LatestLosses:
    """Those of the last step, which are looked at when the next one is on its way: a GPU never waits for the host.

    Attributes:
        step: whose losses they are; 0 before this process has made one.
    """

    def __init__(self):
        self.step, self._losses = 0, {}

    def follow(self, step: int, losses: dict[str, tf.Tensor]) -> None:
        """These are the last ones now; raises NonFiniteLoss for those before."""
        self.check()
        self.step, self._losses = step, losses

    def check(self) -> dict[str, float]:
        """The losses as numbers, in one transfer from the device; raises NonFiniteLoss."""
        values = dict(zip(self._losses, tf.stack(list(self._losses.values())).numpy().tolist())) if self.step else {}
        bad = [f"{name} = {value}" for name, value in values.items() if not math.isfinite(value)]
        if bad:
            raise NonFiniteLoss(
                f"step {self.step}: {', '.join(bad)}. Nothing was saved after it. Look at the data of this step, or "
                "start another --run_dir at a lower --learning_rate"
            )
        return values


def _of_networks(net: Trained, losses: dict[str, float]) -> dict[str, str]:
    """Each network's own loss, where there is one, beside the progress bar."""
    return {name: f"{losses[f'loss/{name}']:.3g}" for name in net.networks if f"loss/{name}" in losses}


def _learning_rates(net: Trained) -> dict[str, float]:
    """Each network's, in its last update; nothing of one that this run has not updated."""
    found = {}
    for name in net.networks:
        optimizer = getattr(net, f"{name}_optimizer")
        updates = tf.convert_to_tensor(optimizer.iterations)  # of several replicas one
        if updates > 0:
            rate = optimizer.learning_rate
            rate = rate(updates - 1) if callable(rate) else rate
            found[f"learning_rate/{name}"] = float(tf.convert_to_tensor(rate))
    return found
