"""What is saved, where, and how it comes back. Names are decided here once."""

from __future__ import annotations

import json
import logging
import math
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from google.protobuf import text_format
from tensorflow.python.training.checkpoint_state_pb2 import CheckpointState
from tqdm import tqdm

from gsr_tf.data.unfindable import why_unfindable
from gsr_tf.data.writing import write_atomically
from gsr_tf.errors import UserError, first_line
from gsr_tf.models.gsr_net import GSRNet
from gsr_tf.models.keras import keras
from gsr_tf.training.run_dir import other_code
from gsr_tf.training.trained import Trained
from gsr_tf.training.whole import STATE, UNUSABLE, by_step, is_whole, step_of, way_on

BEST_SCORE_NAME = "best.json"
OWED_NAME = "unvalidated_step"  # a file that holds its number


class CheckpointError(UserError):
    """A checkpoint that is missing, does not fit, or could not be written."""


class NonFiniteWeights(CheckpointError):
    """Weights that are NaN or infinite, of which no checkpoint is made."""


def checkpoint_items(net: Trained) -> dict[str, object]:
    """Everything that a run needs to go on exactly; the position in the data is the step."""
    names = [*net.frozen, *(name for network in net.networks for name in (network, f"{network}_optimizer"))]
    return {**{name: getattr(net, name) for name in names}, "step": net.step}


class Checkpoints:
    """A run's newest checkpoints, and beside them its best one by validation; the run holds its folder.

    TensorFlow writes a checkpoint aside and renames it: one that is listed is whole.
    """

    def __init__(self, net: Trained, run_dir: Path, *, keep: int, validated_on: Sequence[str] = ()):
        """A run's, in its folder.

        Args:
            net: what is saved and restored.
            run_dir: the run's folder.
            keep: how many of the newest are kept.
            validated_on: fingerprints of what scores are measured on; those on other data decide nothing.

        Raises:
            CheckpointError: the newest one is not known, or no other could be saved.
        """
        _sweep(run_dir)
        for folder in ("checkpoints", "best"):
            _list_the_first(run_dir / folder)
            if not os.access(run_dir / folder, os.W_OK) and (run_dir / folder).exists():
                raise CheckpointError(f"{run_dir / folder} cannot be written by this user; let it, or move it away")
            if _state(run_dir / folder):
                _list_without_the_clock(run_dir / folder)
        self.net = net
        self.checkpoint = tf.train.Checkpoint(**checkpoint_items(net))
        self.newest = tf.train.CheckpointManager(self.checkpoint, str(run_dir / "checkpoints"), max_to_keep=keep)
        self.best = tf.train.CheckpointManager(self.checkpoint, str(run_dir / "best"), max_to_keep=1)
        self.best_score_file, self.validated_on = run_dir / BEST_SCORE_NAME, list(validated_on)
        self._owed_file = run_dir / OWED_NAME

    def restore(self) -> bool:
        """Restores the newest checkpoint, all of it; False where there is none yet."""
        path = self.newest.latest_checkpoint
        if path is None:
            return False
        try:
            self.checkpoint.restore(path).assert_consumed()
        except UNUSABLE as error:
            raise _unusable(path, "this configuration's networks", error) from error
        return True

    def check_finite(self) -> None:
        """Raises NonFiniteWeights where the present state is of no use: weights that are NaN or infinite."""
        names = [name for name in self.net.networks if not _is_finite(getattr(self.net, name))]
        if names:
            raise NonFiniteWeights(
                f"step {int(self.net.step.numpy())}: weights of the {' and the '.join(names)} are NaN or "
                "infinite. They were not saved; earlier checkpoints are whole. Start another --run_dir at a lower "
                "--learning_rate"
            )

    def save(self) -> None:
        """Saves the present state under its step."""
        self._save(self.newest)

    def save_if_best(self, score: float) -> bool:
        """Saves beside the newest ones when `score` is above every earlier one; says whether it was."""
        if score <= self.best_score():
            return False
        if not self._is_same(self._best()):
            tqdm.write(f"{self.best_score_file}: of other validation pictures; the best score starts anew")
        self._save(self.best)
        record = {
            "step": int(self.net.step.numpy()),
            self._score_name: score,
            "validated_on": self.validated_on,
        }
        write_atomically(self.best_score_file, json.dumps(record).encode())
        return True

    def best_score(self) -> float:
        """The run's best validation score so far on the same data, minus infinity before the first."""
        best = self._best()
        return best[self._score_name] if best and self._is_same(best) else -math.inf

    def owe_validation(self, owed: bool) -> None:
        """Writes down whether the present state is yet to be validated, for who goes on from it."""
        if owed:
            write_atomically(self._owed_file, f"{int(self.net.step.numpy())}\n".encode())
        else:
            self._owed_file.unlink(missing_ok=True)

    def owes_validation(self) -> bool:
        """Whether the present state was written down as yet to be validated."""
        step = int(self.net.step.numpy())
        return self._owed_file.exists() and self._owed_file.read_bytes() == f"{step}\n".encode()

    @property
    def _score_name(self) -> str:
        return f"validation_{self.net.criterion}"

    def _best(self) -> dict:
        """What is written of the best checkpoint; empty before the first."""
        if not self.best_score_file.exists():
            return {}
        try:
            best = json.loads(self.best_score_file.read_text())
            return {**best, self._score_name: float(best[self._score_name])}
        except (ValueError, TypeError, KeyError) as error:
            raise CheckpointError(
                f"{self.best_score_file} is damaged ({error}); delete it, and the next validation counts as the best"
            ) from error

    def _is_same(self, best: dict) -> bool:
        """Whether a best score was measured on the data of now; an earlier version did not say on which."""
        return best.get("validated_on", self.validated_on) == self.validated_on

    def _save(self, manager: tf.train.CheckpointManager) -> None:
        self.check_finite()
        step = int(self.net.step.numpy())
        try:
            Path(manager.directory).mkdir(parents=True, exist_ok=True)  # as the umask says; TensorFlow would not ask it
            manager.save(checkpoint_number=step)
        except (tf.errors.OpError, OSError) as error:
            raise CheckpointError(
                f"step {step} could not be saved in {manager.directory} ({first_line(error)}); earlier "
                "checkpoints are whole. Free space there and run the same command again"
            ) from error


