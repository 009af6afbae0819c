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

    Ctrl-C and SIGTERM let the step finish, then save; of several workers all stop after the same step. A validation is
    not waited for: it is made when the run goes on, before the next step.

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
    step, clock, losses = int(net.step.numpy()), Clock(), _LatestLosses()
    stopped = left_out = False  # the run, before its planned end; the last validation
    quiet = summaries is None
    bar = tqdm(initial=step, total=steps, unit="step", dynamic_ncols=True, disable=quiet)
    with signals_received() as received, bar:
        if validate and checkpoints.owes_validation():
            tqdm.write(f"step {step}: validating, which a signal had ended")
            with clock.stopped():
                left_out = _leaves_out(net, validate, checkpoints, summaries, received)
                if not left_out:
                    checkpoints.save()  # with what the validation has chosen
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
                if summaries:
                    summaries.scalars(step, {**values, **_learning_rates(net), **clock.read()})
            if due.pauses:
                losses.check()  # also waits for the step, whose time is its own
                with clock.stopped():
                    if due.draws and summaries:
                        summaries.panel(step, net, batch)
                    if due.validates and validate:
                        left_out = _leaves_out(net, validate, checkpoints, summaries, received)
                    if due.saves and checkpoints:
                        checkpoints.save()
            bar.update()
        if stopped and losses.step:
            losses.check()
            if checkpoints:
                checkpoints.save()
        early = somewhere(stopped or left_out)  # nobody leaves, and dies of a signal, before all is written
    if step >= steps and left_out:
        print(f"step {step}: its validation was left out; the same command makes it")
    return (received or [signal.SIGTERM])[0] if early else 0


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


def _leaves_out(
    net: Trained, validate: Callable, checkpoints: Checkpoints, summaries: Summaries, received: list[int]
) -> bool:
    """Validates the present state; True where a signal kept it from that, which is written down."""
    left_out = bool(received) or not _validate(int(net.step.numpy()), net.criterion, validate, checkpoints, summaries)
    checkpoints.owe_validation(left_out)
    return left_out


def _validate(step: int, criterion: str, validate: Callable, checkpoints: Checkpoints, summaries: Summaries) -> bool:
    """False where a signal ended it before it had scores."""
    checkpoints.check_finite()
    scores = None
    with ended_by_signals():
        scores = validate()
    if scores is None:
        return False
    summaries.scalars(step, scores)
    best = checkpoints.save_if_best(scores[f"validation/{criterion}"])
    shown = "  ".join(f"{name.split('/')[-1]} {value:.3f}" for name, value in scores.items())
    tqdm.write(f"step {step}: {shown}{'  (best so far, kept)' if best else ''}")
    return True
