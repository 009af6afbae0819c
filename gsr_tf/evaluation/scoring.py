"""The version of the code that makes scores: numbers of another version are not taken for those of this one."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable
from pathlib import Path

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
    "inference/module.py",
    "inference/postprocessing.py",
    "inference/regions.py",
    "inference/resolution.py",
    "inference/tiling.py",
)
CLASSICAL = ("comparators/*.py",)


def fingerprint(method: Method) -> str:
    """Of the sources that a method's scores depend on: sixteen hexadecimal digits.

    A model brings a fingerprint of its own; a method without one is its source.
    """
    return _of_patterns(COUNTING if method.fingerprint else COUNTING + CLASSICAL)


@functools.cache
def _of_patterns(patterns: tuple[str, ...]) -> str:
    return of_files(path for pattern in patterns for path in sorted(PACKAGE.glob(pattern)))


def of_files(paths: Iterable[Path]) -> str:
    """Of files' names and bytes, in this order: sixteen hexadecimal digits."""
    digest = hashlib.sha256()
    for path in paths:
        content = path.read_bytes()
        digest.update(f"{path.name} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]