def _is_finite(network: keras.Model) -> bool:
    floats = [variable for variable in network.variables if variable.dtype.is_floating]
    return bool(tf.reduce_all([tf.reduce_all(tf.math.is_finite(variable)) for variable in floats]))  # one wait


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
    states = [_state(run_dir / folder) for folder in ("checkpoints", "best")]
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
        state = _state(run_dir / folder)
        if state:
            newest = [state.model_checkpoint_path]  # all that a list written by hand may hold
            return list(state.all_model_checkpoint_paths) or newest if which == "mean" else newest
    raise CheckpointError(f"{flag}={run_dir}: no checkpoint there; has the run saved one (--save_every)?")


def _restore(path: str, **networks: keras.Model | tf.Variable) -> None:
    try:
        status = tf.train.Checkpoint(**networks).restore(path)
        status.assert_existing_objects_matched().expect_partial()
    except UNUSABLE as error:
        raise _unusable(path, f"the configuration's {', '.join(networks)}", error) from error


def _state(folder: Path) -> CheckpointState | None:
    """TensorFlow's list of a folder's checkpoints; None where there is none yet.

    Raises:
        CheckpointError: there are checkpoints and no list, so that a run would begin anew and write over them.
    """
    try:
        state = tf.train.get_checkpoint_state(str(folder))
    except ValueError:  # an empty file
        state = None
    if state is None and (by_step(folder) or (folder / STATE).exists()):
        raise CheckpointError(
            f"{folder / STATE}, which names the newest checkpoint, is missing or damaged. {way_on(folder)}"
        )
    return state


def _list_the_first(folder: Path) -> None:
    """Lists a folder's only checkpoint where a run was killed after it was written and before there was a list."""
    found = by_step(folder)
    if len(found) == 1 and not (folder / STATE).exists() and is_whole(found[0]):
        name = found[0].name
        lines = (
            f'model_checkpoint_path: "{name}"',
            f'all_model_checkpoint_paths: "{name}"',
            f"all_model_checkpoint_timestamps: {time.time()}",  # one without is kept for ever
        )
        write_atomically(folder / STATE, "".join(f"{line}\n" for line in lines).encode())


def _list_without_the_clock(folder: Path) -> None:
    """Removes from a list when it began, if the clock was set back to before that: TensorFlow would forget all."""
    state = text_format.Parse((folder / STATE).read_bytes(), CheckpointState())
    if state.last_preserved_timestamp >= time.time():
        state.ClearField("last_preserved_timestamp")
        write_atomically(folder / STATE, text_format.MessageToString(state).encode())


def _unusable(path: str, networks: str, error: Exception) -> CheckpointError:
    tf.get_logger().addFilter(_is_no_remainder)
    if is_whole(Path(path)):
        code = other_code(Path(path).parents[1])
        writer = f". The run was trained with {code}, which can go on with it and export it" if code else ""
        return CheckpointError(f"{path} does not fit {networks}: {first_line(error)}{writer}")
    if why := why_unfindable(path):
        return CheckpointError(f"{path} cannot be read: {why}")
    return CheckpointError(f"{path} is damaged: {first_line(error)}. {way_on(Path(path).parent)}")


def _is_no_remainder(record: logging.LogRecord) -> bool:
    """False of TensorFlow's warnings of each value that it has not restored: hundreds, after the error."""
    return "restored" not in str(record.msg)


def _sweep(run_dir: Path) -> None:
    """Removes what TensorFlow had written aside when a run was killed."""
    for folder in (run_dir / "checkpoints", run_dir / "best"):
        for path in folder.glob("ckpt-*_temp"):
            shutil.rmtree(path)
        for path in folder.glob(f"{STATE}.tmp*"):
            path.unlink()
