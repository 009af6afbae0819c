"""How long does a training run take to get to work, and a step there, with pictures from records?

    python -m benchmarks.start --flagfile=flags/gsr_net.cfg --vgg16_weights=random --precision=mixed_bfloat16

Makes records of --photographs pictures of 640x480, trains on them for --until steps with `gsr_tf.train`, in a process
of its own, and reads in its curves when its steps were over. `benchmarks.train_step` times steps whose pictures are on
the device already. Prints one JSON line:

* seconds_to_first_step: from the command to the end of its first step.
* seconds_per_step: of those behind the first fifth of --until, one after another.
* input_seconds: of these, those in which the run waited for its next batch.

With --libraries_ahead a thread loads cuDNN and cuBLAS meanwhile: a way to start sooner that no card has timed.
"""

from __future__ import annotations

import functools
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from absl import flags
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from benchmarks.machine import circumstances
from benchmarks.pictures import photograph
from data_prep import folder
from gsr_tf import command
from gsr_tf import config as config_lib
from gsr_tf.config import Config
from gsr_tf.errors import UserError
from gsr_tf.training.summaries import read_scalars

SIDES = (480, 640)
PARTS = ("step_seconds", "input_seconds")
TRAIN = ("-m", "gsr_tf.train")
TRAIN_AHEAD = ("-c", "import sys; from benchmarks import libraries_ahead; sys.exit(libraries_ahead.main(sys.argv))")


def make_records(count: int, made: Path) -> Path:
    """Photographs, each with an ellipse as its mask, as records; returns their folder."""
    for kind in ("images", "masks"):
        (made / kind).mkdir(parents=True)
    for number in range(count):
        random = np.random.default_rng(number)
        mask = np.zeros(SIDES, np.uint8)
        cv2.ellipse(mask, (320, 240), random.integers(40, 200, 2).tolist(), 0, 0, 360, 255, cv2.FILLED)
        cv2.imwrite(str(made / "images" / f"{number}.jpg"), photograph(random, *SIDES))
        cv2.imwrite(str(made / "masks" / f"{number}.png"), mask)
    if folder.main(
        ["folder", f"--images={made / 'images'}", f"--masks={made / 'masks'}", f"--output={made / 'records'}"]
    ):
        raise UserError(f"{made}: records could not be made of {count} photographs")
    return made / "records"


def measure(config: Config, photographs: int, until: int, made: Path, train: Sequence[str] = TRAIN) -> dict:
    """Trains, and reads when steps were over."""
    records, run_dir = make_records(photographs, made), made / "run"
    own = {"run_dir": run_dir, "steps": until, "source_records": records, "target_records": records}
    own |= {"log_every": max(1, until // 5), "panels_every": 0}
    line = [sys.executable, *train, *config.as_flags(), *(f"--{flag}={own[flag]}" for flag in own)]
    start = time.time()
    done = subprocess.run(line, capture_output=True, text=True)
    curves = read_scalars(run_dir)
    if done.returncode or not curves:
        raise UserError(f"gsr_tf.train ended with {done.returncode}: {done.stderr.strip()[-500:]}")
    later = [step for step in curves["time/step_seconds"] if step > own["log_every"]]
    means = {name: float(np.mean([curves[f"time/{name}"][step] for step in later])) for name in PARTS}
    return {
        **circumstances(config),
        "seconds_to_first_step": first_step_over(run_dir) - start,
        "seconds_per_step": means["step_seconds"],
        "input_seconds": means["input_seconds"],
    }


def first_step_over(run_dir: Path) -> float:
    """When its curves begin, in seconds since 1970."""
    (path,) = run_dir.glob("events.out.tfevents.*")
    return next(event.wall_time for event in EventFileLoader(str(path)).Load() if event.step == 1)


def _define(values: flags.FlagValues) -> None:
    own = {"flag_values": values}
    flags.DEFINE_integer("photographs", 64, "Of which the records are made.", 2, **own)
    flags.DEFINE_integer("until", 250, "Steps of the run.", 10, **own)
    flags.DEFINE_bool("libraries_ahead", False, "Time the run as libraries_ahead.py starts it.", **own)
    config_lib.define_flags(values)


def _action(args: flags.FlagValues) -> None:
    train = TRAIN_AHEAD if args.libraries_ahead else TRAIN
    with tempfile.TemporaryDirectory() as made:
        print(json.dumps(measure(config_lib.from_flags(args), args.photographs, args.until, Path(made), train)))


main = functools.partial(command.main, _action, __doc__, _define)

if __name__ == "__main__":
    sys.exit(main())
