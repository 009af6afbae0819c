"""Which checkpoints of a folder are whole, and how a run goes on from one that is."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf

STATE = "checkpoint"  # TensorFlow's: it names the newest of its folder
# What TensorFlow raises for a checkpoint that does not fit, is cut short, or is gone.
UNUSABLE = (AssertionError, ValueError, IndexError, tf.errors.OpError)


def by_step(folder: Path) -> list[Path]:
    """The checkpoints in a folder, by their names without endings, the newest first, whether listed or not."""
    found = [path.with_suffix("") for path in folder.glob("ckpt-*.index")]
    return sorted((path for path in found if step_of(path).isdecimal()), key=lambda path: -int(step_of(path)))


def is_whole(path: Path) -> bool:
    """Whether every number of a checkpoint can be read, as its checksums say; it reads all of it."""
    try:
        reader = tf.train.load_checkpoint(str(path))
        for name in reader.get_variable_to_shape_map():
            reader.get_tensor(name)
    except UNUSABLE:
        return False
    return True


def way_on(folder: Path) -> str:
    """In words: the newest whole checkpoint of a folder, and what to do to go on from it."""
    path = next((path for path in by_step(folder) if is_whole(path)), None)
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
