"""Methods by name, for `--method`, and exported detectors, for `--saved_model`."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from gsr_tf.comparators import cfa, exported, floors, noi
from gsr_tf.comparators.method import Method, MethodError
from gsr_tf.inference.resolution import ONE_SIZE, describe
from gsr_tf.inference.trained_methods import TRAINED, check

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
DETECTORS = [method.name for method in _ALL if not method.uses_truth]


def choose(name: str, names: Collection[str] = tuple(METHODS)) -> Method:
    """The method of this name.

    Args:
        name: of the method.
        names: those that will do.

    Raises:
        MethodError: it is none of them.
    """
    if name not in names:
        raise MethodError(f"--method={name}: no such method; choose from {', '.join(names)}")
    return METHODS[name]


def alone(
    name: str,
    path: str | None,
    resolution: str,
    scales: Sequence[float] | None,
    precision: str,
    names: Collection[str] = tuple(METHODS),
) -> Method:
    """The method that --method names; raises MethodError where it is none of `names`, or beside flags of a model."""
    if path is not None:
        raise MethodError("give one of --saved_model=DIR and --method=NAME, or neither for the model that is shipped")
    if describe(resolution, scales or ONE_SIZE, precision):
        raise MethodError(
            f"--method={name} sees pictures as they are; --resolution, --scales and --precision are a model's"
        )
    return choose(name, names)


def from_flags(
    path: str | None,
    name: str | None,
    *,
    resolution: str = "whole",
    scales: Sequence[float] | None = None,
    precision: str = "float32",
) -> Method:
    """The method that --saved_model or --method names, or the model that is shipped.

    Args:
        path: of a model, which looks at pictures as the other arguments tell (`Detector.segment`).
        name: of another method; of one that has to be trained, whose model `path` is.
        resolution: see there.
        scales: see there.
        precision: in which this process computes (`device.choose`).

    Raises:
        MethodError: both of them; or another method is to look at pictures otherwise than it does.
        DetectorError: no such model, or one of another method.
        ResolutionError: no such resolution, or scales that cannot be.
    """
    if name in TRAINED:
        check(name, path)
        name = None
    if name is None:
        return exported.load(path, resolution=resolution, scales=scales)
    return alone(name, path, resolution, scales, precision)
