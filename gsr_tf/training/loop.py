"""The outer loop: everything with side effects around the training step."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import tensorflow as tf
from tqdm import tqdm

from gsr_tf.data.batch import Batch
from gsr_tf.errors import UserError
from gsr_tf.settings import Checked, setting
from gsr_tf.signals import told
from gsr_tf.training.checkpoints import Checkpoints
from gsr_tf.training.summaries import Summaries
from gsr_tf.training.trained import Trained

# A second SIGTERM so soon is the first one: of a cluster that tells all processes, passed on by one that started this.
TOLD_TWICE_SECONDS = 1.0


class NonFiniteLoss(UserError):
    """A loss that is NaN or infinite; names step and loss."""


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
        somewhere: whether something is so on any of the workers; all ask at the same step.

    Returns:
        The number of the signal that ended the run early, SIGTERM's where another worker received it, or that ended its
        last validation; 0 at its planned end.

    Raises:
        NonFiniteLoss: at the step after the one whose loss it was, or before anything is saved.
        CheckpointError: a state could not be written, or is of no use.
    """
    step = int(net.step.numpy())
    clock = _Clock()
    shown = {f"loss/{name}": name for name in net.networks}  # beside the progress bar, where they exist
    left_out = False  # the last validation
    unchecked = None  # losses are looked at one step late, so that a GPU never waits for the host
    stopped, quiet = False, summaries is None
    with _signals() as received, tqdm(initial=step, total=steps, unit="step", dynamic_ncols=True, disable=quiet) as bar:
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
            losses = net.train_step(batch)
            if unchecked is not None:
                _check(step, unchecked)
            step, unchecked = step + 1, losses

            if _due(step, schedule.log_every) or step == 1:
                values = _check(step, losses)
                bar.set_postfix({short: f"{values[name]:.3g}" for name, short in shown.items() if name in values})
                if summaries:
                    summaries.scalars(step, {**values, **_learning_rates(net), **clock.read()})
            draws = _due(step, schedule.panels_every)
            validates = _due(step, schedule.validate_every) or step == steps
            saves = _due(step, schedule.save_every) or step == steps
            if draws or validates or saves:
                _check(step, losses)  # also waits for the step, whose time is its own
                with clock.stopped():
                    if draws and summaries:
                        summaries.panel(step, net, batch)
                    if validates and validate:
                        left_out = _leaves_out(net, validate, checkpoints, summaries, received)
                    if saves and checkpoints:
                        checkpoints.save()
            bar.update()
        if stopped and unchecked is not None:
            _check(step, unchecked)
            if checkpoints:
                checkpoints.save()
    if step >= steps and left_out:
        print(f"step {step}: its validation was left out; the same command makes it")
    return (received or [signal.SIGTERM])[0] if stopped or left_out else 0


def _leaves_out(
    net: Trained, validate: Callable, checkpoints: Checkpoints, summaries: Summaries, received: list[int]
) -> bool:
    """Validates the present state; True where a signal kept it from that, which is written down."""
    left_out = bool(received) or not _validate(int(net.step.numpy()), net.criterion, validate, checkpoints, summaries)
    checkpoints.owe_validation(left_out)
    return left_out


def _due(step: int, every: int) -> bool:
    return every > 0 and step % every == 0


def _check(step: int, losses: dict[str, tf.Tensor]) -> dict[str, float]:
    """The losses as numbers, all finite; one transfer from the device."""
    values = dict(zip(losses, tf.stack(list(losses.values())).numpy().tolist()))
    bad = [f"{name} = {value}" for name, value in values.items() if not math.isfinite(value)]
    if bad:
        raise NonFiniteLoss(
            f"step {step}: {', '.join(bad)}. Nothing was saved after it. Look at the data of this step, or start "
            "another --run_dir at a lower --learning_rate, with --initial_weights from an earlier checkpoint "
            "(python -m gsr_tf.export --format=weights)"
        )
    return values


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


def _validate(step: int, criterion: str, validate: Callable, checkpoints: Checkpoints, summaries: Summaries) -> bool:
    """False where a signal ended it before it had scores."""
    checkpoints.check_finite()
    scores = None
    with _ended_by_signals():
        scores = validate()
    if scores is None:
        return False
    summaries.scalars(step, scores)
    best = checkpoints.save_if_best(scores[f"validation/{criterion}"])
    shown = "  ".join(f"{name.split('/')[-1]} {value:.3f}" for name, value in scores.items())
    tqdm.write(f"step {step}: {shown}{'  (best so far, kept)' if best else ''}")
    return True


class _Clock:
    """Seconds a step, and the share of them spent waiting for input, since it was last read."""

    def __init__(self):
        self._start, self._waited, self._steps = time.perf_counter(), 0.0, 0

    def timed(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """The batches, with the time until each one measured."""
        iterator = iter(batches)
        while True:
            asked = time.perf_counter()
            batch = next(iterator, None)
            self._waited += time.perf_counter() - asked
            self._steps += 1
            if batch is None:
                return
            yield batch

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """What is within this takes no time."""
        since = time.perf_counter()
        yield
        self._start += time.perf_counter() - since

    def read(self) -> dict[str, float]:
        """Means since the last reading, for TensorBoard."""
        steps, elapsed, waited = max(1, self._steps), time.perf_counter() - self._start, self._waited
        self._start, self._waited, self._steps = time.perf_counter(), 0.0, 0
        return {"time/step_seconds": elapsed / steps, "time/input_seconds": waited / steps}


class _Signal(Exception):
    """It came."""


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Within `_signals`: what is within this ends, without an error, when the first one is received."""

    def note(number: int, frame: Any) -> None:
        noting[number](number, frame)
        raise _Signal

    with told(note) as noting, contextlib.suppress(_Signal):
        yield


@contextlib.contextmanager
def _signals() -> Iterator[list[int]]:
    """A list that holds the number of the first SIGINT or SIGTERM received; a second one is not held back."""
    received: list[int] = []
    when = -math.inf

    def note(number: int, _frame: Any) -> None:
        nonlocal when
        if received == [signal.SIGTERM] == [number] and time.monotonic() - when < TOLD_TWICE_SECONDS:
            return
        if received:
            signal.signal(number, before[number])
            signal.raise_signal(number)
        received.append(number)
        when = time.monotonic()
        tqdm.write("finishing this step, then saving (once more to stop at once) ...")

    with told(note) as before:
        yield received
