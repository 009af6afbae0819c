"""What a protocol is, and the steps that several protocols share."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gsr_tf.errors import UserError
from gsr_tf.evaluation import metrics
from gsr_tf.evaluation.accumulator import Accumulator
from gsr_tf.evaluation.metrics import Counts

# What is kept of one picture, to be summed over pictures: name -> [v]. A [t] curve where the threshold is chosen for
# the data set; one value where it is fixed or chosen picture by picture; none where the grid lacks the threshold.
Values = dict[str, np.ndarray]
# What is known of each picture, as columns in the order of the data set: "name" and `evaluator.COLUMNS` -> [pictures].
Table = dict[str, np.ndarray]


class ProtocolError(UserError):
    """A protocol that does not exist."""


class Score(NamedTuple):
    """A metric over a data set.

    Attributes:
        rows: [1 + replicates] its value, then its value in each bootstrap replicate.
        threshold: where it was taken; None where there is not one for the whole data set.
        pictures: how many it is over; one with several masks counts with each, unless the protocol takes it `once`.
    """

    rows: np.ndarray
    threshold: float | None
    pictures: int


Scores = dict[str, Score]


def native(scores: np.ndarray, mask: np.ndarray, thresholds: np.ndarray) -> Counts:
    """Every pixel, at the picture's own size."""
    return metrics.count(scores, mask, thresholds)


def at_half(curve: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """[..., 1], a [..., t] curve at the threshold 0.5; [..., 0] for a grid of quantiles.

    Quantiles are of maps that are no probabilities; 0.5 among them is one by chance. Minus infinity comes first.
    """
    return curve[..., (thresholds == 0.5) & np.isfinite(thresholds[0])]


def mean(sums: Accumulator, thresholds: np.ndarray) -> Scores:
    """Averages over pictures of numbers whose threshold was fixed, or the picture's own."""
    return {name: Score(rows[:, 0], None, sums.pictures(name)) for name, rows in sums.means().items() if rows.shape[1]}


@dataclasses.dataclass(frozen=True)
class Protocol:
    """One way to turn score maps into numbers.

    Attributes:
        name: what the command line and every printed score call it.
        definition: thresholds, averaging and conventions, in a sentence.
        source: where the definition is from.
        keep: (counts, thresholds) -> what is kept of one picture; NaN, or no such name, where it is undefined for it.
        look: (scores [h, w], mask [h, w] bool, thresholds [t]) -> how one picture is counted.
        score: (sums of what was kept, thresholds) -> the metrics.
        rank: (table of the pictures) -> metrics that no sums give, since they compare pictures with one another.
        resolution: at which size pixels are counted.
        pictures: "manipulated", "authentic" or "all": which ones it is over.
        once: a picture with several masks counts once, by the first, and not with each of them.
        needs_probabilities: it has a fixed threshold or grid, which means nothing for other maps.
        thresholds: its own grid, [t] ascending; None for the run's.
        by_default: False for a slow one, which is computed only where it is asked for by name.
    """

    name: str
    definition: str
    source: str
    keep: Callable[[Counts, np.ndarray], Values]
    look: Callable[[np.ndarray, np.ndarray, np.ndarray], Counts] = native
    score: Callable[[Accumulator, np.ndarray], Scores] = mean
    rank: Callable[[Table], Scores] = lambda table: {}
    resolution: str = "native"
    pictures: str = "manipulated"
    once: bool = False
    needs_probabilities: bool = False
    thresholds: np.ndarray | None = None
    by_default: bool = True

    def covers(self, manipulated: bool) -> bool:
        """Whether the protocol is over pictures of this kind."""
        return self.pictures in ("all", "manipulated" if manipulated else "authentic")
