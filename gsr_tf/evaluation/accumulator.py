"""Sums over pictures, and the same sums over resampled pictures: every score gets its confidence interval.

Poisson bootstrap (Chamandy et al., "Estimating uncertainty for massive data streams", 2012): in each replicate a
picture counts Poisson(1) times. It needs no second pass and no list of pictures, and a picture's draws depend on its
name alone, so that two evaluations of the same pictures are resampled alike and their difference is paired.
"""

from __future__ import annotations

import zlib

import numpy as np

REPLICATES = 1000
# Pictures are added in blocks: one matrix product instead of many outer products.
BLOCK = 64


def resample(name: str, replicates: int = REPLICATES) -> np.ndarray:
    """[1 + replicates] how often a picture counts: once in the estimate itself, then in each replicate."""
    draws = np.random.default_rng(zlib.crc32(name.encode())).poisson(1.0, replicates)
    return np.concatenate([[1], draws]).astype(np.float64)


class Accumulator:
    """Sums of named values over pictures, for the estimate (row 0) and for each bootstrap replicate."""

    def __init__(self):
        self._block: list[tuple[np.ndarray, dict[str, np.ndarray]]] = []
        self._sums: dict[str, np.ndarray] = {}
        self._weights: dict[str, np.ndarray] = {}

    def add(self, weights: np.ndarray, values: dict[str, np.ndarray]) -> None:
        """Adds one picture.

        Args:
            weights: [rows] from `resample`.
            values: name -> [v]; a name that is missing, or whose value has NaN, is left out of that name's sums and
                of its weights.
        """
        self._block.append((weights, values))
        if len(self._block) == BLOCK:
            self._flush()

    def _flush(self) -> None:
        if not self._block:
            return
        weights = np.stack([weights for weights, _ in self._block], axis=1)
        shapes = {name: value.shape for _, values in self._block for name, value in values.items()}
        for name, shape in shapes.items():
            values = np.stack([values.get(name, np.full(shape, np.nan)) for _, values in self._block])
            defined = ~np.isnan(values).any(axis=1)
            weighted = weights[:, defined]
            self._sums[name] = self._sums.get(name, 0.0) + weighted @ values[defined]
            self._weights[name] = self._weights.get(name, 0.0) + weighted.sum(axis=1)
        self._block = []

    def sums(self) -> dict[str, np.ndarray]:
        """Name -> [rows, v]."""
        self._flush()
        return self._sums

    def means(self) -> dict[str, np.ndarray]:
        """Name -> [rows, v], a picture's average; NaN in replicates without pictures."""
        self._flush()
        with np.errstate(invalid="ignore", divide="ignore"):
            return {name: total / self._weights[name][:, None] for name, total in self._sums.items()}

    def pictures(self, name: str) -> int:
        """How many pictures gave a value of this name."""
        self._flush()
        return int(self._weights[name][0])


def interval(replicates: np.ndarray) -> tuple[float, float]:
    """The central 95 % of bootstrap replicates, [r]; NaN for none."""
    defined = replicates[np.isfinite(replicates)]
    if not len(defined):
        return float("nan"), float("nan")
    low, high = np.quantile(defined, [0.025, 0.975])
    return float(low), float(high)
