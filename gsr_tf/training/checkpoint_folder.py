"""A folder of checkpoints: those that are whole, TensorFlow's list of them, and what is wrong with either."""

from __future__ import annotations

import logging
import os
import shutil
import time
from pathlib import Path

import tensorflow as tf
from google.protobuf import text_format
from tensorflow.python.training.checkpoint_state_pb2 import CheckpointState

from gsr_tf.data.unfindable import why_unfindable
from gsr_tf.data.writing import write_atomically
from gsr_tf.errors import UserError, first_line
from gsr_tf.training.run_dir import other_code

STATE = "checkpoint"  # TensorFlow's: it names the newest of its folder
# What TensorFlow raises for a checkpoint that does not fit, is cut short, or is gone.
UNUSABLE = (AssertionError, ValueError, IndexError, tf.errors.OpError)


class CheckpointError(UserError):
    """A checkpoint that is missing, does not fit, or could not be written."""


def _by_step(folder: Path) -> list[Path]:
    """The checkpoints in a folder, by their names without endings, the newest first, whether listed or not."""
    found = [path.with_suffix("") for path in folder.glob("ckpt-*.index")]
    return sorted((path for path in found if step_of(path).isdecimal()), key=lambda path: -int(step_of(path)))


def _is_whole(path: Path) -> bool:
    """Whether every number of a checkpoint can be read, as its checksums say; it reads all of it."""
    try:
        reader = tf.train.load_checkpoint(str(path))
        for name in reader.get_variable_to_shape_map():
            reader.get_tensor(name)
    except UNUSABLE:
        return False
    return True


def _way_on(folder: Path) -> str:
    """In words: the newest whole checkpoint of a folder, and what to do to go on from it."""
    path = next((path for path in _by_step(folder) if _is_whole(path)), None)
    if path is None:
        return f"No checkpoint in {folder} is whole; to begin at step 0, move that folder away"
    line = f'model_checkpoint_path: "{path.name}"'
    return (
        f"The newest whole checkpoint there is {path.name}; to go on from it, make {folder / STATE} a file of this one "
        f"line: {line}"
    )


def step_of(path: Path) -> str:
    """The step that a checkpoint is named by, where it is named by one."""
    return path.name.removeprefix("ckpt-")


def make_ready(folder: Path) -> None:
    """Mends what a run that was killed, or a clock that was set back, has left in the folder, before it is written.

    Raises:
        CheckpointError: it cannot be written, or the newest checkpoint is not known.
    """
    for path in folder.glob("ckpt-*_temp"):  # TensorFlow had written it aside
        shutil.rmtree(path)
    for path in folder.glob(f"{STATE}.tmp*"):
        path.unlink()
    _list_the_first(folder)
    if not os.access(folder, os.W_OK) and folder.exists():
        raise CheckpointError(f"{folder} cannot be written by this user; let it, or move it away")
    if listed(folder):
        _list_without_the_clock(folder)


def listed(folder: Path) -> CheckpointState | None:
    """TensorFlow's list of a folder's checkpoints; None where there is none yet.

    Raises:
        CheckpointError: there are checkpoints and no list, so that a run would begin anew and write over them; or no
            list that TensorFlow finds.
    """
    try:
        state = tf.train.get_checkpoint_state(str(folder))
    except ValueError:  # an empty file
        state = None
    if state is None and (_by_step(folder) or (folder / STATE).exists()):
        if why := why_unfindable(folder):
            raise CheckpointError(f"{folder} cannot be read: {why}")
        raise CheckpointError(
            f"{folder / STATE}, which names the newest checkpoint, is missing or damaged. {_way_on(folder)}"
        )
    return state


def _list_the_first(folder: Path) -> None:
    """Lists a folder's only checkpoint where a run was killed after it was written and before there was a list."""
    found = _by_step(folder)
    if len(found) == 1 and not (folder / STATE).exists() and _is_whole(found[0]):
        name, now = found[0].name, time.time()  # one without a time is kept for ever
        one = {"all_model_checkpoint_paths": [name], "all_model_checkpoint_timestamps": [now]}
        _write_list(folder, CheckpointState(model_checkpoint_path=name, **one))


def _list_without_the_clock(folder: Path) -> None:
    """Removes from a list when it began, if the clock was set back to before that: TensorFlow would forget all."""
    state = text_format.Parse((folder / STATE).read_bytes(), CheckpointState())
    if state.last_preserved_timestamp >= time.time():
        state.ClearField("last_preserved_timestamp")
        _write_list(folder, state)


def _write_list(folder: Path, state: CheckpointState) -> None:
    write_atomically(folder / STATE, text_format.MessageToString(state).encode())


def unusable(path: str, networks: str, error: Exception) -> CheckpointError:
    """What is wrong with a checkpoint that could not be restored into these networks, as an error to be raised."""
    tf.get_logger().addFilter(_is_no_remainder)
    if _is_whole(Path(path)):
        code = other_code(Path(path).parents[1])
        writer = f". The run was trained with {code}, which can go on with it and export it" if code else ""
        return CheckpointError(f"{path} does not fit {networks}: {first_line(error)}{writer}")
    if why := why_unfindable(path):
        return CheckpointError(f"{path} cannot be read: {why}")
    return CheckpointError(f"{path} is damaged: {first_line(error)}. {_way_on(Path(path).parent)}")


def _is_no_remainder(record: logging.LogRecord) -> bool:
    """False of TensorFlow's warnings of each value that it has not restored: hundreds, after the error."""
    return "restored" not in str(record.msg)
