"""What names a model: a folder that was exported, or weights that come with the package."""

from __future__ import annotations

import os
from pathlib import Path

from gsr_tf.inference import shipped
from gsr_tf.inference.metadata import DetectorError


def located(path: str | None) -> str | None:
    """What names a model, for processes with other working folders: a folder's path is made absolute, a name is not.

    Raises:
        DetectorError: no such folder or name.
    """
    if path is None or ships(path):
        return path
    return str(Path(path).absolute())


def ships(path: str | os.PathLike) -> bool:
    """Whether weights of that name come with the package; raises DetectorError for neither a name nor a folder."""
    names = shipped.read_index()
    if not Path(path).exists() and str(path) not in names:
        raise DetectorError(
            f"--saved_model={path}: no such folder (python -m gsr_tf.export makes one), and no weights of that name "
            f"come with gsr_tf; those are: {', '.join(names) or 'none'}"
        )
    return str(path) in names
