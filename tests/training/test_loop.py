import contextlib
import dataclasses
import functools
import itertools
import math
import signal
from types import SimpleNamespace

import pytest
import tensorflow as tf

from gsr_tf.models.keras import keras
from gsr_tf.models.optimizers import Optimization
from gsr_tf.settings import ConfigError
from gsr_tf.training import clock, stopping
from gsr_tf.training.loop import Due, NonFiniteLoss, Schedule, _learning_rates, train
from tests.networks import make_batch, tiny_net

SCHEDULE = Schedule(log_every=3, panels_every=4, validate_every=4, save_every=2)


class Journal:
    """A network, its checkpoints, summaries and validation, all of which only write down what happens."""

    networks = ("segmenter", "generator", "discriminator")
    criterion = "f1"

    def __init__(self, start=0, losses=None, during=None):
        self.step = tf.Variable(start, dtype=tf.int64)
        falling = keras.optimizers.schedules.CosineDecay(1.0, 8)
        for name, rate in {"segmenter": 0.5, "generator": 0.25, "discriminator": falling}.items():
            setattr(self, f"{name}_optimizer", SimpleNamespace(learning_rate=rate, iterations=self.step))
        self.losses, self.during, self.lines = losses or {}, during or {}, []
        self.owed = None

    def train_step(self, batch):
        self.step.assign_add(1)
        step = int(self.step)
        self.lines.append(f"train {step} on {batch}")
        self.during.get(step, lambda: None)()
        return {"loss/generator": tf.constant(2.0), "loss/segmenter": tf.constant(self.losses.get(step, 1.0))}

    def scalars(self, step, values):
        self.lines.append(f"scalars {step}")
        self.values = values

    def panel(self, step, net, batch):
        self.lines.append(f"panel {step} of {batch}")

    def check_finite(self):
        self.checked = int(self.step)

    def save(self):
        self.lines.append(f"save {int(self.step)}")

    def save_if_best(self, score):
        self.lines.append(f"score {score} at {int(self.step)}")

    def owe_validation(self, owed):
        self.owed = int(self.step) if owed else None

    def owes_validation(self):
        return self.owed == int(self.step)

    def run(self, schedule=SCHEDULE, validate=None, steps=6):
        batches = (f"batch {number}" for number in itertools.count(int(self.step)))
        return train(self, batches, steps, schedule, self, self, validate)


def test_everything_happens_when_it_is_due():
    journal = Journal()

    def validate():
        assert journal.checked == int(journal.step)
        return {"f1": 0.25}

    assert journal.run(validate=validate) == 0
    assert journal.lines == [
        *["train 1 on batch 0", "scalars 1"],
        *["train 2 on batch 1", "save 2"],
        *["train 3 on batch 2", "scalars 3"],
        *["train 4 on batch 3", "panel 4 of batch 3", "scalars 4", "score 0.25 at 4", "save 4"],
        *["train 5 on batch 4"],
        *["train 6 on batch 5", "scalars 6", "scalars 6", "score 0.25 at 6", "save 6"],
    ]


def test_the_first_step_is_logged_and_the_last_one_validated_and_saved():
    schedule = Schedule(log_every=50, panels_every=0, validate_every=50, save_every=20)
    assert [schedule.due(step, 45) for step in (1, 2, 20, 45)] == [
        Due(True, False, False, False),
        Due(False, False, False, False),
        Due(False, False, False, True),
        Due(False, False, True, True),
    ]
    assert schedule.due(50, 99) == Due(True, False, True, False)


def test_what_is_due_alone_happens():
    journal = Journal()
    schedule = Schedule(log_every=50, panels_every=2, validate_every=3, save_every=5)
    journal.run(schedule, lambda: {"f1": 0.25}, steps=7)
    happened = [line for line in journal.lines if line.startswith(("panel", "score", "save"))]
    assert happened == [
        *["panel 2 of batch 1", "score 0.25 at 3", "panel 4 of batch 3", "save 5"],
        *["panel 6 of batch 5", "score 0.25 at 6", "score 0.25 at 7", "save 7"],
    ]


def test_a_schedule_may_change_and_be_of_every_step():
    every = {field.name: 1 for field in dataclasses.fields(Schedule) if field.metadata["may_change"]}
    assert every.keys() == {"log_every", "panels_every", "validate_every", "save_every", "keep"}
    assert Schedule(**every).due(3, 9) == Due(True, True, True, True)
    for name in every.keys() - {"panels_every"}:
        with pytest.raises(ConfigError, match=f"--{name}=0"):
            Schedule(**{name: 0})


def test_who_writes_shows_the_steps_and_each_networks_loss(capsys):
    Journal(losses={3: 1.0, 6: 0.125}).run()
    shown = capsys.readouterr().err
    assert "6/6" in shown and "segmenter=0.125" in shown and "generator=2" in shown and "discriminator=" not in shown
    train(Journal(), iter(range(9)), 6, SCHEDULE, None, None)
    assert capsys.readouterr().err == ""


