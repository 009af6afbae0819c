"""What is saved, where, and how it comes back. Names are decided here once."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf
from tqdm import tqdm

from gsr_tf.data.writing import write_atomically
from gsr_tf.errors import first_line
from gsr_tf.models.keras import keras
from gsr_tf.training.checkpoint_folder import UNUSABLE, CheckpointError, make_ready, unusable
from gsr_tf.training.trained import Trained

BEST_SCORE_NAME = "best.json"
OWED_NAME = "unvalidated_step"  # a file that holds its number


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
        for folder in ("checkpoints", "best"):
            make_ready(run_dir / folder)
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
            raise unusable(path, "this configuration's networks", error) from error
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
