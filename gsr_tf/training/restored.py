"""Networks from a run's checkpoints: one alone for an export, generators for a figure or for another run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf

from gsr_tf.models.gsr_net import GSRNet
from gsr_tf.models.keras import keras
from gsr_tf.training.checkpoint_folder import UNUSABLE, CheckpointError, listed, step_of, unusable


def restore_network(name: str, network: keras.Model, run_dir: Path, which: str) -> str:
    """Restores one network alone, for export.

    Args:
        name: of the network in the run's checkpoints.
        network: of the run's configuration.
        run_dir: the run's folder.
        which: "best" (by validation; the newest where there was none), "newest", or "mean": the mean of the weights of
            all checkpoints that were kept (Izmailov et al., Averaging weights leads to wider optima and better
            generalization, UAI 2018). What is no weight, as MFCN's edge threshold, is then the newest checkpoint's.

    Returns:
        The checkpoint's path; of several "FOLDER/ckpt-{80,160}".

    Raises:
        CheckpointError: none there, or it does not fit.
    """
    paths = _kept(run_dir, which, "--run_dir")
    weights = _weights(network)
    total = [np.zeros(variable.shape) for variable in weights]
    for path in paths:
        _restore(path, **{name: network})
        total = [so_far + variable.numpy() for so_far, variable in zip(total, weights)]
    for variable, so_far in zip(weights, total):
        variable.assign(so_far / len(paths))
    steps = [step_of(Path(path)) for path in paths]
    return paths[0] if len(paths) == 1 else f"{paths[0].rpartition('-')[0]}-{{{','.join(steps)}}}"


def _weights(network: keras.Model) -> list[tf.Variable]:
    """Its variables but what it holds itself and does not train: MFCN's edge threshold, EXIF-consistency's `known`."""
    others = {x.ref() for x in vars(network).values() if isinstance(x, tf.Variable) and not x.trainable}
    return [variable for variable in network.variables if variable.ref() not in others]


def restore_generation(net: GSRNet, run_dir: str | os.PathLike) -> None:
    """Restores generator and discriminator alone, from a run's newest checkpoint; their optimizers begin anew.

    Args:
        net: whose networks are filled.
        run_dir: the other run's folder, as --initial_generator says.

    Raises:
        CheckpointError: none there, or it does not fit.
    """
    (path,) = _kept(Path(run_dir), "newest", "--initial_generator")
    _restore(path, generator=net.generator, discriminator=net.discriminator)


def last_step(run_dir: Path) -> int:
    """How many steps a run has done, by its newest checkpoint; 0 where there is none."""
    states = [listed(run_dir / folder) for folder in ("checkpoints", "best")]
    return max((int(step_of(Path(state.model_checkpoint_path))) for state in states if state), default=0)


def restore_generators(net: GSRNet, run_dir: Path) -> Iterator[int]:
    """Restores the generator of each checkpoint that a run kept, the oldest first, and yields its step.

    Args:
        net: of the run's configuration, whose generator is filled.
        run_dir: the run's folder.

    Raises:
        CheckpointError: none there, or one does not fit.
    """
    for path in _kept(run_dir, "mean", "--run_dir"):
        _restore(path, generator=net.generator, step=net.step)
        yield int(net.step)


def _kept(run_dir: Path, which: str, flag: str) -> list[str]:
    """Paths of the checkpoints that `which` means, at least one, the newest one last."""
    for folder in ("best", "checkpoints") if which == "best" else ("checkpoints",):
        state = listed(run_dir / folder)
        if state:
            newest = [state.model_checkpoint_path]  # all that a list written by hand may hold
            return list(state.all_model_checkpoint_paths) or newest if which == "mean" else newest
    raise CheckpointError(f"{flag}={run_dir}: no checkpoint there; has the run saved one (--save_every)?")


def _restore(path: str, **networks: keras.Model | tf.Variable) -> None:
    try:
        status = tf.train.Checkpoint(**networks).restore(path)
        status.assert_existing_objects_matched().expect_partial()
    except UNUSABLE as error:
        raise unusable(path, f"the configuration's {', '.join(networks)}", error) from error
