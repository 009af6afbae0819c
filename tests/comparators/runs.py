"""What tests of every method that is trained do with its run and its step."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from gsr_tf import evaluate, export, predict, train_comparator
from gsr_tf.comparators.one_network import OneNetwork
from gsr_tf.data.batch import Batch
from gsr_tf.data.records import Records
from gsr_tf.models.keras import keras
from gsr_tf.models.weights import read_npz
from tests import tiny
from tests.checkpoints import values_in

Stored = Callable[[keras.Model], Mapping[str, tf.Variable]]


def command(method: str, sources: Records, targets: Records, *more: str) -> list[str]:
    """A training command that draws, validates and saves after each second step, less its --run_dir and --steps.

    `more` flags make it small.
    """
    return [
        *["train_comparator", f"--flagfile=comparators/{method}"],
        *[f"--source_records={sources.path}", f"--target_records={targets.path}"],
        *[f"--validation_records={sources.path}", "--validation_pictures=2", "--validate_every=2"],
        *["--log_every=1", "--panels_every=2", "--save_every=2", "--learning_rate=0.01", *more],
    ]


def train_in_two_goes(command: Sequence[str], folder: Path) -> Path:
    """The folder of a run of two steps that went on for two more, and left nothing elsewhere."""
    with tempfile.TemporaryDirectory() as elsewhere, pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", elsewhere)
        for steps in (2, 4):
            assert train_comparator.main([*command, f"--run_dir={folder}", f"--steps={steps}"]) == 0
        assert not os.listdir(elsewhere)
    return folder


def exported(run_dir: Path, output: Path, *more: str) -> Path:
    """What is exported of a run's newest checkpoint; `more` flags."""
    assert export.main(["export", f"--run_dir={run_dir}", f"--output={output}", "--checkpoint=newest", *more]) == 0
    return output


def assert_it_left(run_dir: Path, method: str, panels: Sequence[int] = (2, 4)) -> None:
    """The files of a run of four steps that saved after two; panels at these steps."""
    names = {str(path.relative_to(run_dir)) for path in run_dir.rglob("*") if path.is_file()}
    assert {"config.json", "run.json", "best.json", "checkpoints/ckpt-2.index", "checkpoints/ckpt-4.index"} <= names
    assert {f"panels/{step:07d}.png" for step in panels} <= names
    assert json.loads((run_dir / "config.json").read_text())["method"] == method


def assert_an_uninterrupted_run_is_the_same(command: Sequence[str], run_dir: Path, folder: Path) -> None:
    """Trains four steps at one go into the folder, and compares with the run that went on after two."""
    assert train_comparator.main([*command, f"--run_dir={folder}", "--steps=4"]) == 0
    one, other = (values_in(run / "checkpoints" / "ckpt-4", "segmenter") for run in (run_dir, folder))
    assert one.keys() == other.keys()
    for name, values in one.items():
        np.testing.assert_allclose(values, other[name], atol=1e-6, err_msg=name)


def assert_weights_by_name_start_another_run(
    command: Sequence[str], run_dir: Path, folder: Path, stored: Stored, steps: int = 0, but: str | None = None
) -> tuple[dict, Mapping[str, np.ndarray]]:
    """Exports a run's weights, and begins with them a run that learns nothing: what is said of them, and they.

    Methods without runs of no `steps` take one; `but` is in the names of what that changes all the same.
    """
    file = folder / f"{run_dir.name}.npz"
    assert export.main(["export", f"--run_dir={run_dir}", f"--output={file}", "--format=weights"]) == 0
    weights = read_npz(str(file), "")
    still = ["--learning_rate=0", f"--steps={steps}", f"--initial_weights={file}", f"--run_dir={folder / 'run'}"]
    assert train_comparator.main([*command, *still]) == 0
    begun = stored(export.load_run(folder / "run", "newest")[0].segmenter)
    assert begun.keys() == weights.keys()
    for name, variable in begun.items():
        if but is None or but not in name:
            np.testing.assert_array_equal(variable.numpy(), weights[name], err_msg=name)
    return json.loads(Path(f"{file}.json").read_text()), weights


def assert_small_pictures_are_named(model: Path, method: str, named: str, least: int, folder: Path, capsys) -> None:
    """Of two pictures, one of them too small, `evaluate` scores and `predict` answers the other."""
    pairs, example = ["picture,mask"], tiny.manipulated()[2]
    for name, side in (("large", 48), ("small", least - 1)):
        for kind, array in (("picture", example.picture), ("mask", 255 * example.masks[0].astype(np.uint8))):
            Image.fromarray(array[:side, :side]).save(folder / f"{name}_{kind}.png")
        pairs.append(f"{folder}/{name}_picture.png,{folder}/{name}_mask.png")
    (folder / "pairs.csv").write_text("\n".join(pairs))
    asked = [f"--saved_model={model}", f"--method={method}"]
    why = f"{least - 1}x{least - 1} pixels; {named} needs at least {least}"
    output = [f"--pairs={folder / 'pairs.csv'}", f"--output={folder / 'results'}", "--protocols=paper"]
    assert evaluate.main(["evaluate", *asked, *output]) == predict.SOME_SKIPPED
    assert re.search(f"1 skipped, the first .*small.*: {why}", capsys.readouterr().out)
    pictures = json.loads((folder / "results" / "summary.json").read_text())["pictures"]
    assert (pictures["scored"], pictures["skipped"]) == (1, 1)
    output = [f"--input={folder}/*_picture.png", f"--output={folder / 'answers'}"]
    assert predict.main(["predict", *asked, *output]) == predict.SOME_SKIPPED
    assert f"{why} on each side" in capsys.readouterr().err


def one_step(net: OneNetwork, batch: tuple) -> dict[str, tf.Tensor]:
    """A training step without its graph, which takes longer to trace than one step to compute."""
    return net.train_step.python_function(batch)


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
    losses = {loss: float(value) for loss, value in one_step(one, batch).items()}
    assert {loss: float(value) for loss, value in found.items()} == pytest.approx(losses, 1e-4)
    for weight, variable in ours.items():
        np.testing.assert_allclose(variable.numpy(), wanted[weight].numpy(), atol=atol, err_msg=weight)
    return [two, one]


def assert_bfloat16_keeps_the_losses(build: Callable[[], OneNetwork], batch: tuple, within: float) -> None:
    """A step's, relative to their values in float32; weights stay in float32."""
    nets = []
    for policy in ("float32", "mixed_bfloat16"):
        keras.mixed_precision.set_global_policy(policy)
        try:
            keras.utils.set_random_seed(0)
            nets.append(build())
        finally:
            keras.mixed_precision.set_global_policy("float32")
    (exact, parts), (rounded, _) = (net.losses(batch) for net in nets)  # both without a graph, which rounds otherwise
    assert float(rounded) != float(exact)
    net = nets[1]
    (name,) = net.networks
    wanted = {loss: float(value) for loss, value in {**parts, f"loss/{name}": exact}.items()}
    found = {loss: float(value) for loss, value in net.train_step(batch).items()}
    assert found == pytest.approx(wanted, rel=within)
    assert {variable.dtype for variable in getattr(net, name).trainable_variables} == {tf.float32}


def assert_the_chief_reads_alone(build: Callable[[], OneNetwork], strategy: tf.distribute.Strategy) -> None:
    """No variable is read by all workers together, as a save of the chief would wait for for ever."""
    with strategy.scope():
        net = build()
    (name,) = net.networks
    read_together = tf.VariableSynchronization.ON_READ
    assert not [v.name for v in getattr(net, name).variables if v.synchronization == read_together]
