"""Does input keep up? Examples a second of the pipeline alone, beside a plain OpenCV-and-threads loop.

    python -m benchmarks.input_pipeline --source_records=records/coco --target_records=records/coco

Both read the same records and make the same batches: decode S, K and T, resize to --input_size, flip, subtract the
mean, compose M (Eq. 1), batch. The loop keeps all cores busy some batches ahead. They run in turn, several times, each
going on where it was; the best of each counts. The pipeline keeps decoded pictures in memory (--cache_gib), so
`first_round_ratio` is what it does before any picture comes again, `ratio` what it does in the long run, where the
pictures fit. `input_wait_fraction` is the share of a training step of this configuration that is spent waiting for its
batch. Prints one JSON line: examples_per_second, baseline_examples_per_second, ratio, first_round_ratio,
input_wait_fraction.
"""

from __future__ import annotations

import functools
import json
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import tensorflow as tf
from absl import flags
from tqdm import tqdm

from gsr_tf import command
from gsr_tf import config as config_lib
from gsr_tf.config import Config
from gsr_tf.data.image_ops import CAFFE_MEAN_BGR
from gsr_tf.data.pipeline import training_stream
from gsr_tf.data.preparation import Preparation
from gsr_tf.data.records import Records, open_records
from gsr_tf.training.device import set_up


def _define(values: flags.FlagValues) -> None:
    flags.DEFINE_integer("examples", 1200, "Examples a round.", 1, flag_values=values)
    flags.DEFINE_integer("rounds", 3, "Rounds of each; the best counts.", 1, flag_values=values)
    flags.DEFINE_integer(
        "wait_steps", 3, "Training steps timed for input_wait_fraction; 0: not timed.", 0, flag_values=values
    )
    config_lib.define_flags(values)


def _action(args: flags.FlagValues) -> None:
    config = config_lib.from_flags(args)
    sources = open_records(config.records.source_records, "--source_records")
    targets = open_records(config.records.target_records, "--target_records")
    set_up(config.device, config.preparation.seed)
    batch_size, half_pixel = config.optimization.batch_size, config.networks.half_pixel
    batches = args.examples // batch_size
    streams = {
        "examples_per_second": training_stream(
            sources, targets, config.preparation, batch_size=batch_size, half_pixel=half_pixel
        ),
        "baseline_examples_per_second": OpenCVLoop(sources, targets, config.preparation, batch_size),
    }
    iterators = {name: iter(stream) for name, stream in streams.items()}
    rates = {name: [] for name in streams}
    for _ in tqdm(range(args.rounds), unit="round"):
        for name, iterator in iterators.items():
            rates[name].append(batch_size / seconds_a_batch(iterator, batches))
    best = {name: max(values) for name, values in rates.items()}
    ours, plain = rates.values()
    result = {**best, "ratio": max(ours) / max(plain), "first_round_ratio": ours[0] / plain[0]}
    if args.wait_steps:
        result["input_wait_fraction"] = wait_fraction(config, streams["examples_per_second"], args.wait_steps)
    print(json.dumps(result))


def seconds_a_batch(iterator: Iterator, batches: int) -> float:
    """Mean over `batches`, after a tenth more to fill the buffers."""
    for _ in range(max(1, batches // 10)):
        next(iterator)
    start = time.perf_counter()
    for _ in range(batches):
        next(iterator)
    return (time.perf_counter() - start) / batches


def wait_fraction(config: Config, stream: tf.data.Dataset, steps: int) -> float:
    """Share of the time of training steps that passes between asking for a batch and having it."""
    net = config.build()
    iterator = iter(stream)
    float(net.train_step(next(iterator))["loss/segmenter"])  # traces
    waited, start = 0.0, time.perf_counter()
    for _ in tqdm(range(steps), unit="step"):
        asked = time.perf_counter()
        batch = next(iterator)
        waited += time.perf_counter() - asked
        float(net.train_step(batch)["loss/segmenter"])
    return waited / (time.perf_counter() - start)


class OpenCVLoop:
    """The same examples with OpenCV and NumPy on a pool of threads, one a core, some batches ahead."""

    def __init__(self, sources: Records, targets: Records, preparation: Preparation, batch_size: int):
        self.sources, self.targets = sources, targets
        self.preparation, self.batch_size = preparation, batch_size

    def __iter__(self) -> Iterator[tuple[np.ndarray, ...]]:
        random = np.random.default_rng(self.preparation.seed)
        cv2.setNumThreads(1)  # the pool's threads are the parallelism
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            ahead = [self._submit(pool, random) for _ in range(4)]
            try:
                while True:
                    examples = [future.result() for future in ahead.pop(0)]
                    ahead.append(self._submit(pool, random))
                    yield tuple(np.stack(parts) for parts in zip(*examples))
            finally:
                pool.shutdown(cancel_futures=True)

    def _submit(self, pool: ThreadPoolExecutor, random: np.random.Generator) -> list:
        pairs = self.sources.pairs
        return [
            pool.submit(
                self._example, pairs[random.integers(len(pairs))], random.integers(len(self.targets)), random.random(2)
            )
            for _ in range(self.batch_size)
        ]

    def _example(self, pair: np.ndarray, target: int, flips: np.ndarray) -> tuple[np.ndarray, ...]:
        source = tf.train.Example.FromString(self.sources.read(pair[0])).features.feature
        target = tf.train.Example.FromString(self.targets.read(target)).features.feature
        s = self._picture(source["image/encoded"].bytes_list.value[0], cv2.IMREAD_COLOR)
        k = self._picture(source["mask/encoded"].bytes_list.value[pair[1]], cv2.IMREAD_GRAYSCALE)
        t = self._picture(target["image/encoded"].bytes_list.value[0], cv2.IMREAD_COLOR)
        if flips[0] < 0.5:
            s, k = s[:, ::-1], k[:, ::-1]
        if flips[1] < 0.5:
            t = t[:, ::-1]
        s, t = (x.astype(np.float32) - np.float32(CAFFE_MEAN_BGR) for x in (s, t))
        k = (k > 255 * self.preparation.mask_threshold).astype(np.float32)[..., np.newaxis]
        return s, k, t, k * s + (1 - k) * t

    def _picture(self, encoded: bytes, mode: int) -> np.ndarray:
        picture = cv2.imdecode(np.frombuffer(encoded, np.uint8), mode)
        return cv2.resize(
            picture, (self.preparation.input_size, self.preparation.input_size), interpolation=cv2.INTER_LINEAR
        )


main = functools.partial(command.main, _action, __doc__, _define)

if __name__ == "__main__":
    sys.exit(main())
