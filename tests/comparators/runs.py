"""What tests of every method that is trained do with its run and its step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from gsr_tf import export, train_comparator
from gsr_tf.comparators.one_network import OneNetwork
from gsr_tf.data.batch import Batch
from gsr_tf.models.keras import keras

Stored = Callable[[keras.Model], Mapping[str, tf.Variable]]


def train_in_two_goes(command: Sequence[str], folder: Path) -> Path:
    """The folder of a run of two steps that went on for two more."""
    for steps in (2, 4):
        assert train_comparator.main([*command, f"--run_dir={folder}", f"--steps={steps}"]) == 0
    return folder


def exported(run_dir: Path, output: Path, *more: str) -> Path:
    """What is exported of a run's newest checkpoint; `more` flags."""
    assert export.main(["export", f"--run_dir={run_dir}", f"--output={output}", "--checkpoint=newest", *more]) == 0
    return output


def assert_an_uninterrupted_run_is_the_same(
    command: Sequence[str], run_dir: Path, folder: Path, stored: Stored
) -> None:
    """Trains four steps at one go into the folder, and compares with the run that went on after two."""
    assert train_comparator.main([*command, f"--run_dir={folder}", "--steps=4"]) == 0
    one, other = (stored(export.load_run(run, "newest")[0].segmenter) for run in (run_dir, folder))
    for name, variable in one.items():
        np.testing.assert_allclose(variable.numpy(), other[name].numpy(), atol=1e-6, err_msg=name)


def assert_two_replicas_are_one(
    build: Callable[[], OneNetwork],
    batch: Batch,
    strategy: tf.distribute.Strategy,
    stored: Stored,
    atol: float = 1e-5,
) -> list[OneNetwork]:
    """A step of two replicas with a picture each gives the losses and weights of one with both; returns both nets."""
    one = build()
    with strategy.scope():
        two = build()
    (name,) = one.networks
    ours, wanted = (stored(getattr(net, name)) for net in (two, one))
    for weight, variable in ours.items():
        variable.assign(wanted[weight])
    stream = tf.data.Dataset.from_tensor_slices(batch).batch(2)
    found = two.train_step(next(iter(strategy.experimental_distribute_dataset(stream))))
    losses = {loss: float(value) for loss, value in one.train_step(batch).items()}
    assert {loss: float(value) for loss, value in found.items()} == pytest.approx(losses, 1e-4)
    for weight, variable in ours.items():
        np.testing.assert_allclose(variable.numpy(), wanted[weight].numpy(), atol=atol, err_msg=weight)
    return [two, one]
