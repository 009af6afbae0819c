"""Another method's weights as they are, by name, in an .npz; what they are stands beside it."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from gsr_tf.formats.single_file import write_with_facts
from gsr_tf.models.weights import read_npz


def save(variables: Mapping[str, tf.Variable], output: Path, facts: Mapping[str, Any]) -> float:
    """Writes the weights whole: a threshold may hang on them that rounding could move a map across.

    Args:
        variables: by canonical name.
        output: an .npz.
        facts: what the file beside it says.

    Returns:
        The largest difference of a weight that was read again: 0.
    """
    buffer = io.BytesIO()
    np.savez(buffer, **{name: variable.numpy() for name, variable in variables.items()})
    write_with_facts(output, buffer.getbuffer(), facts)
    found = read_npz(str(output), str(output))
    return max(float(np.max(np.abs(found[name] - variable.numpy()))) for name, variable in variables.items())
