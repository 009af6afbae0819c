"""Methods by name, for `--method`."""

from __future__ import annotations

from gsr_tf.comparators import cfa, floors, noi
from gsr_tf.comparators.method import Method
from gsr_tf.evaluation.errors import MethodError

_ALL = (
    Method("noi", noi.score, probabilities=False, minimum_side=noi.MINIMUM_SIDE),
    Method("noi-minmax", noi.normalised, probabilities=False, minimum_side=noi.MINIMUM_SIDE),
    # A probability, but of values like 1e-280 beside 0.9999: a grid of even steps would not see most of them.
    Method("cfa", cfa.score, probabilities=False, minimum_side=cfa.MINIMUM_SIDE),
    Method("all-positive", floors.all_positive, probabilities=True),
    Method("random", floors.random, probabilities=True),
    Method("ground-truth-box", floors.ground_truth_box, probabilities=True, uses_truth=True),
)
METHODS = {method.name: method for method in _ALL}


def choose(name: str, flag: str = "--method") -> Method:
    """The method of this name; raises MethodError when there is none."""
    if name not in METHODS:
        raise MethodError(f"{flag}={name}: no such method; choose from {', '.join(METHODS)}")
    return METHODS[name]
