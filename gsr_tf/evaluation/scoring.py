"""The version of the code that makes scores: numbers of another version are not taken for those of this one."""

from __future__ import annotations

import functools
from pathlib import Path

from gsr_tf.comparators import sources
from gsr_tf.comparators.method import Method

PACKAGE = Path(__file__).resolve().parents[1]
COUNTING = (
    "data/masks.py",
    "data/decoding/tones.py",
    "evaluation/metrics.py",
    "evaluation/accumulator.py",
    "evaluation/evaluator.py",
    "evaluation/runner.py",
    "evaluation/attacks.py",
    "evaluation/items.py",
    "evaluation/protocols/*.py",
    "inference/looking.py",
    "inference/module.py",
    "inference/postprocessing.py",
    "inference/regions.py",
    "inference/tiling.py",
)


def fingerprint(method: Method) -> str:
    """Of the sources that a method's scores depend on: sixteen hexadecimal digits.

    A model brings a fingerprint of its own; a method without one is its source.
    """
    return _of_sources(classical=not method.fingerprint)


@functools.cache
def _of_sources(classical: bool) -> str:
    counting = [path for pattern in COUNTING for path in sorted(PACKAGE.glob(pattern))]
    return sources.of_files(counting + sources.classical() if classical else counting)
