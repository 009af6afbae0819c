"""How fast pictures are scored and counted; prints one JSON object.

    python -m benchmarks.evaluation

Everything is measured in this one run: the counting of 920 maps of CASIA's size under all protocols that evaluate
scores by default, its memory at 100,000 pictures, its ratio to per-threshold loops of scikit-learn for the same
numbers, NOI and CFA, and the machine's own 4096^3 float32 matrix product, which says how fast a machine this is.
"""

from __future__ import annotations

import functools
import json
import os
import resource
import sys
import time
from collections.abc import Iterator

import cv2
import numpy as np
from absl import flags
from sklearn.metrics import f1_score, matthews_corrcoef
from tqdm import tqdm

from benchmarks.clock import best_seconds
from gsr_tf import command
from gsr_tf.comparators import cfa, noi
from gsr_tf.evaluation.evaluator import Evaluator
from gsr_tf.evaluation.metrics import PROBABILITY_GRID, count, f1, mcc
from gsr_tf.evaluation.protocols import DEFAULT, PROTOCOLS, choose

CASIA = (256, 384)
PICTURES, MANY = 920, 100_000
DISTINCT = 46  # maps are made before the clock starts, and used in turn


def maps(number: int, shape: tuple[int, int]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(probability, mask) as a network gives them: smooth, uncertain at the region's border, with false alarms."""
    rng = np.random.default_rng(0)
    for _ in range(number):
        field = cv2.GaussianBlur(rng.normal(size=shape).astype(np.float32), (0, 0), 16)
        mask = field > np.quantile(field, 0.91)
        noise = cv2.GaussianBlur(rng.normal(size=shape).astype(np.float32), (0, 0), 3)
        logits = 3 * (field / field.std() - 1.3) + noise / noise.std()
        yield 1 / (1 + np.exp(-logits)), mask


def all_protocols() -> float:
    """Seconds for every default protocol and metric on 920 maps, each with 1,000 bootstrap replicates."""
    pairs = list(maps(DISTINCT, CASIA))
    start = time.perf_counter()
    evaluator = Evaluator(choose(DEFAULT))
    for index in tqdm(range(PICTURES), desc="all protocols", unit="picture"):
        evaluator.add(f"picture {index}", *pairs[index % DISTINCT])
    evaluator.finish()
    return time.perf_counter() - start


def memory_megabytes() -> dict[str, float]:
    """Peak resident memory before and after 100,000 (small) pictures under the paper's protocol and pooling."""
    pairs = list(maps(DISTINCT, (32, 32)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    evaluator = Evaluator([PROTOCOLS["paper"], PROTOCOLS["pooled"], PROTOCOLS["image-optimum"]])
    for index in tqdm(range(MANY), desc="many pictures", unit="picture"):
        evaluator.add(f"picture {index}", *pairs[index % DISTINCT])
    evaluator.finish()
    return {"before": before, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def against_scikit_learn() -> dict[str, float]:
    """F1 and MCC of one map at 256 thresholds: ours, and a loop of scikit-learn over them."""
    probability, mask = next(maps(1, CASIA))
    ours = [curve(count(probability, mask)) for curve in (f1, mcc)]
    start = time.perf_counter()
    truth = mask.ravel()
    loop = np.array(
        [
            [metric(truth, (probability > t).ravel()) for t in PROBABILITY_GRID]
            for metric in (f1_score, matthews_corrcoef)
        ]
    )
    reference = time.perf_counter() - start
    own = best_seconds(lambda: [curve(count(probability, mask)) for curve in (f1, mcc)])
    return {
        "ours": own,
        "scikit_learn": reference,
        "ratio": reference / own,
        "difference": float(np.abs(loop - ours).max()),
    }


def detectors() -> dict[str, float]:
    """Seconds a picture of 768x1152."""
    picture = np.random.default_rng(0).integers(0, 256, (768, 1152, 3), np.uint8)
    return {"noi": best_seconds(lambda: noi.score(picture)), "cfa": best_seconds(lambda: cfa.score(picture))}


def matmul_gflops() -> float:
    """Rate of the machine's 4096^3 float32 matrix product."""
    matrix = np.ones((4096, 4096), np.float32)
    return 2 * 4096**3 / best_seconds(lambda: matrix @ matrix) / 1e9


def _define(values: flags.FlagValues) -> None:
    """No flags of its own."""


def _action(_: flags.FlagValues) -> None:
    memory = memory_megabytes()  # first, since a process's peak never falls
    results = {
        "cores": os.cpu_count(),
        "matmul_gflops": matmul_gflops(),
        f"all_protocols_{PICTURES}_maps_seconds": all_protocols(),
        f"memory_{MANY}_pictures_megabytes": memory,
        "against_scikit_learn": against_scikit_learn(),
        "seconds_at_768x1152": detectors(),
    }
    print(json.dumps(results, indent=1))


main = functools.partial(command.main, _action, __doc__, _define)

if __name__ == "__main__":
    sys.exit(main())