def test_a_validation_says_its_scores_and_whether_they_are_the_best(capsys):
    journal, scores = Journal(), iter([0.25, 0.125])
    journal.save_if_best = lambda score: score > 0.2
    journal.run(validate=lambda: {"f1": next(scores), "auc": 0.5})
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("step")]
    assert said == ["step 4: f1 0.250  auc 0.500  (best so far, kept)", "step 6: f1 0.125  auc 0.500"]
    assert journal.values == {"validation/f1": 0.125, "validation/auc": 0.5}


def test_the_best_is_the_best_by_what_the_net_is_compared_by():
    journal = Journal(start=5)
    journal.criterion = "auc"
    journal.run(validate=lambda: {"f1": 0.25, "auc": 0.75})
    assert "score 0.75 at 6" in journal.lines


def test_a_run_goes_on_from_its_step(capsys):
    journal = Journal(start=4)
    journal.run()
    assert "6/6" in capsys.readouterr().err
    assert journal.lines == ["train 5 on batch 4", "train 6 on batch 5", "scalars 6", "save 6"]


@pytest.mark.parametrize("start", [6, 9])
def test_a_finished_run_does_nothing(start):
    journal = Journal(start)
    assert journal.run() == 0
    assert journal.lines == []


def test_curves_have_losses_rates_and_times():
    journal = Journal()
    journal.run()
    assert {name: journal.values[name] for name in ("loss/generator", "loss/segmenter")} == {
        "loss/generator": 2.0,
        "loss/segmenter": 1.0,
    }
    rates = {name: journal.values[f"learning_rate/{name}"] for name in ("segmenter", "generator", "discriminator")}
    assert rates == pytest.approx(
        {"segmenter": 0.5, "generator": 0.25, "discriminator": (1 + math.cos(0.625 * math.pi)) / 2}
    )
    assert 0 <= journal.values["time/input_seconds"] < journal.values["time/step_seconds"] < 1


def test_a_rate_is_the_one_that_its_step_used():
    v = tf.Variable([0.0])
    adam = Optimization(steps=4, learning_rate=0.1, learning_rate_schedule="cosine").adam([v])
    used, said = [], []
    for _ in range(4):
        before = v.numpy()
        adam.apply_gradients([(tf.constant([1.0]), v)])
        used.append(
            float((before - v.numpy())[0])
        )  # of a gradient that is always the same Adam makes steps of the rate
        said.append(_learning_rates(SimpleNamespace(networks=["n"], n_optimizer=adam))["learning_rate/n"])
    assert said == pytest.approx(used, rel=1e-4) and said[0] == pytest.approx(0.1) and said[-1] > 0.01


def test_a_network_that_the_step_leaves_alone_has_no_rate():
    net = tiny_net(segment_on=["source", "pasted"], refine_steps=0)
    assert _learning_rates(net) == {}
    net.train_step(make_batch())
    assert list(_learning_rates(net)) == ["learning_rate/segmenter"]


def test_the_clock_stands_still_beside_the_steps(monkeypatch):
    """Each step takes a second; panels, validations and checkpoints ten each."""
    now = [0.0]
    monkeypatch.setattr(clock.time, "perf_counter", lambda: now[0])
    journal = Journal(during={step: lambda: now.__setitem__(0, now[0] + 1) for step in range(1, 9)})
    seconds = []

    def slow(result=None):
        now[0] += 10
        return result

    def scalars(step, values):
        seconds.extend(value for name, value in values.items() if name == "time/step_seconds")

    journal.scalars, journal.panel, journal.save = scalars, lambda *_: slow(), slow
    journal.owed = 0  # so that the run begins with a validation, and saves
    journal.run(validate=lambda: slow({"f1": 0.25}), steps=8, schedule=SCHEDULE)
    assert seconds == [1, 1, 1]
    assert now[0] == 8 + 10 * (1 + 1 + 2 + 2 + 4)


def test_waiting_for_input_is_a_part_of_a_step(monkeypatch):
    """Two batches come after a quarter of a second each, a third one at once; learning from each takes a second."""
    now = [5.0]
    monkeypatch.setattr(clock.time, "perf_counter", lambda: now[0])

    def batches():
        for wait in (0.25, 0.25, 0.0):
            now[0] += wait
            yield wait

    measured, seen = clock.Clock(), []
    for number, _ in enumerate(measured.timed(batches())):
        now[0] += 1
        if number > 0:
            seen.append(measured.read())
    assert seen == [
        {"time/step_seconds": 1.25, "time/input_seconds": 0.25},
        {"time/step_seconds": 1.0, "time/input_seconds": 0.0},
    ]


