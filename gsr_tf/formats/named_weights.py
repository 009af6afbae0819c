"""Another method's weights as they are, by name, in an .npz; what they are stands beside it."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from gsr_tf.errors import first_of
from gsr_tf.formats.agreement import ExportError
from gsr_tf.formats.making import making
from gsr_tf.formats.single_file import write_with_facts


def save(variables: Mapping[str, tf.Variable], output: Path, facts: Mapping[str, Any]) -> None:
    """Writes the weights whole: a threshold may hang on them that rounding could move a map across.

    They are read again, and compared, before the file gets its name.

    Args:
        variables: by canonical name.
        output: an .npz.
        facts: what the file beside it says.

    Raises:
        ExportError: what was read again is not what was to be written; or `output` exists.
        FolderInUse: another process is writing it.
    """
    buffer = io.BytesIO()
    np.savez(buffer, **{name: variable.numpy() for name, variable in variables.items()})
    buffer.seek(0)
    with np.load(buffer) as found:
        changed = [name for name, variable in variables.items() if not np.array_equal(found[name], variable.numpy())]
    if changed:
        raise ExportError(
            f"--output={output}: {first_of(changed)} were read again as other weights; nothing is written"
        )
    with making(output):
        write_with_facts(output, buffer.getbuffer(), facts)
