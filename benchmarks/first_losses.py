r"""Has a device the losses that another one had, step for step?

    python -m benchmarks.first_losses --flagfile=flags/gsr_net.cfg --initial_weights=gsr-net-coco --save=cpu.json
    python -m benchmarks.first_losses --flagfile=flags/gsr_net.cfg --initial_weights=gsr-net-coco --device=gpu \
        --precision=mixed_bfloat16 --against=cpu.json

Trains --steps on made pictures, others at each step, from seeded weights. With --against, prints for each loss by how
much it differs at most, relative to what it was there: in the first step, where the same weights see the same pictures,
and in all steps, whose weights have moved apart by then. Ends with 1 where one differs by more than TOLERANCE of the
precision. first_losses.json beside this file is what the first of these commands saved on a CPU.
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import tensorflow as tf
from absl import flags
from tqdm import tqdm

from benchmarks.machine import device_name
from benchmarks.pictures import photograph
from benchmarks.report import show
from gsr_tf import command
from gsr_tf import config as config_lib
from gsr_tf.config import Config
from gsr_tf.data.batch import Batch
from gsr_tf.data.composition import copy_paste
from gsr_tf.data.image_ops import to_network_range
from gsr_tf.data.writing import write_atomically
from gsr_tf.errors import UserError
from gsr_tf.training.device import set_up

Losses = dict[str, list[float]]  # by name, one a step
# Relative, in the first step and in all: some three times what float32 differed by on one CPU with other kernels, and
# mixed_bfloat16 from float32 there, and tensorfloat32 on an H200; which had 1.5e-5 and .014 in float32, and .011 and
# .076 in mixed_bfloat16.
TOLERANCE = {"float32": (2e-5, 0.05), "tensorfloat32": (0.001, 0.1), "mixed_bfloat16": (0.04, 0.2)}


class LossesError(UserError):
    """A file of losses that cannot be compared with; the message names it."""


def batches(config: Config, steps: int) -> Iterator[Batch]:
    """Made pictures with an ellipse as K, by the step's number."""
    side, count = config.preparation.input_size, config.optimization.batch_size
    for step in range(steps):
        random = np.random.default_rng(step)
        pictures = [np.stack([photograph(random, side, side) for _ in range(count)]) for _ in range(3)]
        s, t, a = (to_network_range(tf.constant(x)) for x in pictures)
        k = tf.constant(np.stack([_ellipse(random, side) for _ in range(count)]))
        yield Batch(s, k, t, copy_paste(s, k, t), a)


def _ellipse(random: np.random.Generator, side: int) -> np.ndarray:
    """[side, side, 1] float32, 1 within an ellipse."""
    mask = np.zeros([side, side], np.float32)
    centre, axes = random.integers(side // 4, 3 * side // 4, 2), random.integers(side // 16, side // 4, 2)
    cv2.ellipse(mask, centre.tolist(), axes.tolist(), float(random.uniform(0, 180)), 0, 360, 1.0, cv2.FILLED)
    return mask[..., None]


def measure(config: Config, steps: int) -> Losses:
    """Each loss of each step."""
    set_up(config.device, config.preparation.seed)
    net = config.build()
    config.initialize(net)
    found: Losses = {}
    for batch in tqdm(batches(config, steps), total=steps, unit="step"):
        for name, value in net.train_step(batch).items():
            found.setdefault(name, []).append(float(value))
    return found


def differences(found: Losses, wanted: Losses) -> dict[str, tuple[float, float]]:
    """Of each loss, relative: in the first step, and at most in any."""
    result = {}
    for name, values in wanted.items():
        apart = np.abs(np.subtract(found[name], values)) / np.maximum(np.abs(values), 1e-12)
        result[name] = float(apart[0]), float(apart.max())
    return result


def too_far(apart: dict[str, tuple[float, float]], precision: str) -> list[str]:
    """Losses that differ by more than TOLERANCE, or are not finite."""
    first, most = TOLERANCE[precision]
    return [name for name, (a, b) in apart.items() if not (a <= first and b <= most)]


def table(apart: dict[str, tuple[float, float]]) -> str:
    """Differences as text, a line a loss."""
    lines = [f"{'loss':40s} {'first step':>10s} {'all steps':>10s}"]
    return "\n".join([*lines, *(f"{name:40s} {first:10.1e} {most:10.1e}" for name, (first, most) in apart.items())])


def _read(path: Path, steps: int, names: Sequence[str]) -> Losses:
    try:
        wanted = json.loads(path.read_text())["losses"]
    except (OSError, ValueError, KeyError) as error:
        raise LossesError(f"--against={path}: {error}; expected a file that --save wrote") from error
    if sorted(wanted) != sorted(names) or any(len(values) < steps for values in wanted.values()):
        raise LossesError(f"--against={path}: other losses, or fewer steps than {steps}; give both runs the same flags")
    return {name: values[:steps] for name, values in wanted.items()}


def _define(values: flags.FlagValues) -> None:
    flags.DEFINE_integer("first_steps", 20, "How many are compared.", 1, flag_values=values)
    flags.DEFINE_string("save", None, "File to write the losses to.", flag_values=values)
    flags.DEFINE_string("against", None, "File that another run's --save wrote.", flag_values=values)
    config_lib.define_flags(values)


def _action(args: flags.FlagValues) -> int:
    config, steps = config_lib.from_flags(args), args.first_steps
    found = measure(config, steps)
    report = {"device": device_name(), "precision": config.device.precision, "losses": found}
    if args.save:
        write_atomically(Path(args.save), (json.dumps(report) + "\n").encode())
    if not args.against:
        print(json.dumps(report))
        return 0
    apart = differences(found, _read(Path(args.against), steps, list(found)))
    show(table(apart), {**report, "apart": apart})
    beyond = too_far(apart, config.device.precision)
    for name in beyond:
        print(f"{name} differs by more than {TOLERANCE[config.device.precision]}")
    return int(bool(beyond))


main = functools.partial(command.main, _action, __doc__, _define)

if __name__ == "__main__":
    sys.exit(main())