def test_of_another_method_its_own_networks_are_asked():
    journal = Journal()
    journal.networks = ("segmenter",)
    journal.run()
    rates = {name: value for name, value in journal.values.items() if name.startswith("learning_rate")}
    assert rates == {"learning_rate/segmenter": 0.5}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_the_step_finish_then_saves(number, capsys):
    before = signal.getsignal(number)
    journal = Journal(during={3: lambda: signal.raise_signal(number)})
    assert journal.run() == number
    assert journal.lines[-3:] == ["train 3 on batch 2", "scalars 3", "save 3"]
    assert "finishing this step, then saving (once more to stop at once)" in capsys.readouterr().out
    assert signal.getsignal(number) is before


def test_a_signal_in_the_last_step_ends_a_finished_run():
    journal = Journal(during={6: lambda: signal.raise_signal(signal.SIGTERM)})
    assert journal.run() == 0
    assert "save 6" in journal.lines


def left_by(number, journal):
    def validate():
        signal.raise_signal(number)
        raise AssertionError("a validation that goes on after a signal")

    return journal.run(validate=validate)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_validation_and_what_was_learnt_is_saved(number, capsys):
    journal, before = Journal(), signal.getsignal(number)
    assert left_by(number, journal) == number
    assert journal.lines[-2:] == ["save 4", "save 4"]  # as it was due, and as the run ends
    assert not any(line.startswith("score") for line in journal.lines)
    assert "left out" not in capsys.readouterr().out
    assert signal.getsignal(number) is before


def test_a_signal_ends_also_what_goes_on_after_errors():
    """As AutoGraph does, which calls a function as it is where it cannot convert it."""
    went_on = []
    with stopping.signals_received() as received, stopping.ended_by_signals():
        with contextlib.suppress(Exception):
            signal.raise_signal(signal.SIGTERM)
        went_on.append(True)
    assert received == [signal.SIGTERM] and not went_on


def test_a_signal_in_the_last_validation_is_said(capsys):
    journal = Journal(start=5)
    assert left_by(signal.SIGINT, journal) == signal.SIGINT
    assert journal.lines[-1] == "save 6"
    assert "step 6: its validation was left out; the same command makes it" in capsys.readouterr().out


def test_after_a_signal_no_validation_begins():
    journal = Journal(during={4: lambda: signal.raise_signal(signal.SIGTERM)})
    assert journal.run(validate=lambda: journal.lines.append("validate")) == signal.SIGTERM
    assert journal.lines[-1] == "save 4" and "validate" not in journal.lines
    assert journal.owed == 4


@pytest.mark.parametrize("during", [{}, {4: lambda: signal.raise_signal(signal.SIGTERM)}], ids=["within", "before"])
def test_a_validation_that_a_signal_ended_is_made_when_the_run_goes_on(during, capsys):
    journal = Journal(during=during)
    left_by(signal.SIGTERM, journal)
    journal.lines.clear()
    assert journal.run(validate=lambda: {"f1": 0.25}) == 0
    assert journal.lines[:4] == ["scalars 4", "score 0.25 at 4", "save 4", "train 5 on batch 4"]
    assert journal.lines.count("score 0.25 at 4") == 1 and journal.owed is None
    assert "step 4: validating, which a signal had ended\n" in capsys.readouterr().out


def test_a_validation_is_owed_on_where_there_is_nothing_to_validate_on_any_more():
    journal = Journal(start=4)
    journal.owed = 4
    assert journal.run() == 0
    assert journal.lines[0] == "train 5 on batch 4" and journal.owed == 4


def test_the_last_validation_can_be_ended_twice_and_is_made_where_no_step_is_left():
    journal = Journal(start=5)
    for _ in range(2):
        assert left_by(signal.SIGTERM, journal) == signal.SIGTERM
        assert journal.owed == 6
    assert journal.lines == ["train 6 on batch 5", "scalars 6", "save 6"]
    journal.lines.clear()
    assert journal.run(validate=lambda: {"f1": 0.25}) == 0
    assert journal.lines == ["scalars 6", "score 0.25 at 6", "save 6"] and journal.owed is None


def test_a_signal_to_another_worker_stops_this_one_after_the_same_step():
    journal = Journal()
    asked = []

    def somewhere(here):
        asked.append(here)
        return here or len(asked) == 4

    batches = (f"batch {number}" for number in itertools.count())
    assert train(journal, batches, 6, SCHEDULE, journal, journal, None, somewhere) == signal.SIGTERM
    assert journal.lines[-3:] == ["train 3 on batch 2", "scalars 3", "save 3"]
    assert asked == [False] * 4 + [True]


