"""The best, the median and the worst pictures of an evaluation, scored again to be looked at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gsr_tf.evaluation import figures
from gsr_tf.evaluation.figures import Panel
from gsr_tf.evaluation.items import Item
from gsr_tf.evaluation.runner import Scorer

EACH = 3


def chosen(values: np.ndarray) -> dict[str, np.ndarray]:
    """Positions of the `EACH` best, median and worst of [pictures] values, without those that are not a number.

    No position comes twice: with few pictures there are fewer of each.
    """
    order = np.argsort(-values, kind="stable")[: np.count_nonzero(np.isfinite(values))]
    each = min(EACH, -(-len(order) // 3))
    middle = max(0, (len(order) - each) // 2)
    best, median = order[:each], order[middle : middle + each]
    parts = {"best": best, "median": np.setdiff1d(median, best), "worst": order[::-1][:each]}
    parts["worst"] = np.setdiff1d(parts["worst"], np.concatenate([best, median]))
    return {name: part for name, part in parts.items() if len(part)}


def draw(items: Sequence[Item], scorer: Scorer, names: Sequence[str], values: np.ndarray, threshold: float) -> bytes:
    """Figure 3's columns for the pictures of `chosen`: picture, map, mask at the threshold, truth.

    Args:
        items: the data set.
        scorer: what scored it.
        names: [pictures] of the evaluation's table.
        values: [pictures] the F1 of each.
        threshold: where the map is cut.
    """
    by_name = {item.name: item for item in reversed(items)}  # the first of a name is the one that was scored
    rows, labels = [], []
    for kind, positions in chosen(values).items():
        for position in positions:
            picture, scores, mask, _ = scorer(by_name[names[position]])
            highest = 1.0 if scorer.method.probabilities else None
            rows.append(
                [
                    Panel(picture, Path(names[position]).name),
                    Panel(scores, scorer.method.name, highest),
                    Panel(scores > threshold, f"F1 {values[position]:.3f}"),
                    Panel(mask, "truth"),
                ]
            )
            labels.append(kind)
    return figures.grid(rows, labels)