@pytest.mark.parametrize("left_out", [True, False])
def test_a_signal_to_a_worker_that_waits_for_the_last_validation_does_not_kill_it(left_out):
    asked = []

    def somewhere(here):
        asked.append(here)
        if len(asked) <= 2:
            return False
        signal.raise_signal(signal.SIGTERM)
        return left_out

    code = signal.SIGTERM if left_out else 0
    assert train(Journal(), iter(range(9)), 2, SCHEDULE, None, None, None, somewhere) == code
    assert asked == [False] * 3


def test_the_last_validation_that_is_left_out_is_told_to_the_other_workers():
    journal, asked = Journal(start=5), []

    def validate():
        signal.raise_signal(signal.SIGINT)

    def somewhere(here):
        asked.append((here, journal.lines[-1:]))
        return here

    assert train(journal, iter(range(9)), 6, SCHEDULE, journal, journal, validate, somewhere) == signal.SIGINT
    assert asked == [(False, []), (True, ["save 6"])]


def test_a_signal_before_the_first_step_saves_nothing():
    journal = Journal()
    batches = (signal.raise_signal(signal.SIGTERM) or number for number in range(9))
    assert train(journal, batches, 6, SCHEDULE, journal, journal) == signal.SIGTERM
    assert journal.lines == []


def test_a_worker_that_writes_nothing_stops_at_a_signal():
    journal = Journal(during={3: lambda: signal.raise_signal(signal.SIGTERM)})
    assert train(journal, iter(range(9)), 6, SCHEDULE, None, None) == signal.SIGTERM
    assert journal.lines[-1] == "train 3 on 2"


def test_a_worker_that_writes_nothing_takes_all_steps():
    journal = Journal()
    assert train(journal, iter(range(9)), 6, SCHEDULE, None, None) == 0
    assert journal.lines == [f"train {step} on {step - 1}" for step in range(1, 7)]


@pytest.mark.parametrize("step", [1, 2, 4, 5, 6])
def test_all_workers_see_a_bad_loss_after_the_same_step(step):
    schedule, lines = Schedule(log_every=50, panels_every=0, validate_every=4, save_every=50), []
    for writes in (True, False):
        journal = Journal(losses={step: math.nan})
        seen = (journal, journal, lambda: {"f1": 0.5}) if writes else (None, None)
        with pytest.raises(NonFiniteLoss, match=f"step {step}:"):
            train(journal, iter(range(9)), 6, schedule, *seen)
        lines.append([line for line in journal.lines if line.startswith("train")])
    assert lines[0] == lines[1]


def test_a_second_ctrl_c_stops_at_once():
    def twice():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    journal = Journal(during={3: twice})
    with pytest.raises(KeyboardInterrupt):
        journal.run()
    assert journal.lines[-1] == "train 3 on batch 2"


def test_a_sigterm_that_is_told_twice_is_one_and_a_later_one_stops_at_once(monkeypatch):
    class Stopped(Exception):
        pass

    def stop(*_):
        raise Stopped

    def twice():
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        journal = Journal(during={3: twice})
        assert journal.run() == signal.SIGTERM
        assert journal.lines[-1] == "save 3"
        monkeypatch.setattr(stopping, "TOLD_TWICE_SECONDS", 0)
        with pytest.raises(Stopped):
            Journal(during={3: twice}).run()
        monkeypatch.undo()
        ctrl_c = functools.partial(signal.raise_signal, signal.SIGINT)
        with pytest.raises(Stopped):  # it is told to end, not to finish a step
            Journal(during={3: lambda: (ctrl_c(), signal.raise_signal(signal.SIGTERM))}).run()
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize(("step", "bad"), itertools.product([1, 4, 5, 6], [math.nan, math.inf]))
def test_a_bad_loss_stops_the_run_and_nothing_is_saved_after_it(step, bad):
    journal = Journal(losses={step: bad})
    with pytest.raises(NonFiniteLoss, match=rf"step {step}: loss/segmenter = {bad}\. .*--learning_rate"):
        journal.run(validate=lambda: {"f1": 0.5})
    assert not [f"save {n}" for n in range(step, 9) if f"save {n}" in journal.lines]
    assert not any(line.startswith("score") and int(line.split()[-1]) >= step for line in journal.lines)


def test_a_bad_loss_before_a_signal_is_not_saved():
    journal = Journal(losses={5: math.nan}, during={5: lambda: signal.raise_signal(signal.SIGTERM)})
    with pytest.raises(NonFiniteLoss, match="step 5"):
        journal.run()
    assert journal.lines[-1] == "train 5 on batch 4"


def test_losses_are_looked_at_one_step_late_at_most():
    journal = Journal(losses={3: math.nan})
    with pytest.raises(NonFiniteLoss, match="step 3"):
        journal.run(Schedule(log_every=50, panels_every=0, validate_every=50, save_every=50), steps=50)
    assert journal.lines[-1] == "train 4 on batch 3"
